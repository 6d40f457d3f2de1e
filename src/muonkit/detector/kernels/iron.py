"""Piecewise linear field in the plates of an octagonal barrel and two endcaps; the twin of `fields.iron`."""

import math

from muonkit.core.compiled import inlined
from muonkit.detector.kernels.layout import DATA, OWN, SIZE0, SIZE1
from muonkit.detector.kernels.turn import KNOWN_ZERO, MeridianField, turned

BARREL_PIECES, ENDCAP_PIECES = 2, 5
HALF_SQRT2 = 0.7071067811865476
# the numbers of the kind, see `fields.iron`
Z0, BARREL_FIRST, BARREL_PITCH, PLATE, BARREL_END, BARREL_HALF = range(OWN, OWN + 6)
ENDCAP_FIRST, ENDCAP_PITCH, ENDCAP_PLATE, ENDCAP_HOLE = range(OWN + 6, OWN + 10)


@inlined
def linear_piece(pool, at, pieces, depth):
    """Value and slope of the first piece that ends above `depth`; 0 beyond the last. A piece is (end, slope, value at
    0)."""
    for k in range(pieces):
        if depth < pool[at + 3 * k]:
            slope = pool[at + 3 * k + 1]
            return pool[at + 3 * k + 2] + slope * depth, slope
    return 0.0, 0.0


@inlined
def barrel_plate(f, i, plates, x, y):
    """Number of the plate at (x, y), -1 in a gap and outside; the last plate reaches to the outer radius."""
    x, y = abs(x), abs(y)
    distance = max(x, y, HALF_SQRT2 * (x + y))
    first, pitch = f.params[i, BARREL_FIRST], f.params[i, BARREL_PITCH]
    if not (first <= distance < f.params[i, BARREL_END]):
        return -1
    plate = min(int((distance - first) / pitch), plates - 1)
    in_iron = plate == plates - 1 or distance - first - plate * pitch < f.params[i, PLATE]
    return plate if in_iron else -1


@inlined
def in_barrel(f, i, x, y, z):
    """Bz(|z|) and Br(|z|) of the plate."""
    plates = f.offsets[i, SIZE0]
    plate = barrel_plate(f, i, plates, x, y)
    if plate < 0:
        return KNOWN_ZERO
    sign = -1.0 if z < 0.0 else 1.0
    r = math.sqrt(x * x + y * y)
    at = f.offsets[i, DATA] + 3 * BARREL_PIECES * plate
    bz, dz = linear_piece(f.pool, at, BARREL_PIECES, abs(z))
    br, dr = linear_piece(f.pool, at + 3 * BARREL_PIECES * plates, BARREL_PIECES, abs(z))
    return turned(x, y, r, MeridianField(sign * br, bz, sign * br / r, 0.0, dr, 0.0, sign * dz))


@inlined
def in_endcap(f, i, x, y, z):
    """Bz(r) and Br(r) of the plate or of the gap behind it."""
    plates, pitch = f.offsets[i, SIZE1], f.params[i, ENDCAP_PITCH]
    r, depth = math.sqrt(x * x + y * y), abs(z) - f.params[i, ENDCAP_FIRST]
    plate = int(depth / pitch)
    in_gap = depth - plate * pitch >= f.params[i, ENDCAP_PLATE]
    if r <= f.params[i, ENDCAP_HOLE] or plate >= plates or (in_gap and plate == plates - 1):
        return KNOWN_ZERO
    sign = -1.0 if z < 0.0 else 1.0
    block = 3 * ENDCAP_PIECES * plates
    at = f.offsets[i, DATA] + 6 * BARREL_PIECES * f.offsets[i, SIZE0] + 3 * ENDCAP_PIECES * plate
    if in_gap:
        at += 2 * block
    bz, dz = linear_piece(f.pool, at, ENDCAP_PIECES, r)
    br, dr = linear_piece(f.pool, at + block, ENDCAP_PIECES, r)
    return turned(x, y, r, MeridianField(sign * br, bz, sign * br / r, sign * dr, 0.0, dz, 0.0))


@inlined
def klm_iron(f, i, x, y, z):
    """Barrel for |z| below its half length, endcap beyond the endcap's first plate, nothing between and outside."""
    z = z - f.params[i, Z0]
    if abs(z) < f.params[i, BARREL_HALF]:
        return in_barrel(f, i, x, y, z)
    if abs(z) >= f.params[i, ENDCAP_FIRST]:
        return in_endcap(f, i, x, y, z)
    return KNOWN_ZERO
