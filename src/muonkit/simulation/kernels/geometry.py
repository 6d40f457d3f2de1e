"""Where the truth is: distances from surfaces and from the walls of thick volumes.

A region is a slice of a block, or (-1, -1): all that is outside of the blocks. Its room is a distance that can be gone
in any direction without leaving it; negative outside."""

import math
from typing import NamedTuple

from muonkit.core.compiled import inlined, leaf
from muonkit.detector.kernels import places
from muonkit.detector.surfaces import CYLINDER, DISC, TRAPEZOID, WHOLE
from muonkit.detector.volumes import CONES, RHO, ROUND
from muonkit.simulation.kernels.indices import (
    CROSS,
    ENVELOPE_R,
    ENVELOPE_Z_MAX,
    ENVELOPE_Z_MIN,
    GROWTH,
    HALF_WIDTH,
    LOC0_MAX,
    LOC0_MIN,
    LOC1_MAX,
    LOC1_MIN,
    NORMAL,
    R_MAX,
    R_MIN,
    SHARE,
    TX,
    TY,
    TZ,
    U_AXIS,
    V_AXIS,
    X,
    Y,
    Z,
)

FAR = 1e9  # cm
ROUGH = 1e-3  # cm: the rim of a hole may be cut off by that much
GRAIN = 0.1  # cm: a step beside a block


class Extent(NamedTuple):
    """Ends of a slice in distance from the axis and along it, from the middle of its block [cm]."""

    r_min: float
    r_max: float
    z_min: float
    z_max: float


@leaf
def along(S, surface, axis, y):
    """Component of position - centre along an axis of a surface."""
    center, axes = S.center, S.axes
    return (
        (y[X] - center[surface, X]) * axes[surface, axis, X]
        + (y[Y] - center[surface, Y]) * axes[surface, axis, Y]
        + (y[Z] - center[surface, Z]) * axes[surface, axis, Z]
    )


@leaf
def turned_to(S, surface, axis, y):
    """Component of the direction along an axis of a surface."""
    axes = S.axes
    return y[TX] * axes[surface, axis, X] + y[TY] * axes[surface, axis, Y] + y[TZ] * axes[surface, axis, Z]


@leaf
def distance(S, surface, y):
    """Signed distance [cm] from a surface, positive along its normal."""
    if S.kind[surface] != CYLINDER:
        return along(S, surface, NORMAL, y)
    a, b = along(S, surface, U_AXIS, y), along(S, surface, V_AXIS, y)
    return math.sqrt(a * a + b * b) - S.radius[surface]


@leaf
def slope(S, surface, y):
    """n.t, the derivative of the distance along the track."""
    if S.kind[surface] != CYLINDER:
        return turned_to(S, surface, NORMAL, y)
    a, b = along(S, surface, U_AXIS, y), along(S, surface, V_AXIS, y)
    outwards = a * turned_to(S, surface, U_AXIS, y) + b * turned_to(S, surface, V_AXIS, y)
    return outwards / max(math.sqrt(a * a + b * b), 1e-300)


@leaf
def within(S, surface, y):
    """Whether a point of a surface is in its bounds."""
    bounds = S.bounds
    a, b = along(S, surface, U_AXIS, y), along(S, surface, V_AXIS, y)
    if S.kind[surface] == TRAPEZOID:
        wide = bounds[surface, HALF_WIDTH] + bounds[surface, GROWTH] * b
        return abs(a) <= wide and bounds[surface, LOC1_MIN] <= b <= bounds[surface, LOC1_MAX]
    if S.kind[surface] == DISC:
        least = min(abs(a), abs(b)) if bounds[surface, SHARE] == WHOLE else min(a, b)
        return (
            least >= bounds[surface, CROSS]
            and bounds[surface, R_MIN] <= math.sqrt(a * a + b * b) <= bounds[surface, R_MAX]
        )
    if S.kind[surface] == CYLINDER:
        a, b = S.radius[surface] * math.atan2(b, a), along(S, surface, NORMAL, y)
    in_first = bounds[surface, LOC0_MIN] <= a <= bounds[surface, LOC0_MAX]
    return in_first and bounds[surface, LOC1_MIN] <= b <= bounds[surface, LOC1_MAX]


