"""How far it is, straight ahead, to the end of the slice that holds a point: the whole geometry of the fast simulation
of showers, which goes from wall to wall."""

import math

from muonkit.core.compiled import inlined, leaf
from muonkit.detector.kernels import places
from muonkit.simulation.kernels.geometry import room

FAR = 1e9
GRAIN = 0.05  # cm: the shortest step outside of all blocks


@inlined
def ahead(V, block, part, y):
    """Path [cm] to the end of the region; outside of all blocks a path that stays outside, if longer than GRAIN."""
    if block < 0:
        return max(room(V, block, part, y), GRAIN)
    r0, r1, z0, z1 = V.rho_min[block], V.rho_max[block], V.z_min[block], V.z_max[block]
    edge = V.first[block] + block + part
    if V.axis[block] == 0:
        r0, r1 = V.edges[edge], V.edges[edge + 1]
    else:
        z0, z1 = V.edges[edge], V.edges[edge + 1]
    d = between(y[2] - V.z0[block], y[5], z0, z1)
    if V.sides[block] == 0:
        return min(d, round_wall(y, r0, r1))
    return min(d, flat_wall(V, block, y, r0, r1))


@leaf
def between(z, slope, low, high):
    """Path to one of two planes."""
    if slope > 0:
        return max((high - z) / slope, 0.0)
    return max((low - z) / slope, 0.0) if slope < 0 else FAR


@leaf
def round_wall(y, r0, r1):
    """Path to the inner or the outer cylinder, from between them."""
    a, b = y[3] * y[3] + y[4] * y[4], y[0] * y[3] + y[1] * y[4]
    if a == 0:
        return FAR
    c = y[0] * y[0] + y[1] * y[1]
    if b < 0 and r0 > 0:
        inner = b * b - a * (c - r0 * r0)
        if inner > 0:
            return max((-b - math.sqrt(inner)) / a, 0.0)
    outer = b * b - a * (c - r1 * r1)
    return max((-b + math.sqrt(max(outer, 0.0))) / a, 0.0)


@inlined
def flat_wall(V, block, y, r0, r1):
    """The same for polygons: into the inner one, where all sides are entered, or out of the outer one."""
    out, stays_out = FAR, False
    for side in range(V.sides[block]):
        c, s = places.towards(V, block, 2 * side)
        along, slope = c * y[0] + s * y[1], c * y[3] + s * y[4]
        if slope > 0 and along + slope * out > r1:
            out = (r1 - along) / slope
        stays_out = stays_out or (along >= r0 and slope >= 0)
    enter = FAR if stays_out else inner_wall(V, block, y, r0)
    return enter if enter < FAR else max(out, 0.0)


@leaf
def inner_wall(V, block, y, r0):
    """Path from outside into a polygon, FAR past it."""
    enter, leave = 0.0, FAR
    for side in range(V.sides[block]):
        c, s = places.towards(V, block, 2 * side)
        along, slope = c * y[0] + s * y[1], c * y[3] + s * y[4]
        if slope > 0:
            leave = min(leave, (r0 - along) / slope)
        elif slope < 0:
            enter = max(enter, (r0 - along) / slope)
    return enter if enter < leave else FAR


@leaf
def to_can(y, r, z0, z1):
    """Path to the end of a can of radius r between z0 and z1, from inside."""
    return min(round_wall(y, 0.0, r), between(y[2], y[5], z0, z1))
