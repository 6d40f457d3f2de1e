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
def in_region(f, i, which, x, y, z):
    """Whether the point is in the cylinder and the box of part i; lower bounds belong to it, upper ones do not."""
    bounds = f.params[i]
    if which & IN_CYLINDER:
        r = math.sqrt(x * x + y * y)
        if not (bounds[CYLINDER] <= r < bounds[CYLINDER + 1] and bounds[CYLINDER + 2] <= z < bounds[CYLINDER + 3]):
            return False
    if which & IN_BOX:
        in_xy = bounds[BOX] <= x < bounds[BOX + 1] and bounds[BOX + 2] <= y < bounds[BOX + 3]
        return in_xy and bounds[BOX + 4] <= z < bounds[BOX + 5]
    return True


@shared
def part(f, i, x, y, z):
    """Part i without its factors."""
    kind = f.kinds[i]
    if kind == RZ_MAP:
        return map_rz(f, i, x, y, z)
    if kind == SOLENOID:
        return solenoid(f, i, x, y, z)
    if kind == HARMONIC:
        return harmonic(f, i, x, y, z)
    if kind == XYZ_MAP:
        return map_xyz(f, i, x, y, z)
    if kind == KLM_IRON:
        return klm_iron(f, i, x, y, z)
    if kind == PARAMETRISED:
        return parametrised(f, i, x, y, z)
    if kind == UNIFORM:
        return (True, f.params[i, OWN], f.params[i, OWN + 1], f.params[i, OWN + 2], *NOTHING[3:])
    return OUTSIDE


@inlined
def correct(f, i, x, y, z):
    """The constant times the correction maps of part i, and its gradient."""
    factor, d_x, d_y, d_z = f.params[i, FACTOR], 0.0, 0.0, 0.0
    at = f.offsets[i, CORRECTION]
    for _ in range(f.offsets[i, CORRECTIONS]):
        one, one_x, one_y, one_z = correction(f.pool, at, x, y, z)
        d_x, d_y, d_z = d_x * one + factor * one_x, d_y * one + factor * one_y, d_z * one + factor * one_z
        factor *= one
        at += correction_size(f.pool, at)
    return factor, d_x, d_y, d_z


@inlined
def add_gradient(G, factor, added):
    """G += factor x the gradient of a part."""
    G[0, 0] += factor * added[4]
    G[0, 1] += factor * added[5]
    G[0, 2] += factor * added[6]
    G[1, 0] += factor * added[7]
    G[1, 1] += factor * added[8]
    G[1, 2] += factor * added[9]
    G[2, 0] += factor * added[10]
    G[2, 1] += factor * added[11]
    G[2, 2] += factor * added[12]


@inlined
def add_outer(G, row, component, d_x, d_y, d_z):
    """G[row] += component of a part x the gradient of its factor."""
    G[row, 0] += component * d_x
    G[row, 1] += component * d_y
    G[row, 2] += component * d_z


@inlined
def clear(B, G, want_gradient):
    """Both 0."""
    for i in range(3):
        B[i] = 0.0
        if want_gradient:
            for j in range(3):
                G[i, j] = 0.0


@inlined
def add_part(f, i, x, y, z, B, G, want_gradient):
    """Add part i; False if the point is out of its map."""
    added = part(f, i, x, y, z)
    factor = f.params[i, FACTOR]
    if f.offsets[i, CORRECTIONS] > 0:
        factor, d_x, d_y, d_z = correct(f, i, x, y, z)
        if want_gradient:
            add_outer(G, 0, added[1], d_x, d_y, d_z)
            add_outer(G, 1, added[2], d_x, d_y, d_z)
            add_outer(G, 2, added[3], d_x, d_y, d_z)
    B[0] += factor * added[1]
    B[1] += factor * added[2]
    B[2] += factor * added[3]
    if want_gradient:
        add_gradient(G, factor, added)
    return added[0]


@leaf
def field(f, x, y, z, B, G, want_gradient):
    """Write B [T] (3,) and, if wanted, G[i, j] = dB_i/dx_j [T/cm] at a point [cm].

    False, and both 0, out of a map, and where the point is not a number or not in this world."""
    clear(B, G, want_gradient)
    if not abs(x) + abs(y) + abs(z) < FAR:
        return False
    for i in range(f.kinds.size):
        which = f.offsets[i, REGION]
        if which and not in_region(f, i, which, x, y, z):
            continue
        if f.kinds[i] == UNIFORM and f.offsets[i, CORRECTIONS] == 0:
            for j in range(3):
                B[j] += f.params[i, FACTOR] * f.params[i, OWN + j]
        elif not add_part(f, i, x, y, z, B, G, want_gradient):
            clear(B, G, want_gradient)
            return False
    return True


@inlined
def value(f, x, y, z, B, G):
    """`field` without a gradient, G is scratch: of a single map, the compiler leaves out what a gradient takes."""
    kind = f.kinds[0] if f.kinds.size == 1 else UNIFORM
    if (kind != RZ_MAP and kind != XYZ_MAP) or f.offsets[0, REGION] != 0 or f.offsets[0, CORRECTIONS] != 0:
        return field(f, x, y, z, B, G, False)
    found = map_rz(f, 0, x, y, z) if kind == RZ_MAP else map_xyz(f, 0, x, y, z)
    factor = f.params[0, FACTOR]
    B[0], B[1], B[2] = factor * found[1], factor * found[2], factor * found[3]
    return found[0]


@compiled
def field_many(f, points, B, G):
    """The same for points (n, 3): fills B (n, 3) and G (n, 3, 3), returns inside (n,)."""
    inside = np.empty(len(points), np.bool_)
    for i in range(len(points)):
        inside[i] = field(f, points[i, 0], points[i, 1], points[i, 2], B[i], G[i], True)
    return inside
