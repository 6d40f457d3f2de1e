"""Places of the five bound track parameters: two local positions [cm], direction angles [rad], charge over momentum
[1/GeV]."""

LOC0, LOC1, PHI, THETA, QOP = range(5)
NAMES = ("loc0", "loc1", "phi", "theta", "qop")
