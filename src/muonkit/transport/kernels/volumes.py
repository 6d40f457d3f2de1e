"""Thick volumes: where a point is, and how far a track goes until its material changes. The twin of
`detector.volumes`."""

import math

from muonkit.core.compiled import inlined, leaf
from muonkit.detector.kernels.places import facing, rho_of, towards
from muonkit.transport.kernels.frames import forward_root

ROUGH = 0.1  # cm: how far the parabola may be off where it foresees the end of a step
SHORTEST = 1e-12  # cm: faces nearer than this have just been crossed


@inlined
def to_plane(n0, n1, n2, at, y, k, way):
    """Path in direction `way` (+1, -1) to the plane n.x = at along the parabola; inf if it is not met."""
    gap = n0 * y[0] + n1 * y[1] + n2 * y[2] - at
    speed = way * (n0 * y[3] + n1 * y[4] + n2 * y[5])
    return later_root(0.5 * (n0 * k[0] + n1 * k[1] + n2 * k[2]), speed, gap)


@inlined
def later_root(a, b, c):
    """The first root behind the face that has just been crossed."""
    root = forward_root(a, b, c)
    if root > SHORTEST:
        return root
    return -b / a if a * b < 0 else math.inf


@inlined
def to_rho(V, b, side, rho, y, k, way):
    """Path to the circle, or to the side of the polygon."""
    if V.sides[b] == 0:
        a = y[3] * y[3] + y[4] * y[4] + y[0] * k[0] + y[1] * k[1]
        c = y[0] * y[0] + y[1] * y[1] - rho * rho
        return later_root(a, 2 * way * (y[0] * y[3] + y[1] * y[4]), c)
    n0, n1 = towards(V, b, 2 * side)
    return to_plane(n0, n1, 0.0, rho, y, k, way)


@inlined
def to_wedge(V, b, side, y, k, way):
    """Path to the edges of a side, where the faces of the volume turn."""
    if V.sides[b] == 0:
        return math.inf
    l0, l1 = towards(V, b, 2 * side + 2 * V.sides[b] - 1)
    h0, h1 = towards(V, b, 2 * side + 1)
    return min(to_plane(-l1, l0, 0.0, 0.0, y, k, way), to_plane(-h1, h0, 0.0, 0.0, y, k, way))


@leaf
def to_box(V, b, rho_low, rho_high, z_low, z_high, y, k, way):
    """Path to the nearest face of a ring of block b; of a polygon, those of the side in front of which the track is."""
    side = facing(V, b, y[0], y[1])[0] if V.sides[b] > 0 else 0
    nearest = to_wedge(V, b, side, y, k, way)
    nearest = min(nearest, to_plane(0.0, 0.0, 1.0, V.z0[b] + z_low, y, k, way))
    nearest = min(nearest, to_plane(0.0, 0.0, 1.0, V.z0[b] + z_high, y, k, way))
    nearest = min(nearest, to_rho(V, b, side, rho_high, y, k, way))
    if rho_low > 0:
        nearest = min(nearest, to_rho(V, b, side, rho_low, y, k, way))
    return nearest


@inlined
def rho_at(V, b, y, k, way, d):
    """Distance from the axis, in the sense of block b, d [cm] further on along the parabola."""
    x0 = y[0] + way * d * y[3] + 0.5 * d * d * k[0]
    x1 = y[1] + way * d * y[4] + 0.5 * d * d * k[1]
    return rho_of(V, b, x0, x1)


@leaf
def to_enter(V, b, y, k, way):
    """Path from outside to the face through which block b is entered, inf if it is not; of a polygon, to the edge of
    the side in front of which the track is, if that comes first."""
    along = y[2] - V.z0[b]
    nearest = math.inf
    if along < V.z_min[b] or along >= V.z_max[b]:
        face = V.z_min[b] if along < V.z_min[b] else V.z_max[b]
        d = to_plane(0.0, 0.0, 1.0, V.z0[b] + face, y, k, way)
        if d < math.inf and V.rho_min[b] - ROUGH < rho_at(V, b, y, k, way, d) < V.rho_max[b] + ROUGH:
            nearest = d
    side, rho = 0, 0.0
    if V.sides[b] > 0:
        side, rho = facing(V, b, y[0], y[1])
    else:
        rho = math.sqrt(y[0] * y[0] + y[1] * y[1])
    if V.rho_min[b] <= rho < V.rho_max[b]:
        return nearest
    d = to_rho(V, b, side, V.rho_min[b] if rho < V.rho_min[b] else V.rho_max[b], y, k, way)
    edge = to_wedge(V, b, side, y, k, way)
    if edge < d:
        return min(nearest, edge)
    if d < math.inf:
        z = along + way * d * y[5] + 0.5 * d * d * k[2]
        if V.z_min[b] - ROUGH < z < V.z_max[b] + ROUGH:
            nearest = min(nearest, d)
    return nearest


@leaf
def to_face(V, block, part, y, k, way):
    """Path [cm] to the next face of the volume (block, part); outside, to the next face of any block."""
    if block < 0:
        nearest = math.inf
        for b in range(V.sides.size):
            nearest = min(nearest, to_enter(V, b, y, k, way))
        return nearest
    low, high = V.edges[V.first[block] + block + part], V.edges[V.first[block] + block + part + 1]
    if V.axis[block] == 0:
        return to_box(V, block, low, high, V.z_min[block], V.z_max[block], y, k, way)
    return to_box(V, block, V.rho_min[block], V.rho_max[block], low, high, y, k, way)


@leaf
def face_normal(V, block, part, y, n):
    """Normal of the face of volume (block, part) that is nearest to the point."""
    low, high = V.edges[V.first[block] + block + part], V.edges[V.first[block] + block + part + 1]
    rho_low, rho_high, z_low, z_high = V.rho_min[block], V.rho_max[block], V.z_min[block], V.z_max[block]
    if V.axis[block] == 0:
        rho_low, rho_high = low, high
    else:
        z_low, z_high = low, high
    rho, along = rho_of(V, block, y[0], y[1]), y[2] - V.z0[block]
    n[0], n[1], n[2] = 0.0, 0.0, 1.0
    if min(abs(along - z_low), abs(along - z_high)) < min(abs(rho - rho_low), abs(rho - rho_high)):
        return
    if V.sides[block] > 0:
        n[0], n[1] = towards(V, block, 2 * facing(V, block, y[0], y[1])[0])
    else:
        r = math.sqrt(y[0] * y[0] + y[1] * y[1])
        n[0], n[1] = y[0] / r, y[1] / r
    n[2] = 0.0