@leaf
def near(S, surface, y, margin):
    """Whether a point of a plane or trapezoid is at most `margin` [cm] out of its bounds."""
    bounds = S.bounds
    a, b = along(S, surface, U_AXIS, y), along(S, surface, V_AXIS, y)
    if not bounds[surface, LOC1_MIN] - margin <= b <= bounds[surface, LOC1_MAX] + margin:
        return False
    if S.kind[surface] == TRAPEZOID:
        return abs(a) <= bounds[surface, HALF_WIDTH] + bounds[surface, GROWTH] * b + margin
    return bounds[surface, LOC0_MIN] - margin <= a <= bounds[surface, LOC0_MAX] + margin


@inlined
def extent(V, block, part):
    """Of slice `part` of a block."""
    edge = V.first[block] + block + part
    low, high = V.edges[edge], V.edges[edge + 1]
    if V.axis[block] == RHO:
        return Extent(low, high, V.z_min[block], V.z_max[block])
    return Extent(V.rho_min[block], V.rho_max[block], low, high)


@leaf
def ring(V, block, part, r, z):
    """Distance to the nearest wall of slice `part` of a block; negative outside."""
    ends = extent(V, block, part)
    inner = r - ends.r_min if ends.r_min > 0 else ends.r_max
    return min(min(inner, ends.r_max - r), min(z - ends.z_min, ends.z_max - z))


@inlined
def room(V, block, part, y):
    """How far it is at least to the end of the region."""
    if block >= 0:
        if V.sides[block] == CONES or places.is_boxes(V, block):
            z = y[Z] - V.z0[block]
            return -max(beyond(V, block, y, z), max(V.z_min[block] - z, z - V.z_max[block]))
        return ring(V, block, part, places.rho_of(V, block, y[X], y[Y]), y[Z] - V.z0[block])
    best, r = FAR, math.sqrt(y[X] * y[X] + y[Y] * y[Y])
    for other in range(V.sides.size):
        z = y[Z] - V.z0[other]
        gap = max(V.z_min[other] - z, z - V.z_max[other])
        if max(gap, max(V.hole[other] - r, r - V.reach[other])) < best:
            best = min(best, max(gap, beyond(V, other, y, z)))
    return best


@inlined
def beyond(V, block, y, z):
    """How far it is at least to the walls of a block that are not its ends; from between them -(the distance)."""
    if V.sides[block] == ROUND:
        r = math.sqrt(y[X] * y[X] + y[Y] * y[Y])
        return max(V.rho_min[block] - r, r - V.rho_max[block])
    if V.sides[block] == CONES:
        return beyond_cones(V, block, y, z)
    side, r = places.facing(V, block, y[X], y[Y])
    gap = max(V.rho_min[block] - r, r - V.rho_max[block])
    if places.is_boxes(V, block):
        gap = max(gap, places.across(V, block, side, y[X], y[Y]) - V.half_width[block])
    return gap


@leaf
def beyond_cones(V, block, y, z):
    """The same of cones."""
    r, (inner, outer) = math.sqrt(y[X] * y[X] + y[Y] * y[Y]), places.walls(V, block, z)
    outwards = (r - outer) / math.sqrt(1 + V.lean_max[block] ** 2)
    if V.rho_min[block] == 0.0 and V.lean_min[block] == 0.0:  # no hole
        return outwards
    return max((inner - r) / math.sqrt(1 + V.lean_min[block] ** 2), outwards)


@leaf
def stride(V, block, part):
    """A step after which it is enough to look whether its end is still in the region: it cuts no corner."""
    if block < 0:
        return GRAIN
    r = extent(V, block, part).r_min
    if V.lean_min[block] != 0.0:
        r = max(min(r, places.walls(V, block, V.z_max[block])[0]), ROUGH)
    return math.sqrt(8 * ROUGH * r) if r > 0 else FAR


@inlined
def has_left(envelope, y):
    """Whether the position is out of the envelope of a detector."""
    r = envelope[ENVELOPE_R]
    return y[X] * y[X] + y[Y] * y[Y] > r * r or y[Z] < envelope[ENVELOPE_Z_MIN] or y[Z] > envelope[ENVELOPE_Z_MAX]
