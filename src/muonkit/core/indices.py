"""Places in the vectors of a track. Lengths cm, angles rad, charge over momentum q/p in 1/GeV.

Bound, on a surface: two local positions, two angles of the direction, q/p. Free: position, unit direction, q/p.
Curvilinear, on the plane normal to the track: displacements along u and v, angles towards them, q/p (QOP, as bound)."""

LOC0, LOC1, PHI, THETA, QOP = range(5)
NAMES = ("loc0", "loc1", "phi", "theta", "qop")
X, Y, Z, TX, TY, TZ, FREE_QOP = range(7)
POSITION, DIRECTION = slice(X, TX), slice(TX, FREE_QOP)
ALONG_U, ALONG_V, TO_U, TO_V = range(4)
