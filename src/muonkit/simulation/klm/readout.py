"""Crossings -> two-dimensional hits: thresholds, strips, efficiencies, a time gate, clusters and their combinations."""

from typing import NamedTuple

import numpy as np
from pydantic import Field

from muonkit.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from muonkit.core.config import Range, Section
from muonkit.data.klm import BARREL, ENDCAP, KLMHits
from muonkit.detector.detector import Detector
from muonkit.detector.surfaces import inside, to_global, to_local
from muonkit.simulation.draws import uniforms
from muonkit.simulation.kernels import philox
from muonkit.simulation.klm.crossings import Crossings
from muonkit.simulation.klm.strips import Modules, chamber_strips, modules, scintillator_strips

POLYSTYRENE, MINIMUM = 1.06, 1.936e-3  # g/cm3, GeV cm2/g
QUADRANTS = 4
SENSOR_DRAWS = 4


class KLMReadout(Section):
    """efficiency of each of two readout planes of a chamber, of a scintillator layer; threshold [GeV] of a scintillator
    strip; gate [ns] after the collision; noise: two-dimensional hits per event that nothing made."""

    rpc_efficiency: float = Field(0.99, ge=0, le=1)
    scintillator_efficiency: float = Field(0.98, ge=0, le=1)
    threshold: float = Field(3e-4, ge=0)
    gate: Range = (0.0, 150.0)
    noise: float = Field(0.0, ge=0)
    first_rpc_layer: int = Field(2, ge=0)


PLAIN = KLMReadout()


class Fired(NamedTuple):
    """Strips first to last (k,) of one plane in a module, at a time [ns]."""

    module: AnyArray
    first: AnyArray
    last: AnyArray
    time: FloatArray


def read_out(
    crossings: Crossings, detector: Detector, n: int, seed: int, readout: KLMReadout = PLAIN, first: int = 0
) -> KLMHits:
    """Hits of events `first` ... `first` + n - 1; their numbers are those of the tracks. Sorted by event."""
    M = modules(detector, readout.first_rpc_layer)
    crossings = crossings[seen(crossings, detector, M, readout)]
    ordinal = np.arange(len(crossings)) - np.searchsorted(crossings.track, crossings.track)
    u = uniforms(seed, philox.DIGITS, first + crossings.track, SENSOR_DRAWS, ordinal)
    local = to_local(detector.surfaces, crossings.surface, crossings.position)
    module = (
        crossings.track * _stride(detector)
        + crossings.surface * QUADRANTS
        + quadrant(crossings.surface, crossings.position, M)
    )
    phi, z = (clusters(fired(crossings, detector, M, local, module, u, readout, p)) for p in (0, 1))
    hits = combined(phi, z, detector, M, first)
    return hits if readout.noise == 0 else with_noise(hits, detector, M, n, seed, readout, first)


def _stride(detector: Detector) -> int:
    return len(detector.layers) * QUADRANTS


def quadrant(surface: IntArray, position: FloatArray, M: Modules) -> IntArray:
    """0 to 3 like azimuth in the endcaps, 0 in the barrel (k,)."""
    x, y = position[:, 0], position[:, 1]
    turn = np.where(y >= 0, np.where(x >= 0, 0, 1), np.where(x < 0, 2, 3))
    return np.where(M.region[surface] == ENDCAP, turn, 0)


def seen(crossings: Crossings, detector: Detector, M: Modules, readout: KLMReadout) -> BoolArray:
    """Crossings (k,) of the muon detector in time, above threshold in scintillators."""
    early, late = readout.gate
    in_time = (crossings.time >= early) & (crossings.time <= late) & (M.layer[crossings.surface] >= 0)
    return in_time & (M.rpc[crossings.surface] | (deposit(crossings, detector, M) >= readout.threshold))


def deposit(crossings: Crossings, detector: Detector, M: Modules) -> FloatArray:
    """Energy [GeV] (k,) left in a scintillator strip: the mean of a minimum ionising particle over beta^2, for the way
    in it, and not more than the particle has."""
    p2 = np.sum(crossings.momentum**2, axis=1)
    E = np.sqrt(p2 + crossings.mass**2)
    kinetic = E - crossings.mass
    way = M.thickness[crossings.surface] / np.maximum(cosine(crossings, detector), 0.1)
    return np.minimum(MINIMUM * POLYSTYRENE * way * E**2 / np.maximum(p2, 1e-12), kinetic)


def cosine(crossings: Crossings, detector: Detector) -> FloatArray:
    """|cos| of the angle to the normal (k,)."""
    normal = detector.surfaces.axes[crossings.surface, 2]
    p = np.linalg.norm(crossings.momentum, axis=1)
    return np.abs(np.sum(normal * crossings.momentum, axis=1)) / np.maximum(p, 1e-12)


