"""Thick volumes: where a point is, and how far a track goes until its material changes. The twin of
`detector.volumes`.

`nearest` is the path to what is known to be met: it is returned where nothing is met before."""

import math
from typing import NamedTuple

from muonkit.core.compiled import inlined, leaf
from muonkit.core.indices import TX, TY, TZ, X, Y, Z
from muonkit.detector.kernels.places import across, facing, is_boxes, rho_of, towards, walls
from muonkit.detector.volumes import CONES, NOWHERE, RHO, ROUND
from muonkit.transport.kernels.frames import forward_root

ROUGH = 0.1  # cm: how far the parabola may be off where it foresees the end of a step
SHORTEST = 1e-12  # cm: faces nearer than this have just been crossed


class SliceBox(NamedTuple):
    """A ring: distances from the axis, in the sense of its block, and z relative to the z0 of the block [cm]."""

    rho_min: float
    rho_max: float
    z_min: float
    z_max: float


@inlined
def box_of(V, b, part):
    """The ring of a slice of block b."""
    low, high = V.edges[V.first[b] + b + part], V.edges[V.first[b] + b + part + 1]
    if V.axis[b] == RHO:
        return SliceBox(low, high, V.z_min[b], V.z_max[b])
    return SliceBox(V.rho_min[b], V.rho_max[b], low, high)


@inlined
def too_far(square, linear, constant, nearest):
    """Whether square d^2 + linear d + constant has no root d in (0, nearest): most faces need no square root."""
    return abs(constant) > nearest * (abs(linear) + nearest * abs(square))


@inlined
def to_plane(n, at, y, k, way, nearest):
    """Path in direction `way` (+1, -1) to the plane n.x = at along the parabola."""
    n0, n1, n2 = n
    gap = n0 * y[X] + n1 * y[Y] + n2 * y[Z] - at
    speed = way * (n0 * y[TX] + n1 * y[TY] + n2 * y[TZ])
    return sooner_root(0.5 * (n0 * k[0] + n1 * k[1] + n2 * k[2]), speed, gap, nearest)


@inlined
def to_z(V, b, height, y, k, way, nearest):
    """Path to the plane at z = z0 of block b + height."""
    gap = y[Z] - V.z0[b] - height
    return sooner_root(0.5 * k[2], way * y[TZ], gap, nearest)


@inlined
def sooner_root(square, linear, constant, nearest):
    """The first root behind the face that has just been crossed."""
    if too_far(square, linear, constant, nearest):
        return nearest
    root = forward_root(square, linear, constant)
    if root > SHORTEST:
        return min(root, nearest)
    return min(-linear / square, nearest) if square * linear < 0 else nearest


@inlined
def to_rho(V, b, side, rho, y, k, way, nearest):
    """Path to the circle, or to the side of the polygon."""
    if V.sides[b] == ROUND:
        square = y[TX] * y[TX] + y[TY] * y[TY] + y[X] * k[0] + y[Y] * k[1]
        constant = y[X] * y[X] + y[Y] * y[Y] - rho * rho
        return sooner_root(square, 2 * way * (y[X] * y[TX] + y[Y] * y[TY]), constant, nearest)
    n0, n1 = towards(V, b, 2 * side)
    return to_plane((n0, n1, 0.0), rho, y, k, way, nearest)


@inlined
def to_wedge(V, b, side, y, k, way, nearest):
    """Path to the edges of a side, where the faces of the volume turn or its box ends."""
    if V.sides[b] == ROUND:
        return nearest
    if is_boxes(V, b):
        return to_end(V, b, side, 1, y, k, way, to_end(V, b, side, -1, y, k, way, nearest))
    return to_corner(V, b, side, y, k, way, nearest)


@inlined
def to_end(V, b, side, sign, y, k, way, nearest):
    """Path to one end of a narrow side, where its box ends."""
    n0, n1 = towards(V, b, 2 * side)
    return to_plane((-n1, n0, 0.0), sign * V.half_width[b], y, k, way, nearest)


@inlined
def to_corner(V, b, side, y, k, way, nearest):
    """Path to the half planes from the axis through the corners of a side."""
    l0, l1 = towards(V, b, 2 * side + 2 * V.sides[b] - 1)
    h0, h1 = towards(V, b, 2 * side + 1)
    nearest = to_plane((-l1, l0, 0.0), 0.0, y, k, way, nearest)
    return to_plane((-h1, h0, 0.0), 0.0, y, k, way, nearest)


@leaf
def to_box(V, b, box, y, k, way, nearest):
    """Path to the nearest face of a ring of block b; of a polygon, those of the side in front of which the track is."""
    if V.sides[b] == CONES:
        return to_cones(V, b, y, k, way, nearest)
    side = facing(V, b, y[X], y[Y])[0] if V.sides[b] != ROUND else 0
    nearest = to_rho(V, b, side, box.rho_max, y, k, way, nearest)
    if box.rho_min > 0:
        nearest = to_rho(V, b, side, box.rho_min, y, k, way, nearest)
    nearest = to_z(V, b, box.z_max, y, k, way, nearest)
    nearest = to_z(V, b, box.z_min, y, k, way, nearest)
    return to_wedge(V, b, side, y, k, way, nearest)


