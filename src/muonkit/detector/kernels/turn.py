"""What a part of a field returns: `(inside, Bx, By, Bz, dBx/dx, dBx/dy, dBx/dz, dBy/dx, ..., dBz/dz)`."""

from typing import NamedTuple

from muonkit.core.compiled import inlined

NOTHING = (0.0,) * 12
OUTSIDE = (False, *NOTHING)
KNOWN_ZERO = (True, *NOTHING)


class MeridianField(NamedTuple):
    """A field without azimuth at distance r from its axis: Br, Bz [T], Br/r and the four derivatives [T/cm]."""

    br: float
    bz: float
    over_r: float
    dr_dr: float
    dr_dz: float
    dz_dr: float
    dz_dz: float


@inlined
def turned(x, y, r, there):
    """From `there`, MeridianField at distance r, to (x, y, z). On the axis dBr/dr = Br/r in any direction."""
    inverse = 1.0 / r if r > 0.0 else 0.0
    cos = x * inverse if r > 0.0 else 1.0
    sin = y * inverse
    br, bz, over_r, dr_dr, dr_dz, dz_dr, dz_dz = there
    more = dr_dr - over_r
    d_xy = more * cos * sin
    d_xx, d_yy = over_r + more * cos * cos, over_r + more * sin * sin
    d_xz, d_yz, d_zx, d_zy = dr_dz * cos, dr_dz * sin, dz_dr * cos, dz_dr * sin
    return True, br * cos, br * sin, bz, d_xx, d_xy, d_xz, d_xy, d_yy, d_yz, d_zx, d_zy, dz_dz
