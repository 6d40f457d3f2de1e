"""What a part of a field returns: `(inside, Bx, By, Bz, dBx/dx, dBx/dy, dBx/dz, dBy/dx, ..., dBz/dz)`."""

from muonkit.core.compiled import inlined

NOTHING = (0.0,) * 12
OUTSIDE = (False, *NOTHING)
KNOWN_ZERO = (True, *NOTHING)


@inlined
def turned(x, y, r, br, bz, over_r, dr_dr, dr_dz, dz_dr, dz_dz):
    """From (r, z) to (x, y, z); over_r = Br/r. On the axis dBr/dr = Br/r, so the direction does not matter."""
    inverse = 1.0 / r if r > 0.0 else 0.0
    c = x * inverse if r > 0.0 else 1.0
    s = y * inverse
    d = dr_dr - over_r
    mixed = d * c * s
    d_xx, d_yy = over_r + d * c * c, over_r + d * s * s
    return True, br * c, br * s, bz, d_xx, mixed, dr_dz * c, mixed, d_yy, dr_dz * s, dz_dr * c, dz_dr * s, dz_dz
