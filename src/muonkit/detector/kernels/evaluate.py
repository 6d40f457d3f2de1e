"""The field and its gradient at a point, compiled: the innermost loop of the transport. No allocations."""

import math

import numpy as np

from muonkit.core.compiled import compiled, inlined, leaf, shared
from muonkit.detector.kernels.grids import correction, correction_size, map_rz, map_xyz
from muonkit.detector.kernels.iron import klm_iron
from muonkit.detector.kernels.layout import (
    BOX,
    CORRECTION,
    CORRECTIONS,
    CYLINDER,
    FACTOR,
    FAR,
    HARMONIC,
    IN_BOX,
    IN_CYLINDER,
    KLM_IRON,
    OWN,
    PARAMETRISED,
    REGION,
    RZ_MAP,
    SOLENOID,
    UNIFORM,
    XYZ_MAP,
)
from muonkit.detector.kernels.profiles import harmonic, parametrised
from muonkit.detector.kernels.sheet import solenoid
from muonkit.detector.kernels.turn import NOTHING, OUTSIDE


@inlined
def in_region(p, i, which, x, y, z):
    """Whether the point is in the cylinder and the box of part i; lower bounds belong to it, upper ones do not."""
    if which & IN_CYLINDER:
        r = math.sqrt(x * x + y * y)
        if not (p[i, CYLINDER] <= r < p[i, CYLINDER + 1] and p[i, CYLINDER + 2] <= z < p[i, CYLINDER + 3]):
            return False
    if which & IN_BOX:
        in_xy = p[i, BOX] <= x < p[i, BOX + 1] and p[i, BOX + 2] <= y < p[i, BOX + 3]
        return in_xy and p[i, BOX + 4] <= z < p[i, BOX + 5]
    return True


@shared
def part(kinds, params, offsets, pool, i, x, y, z):
    """Part i without its factors."""
    kind = kinds[i]
    if kind == RZ_MAP:
        return map_rz(params, offsets, pool, i, x, y, z)
    if kind == SOLENOID:
        return solenoid(params, i, x, y, z)
    if kind == HARMONIC:
        return harmonic(params, offsets, pool, i, x, y, z)
    if kind == XYZ_MAP:
        return map_xyz(params, offsets, pool, i, x, y, z)
    if kind == KLM_IRON:
        return klm_iron(params, offsets, pool, i, x, y, z)
    if kind == PARAMETRISED:
        return parametrised(params, i, x, y, z)
    if kind == UNIFORM:
        return (True, params[i, OWN], params[i, OWN + 1], params[i, OWN + 2], *NOTHING[3:])
    return OUTSIDE


@inlined
def correct(params, offsets, pool, i, x, y, z):
    """The constant times the correction maps of part i, and its gradient."""
    s, sx, sy, sz = params[i, FACTOR], 0.0, 0.0, 0.0
    at = offsets[i, CORRECTION]
    for _ in range(offsets[i, CORRECTIONS]):
        c, cx, cy, cz = correction(pool, at, x, y, z)
        s, sx, sy, sz = s * c, sx * c + s * cx, sy * c + s * cy, sz * c + s * cz
        at += correction_size(pool, at)
    return s, sx, sy, sz


@inlined
def add_gradient(G, s, p):
    """G += s x the gradient of a part."""
    G[0, 0] += s * p[4]
    G[0, 1] += s * p[5]
    G[0, 2] += s * p[6]
    G[1, 0] += s * p[7]
    G[1, 1] += s * p[8]
    G[1, 2] += s * p[9]
    G[2, 0] += s * p[10]
    G[2, 1] += s * p[11]
    G[2, 2] += s * p[12]


@inlined
def add_outer(G, row, b, sx, sy, sz):
    """G[row] += b x the gradient of a factor."""
    G[row, 0] += b * sx
    G[row, 1] += b * sy
    G[row, 2] += b * sz


@inlined
def clear(B, G, want_gradient):
    """Both 0."""
    for i in range(3):
        B[i] = 0.0
        if want_gradient:
            for j in range(3):
                G[i, j] = 0.0


@inlined
def add_part(kinds, params, offsets, pool, i, x, y, z, B, G, want_gradient):
    """Add part i; False if the point is out of its map."""
    p = part(kinds, params, offsets, pool, i, x, y, z)
    s = params[i, FACTOR]
    if offsets[i, CORRECTIONS] > 0:
        s, sx, sy, sz = correct(params, offsets, pool, i, x, y, z)
        if want_gradient:
            add_outer(G, 0, p[1], sx, sy, sz)
            add_outer(G, 1, p[2], sx, sy, sz)
            add_outer(G, 2, p[3], sx, sy, sz)
    B[0] += s * p[1]
    B[1] += s * p[2]
    B[2] += s * p[3]
    if want_gradient:
        add_gradient(G, s, p)
    return p[0]


@leaf
def field(f, x, y, z, B, G, want_gradient):
    """Write B [T] (3,) and, if wanted, G[i, j] = dB_i/dx_j [T/cm] at a point [cm].

    False, and both 0, out of a map, and where the point is not a number or not in this world."""
    kinds, params, offsets, pool = f
    clear(B, G, want_gradient)
    if not abs(x) + abs(y) + abs(z) < FAR:
        return False
    for i in range(kinds.size):
        which = offsets[i, REGION]
        if which and not in_region(params, i, which, x, y, z):
            continue
        if kinds[i] == UNIFORM and offsets[i, CORRECTIONS] == 0:
            for j in range(3):
                B[j] += params[i, FACTOR] * params[i, OWN + j]
        elif not add_part(kinds, params, offsets, pool, i, x, y, z, B, G, want_gradient):
            clear(B, G, want_gradient)
            return False
    return True


@compiled
def field_many(f, points, B, G):
    """The same for points (n, 3): fills B (n, 3) and G (n, 3, 3), returns inside (n,)."""
    inside = np.empty(len(points), np.bool_)
    for i in range(len(points)):
        inside[i] = field(f, points[i, 0], points[i, 1], points[i, 2], B[i], G[i], True)
    return inside
