"""Hits that the event did not make: particles from the beams, which fire strips as others do, and noise."""

from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field
from scipy.stats import poisson

from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.config import Section
from muonkit.core.errors import InputError
from muonkit.data.klm import ENDCAP, REGIONS, SECTIONS, KLMHits
from muonkit.detector.detector import Detector
from muonkit.detector.surfaces import DISC, inside, measured_spans, to_global
from muonkit.simulation.draws import uniforms
from muonkit.simulation.kernels import philox
from muonkit.simulation.klm.crossings import Crossings
from muonkit.simulation.klm.strips import Modules, hits_of

NS = 1e-9  # s
LEFT = 5  # uniform numbers of a particle beside those of its place: time, and four as a crossing has
SOURCE_DRAWS = 1 << 42  # ordinal of the numbers of the first source, behind those of crossings, track and times
MUON = 0.10566  # GeV
MOST = 1000  # particles per event
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
    layers, or that are too large."""
    parts = [_crossings(detector, M, source, draw, SOURCE_DRAWS * i) for i, source in enumerate(sources, 1)]
    track, surface, local, u = (np.concatenate([part[i] for part in parts]) for i in range(4))
    early, late = draw.gate
    position, momentum = to_global(detector.surfaces, surface, local), detector.surfaces.axes[surface, 2]
    time = early + (late - early) * u[:, 0]
    return Crossings(track, surface, position, momentum, np.full(len(track), MUON), time), u[:, 1:]


def _crossings(
    detector: Detector, M: Modules, source: Background, draw: Draw, ordinal: int
) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    """Events (k,), surfaces (k,), local coordinates (k, 2) [cm] and uniform numbers (k, 5) that are left: places in a
    box around every module, thinned. ordinal: of the first number of a source."""
    sensors = np.flatnonzero(_of(source, M))
    low, high = np.swapaxes(measured_spans(detector.surfaces)[sensors], 0, 1)
    mean = _rates(source, M.layer[sensors]) * np.prod(high - low, axis=1) * (draw.gate[1] - draw.gate[0]) * NS
    if mean.sum() > MOST:
        line = f"readout.background: {source.region}: {mean.sum():.3g} particles per event, more than {MOST}"
        raise InputError(f"{line}; lower the rate, or readout.gate")
    event, number = _numbers(mean.sum(), draw, ordinal)
    u = uniforms(draw.seed, philox.DIGITS, draw.first + event, 4 + LEFT, ordinal + 1 + number)
    which = np.minimum(np.searchsorted(np.cumsum(mean), u[:, 0] * mean.sum()), len(sensors) - 1)
    surface, local = sensors[which], low[which] + (high - low)[which] * u[:, 1:3]
    kept = inside(detector.surfaces, surface, local) & (u[:, 3] < _thinned(detector, surface, local, source.falls))
    return event[kept], surface[kept], local[kept], u[kept, 4:]


def _numbers(mean: float, draw: Draw, ordinal: int) -> tuple[IntArray, IntArray]:
    """Event (k,), from 0, and number in it (k,) of a Poisson number of particles."""
    events = np.arange(draw.n)
    u = uniforms(draw.seed, philox.DIGITS, draw.first + events, 1, np.full(draw.n, ordinal))[:, 0]
    count = poisson.ppf(u, mean).astype(np.int64) if mean > 0 else np.zeros(draw.n, dtype=np.int64)
    event = np.repeat(events, count)
    return event, np.arange(len(event)) - np.repeat(np.cumsum(count) - count, count)


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