def fired(
    crossings: Crossings,
    detector: Detector,
    M: Modules,
    local: FloatArray,
    module: IntArray,
    u: FloatArray,
    readout: KLMReadout,
    plane: int,
) -> Fired:
    """Strips of one plane; u (k, 4): uniform numbers."""
    surface = crossings.surface
    pitch, rpc = M.pitch[surface, plane], M.rpc[surface]
    x = (local[:, plane] - M.low[surface, plane]) / pitch
    along = np.sum(detector.surfaces.axes[surface, plane] * crossings.momentum, axis=1)
    p = np.maximum(np.linalg.norm(crossings.momentum, axis=1), 1e-12)
    reach = M.thickness[surface] / 2 * along / (p * np.maximum(cosine(crossings, detector), 0.1)) / pitch
    chamber, bar = chamber_strips(x, plane, u[:, 2 + plane]), scintillator_strips(x, reach)
    first: IntArray = np.where(rpc, chamber[0], bar[0])
    last: IntArray = np.where(rpc, chamber[1], bar[1])
    most = strips(detector, M, surface, plane)
    efficiency = np.where(rpc, readout.rpc_efficiency, readout.scintillator_efficiency)
    kept = (u[:, plane] < efficiency) & (x >= 0) & (x < most)
    low, high = np.maximum(first, 0)[kept], np.minimum(last, most - 1)[kept]
    return Fired(module[kept], low, high, crossings.time[kept])


def strips(detector: Detector, M: Modules, surface: IntArray, plane: int) -> IntArray:
    """Number (k,) of strips of a plane."""
    high = np.where(M.region == BARREL, detector.surfaces.bounds[:, 2 * plane + 1], -M.low[:, plane])
    return np.ceil((high - M.low[:, plane])[surface] / M.pitch[surface, plane] - 1e-9).astype(np.int64)


def clusters(fired: Fired) -> Fired:
    """Neighbouring strips of one module joined; the earliest time counts. Sorted by module."""
    if not len(fired.module):
        return fired
    order = np.lexsort((fired.first, fired.module))
    module, first, last, time = (column[order] for column in fired)
    far = int(last.max()) + 4
    reached = np.maximum.accumulate(module * far + last)  # last strip so far: a new module starts beyond
    new = np.concatenate(([True], (module[1:] * far + first[1:] > reached[:-1] + 1) | (module[1:] != module[:-1])))
    starts = np.flatnonzero(new)
    return Fired(module[starts], first[starts], np.maximum.reduceat(last, starts), np.minimum.reduceat(time, starts))


def combined(phi: Fired, z: Fired, detector: Detector, M: Modules, first: int) -> KLMHits:
    """Every cluster of one plane with every cluster of the other in the same module."""
    low, high = np.searchsorted(z.module, phi.module, "left"), np.searchsorted(z.module, phi.module, "right")
    a = np.repeat(np.arange(len(phi.module)), high - low)
    b = np.arange(len(a)) - np.repeat(np.cumsum(high - low) - (high - low), high - low) + np.repeat(low, high - low)
    surface = phi.module[a] % _stride(detector) // QUADRANTS
    local = np.stack([_middle(phi, a, M, surface, 0), _middle(z, b, M, surface, 1)], axis=1)
    width = np.stack((phi.last[a] - phi.first[a] + 1, z.last[b] - z.first[b] + 1), axis=1)
    event = first + phi.module[a] // _stride(detector)
    quarter = phi.module[a] % QUADRANTS
    time = np.minimum(phi.time[a], z.time[b])
    return hits_of(event, surface, quarter, to_global(detector.surfaces, surface, local), time, width, M)


def _middle(plane: Fired, rows: AnyArray, M: Modules, surface: IntArray, p: int) -> FloatArray:
    return M.low[surface, p] + M.pitch[surface, p] * (plane.first[rows] + plane.last[rows] + 1) / 2


def hits_of(
    event: IntArray, surface: IntArray, quarter: IntArray, position: FloatArray, time: FloatArray, width: AnyArray,
    M: Modules,
) -> KLMHits:  # fmt: skip
    """The table of hits; quarter: of an endcap."""
    region = M.region[surface]
    sector = np.where(region == ENDCAP, quarter + 1, M.sector[surface])
    return KLMHits(
        event, region, M.section[surface], sector, M.layer[surface], position, time, width.astype(np.float64)
    )


def _anywhere(rng: np.random.Generator, detector: Detector, M: Modules, surface: IntArray) -> FloatArray:
    """Crossings (k, 2) of strips in modules, those outside of an endcap's disc drawn again."""
    local, missing = np.zeros((len(surface), 2)), np.arange(len(surface))
    while len(missing):
        where = surface[missing]
        for p in (0, 1):
            strip = np.floor(rng.random(len(where)) * strips(detector, M, where, p))
            local[missing, p] = M.low[where, p] + M.pitch[where, p] * (strip + 0.5)
        missing = missing[(M.region[where] == ENDCAP) & ~inside(detector.surfaces, where, local[missing])]
    return local


def with_noise(
    hits: KLMHits, detector: Detector, M: Modules, n: int, seed: int, readout: KLMReadout, first: int
) -> KLMHits:
    """Hits of single strips anywhere in any module, as many as a Poisson number per event."""
    rng = np.random.default_rng([seed, first, philox.DIGITS])
    count = rng.poisson(readout.noise, n)
    event = np.repeat(np.arange(n), count)
    sensors = np.flatnonzero(M.layer >= 0)
    modules = np.where(M.region[sensors] == ENDCAP, QUADRANTS, 1)  # a disc has four
    surface = rng.choice(sensors, len(event), p=modules / modules.sum())
    local = _anywhere(rng, detector, M, surface)
    position = to_global(detector.surfaces, surface, local)
    quarter = quadrant(surface, position, M)
    time, width = rng.uniform(*readout.gate, len(event)), np.ones((len(event), 2))
    noise = hits_of(first + event, surface, quarter, position, time, width, M)
    both = KLMHits(*(np.concatenate((getattr(hits, f), getattr(noise, f))) for f in KLMHits.__slots__))
    return both[np.argsort(both.event, kind="stable")]
