"""How far it is, straight ahead, to the end of the slice that holds a point: the whole geometry of the fast simulation
of showers, which goes from wall to wall."""

import math
from typing import NamedTuple

from muonkit.core.compiled import inlined, leaf
from muonkit.detector.kernels import places
from muonkit.detector.volumes import CONES, ROUND
from muonkit.simulation.kernels.geometry import FAR, extent, room
from muonkit.simulation.kernels.indices import TX, TY, TZ, X, Y, Z

GRAIN = 0.05  # cm: the shortest step outside of all blocks


class Can(NamedTuple):
    """A cylinder around the z axis with both its ends: the end of a tracker [cm]."""

    r: float
    z_min: float
    z_max: float


@inlined
def ahead(V, block, part, y):
    """Path [cm] to the end of the region; outside of all blocks a path that stays outside, if longer than GRAIN."""
    if block < 0:
        return max(room(V, block, part, y), GRAIN)
    ends = extent(V, block, part)
    to_end = between(y[Z] - V.z0[block], y[TZ], ends.z_min, ends.z_max)
    if V.sides[block] == ROUND:
        return min(to_end, round_wall(y, ends.r_min, ends.r_max))
    if V.sides[block] == CONES:
        return min(to_end, cone_wall(V, block, y))
    if places.is_boxes(V, block):
        return min(to_end, box_wall(V, block, y))
    return min(to_end, flat_wall(V, block, y, ends.r_min, ends.r_max))


@leaf
def between(z, slope, low, high):
    """Path to one of two planes."""
    if slope > 0:
        return max((high - z) / slope, 0.0)
    return max((low - z) / slope, 0.0) if slope < 0 else FAR


@leaf
def round_wall(y, r_min, r_max):
    """Path to the inner or the outer cylinder, from between them."""
    sin2, outwards = y[TX] * y[TX] + y[TY] * y[TY], y[X] * y[TX] + y[Y] * y[TY]
    if sin2 == 0:
        return FAR
    r2 = y[X] * y[X] + y[Y] * y[Y]
    if outwards < 0 and r_min > 0:
        inner = outwards * outwards - sin2 * (r2 - r_min * r_min)
        if inner > 0:
            return max((-outwards - math.sqrt(inner)) / sin2, 0.0)
    outer = outwards * outwards - sin2 * (r2 - r_max * r_max)
    return max((-outwards + math.sqrt(max(outer, 0.0))) / sin2, 0.0)


@leaf
def cone_wall(V, block, y):
    """Path to the inner or the outer cone, from between them."""
    r2, tz = y[X] * y[X] + y[Y] * y[Y], y[TZ]
    sin2, outwards = y[TX] * y[TX] + y[TY] * y[TY], y[X] * y[TX] + y[Y] * y[TY]
    inner, outer = places.walls(V, block, y[Z] - V.z0[block])
    in_growth, out_growth = V.lean_min[block] * tz, V.lean_max[block] * tz
    to_outer = rise(sin2 - out_growth * out_growth, outwards - outer * out_growth, r2 - outer * outer)
    if V.rho_min[block] == 0.0 and V.lean_min[block] == 0.0:
        return to_outer
    return min(to_outer, rise(in_growth * in_growth - sin2, inner * in_growth - outwards, inner * inner - r2))


@leaf
def rise(square, half, constant):
    """Where square d^2 + 2 half d + constant, which is negative at d = 0, becomes positive."""
    under = half * half - square * constant
    if under < 0:
        return FAR
    root = math.sqrt(under)
    if half > 0:
        return max(-constant / (half + root), 0.0)
    return (root - half) / square if square > 0 else FAR


@leaf
def box_wall(V, block, y):
    """Path to one of the four flat walls of a box, from inside."""
    cos, sin = places.towards(V, block, 2 * places.facing(V, block, y[X], y[Y])[0])
    to_rho = between(cos * y[X] + sin * y[Y], cos * y[TX] + sin * y[TY], V.rho_min[block], V.rho_max[block])
    half = V.half_width[block]
    return min(to_rho, between(cos * y[Y] - sin * y[X], cos * y[TY] - sin * y[TX], -half, half))


@inlined
def flat_wall(V, block, y, r_min, r_max):
    """The same for polygons: into the inner one, where all sides are entered, or out of the outer one."""
    out, stays_out = FAR, False
    for side in range(V.sides[block]):
        cos, sin = places.towards(V, block, 2 * side)
        along, slope = cos * y[X] + sin * y[Y], cos * y[TX] + sin * y[TY]
        if slope > 0 and along + slope * out > r_max:
            out = (r_max - along) / slope
        stays_out = stays_out or (along >= r_min and slope >= 0)
    enter = FAR if stays_out else inner_wall(V, block, y, r_min)
    return enter if enter < FAR else max(out, 0.0)


@leaf
def inner_wall(V, block, y, r_min):
    """Path from outside into a polygon, FAR past it."""
    enter, leave = 0.0, FAR
    for side in range(V.sides[block]):
        cos, sin = places.towards(V, block, 2 * side)
        along, slope = cos * y[X] + sin * y[Y], cos * y[TX] + sin * y[TY]
        if slope > 0:
            leave = min(leave, (r_min - along) / slope)
        elif slope < 0:
            enter = max(enter, (r_min - along) / slope)
    return enter if enter < leave else FAR


@leaf
def to_can(y, can):
    """Path to the end of a can, from inside."""
    return min(round_wall(y, 0.0, can.r), between(y[Z], y[TZ], can.z_min, can.z_max))
