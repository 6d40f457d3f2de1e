"""Hits that the event did not make: particles from the beams, which fire strips as others do, and noise."""

from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.config import Section
from muonkit.core.errors import InputError
from muonkit.data.klm import ENDCAP, REGIONS, SECTIONS, KLMHits
from muonkit.detector.detector import Detector
from muonkit.detector.surfaces import DISC, inside, measured_spans, to_global
from muonkit.simulation.kernels import philox
from muonkit.simulation.klm.crossings import Crossings
from muonkit.simulation.klm.strips import Modules, hits_of

NS = 1e-9  # s
DRAWS = 4  # as many as a crossing of a particle of the event has
MUON = 0.10566  # GeV
Rate = Annotated[float, Field(ge=0, le=1000)]


class Background(Section):
    """Particles per area [Hz/cm2] that cross the modules of a region (section: of one end, without it of both) along
    their normal, at any time within the gate. rate: one value, or one per layer; falls [cm]: in an endcap the rate is
    that at the inner edge, and falls by a factor e over so much radius."""

    region: Literal["barrel", "endcap"]
    section: Literal["bwd", "fwd"] | None = None
    rate: tuple[Rate, ...] = Field(min_length=1, max_length=100)
    falls: float | None = Field(None, gt=0)


class Draw(NamedTuple):
    """What to draw: n events, with the seed and the number of the first; gate [ns]."""

    n: int
    seed: int
    first: int
    gate: tuple[float, float]


def background(
    detector: Detector, M: Modules, sources: tuple[Background, ...], draw: Draw
) -> tuple[Crossings, FloatArray]:
    """Crossings by all sources, and uniform numbers (k, 4) for them. Raises InputError for rates that do not fit the
    layers."""
    rng = np.random.default_rng([draw.seed, draw.first, philox.DIGITS, 1])
    parts = [_crossings(detector, M, source, draw, rng) for source in sources]
    track, surface, local = (np.concatenate([part[i] for part in parts]) for i in range(3))
    position, k = to_global(detector.surfaces, surface, local), len(track)
    momentum, mass, time = detector.surfaces.axes[surface, 2], np.full(k, MUON), rng.uniform(*draw.gate, k)
    return Crossings(track, surface, position, momentum, mass, time), rng.random((k, DRAWS))


def _crossings(
    detector: Detector, M: Modules, source: Background, draw: Draw, rng: np.random.Generator
) -> tuple[IntArray, IntArray, FloatArray]:
    """Events (k,), surfaces (k,) and local coordinates (k, 2) [cm]: in a box around every module, thinned."""
    sensors = np.flatnonzero(_of(source, M))
    low, high = np.swapaxes(measured_spans(detector.surfaces)[sensors], 0, 1)
    mean = _rates(source, M.layer[sensors]) * np.prod(high - low, axis=1) * (draw.gate[1] - draw.gate[0]) * NS
    event = np.repeat(np.arange(draw.n), rng.poisson(mean.sum(), draw.n))
    which = rng.choice(len(sensors), len(event), p=mean / mean.sum()) if len(event) else np.zeros(0, dtype=np.int64)
    local = low[which] + (high - low)[which] * rng.random((len(event), 2))
    kept = inside(detector.surfaces, sensors[which], local)
    kept &= rng.random(len(event)) < _thinned(detector, sensors[which], local, source.falls)
    return event[kept], sensors[which][kept], local[kept]


def _of(source: Background, M: Modules) -> BoolArray:
    section = M.section if source.section is None else SECTIONS.index(source.section)
    return (M.layer >= 0) & (M.region == REGIONS.index(source.region)) & (M.section == section)


def _rates(source: Background, layer: IntArray) -> FloatArray:
    rates = np.array(source.rate)
    if len(rates) == 1:
        return np.full(len(layer), rates[0])
    if len(layer) and layer.max() >= len(rates):
        line = f"readout.background: {len(rates)} rates for the {layer.max() + 1} layers of {source.region}"
        raise InputError(f"{line}; give one, or one per layer")
    return rates[layer]


def _thinned(detector: Detector, surface: IntArray, local: FloatArray, falls: float | None) -> FloatArray:
    """The rate at local points (k, 2), relative to that at the inner edge."""
    S = detector.surfaces
    if falls is None:
        return np.ones(len(surface))
    beyond = np.where(S.kind[surface] == DISC, np.hypot(*local.T) - S.bounds[surface, 0], 0.0)
    return np.exp(-np.maximum(beyond, 0.0) / falls)


def with_noise(hits: KLMHits, detector: Detector, M: Modules, noise: float, draw: Draw) -> KLMHits:
    """And hits of single strips anywhere in any module, a Poisson number with mean `noise` per event."""
    rng = np.random.default_rng([draw.seed, draw.first, philox.DIGITS])
    event = np.repeat(np.arange(draw.n), rng.poisson(noise, draw.n))
    surface = rng.choice(np.flatnonzero(M.layer >= 0), len(event))
    position = to_global(detector.surfaces, surface, _anywhere(rng, detector, M, surface))
    time, width = rng.uniform(*draw.gate, len(event)), np.ones((len(event), 2))
    made = hits_of(draw.first + event, surface, position, time, width, M)
    both = KLMHits(*(np.concatenate((getattr(hits, f), getattr(made, f))) for f in KLMHits.__slots__))
    return both[np.argsort(both.event, kind="stable")]


def _anywhere(rng: np.random.Generator, detector: Detector, M: Modules, surface: IntArray) -> FloatArray:
    """Crossings (k, 2) of strips in modules, those outside of an endcap's quadrant drawn again."""
    local, missing = np.zeros((len(surface), 2)), np.arange(len(surface))
    while len(missing):
        where = surface[missing]
        strip = np.floor(rng.random((len(where), 2)) * M.number[where])
        local[missing] = M.low[where] + M.pitch[where] * (strip + 0.5)
        missing = missing[(M.region[where] == ENDCAP) & ~inside(detector.surfaces, where, local[missing])]
    return local
