"""Which strips a crossing fires: the readout planes of every module, and clusters in resistive plate chambers.

Probabilities of 1 to 4 strips by where in a strip the avalanche is, from the toy of basf2 (BKLMSimulationPar.xml:
values at the centre and at the edge of a strip; in between a straight line in the distance from the centre)."""

from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from muonkit.data.klm import BARREL, ENDCAP, KLMHits
from muonkit.detector.channels import Channels, dead_strips, efficiencies
from muonkit.detector.detector import Detector
from muonkit.detector.planes import plane_names
from muonkit.detector.strips import Strips, chambers, strips_of

CENTRE = np.array([[0.840, 0.118, 0.039, 0.004], [0.783, 0.147, 0.062, 0.007]])  # phi, z
EDGE = np.array([[0.209, 0.737, 0.048, 0.007], [0.153, 0.773, 0.063, 0.011]])
SCINTILLATOR = {BARREL: 1.0, ENDCAP: 0.7}  # cm, thickness of a strip


class Modules(NamedTuple):
    """By surface (n, ...): region, section, sector, layer (-1 for what is not of the muon detector); rpc: chambers;
    pitch, number, low (n, 2): of the strips of both planes, see `detector.strips`; thickness [cm] of a
    scintillator."""

    region: IntArray
    section: IntArray
    sector: IntArray
    layer: IntArray
    rpc: BoolArray
    pitch: FloatArray
    number: IntArray
    low: FloatArray
    thickness: FloatArray


def modules(detector: Detector, first_rpc_layer: int = 2) -> Modules:
    """Read from the surfaces of a detector; barrel layers from `first_rpc_layer` on are chambers."""
    numbers = np.full((4, len(detector.layers)), -1)  # region, section, sector, layer
    for plane in plane_names(detector):
        numbers[:, plane.surface] = plane.region, plane.section, plane.sector, plane.layer
    thickness = np.array([SCINTILLATOR.get(int(region), 0.0) for region in numbers[0]])
    rpc, strips = chambers(detector, first_rpc_layer), strips_of(detector, first_rpc_layer)
    region, section, sector, layer = numbers
    return Modules(region, section, sector, layer, rpc, *strips, thickness)


class Working(NamedTuple):
    """What works: efficiency (n, 2) of both planes by surface, dead (n, 2, strips); None if all strips work."""

    efficiency: FloatArray
    dead: BoolArray | None


def working(detector: Detector, M: Modules, usual: FloatArray, channels: Channels) -> Working:
    """Efficiencies are the `usual` (n,) of a plane where `channels` names no others. Raises InputError for modules or
    strips that do not exist."""
    known = efficiencies(detector, channels.efficiency) if channels.efficiency else np.full((len(usual), 2), np.nan)
    efficiency: FloatArray = np.where(np.isnan(known), usual[:, None], known)
    rows = dead_strips(detector, Strips(M.pitch, M.number, M.low), channels.status)
    if not len(rows):
        return Working(efficiency, None)
    dead = np.zeros((len(usual), 2, M.number.max()), dtype=np.bool_)
    dead[tuple(rows.T)] = True
    return Working(efficiency, dead)


def chamber_strips(x: FloatArray, plane: int, u: FloatArray) -> tuple[IntArray, IntArray]:
    """First and last strip (k,) of avalanches at x (k,), counted in strips; u (k,): uniform numbers."""
    hit, off = np.floor(x).astype(np.int64), x - np.floor(x) - 0.5
    share = 2 * np.abs(off)[:, None]
    probability = np.cumsum((1 - share) * CENTRE[plane] + share * EDGE[plane], axis=1)
    size = 1 + np.sum(u[:, None] * probability[:, -1:] > probability[:, :-1], axis=1)
    right = off > 0
    before = np.where(right, (size - 1) // 2, size // 2)
    return hit - before, hit - before + size - 1


def scintillator_strips(x: FloatArray, reach: FloatArray) -> tuple[IntArray, IntArray]:
    """First and last strip (k,) that a track passes: at x (k,) and `reach` (k,) to both sides, counted in strips. The
    last fifth of the way on either side leaves too little light."""
    half = 0.8 * np.minimum(np.abs(reach), 2.0)
    return np.floor(x - half).astype(np.int64), np.floor(x + half).astype(np.int64)


def hits_of(
    event: IntArray, surface: IntArray, position: FloatArray, time: FloatArray, width: AnyArray, M: Modules
) -> KLMHits:
    """The table of hits on modules."""
    names = M.region[surface], M.section[surface], M.sector[surface], M.layer[surface]
    return KLMHits(event, *names, position, time, width.astype(np.float64))
