"""Which strips a crossing fires: the readout planes of every module, and clusters in resistive plate chambers.

Probabilities of 1 to 4 strips by where in a strip the avalanche is, from the toy of basf2 (BKLMSimulationPar.xml:
values at the centre and at the edge of a strip; in between a straight line in the distance from the centre)."""

from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.data.klm import BARREL, ENDCAP
from muonkit.detector.detector import Detector
from muonkit.detector.planes import RPC_SHARE, plane_names

CENTRE = np.array([[0.840, 0.118, 0.039, 0.004], [0.783, 0.147, 0.062, 0.007]])  # phi, z
EDGE = np.array([[0.209, 0.737, 0.048, 0.007], [0.153, 0.773, 0.063, 0.011]])
SCINTILLATOR = {BARREL: 1.0, ENDCAP: 0.7}  # cm, thickness of a strip


class Modules(NamedTuple):
    """By surface (n, ...): region, section, sector, layer (-1 for what is not of the muon detector); rpc: chambers;
    pitch (n, 2) and low (n, 2) [cm]: strips of both planes begin at `low` of the local coordinate; thickness [cm] of a
    scintillator."""

    region: IntArray
    section: IntArray
    sector: IntArray
    layer: IntArray
    rpc: BoolArray
    pitch: FloatArray
    low: FloatArray
    thickness: FloatArray


def modules(detector: Detector, first_rpc_layer: int = 2) -> Modules:
    """Read from the surfaces of a detector; barrel layers from `first_rpc_layer` on are chambers."""
    S, n = detector.surfaces, len(detector.layers)
    numbers = np.full((4, n), -1)  # region, section, sector, layer
    for plane in plane_names(detector):
        numbers[:, plane.surface] = plane.region, plane.section, plane.sector, plane.layer
    rpc = (numbers[0] == BARREL) & (numbers[3] >= first_rpc_layer)
    share = np.where(rpc[:, None], RPC_SHARE, 1.0)
    low = np.where((numbers[0] == BARREL)[:, None], S.bounds[:, [0, 2]], -S.bounds[:, [1, 1]])
    thickness = np.array([SCINTILLATOR.get(int(region), 0.0) for region in numbers[0]])
    region, section, sector, layer = numbers
    return Modules(region, section, sector, layer, rpc, S.sigma * np.sqrt(12 / share), low, thickness)


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
