"""The compiled twins of the Kalman filter and of the search for the surfaces of a track. Scene, Track and Workspace are
those of the transport.

Letters of this room; places in vectors have the names of `core.indices`.

    x        bound state (5,)                        C     its covariance (5, 5)
    F        Jacobian (5, 5) from the stop before    P     projection (2, 2): measured directions in (loc0, loc1)
    r        residual of a hit                       W     inverse of its covariance, (P C P^T + V)^-1
    K        gain (5, 2)                             A     1 - K H (5, 5), H = (P, 0)
    L        Cholesky factor                         M     any other matrix (5, 5)
    S, i     table of surfaces, number of one        y, k  free state, dt/ds [1/cm]
    h, d     step, path [cm]                         n     measured coordinates of a surface
    a, b, c  rows and columns of 5, a, b of vectors  j, m  rows and columns of 2; in `route` j counts crossings

lam and Lam are lambda and Lambda of the smoother; `row` is the number of a track, `stop` of a stop, `hit` of a hit."""