@inlined
def rho_at(V, b, y, k, way, d):
    """Distance from the axis, in the sense of block b, d [cm] further on along the parabola."""
    x0 = y[X] + way * d * y[TX] + 0.5 * d * d * k[0]
    x1 = y[Y] + way * d * y[TY] + 0.5 * d * d * k[1]
    return rho_of(V, b, x0, x1)


@inlined
def to_cone(V, b, rho, lean, y, k, way, nearest):
    """Path to where the track meets a cone of block b between its ends; rho: at the lower end."""
    at, growth = rho + lean * (y[Z] - V.z0[b] - V.z_min[b]), lean * y[TZ]
    square = y[TX] * y[TX] + y[TY] * y[TY] + y[X] * k[0] + y[Y] * k[1] - growth * growth - at * lean * k[2]
    linear = 2 * way * (y[X] * y[TX] + y[Y] * y[TY] - at * growth)
    constant = y[X] * y[X] + y[Y] * y[Y] - at * at
    if too_far(square, linear, constant, nearest):
        return nearest
    first = forward_root(square, linear, constant)
    if first == math.inf or (first > SHORTEST and between_ends(V, b, y, k, way, first)):
        return min(first, nearest)
    second = -linear / square - first
    if second > SHORTEST and between_ends(V, b, y, k, way, second):
        return min(second, nearest)
    return nearest


@inlined
def between_ends(V, b, y, k, way, d):
    """Whether the track is between the ends of block b, d [cm] further on along the parabola."""
    along = y[Z] - V.z0[b] + way * d * y[TZ] + 0.5 * d * d * k[2]
    return V.z_min[b] - ROUGH < along < V.z_max[b] + ROUGH


@leaf
def to_cones(V, b, y, k, way, nearest):
    """Path to where the track meets the surface of a block between cones next, from inside or outside."""
    nearest = to_cone(V, b, V.rho_min[b], V.lean_min[b], y, k, way, nearest)
    nearest = to_cone(V, b, V.rho_max[b], V.lean_max[b], y, k, way, nearest)
    for height in (V.z_min[b], V.z_max[b]):
        d, (inner, outer) = to_z(V, b, height, y, k, way, nearest), walls(V, b, height)
        if d < nearest and inner - ROUGH < rho_at(V, b, y, k, way, d) < outer + ROUGH:
            nearest = d
    return nearest


@leaf
def to_boxes(V, b, y, k, way, nearest):
    """Path from outside to the surface of the box in front of which the track is, or to the edge of its side."""
    side = facing(V, b, y[X], y[Y])[0]
    nearest = to_corner(V, b, side, y, k, way, nearest)
    for d in (
        to_z(V, b, V.z_min[b], y, k, way, nearest),
        to_z(V, b, V.z_max[b], y, k, way, nearest),
        to_rho(V, b, side, V.rho_min[b], y, k, way, nearest),
        to_rho(V, b, side, V.rho_max[b], y, k, way, nearest),
        to_end(V, b, side, -1, y, k, way, nearest),
        to_end(V, b, side, 1, y, k, way, nearest),
    ):
        if d < nearest and in_box(V, b, side, y, k, way, d):
            nearest = d
    return nearest


@inlined
def in_box(V, b, side, y, k, way, d):
    """Whether the track is in the box of a side or nearly so, d [cm] further on along the parabola."""
    x0 = y[X] + way * d * y[TX] + 0.5 * d * d * k[0]
    x1 = y[Y] + way * d * y[TY] + 0.5 * d * d * k[1]
    n0, n1 = towards(V, b, 2 * side)
    near = V.rho_min[b] - ROUGH < n0 * x0 + n1 * x1 < V.rho_max[b] + ROUGH
    return near and abs(n0 * x1 - n1 * x0) < V.half_width[b] + ROUGH and between_ends(V, b, y, k, way, d)


