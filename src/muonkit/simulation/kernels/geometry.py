"""Where the truth is: distances from surfaces and from the walls of thick volumes. `y`: position, unit direction.

A region is a slice of a block, or (-1, -1): all that is outside of the blocks. Its room is a distance that can be gone
in any direction without leaving it; negative outside."""

import math

from muonkit.core.compiled import inlined, leaf
from muonkit.detector.kernels import places

CYLINDER, DISC = 1, 2  # kinds of detector.surfaces
ROUGH = 1e-3  # cm: the rim of a hole may be cut off by that much
GRAIN = 0.1  # cm: a step beside a block


@leaf
def along(S, i, j, y):
    """Component of position - centre along axis j of surface i."""
    c, a = S.center, S.axes
    return (y[0] - c[i, 0]) * a[i, j, 0] + (y[1] - c[i, 1]) * a[i, j, 1] + (y[2] - c[i, 2]) * a[i, j, 2]


@leaf
def turned_to(S, i, j, y):
    """Component of the direction along axis j of surface i."""
    return y[3] * S.axes[i, j, 0] + y[4] * S.axes[i, j, 1] + y[5] * S.axes[i, j, 2]


@leaf
def distance(S, i, y):
    """Signed distance [cm] from surface i, positive along its normal."""
    if S.kind[i] != CYLINDER:
        return along(S, i, 2, y)
    a, b = along(S, i, 0, y), along(S, i, 1, y)
    return math.sqrt(a * a + b * b) - S.radius[i]


@leaf
def slope(S, i, y):
    """n.t, the derivative of the distance along the track."""
    if S.kind[i] != CYLINDER:
        return turned_to(S, i, 2, y)
    a, b = along(S, i, 0, y), along(S, i, 1, y)
    return (a * turned_to(S, i, 0, y) + b * turned_to(S, i, 1, y)) / max(math.sqrt(a * a + b * b), 1e-300)


@leaf
def within(S, i, y):
    """Whether the point of surface i is in its bounds."""
    a, b = along(S, i, 0, y), along(S, i, 1, y)
    if S.kind[i] == DISC:
        return S.bounds[i, 0] <= math.sqrt(a * a + b * b) <= S.bounds[i, 1]
    if S.kind[i] == CYLINDER:
        a, b = S.radius[i] * math.atan2(b, a), along(S, i, 2, y)
    return S.bounds[i, 0] <= a <= S.bounds[i, 1] and S.bounds[i, 2] <= b <= S.bounds[i, 3]


@leaf
def ring(V, b, part, rho, z):
    """Distance to the nearest wall of slice `part` of block b; negative outside."""
    r0, r1, z0, z1 = V.rho_min[b], V.rho_max[b], V.z_min[b], V.z_max[b]
    edge = V.first[b] + b + part
    if V.axis[b] == 0:
        r0, r1 = V.edges[edge], V.edges[edge + 1]
    else:
        z0, z1 = V.edges[edge], V.edges[edge + 1]
    inner = rho - r0 if r0 > 0 else r1
    return min(min(inner, r1 - rho), min(z - z0, z1 - z))


@inlined
def room(V, block, part, y):
    """How far it is at least to the end of the region."""
    if block >= 0:
        return ring(V, block, part, places.rho_of(V, block, y[0], y[1]), y[2] - V.z0[block])
    best = 1e9
    for b in range(V.sides.size):
        z = y[2] - V.z0[b]
        gap = max(V.z_min[b] - z, z - V.z_max[b])
        if gap < best:
            rho = places.rho_of(V, b, y[0], y[1])
            best = min(best, max(gap, max(V.rho_min[b] - rho, rho - V.rho_max[b])))
    return best


@leaf
def stride(V, block, part):
    """A step after which it is enough to look whether its end is still in the region: it cuts no corner."""
    if block < 0:
        return GRAIN
    r = V.rho_min[block] if V.axis[block] == 1 else V.edges[V.first[block] + block + part]
    return math.sqrt(8 * ROUGH * r) if r > 0 else 1e9
