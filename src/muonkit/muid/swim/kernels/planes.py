"""Which plane of the muon detector a track meets next. A plane is crossed from the inside only, in the sector and
section where the track is, whether or not there is a sensor at that point; a layer is never met twice."""

import math
from typing import NamedTuple

from muonkit.core.compiled import inlined
from muonkit.core.indices import TX, X, Y, Z
from muonkit.data.klm import BACKWARD, BARREL, ENDCAP, FORWARD
from muonkit.data.muid import BARREL_LAYERS, ENDCAP_LAYERS
from muonkit.detector.volumes import NOWHERE
from muonkit.muid.swim.layout import MISSING
from muonkit.transport.kernels import frames

SLACK = 1e-6  # cm: a plane nearer than this has been crossed
NO_SECTOR = -1  # in an endcap


class Ahead(NamedTuple):
    """The first layers of barrel and endcap that a track may still meet."""

    barrel: int
    endcap: int


@inlined
def sector_at(phi, phi0, sectors):
    """Barrel sector, from 0, at azimuth phi, where sector 0 looks towards phi0; its first edge belongs to it."""
    return math.floor((phi - phi0) * sectors / (2 * math.pi) + 0.5) % sectors


@inlined
def sector_of(layout, x0, x1):
    """Barrel sector, from 0, that looks towards (x0, x1)."""
    return sector_at(math.atan2(x1, x0), layout.phi0, layout.barrel.shape[1])


@inlined
def quadrant_of(x0, x1):
    """The quadrant, 0 to 3, in the order of azimuth."""
    if x1 >= 0:
        return 0 if x0 >= 0 else 1
    return 2 if x0 < 0 else 3


@inlined
def section_of(layout, x2):
    """The half of the detector that z = x2 is in."""
    return FORWARD if x2 > layout.z0 else BACKWARD


@inlined
def bit_of(region, layer):
    """Bit of a layer in a pattern, and its column in tables of layers."""
    return layer if region == BARREL else BARREL_LAYERS + layer


@inlined
def slot_of(region, section, layer):
    """Number of a layer by which hits are sorted: the endcap's layers of one section behind those of the other."""
    return layer if region == BARREL else BARREL_LAYERS + ENDCAP_LAYERS * section + layer


@inlined
def in_region(box, z0, y):
    """Whether the point is between r_min, r_max and z_min, z_max of a region of LayoutArrays."""
    r_min, r_max, z_min, z_max = box[0], box[1], box[2], box[3]
    r2, z = y[X] * y[X] + y[Y] * y[Y], y[Z] - z0
    return r_min * r_min < r2 < r_max * r_max and z_min < z < z_max


@inlined
def further(y, k, d, c):
    """Coordinate c of the point d [cm] further on along the parabola."""
    return y[c] + d * y[TX + c] + 0.5 * d * d * k[c]


@inlined
def next_layer(layout, S, section, sector, y, first):
    """The first barrel layer from `first` on that is still ahead; MISSING if there is none."""
    for layer in range(first, layout.barrel_last[section] + 1):
        i = layout.barrel[section, sector, layer]
        if i != MISSING and frames.distance(S, i, y) < -SLACK:
            return layer
    return MISSING


@inlined
def next_barrel(layout, S, y, k, way, first):
    """(path, layer, surface) of the next barrel plane; (inf, MISSING, MISSING) if there is none."""
    best, found, surface = math.inf, MISSING, MISSING
    if layout.barrel_last[FORWARD] < first or not in_region(layout.barrel_region, layout.z0, y):
        return best, found, surface
    sectors, here, section = layout.barrel.shape[1], sector_of(layout, y[X], y[Y]), section_of(layout, y[Z])
    for turn in range(3):  # the sector where the track is, and if its plane is met beyond its edge, those beside it
        sector = (here + (0, 1, -1)[turn]) % sectors
        layer = next_layer(layout, S, section, sector, y, first)
        if layer == MISSING:
            layer = next_layer(layout, S, FORWARD - section, sector, y, first)
        if layer == MISSING:
            continue
        i = max(layout.barrel[BACKWARD, sector, layer], layout.barrel[FORWARD, sector, layer])
        d = frames.reach(S, i, y, k, way)
        if not d < best or sector_of(layout, further(y, k, way * d, X), further(y, k, way * d, Y)) != sector:
            continue
        i = layout.barrel[section_of(layout, further(y, k, way * d, Z)), sector, layer]
        if i != MISSING:
            best, found, surface = d, layer, i
        if turn == 0:
            break
    return best, found, surface


@inlined
def next_endcap(layout, S, y, k, way, first):
    """(path, layer, surface) of the next endcap plane; (inf, MISSING, MISSING) if there is none."""
    section = section_of(layout, y[Z])
    box = layout.endcap_region[section]
    r_min, r_max = box[0], box[1]
    if layout.endcap_last[section] < first or not in_region(box, layout.z0, y):
        return math.inf, MISSING, MISSING
    for layer in range(first, layout.endcap_last[section] + 1):
        i = layout.endcap[section, 0, layer]
        if i == MISSING or abs(S.center[i, 2] - layout.z0) <= abs(y[Z] - layout.z0) + SLACK:
            continue
        d = frames.reach(S, i, y, k, way)
        x0, x1 = further(y, k, way * d, X), further(y, k, way * d, Y)
        if d < math.inf and r_min * r_min < x0 * x0 + x1 * x1 <= r_max * r_max:
            own = layout.endcap[section, quadrant_of(x0, x1), layer]
            return d if own == i else frames.reach(S, own, y, k, way), layer, own
        return math.inf, MISSING, MISSING
    return math.inf, MISSING, MISSING


@inlined
def next_plane(scene, place, y, k, way, ahead):
    """(region, layer, surface) of the plane that is met next in this volume; surface MISSING if there is none."""
    layout, S, V = scene.layout, scene.transport.det.surfaces, scene.transport.det.volumes
    if not layout.holds[V.first[place.block] + place.part if place.block != NOWHERE else -1]:
        return MISSING, MISSING, MISSING
    to_barrel, barrel_layer, barrel = next_barrel(layout, S, y, k, way, ahead.barrel)
    to_endcap, endcap_layer, endcap = next_endcap(layout, S, y, k, way, ahead.endcap)
    if barrel == MISSING and endcap == MISSING:
        return MISSING, MISSING, MISSING
    if to_barrel <= to_endcap:
        return BARREL, barrel_layer, barrel
    return ENDCAP, endcap_layer, endcap
