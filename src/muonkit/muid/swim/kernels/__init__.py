"""Compiled loops of Muid: from plane to plane through the muon detector. What travels together is a tuple of `tuples`.

Letters of this room; places in vectors have the names of `core.indices`.

    y     free state (7,)                             C     curvilinear covariance (5, 5)
    F     Jacobian (5, 5) between frames              H     (2, 2): local coordinates by displacements along u, v
    P     H C H^T                                     V     variances (2,) of a hit
    r     residual (2,) of a hit                      K     gain (5, 2), C H^T (P + V)^-1
    L     Cholesky factor                             M     any other matrix (5, 5)
    S, i  table of surfaces, number of a plane        n     unit normal
    u, v  unit vectors normal to the track            k, d  dt/ds [1/cm], path [cm]
    j, m  rows and columns                            c     columns, coordinates of a point

`row` is the number of a track, `hit` of a hit; own: the plane in which a hit of another sector is."""
