"""Thick volumes: which one holds a point. The twin of `detector.volumes`."""

import math

from muonkit.core.compiled import leaf


@leaf
def side_of(V, b, x, y):
    """The side of polygon block b that looks towards (x, y)."""
    width = 2 * math.pi / V.sides[b]
    return math.floor((math.atan2(y, x) - V.phi0[b]) / width + 0.5)


@leaf
def rho_of(V, b, x, y):
    """Distance from the axis: hypot(x, y), or the distance that makes a polygon a circle."""
    if V.sides[b] == 0:
        return math.sqrt(x * x + y * y)
    angle = V.phi0[b] + side_of(V, b, x, y) * 2 * math.pi / V.sides[b]
    return x * math.cos(angle) + y * math.sin(angle)


@leaf
def locate(V, x, y, z):
    """Block and slice that hold the point; (-1, -1) outside all of them."""
    for b in range(V.sides.size):
        along = z - V.z0[b]
        if along < V.z_min[b] or along >= V.z_max[b]:
            continue
        rho = rho_of(V, b, x, y)
        if rho < V.rho_min[b] or rho >= V.rho_max[b]:
            continue
        value = rho if V.axis[b] == 0 else along
        low, high = V.first[b] + b, V.first[b] + b + V.count[b]
        while high - low > 1:
            middle = (low + high) // 2
            if value < V.edges[middle]:
                high = middle
            else:
                low = middle
        return b, low - V.first[b] - b
    return -1, -1


@leaf
def material_of(V, block, part):
    """Index of the material; 0 outside."""
    return 0 if block < 0 else V.material[V.first[block] + part]
