"""Crossings -> two-dimensional hits: thresholds, strips, efficiencies, a time gate, clusters and their combinations;
dead strips, and background of the beams, which shares strips with what the event left."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from pydantic import Field
from scipy.special import ndtri

from muonkit.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from muonkit.core.config import Range, Section
from muonkit.data.klm import KLMHits
from muonkit.detector.channels import ALL_WORK, Channels
from muonkit.detector.detector import Detector
from muonkit.detector.surfaces import inside, to_global, to_local
from muonkit.simulation.draws import uniforms
from muonkit.simulation.kernels import philox
from muonkit.simulation.klm.background import Background, Draw, background, with_noise
from muonkit.simulation.klm.crossings import Crossings, joined
from muonkit.simulation.klm.strips import (
    Modules,
    Working,
    chamber_strips,
    hits_of,
    modules,
    scintillator_strips,
    working,
)

POLYSTYRENE, MINIMUM = 1.06, 1.936e-3  # g/cm3, GeV cm2/g
STRIP = 4.0  # cm: strips cross if their middles do so at most that much outside of the module
SENSOR_DRAWS = 4
TIME_DRAWS = 1 << 41  # ordinal of the numbers of the times, behind those of the crossings and of the track


class KLMReadout(Section):
    """efficiency of each of two readout planes of a chamber, of a scintillator layer, where the conditions name no
    other; threshold [GeV] of a scintillator strip; gate [ns] after the collision; time_resolution [ns] of a hit;
    coincidence [ns]: largest difference of two planes that make a hit; noise: two-dimensional hits per event that
    nothing made; background: particles of the beams."""

    rpc_efficiency: float = Field(0.99, ge=0, le=1)
    scintillator_efficiency: float = Field(0.98, ge=0, le=1)
    threshold: float = Field(3e-4, ge=0)
    gate: Range = (0.0, 150.0)
    time_resolution: float = Field(0.0, ge=0, le=1000)
    coincidence: float | None = Field(None, gt=0)
    noise: float = Field(0.0, ge=0)
    background: tuple[Background, ...] = Field((), max_length=100)
    first_rpc_layer: int = Field(2, ge=0)


PLAIN = KLMReadout()


class Fired(NamedTuple):
    """Strips first to last (k,) of one plane in a module, at a time [ns]; module: the surface, beside those of other
    events."""

    module: AnyArray
    first: AnyArray
    last: AnyArray
    time: FloatArray


def read_out(
    crossings: Crossings,
    detector: Detector,
    n: int,
    seed: int,
    readout: KLMReadout = PLAIN,
    first: int = 0,
    channels: Channels = ALL_WORK,
) -> KLMHits:
    """Hits of events `first` ... `first` + n - 1; their numbers are those of the tracks. Sorted by event.

    Raises InputError if `channels` name a module or strip that does not exist."""
    M = modules(detector, readout.first_rpc_layer)
    works = working(detector, M, np.where(M.rpc, readout.rpc_efficiency, readout.scintillator_efficiency), channels)
    crossings = measured(crossings, seed, readout.time_resolution, first)
    crossings = crossings[seen(crossings, detector, M, readout)]
    u = uniforms(seed, philox.DIGITS, first + crossings.track, SENSOR_DRAWS, ordinals(crossings))
    draw = Draw(n, seed, first, readout.gate)
    if readout.background:
        others, more = background(detector, M, readout.background, draw)
        crossings, u = joined(crossings, others), np.concatenate((u, more))
    phi, z = (clusters(working_only(fired(crossings, detector, M, u, works, p), works, p)) for p in (0, 1))
    hits = combined(phi, z, detector, M, first, readout.coincidence)
    return hits if readout.noise == 0 else with_noise(hits, detector, M, readout.noise, draw)


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


def measured(crossings: Crossings, seed: int, resolution: float, first: int) -> Crossings:
    """The same with times [ns] as they are measured."""
    if resolution == 0:
        return crossings
    ordinal = TIME_DRAWS + ordinals(crossings)
    u = uniforms(seed, philox.DIGITS, first + crossings.track, 1, ordinal)[:, 0]
    return replace(crossings, time=crossings.time + resolution * ndtri(u))


def ordinals(crossings: Crossings) -> IntArray:
    """The number (k,) of a crossing on its track."""
    ordinal: IntArray = np.arange(len(crossings)) - np.searchsorted(crossings.track, crossings.track)
    return ordinal


def fired(
    crossings: Crossings, detector: Detector, M: Modules, u: FloatArray, works: Working, plane: int
) -> Fired:  # fmt: skip
    """Strips of one plane; u (k, 4): uniform numbers."""
    S, surface = detector.surfaces, crossings.surface
    pitch, rpc, most = M.pitch[surface, plane], M.rpc[surface], M.number[surface, plane]
    x = (to_local(S, surface, crossings.position)[:, plane] - M.low[surface, plane]) / pitch
    along = np.sum(S.axes[surface, plane] * crossings.momentum, axis=1)
    p = np.maximum(np.linalg.norm(crossings.momentum, axis=1), 1e-12)
    reach = M.thickness[surface] / 2 * along / (p * np.maximum(cosine(crossings, detector), 0.1)) / pitch
    chamber, bar = chamber_strips(x, plane, u[:, 2 + plane]), scintillator_strips(x, reach)
    first: IntArray = np.where(rpc, chamber[0], bar[0])
    last: IntArray = np.where(rpc, chamber[1], bar[1])
    kept = (u[:, plane] < works.efficiency[surface, plane]) & (x >= 0) & (x < most)
    low, high = np.maximum(first, 0)[kept], np.minimum(last, most - 1)[kept]
    module = crossings.track * len(detector.layers) + surface
    return Fired(module[kept], low, high, crossings.time[kept])


def working_only(fired: Fired, works: Working, plane: int) -> Fired:
    """Strip by strip, without those that are dead."""
    if works.dead is None:
        return fired
    size = fired.last - fired.first + 1
    row = np.repeat(np.arange(len(size)), size)
    strip = fired.first[row] + np.arange(len(row)) - (np.cumsum(size) - size)[row]
    alive = ~works.dead[fired.module[row] % len(works.dead), plane, strip]
    return Fired(fired.module[row][alive], strip[alive], strip[alive], fired.time[row][alive])


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


def combined(
    phi: Fired, z: Fired, detector: Detector, M: Modules, first: int, coincidence: float | None = None
) -> KLMHits:
    """Every cluster of one plane with every cluster of the other in the same module whose strips cross, not more than
    `coincidence` [ns] apart."""
    low, high = np.searchsorted(z.module, phi.module, "left"), np.searchsorted(z.module, phi.module, "right")
    a = np.repeat(np.arange(len(phi.module)), high - low)
    b = np.arange(len(a)) - np.repeat(np.cumsum(high - low) - (high - low), high - low) + np.repeat(low, high - low)
    if coincidence is not None:
        together = np.abs(phi.time[a] - z.time[b]) <= coincidence
        a, b = a[together], b[together]
    event, surface = first + phi.module[a] // len(detector.layers), phi.module[a] % len(detector.layers)
    local = np.stack([_middle(phi, a, M, surface, 0), _middle(z, b, M, surface, 1)], axis=1)
    width = np.stack((phi.last[a] - phi.first[a] + 1, z.last[b] - z.first[b] + 1), axis=1)
    time = np.minimum(phi.time[a], z.time[b])
    hits = hits_of(event, surface, to_global(detector.surfaces, surface, local), time, width, M)
    return hits[inside(detector.surfaces, surface, local, STRIP)]


def _middle(plane: Fired, rows: AnyArray, M: Modules, surface: IntArray, p: int) -> FloatArray:
    return M.low[surface, p] + M.pitch[surface, p] * (plane.first[rows] + plane.last[rows] + 1) / 2
