"""Which plane of the muon detector a track meets next. A plane is crossed from the inside only, in the sector and
section where the track is, whether or not there is a sensor at that point; a layer is never met twice."""

import math

from muonkit.core.compiled import inlined
from muonkit.transport.kernels import frames

BARREL, ENDCAP = 0, 1
SLACK = 1e-6  # cm: a plane nearer than this has been crossed


@inlined
def sector_at(phi, phi0, sectors):
    """Barrel sector, from 0, at azimuth phi, where sector 0 looks towards phi0; its first edge belongs to it."""
    return math.floor((phi - phi0) * sectors / (2 * math.pi) + 0.5) % sectors


@inlined
def sector_of(L, x, y):
    """Barrel sector, from 0, that looks towards (x, y)."""
    return sector_at(math.atan2(y, x), L.phi0, L.barrel.shape[1])


@inlined
def quadrant_of(x, y):
    """Endcap sector 1 to 4, counted like azimuth."""
    if y >= 0:
        return 1 if x >= 0 else 2
    return 3 if x < 0 else 4


@inlined
def in_region(box, z0, y):
    """Whether the point is between r_min, r_max and z_min, z_max."""
    r2, z = y[0] * y[0] + y[1] * y[1], y[2] - z0
    return box[0] * box[0] < r2 < box[1] * box[1] and box[2] < z < box[3]


@inlined
def at(y, k, d, i):
    """Coordinate i of the point d [cm] further on along the parabola."""
    return y[i] + d * y[3 + i] + 0.5 * d * d * k[i]


@inlined
def next_layer(L, S, section, sector, y, first):
    """The first barrel layer from `first` on that is still ahead; -1 if there is none."""
    for layer in range(first, L.barrel_last[section] + 1):
        i = L.barrel[section, sector, layer]
        if i >= 0 and frames.distance(S, i, y) < -SLACK:
            return layer
    return -1


@inlined
def next_barrel(L, S, y, k, way, first):
    """(path, layer, surface) of the next barrel plane; (inf, -1, -1) if there is none."""
    best, found, surface = math.inf, -1, -1
    if L.barrel_last[1] < first or not in_region(L.barrel_region, L.z0, y):
        return best, found, surface
    sectors, here = L.barrel.shape[1], sector_of(L, y[0], y[1])
    for turn in range(3):  # the sector where the track is, and if its plane is met beyond its edge, those beside it
        s = (here + (0, 1, -1)[turn]) % sectors
        layer = next_layer(L, S, 1 if y[2] > L.z0 else 0, s, y, first)
        if layer < 0:
            layer = next_layer(L, S, 0 if y[2] > L.z0 else 1, s, y, first)
        if layer < 0:
            continue
        i = max(L.barrel[0, s, layer], L.barrel[1, s, layer])
        d = frames.reach(S, i, y, k, way)
        if not d < best or sector_of(L, at(y, k, way * d, 0), at(y, k, way * d, 1)) != s:
            continue
        i = L.barrel[1 if at(y, k, way * d, 2) > L.z0 else 0, s, layer]
        if i >= 0:
            best, found, surface = d, layer, i
        if turn == 0:
            break
    return best, found, surface


@inlined
def next_endcap(L, S, y, k, way, first):
    """(path, layer, surface) of the next endcap plane; (inf, -1, -1) if there is none."""
    section = 1 if y[2] > L.z0 else 0
    box = L.endcap_region[section]
    if L.endcap_last[section] < first or not in_region(box, L.z0, y):
        return math.inf, -1, -1
    for layer in range(first, L.endcap_last[section] + 1):
        i = L.endcap[section, layer]
        if i < 0 or abs(S.center[i, 2] - L.z0) <= abs(y[2] - L.z0) + SLACK:
            continue
        d = frames.reach(S, i, y, k, way)
        x0, x1 = at(y, k, way * d, 0), at(y, k, way * d, 1)
        if d < math.inf and box[0] * box[0] < x0 * x0 + x1 * x1 <= box[1] * box[1]:
            return d, layer, i
        return math.inf, -1, -1
    return math.inf, -1, -1


@inlined
def next_plane(L, V, S, block, part, y, k, way, first_barrel, first_endcap):
    """(region, layer, surface) of the plane that is met next in this volume; (-1, -1, -1) if there is none."""
    if not L.holds[V.first[block] + part if block >= 0 else -1]:
        return -1, -1, -1
    d, layer, surface = next_barrel(L, S, y, k, way, first_barrel)
    e, other, endcap = next_endcap(L, S, y, k, way, first_endcap)
    if surface < 0 and endcap < 0:
        return -1, -1, -1
    if d <= e:
        return BARREL, layer, surface
    return ENDCAP, other, endcap
