"""Thick volumes: which one holds a point. The twin of `detector.volumes`."""

import math

import numpy as np

from muonkit.core.compiled import inlined
from muonkit.detector.volumes import CONES, NOWHERE, RHO, ROUND

MAX_SIDES = 24
# unit vectors at half turns of the sides: row n, column 2 s for side s of n, 2 s + 1 for the edge behind it; the
# arctangent, sine and cosine in their place took half of the time of a track in the yoke
ANGLE = np.pi * np.arange(2 * MAX_SIDES) / np.maximum(np.arange(MAX_SIDES + 1), 1)[:, None]
COS, SIN = np.cos(ANGLE), np.sin(ANGLE)


@inlined
def towards(V, b, half):
    """Unit vector `half` half turns of the sides of polygon block b away from side 0, less than twice around."""
    n = V.sides[b]
    half = half if half < 2 * n else half - 2 * n  # a remainder costs as much as a square root
    cos, sin = COS[n, half], SIN[n, half]
    phi0 = V.phi0[b]
    if phi0 == 0.0:
        return cos, sin
    cos0, sin0 = math.cos(phi0), math.sin(phi0)
    return cos * cos0 - sin * sin0, sin * cos0 + cos * sin0


@inlined
def facing(V, b, x, y):
    """The side of polygon block b that looks towards (x, y), and the distance from the axis along its normal."""
    phi0 = V.phi0[b]
    if phi0 != 0.0:
        cos0, sin0 = math.cos(phi0), math.sin(phi0)
        x, y = x * cos0 + y * sin0, y * cos0 - x * sin0
    n, side, rho = V.sides[b], 0, -math.inf
    for one in range(n):
        along = x * COS[n, 2 * one] + y * SIN[n, 2 * one]
        if along > rho:
            side, rho = one, along
    return side, rho


@inlined
def rho_of(V, b, x, y):
    """Distance from the axis: hypot(x, y), or the distance that makes a polygon a circle."""
    if V.sides[b] <= ROUND:
        return math.sqrt(x * x + y * y)
    return facing(V, b, x, y)[1]


@inlined
def across(V, b, side, x, y):
    """Distance along a side of polygon block b from its middle."""
    n0, n1 = towards(V, b, 2 * side)
    return abs(n0 * y - n1 * x)


@inlined
def is_boxes(V, b):
    """Whether block b is a polygon of narrow sides."""
    return V.half_width[b] < math.inf


@inlined
def walls(V, b, along):
    """Inner and outer rho of block b at z' = along."""
    up = along - V.z_min[b]
    return V.rho_min[b] + V.lean_min[b] * up, V.rho_max[b] + V.lean_max[b] * up


@inlined
def slice_in(V, b, x, y, z):
    """Slice of block b that holds the point, NOWHERE if none does."""
    along = z - V.z0[b]
    if along < V.z_min[b] or along >= V.z_max[b]:
        return NOWHERE
    rho = rho_of(V, b, x, y)
    if V.sides[b] == CONES:
        inner, outer = walls(V, b, along)
        return 0 if inner <= rho < outer else NOWHERE
    if rho < V.rho_min[b] or rho >= V.rho_max[b]:
        return NOWHERE
    if is_boxes(V, b) and across(V, b, facing(V, b, x, y)[0], x, y) >= V.half_width[b]:
        return NOWHERE
    value = rho if V.axis[b] == RHO else along
    low, high = V.first[b] + b, V.first[b] + b + V.count[b]
    while high - low > 1:
        middle = (low + high) // 2
        if value < V.edges[middle]:
            high = middle
        else:
            low = middle
    return low - V.first[b] - b


@inlined
def locate(V, x, y, z, hint):
    """Block and slice that hold the point; NOWHERE, both, outside all of them. Block `hint` is tried first,
    unless it is negative."""
    if hint >= 0:
        part = slice_in(V, hint, x, y, z)
        if part != NOWHERE:
            return hint, part
    r = math.sqrt(x * x + y * y)
    for b in range(V.sides.size):
        if r < V.hole[b] or r >= V.reach[b]:
            continue
        part = slice_in(V, b, x, y, z)
        if part != NOWHERE:
            return b, part
    return NOWHERE, NOWHERE


@inlined
def material_of(V, block, part):
    """Index of the material; 0 outside."""
    return 0 if block == NOWHERE else V.material[V.first[block] + part]
