"""The compiled loops of the alignment. Scene, Track and Workspace are those of the transport.

    x        bound state (5,)                        S, i  table of surfaces, number of one
    F, Q     Jacobian, noise (5, 5) of a way         H     measured directions (2, 2) in (loc0, loc1)
    P        covariance of the state (5, 5)          h     one of them (2,)
    M        any other matrix (5, 5)                 L     Cholesky factor of the covariance of measurements (m, m)
    z, A, D  whitened equations, see `linear`        a, b  stops of a pair
    j, m     rows and columns

`row` is the number of a state or of a track, `stop` of a stop, `line` of a measurement."""
