"""Piecewise linear field in the plates of an octagonal barrel and two endcaps; the twin of `fields.iron`."""

import math

from muonkit.core.compiled import inlined
from muonkit.detector.kernels.layout import DATA, OWN, SIZE0, SIZE1
from muonkit.detector.kernels.turn import KNOWN_ZERO, turned

BARREL_PIECES, ENDCAP_PIECES = 2, 5
HALF_SQRT2 = 0.7071067811865476


@inlined
def linear_piece(pool, at, pieces, t):
    """Value and slope of the first piece that ends above t; 0 beyond the last. A piece is (end, slope, intercept)."""
    for k in range(pieces):
        if t < pool[at + 3 * k]:
            slope = pool[at + 3 * k + 1]
            return pool[at + 3 * k + 2] + slope * t, slope
    return 0.0, 0.0


@inlined
def barrel_plate(params, i, plates, x, y):
    """Number of the plate at (x, y), -1 in a gap and outside; the last plate reaches to the outer radius."""
    x, y = abs(x), abs(y)
    distance = max(x, y, HALF_SQRT2 * (x + y))
    first, pitch = params[i, OWN + 1], params[i, OWN + 2]
    if not (first <= distance < params[i, OWN + 4]):
        return -1
    plate = min(int((distance - first) / pitch), plates - 1)
    in_iron = plate == plates - 1 or distance - first - plate * pitch < params[i, OWN + 3]
    return plate if in_iron else -1


@inlined
def in_barrel(params, offsets, pool, i, x, y, z):
    """Bz(|z|) and Br(|z|) of the plate."""
    plates = offsets[i, SIZE0]
    plate = barrel_plate(params, i, plates, x, y)
    if plate < 0:
        return KNOWN_ZERO
    sign = -1.0 if z < 0.0 else 1.0
    r = math.sqrt(x * x + y * y)
    at = offsets[i, DATA] + 3 * BARREL_PIECES * plate
    bz, dz = linear_piece(pool, at, BARREL_PIECES, abs(z))
    br, dr = linear_piece(pool, at + 3 * BARREL_PIECES * plates, BARREL_PIECES, abs(z))
    return turned(x, y, r, sign * br, bz, sign * br / r, 0.0, dr, 0.0, sign * dz)


@inlined
def in_endcap(params, offsets, pool, i, x, y, z):
    """Bz(r) and Br(r) of the plate or of the gap behind it."""
    plates, pitch = offsets[i, SIZE1], params[i, OWN + 7]
    r, depth = math.sqrt(x * x + y * y), abs(z) - params[i, OWN + 6]
    plate = int(depth / pitch)
    in_gap = depth - plate * pitch >= params[i, OWN + 8]
    if r <= params[i, OWN + 9] or plate >= plates or (in_gap and plate == plates - 1):
        return KNOWN_ZERO
    sign = -1.0 if z < 0.0 else 1.0
    block = 3 * ENDCAP_PIECES * plates
    at = offsets[i, DATA] + 6 * BARREL_PIECES * offsets[i, SIZE0] + 3 * ENDCAP_PIECES * plate
    if in_gap:
        at += 2 * block
    bz, dz = linear_piece(pool, at, ENDCAP_PIECES, r)
    br, dr = linear_piece(pool, at + block, ENDCAP_PIECES, r)
    return turned(x, y, r, sign * br, bz, sign * br / r, sign * dr, 0.0, dz, 0.0)


@inlined
def klm_iron(params, offsets, pool, i, x, y, z):
    """Barrel for |z| below its half length, endcap beyond the endcap's first plate, nothing between and outside."""
    z = z - params[i, OWN]
    if abs(z) < params[i, OWN + 5]:
        return in_barrel(params, offsets, pool, i, x, y, z)
    if abs(z) >= params[i, OWN + 6]:
        return in_endcap(params, offsets, pool, i, x, y, z)
    return KNOWN_ZERO
