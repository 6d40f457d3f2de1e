"""The compiled twins of the transport: a free state y and the derivatives J of it with respect to five start parameters
are moved together, one track at a time. What travels together is a tuple of `tuples`: the Scene in which tracks move,
a Track, the Place where it is, and the Workspace.

Letters of this room; places in vectors have the names of `core.indices`.

    y        free state (7,)                            J        its derivatives (7, 5) by five start parameters
    C        covariance (5, 5) of these parameters      T        total Jacobian (5, 5) since the start of the track
    F        Jacobian (5, 5) to a frame at the end      L        Cholesky factor
    h        step [cm], with the sign of its direction  d        path [cm]
    k        dt/ds [1/cm]                               t        unit direction
    p, E     momentum and energy [GeV]                  B, G     field [T] and its gradient [T/cm]
    S, i     table of surfaces, number of one           V, b     table of volumes, number of a block
    n        unit normal where the track is             e, f, g  of the stages of a step, see `step`
    R, H, D  matrices of the helix, see `rotation`      M        any other matrix
    j, m     rows and columns                           c        column of J
    u, v, w  unit vectors: axes of a surface (w: normal of a plane, axis of a cylinder); u, v: normal to a track"""
