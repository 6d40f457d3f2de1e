"""Thick volumes: where a point is, and how far a track goes until its material changes. The twin of
`detector.volumes`."""

import math

from muonkit.core.compiled import inlined, leaf
from muonkit.detector.kernels.places import rho_of, side_of
from muonkit.transport.kernels.frames import forward_root

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


@leaf
def to_rho(V, b, rho, y, k, way):
    """Path to the circle or to the polygon side in front of which the track is."""
    if V.sides[b] == 0:
        a = y[3] * y[3] + y[4] * y[4] + y[0] * k[0] + y[1] * k[1]
        c = y[0] * y[0] + y[1] * y[1] - rho * rho
        return later_root(a, 2 * way * (y[0] * y[3] + y[1] * y[4]), c)
    angle = V.phi0[b] + side_of(V, b, y[0], y[1]) * 2 * math.pi / V.sides[b]
    return to_plane(math.cos(angle), math.sin(angle), 0.0, rho, y, k, way)


@leaf
def to_wedge(V, b, y, k, way):
    """Path to the next side of a polygon block, where the faces of the volume turn."""
    if V.sides[b] == 0:
        return math.inf
    width = 2 * math.pi / V.sides[b]
    angle = V.phi0[b] + side_of(V, b, y[0], y[1]) * width
    low, high = angle - 0.5 * width, angle + 0.5 * width
    below = to_plane(-math.sin(low), math.cos(low), 0.0, 0.0, y, k, way)
    above = to_plane(-math.sin(high), math.cos(high), 0.0, 0.0, y, k, way)
    return min(below, above)


@leaf
def to_box(V, b, rho_low, rho_high, z_low, z_high, y, k, way):
    """Path to the nearest face of a ring of block b."""
    nearest = to_wedge(V, b, y, k, way)
    nearest = min(nearest, to_plane(0.0, 0.0, 1.0, V.z0[b] + z_low, y, k, way))
    nearest = min(nearest, to_plane(0.0, 0.0, 1.0, V.z0[b] + z_high, y, k, way))
    nearest = min(nearest, to_rho(V, b, rho_high, y, k, way))
    if rho_low > 0:
        nearest = min(nearest, to_rho(V, b, rho_low, y, k, way))
    return nearest


@leaf
def to_face(V, block, part, y, k, way):
    """Path [cm] to the next face of the volume (block, part); outside, to the next face of any block."""
    if block < 0:
        nearest = math.inf
        for b in range(V.sides.size):
            path = to_box(V, b, V.rho_min[b], V.rho_max[b], V.z_min[b], V.z_max[b], y, k, way)
            nearest = min(nearest, path)
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
    angle = math.atan2(y[1], y[0])
    if V.sides[block] > 0:
        angle = V.phi0[block] + side_of(V, block, y[0], y[1]) * 2 * math.pi / V.sides[block]
    n[0], n[1], n[2] = math.cos(angle), math.sin(angle), 0.0