@leaf
def to_enter(V, b, y, k, way, nearest):
    """Path from outside to the face through which block b is entered; of a polygon, to the edge of the side in front
    of which the track is, if that comes first."""
    if V.sides[b] == CONES:
        return to_cones(V, b, y, k, way, nearest)
    if is_boxes(V, b):
        return to_boxes(V, b, y, k, way, nearest)
    along = y[Z] - V.z0[b]
    if along < V.z_min[b] or along >= V.z_max[b]:
        d = to_z(V, b, V.z_min[b] if along < V.z_min[b] else V.z_max[b], y, k, way, nearest)
        if d < nearest and V.rho_min[b] - ROUGH < rho_at(V, b, y, k, way, d) < V.rho_max[b] + ROUGH:
            nearest = d
    side, rho = 0, 0.0
    if V.sides[b] != ROUND:
        side, rho = facing(V, b, y[X], y[Y])
    else:
        rho = math.sqrt(y[X] * y[X] + y[Y] * y[Y])
    if V.rho_min[b] <= rho < V.rho_max[b]:
        return nearest
    d = to_rho(V, b, side, V.rho_min[b] if rho < V.rho_min[b] else V.rho_max[b], y, k, way, nearest)
    edge = to_wedge(V, b, side, y, k, way, nearest)
    if edge < d:
        return edge
    z = along + way * d * y[TZ] + 0.5 * d * d * k[2]
    return d if d < nearest and V.z_min[b] - ROUGH < z < V.z_max[b] + ROUGH else nearest


@leaf
def to_face(V, b, part, y, k, way, nearest):
    """Path [cm] to the next face of slice `part` of block b; outside, to the next face of any block."""
    if b == NOWHERE:
        return to_any(V, y, k, way, nearest)
    return to_box(V, b, box_of(V, b, part), y, k, way, nearest)


@leaf
def to_any(V, y, k, way, nearest):
    """Path from outside of all blocks to the next face of any. Blocks that lie behind are not looked at, nor those that
    are further away than `nearest` leads: d along the parabola ends at most d (1 + d |k|/2) from here."""
    r, bend = math.sqrt(y[X] * y[X] + y[Y] * y[Y]), math.sqrt(k[0] * k[0] + k[1] * k[1] + k[2] * k[2])
    turn = y[TX] * y[TX] + y[TY] * y[TY] + y[X] * k[0] + y[Y] * k[1]
    outwards = way * (y[X] * y[TX] + y[Y] * y[TY]) >= 0 and turn >= 0
    rises, falls = way * y[TZ] >= 0 and k[2] >= 0, way * y[TZ] <= 0 and k[2] <= 0
    within = nearest * (1 + 0.5 * nearest * bend) + ROUGH
    for b in range(V.sides.size):
        along = y[Z] - V.z0[b]
        below, above = V.z_min[b] - along, along - V.z_max[b]
        if (rises and above > ROUGH) or (falls and below > ROUGH) or max(below, above) > within:
            continue
        if (outwards and r > V.reach[b] + ROUGH) or max(V.hole[b] - r, r - V.reach[b]) > within:
            continue
        d = to_enter(V, b, y, k, way, nearest)
        if d < nearest:
            nearest, within = d, d * (1 + 0.5 * d * bend) + ROUGH
    return nearest


@leaf
def face_normal(V, b, part, y, n):
    """Normal of the face of slice `part` of block b that is nearest to the point."""
    if V.sides[b] == CONES:
        cone_normal(V, b, y, n)
        return
    box = box_of(V, b, part)
    rho, along = rho_of(V, b, y[X], y[Y]), y[Z] - V.z0[b]
    n[0], n[1], n[2] = 0.0, 0.0, 1.0
    if is_boxes(V, b):
        side = facing(V, b, y[X], y[Y])[0]
        beside = abs(across(V, b, side, y[X], y[Y]) - V.half_width[b])
        in_rho = min(abs(rho - box.rho_min), abs(rho - box.rho_max))
        if beside < min(in_rho, min(abs(along - box.z_min), abs(along - box.z_max))):
            n[1], n[0] = towards(V, b, 2 * side)
            n[0], n[2] = -n[0], 0.0
            return
    if min(abs(along - box.z_min), abs(along - box.z_max)) < min(abs(rho - box.rho_min), abs(rho - box.rho_max)):
        return
    if V.sides[b] != ROUND:
        n[0], n[1] = towards(V, b, 2 * facing(V, b, y[X], y[Y])[0])
    else:
        size = math.sqrt(y[X] * y[X] + y[Y] * y[Y])
        n[0], n[1] = y[X] / size, y[Y] / size
    n[2] = 0.0


@leaf
def cone_normal(V, b, y, n):
    """Normal of the face that is nearest to the point of a block between cones."""
    size, along = math.sqrt(y[X] * y[X] + y[Y] * y[Y]), y[Z] - V.z0[b]
    inner, outer = walls(V, b, along)
    to_inner = abs(size - inner) / math.sqrt(1 + V.lean_min[b] ** 2)
    to_outer = abs(size - outer) / math.sqrt(1 + V.lean_max[b] ** 2)
    n[0], n[1], n[2] = 0.0, 0.0, 1.0
    if min(abs(along - V.z_min[b]), abs(along - V.z_max[b])) < min(to_inner, to_outer):
        return
    lean = V.lean_min[b] if to_inner < to_outer else V.lean_max[b]
    norm = math.sqrt(1 + lean * lean)
    n[0], n[1], n[2] = y[X] / size / norm, y[Y] / size / norm, -lean / norm
