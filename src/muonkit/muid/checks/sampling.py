"""Tracks drawn from a payload itself, for closure: if the likelihood is that of its tracks, its statements hold.

Class by the payload's numbers of tracks, layers that are crossed by its numbers of crossings (all species alike: the
likelihood is given the crossings), hits layer by layer with the probabilities of the class, reduced chi2 from the
transverse density of the number of hits."""

from dataclasses import dataclass

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.data.muid import BARREL_LAYERS, LAYERS, MuidTracks
from muonkit.muid.likelihood.chi2_distribution import chi2_distribution
from muonkit.muid.likelihood.hypotheses import SIGNED, signed_numbers
from muonkit.muid.likelihood.outcome import (
    EXIT_BARREL,
    EXIT_FORWARD,
    OVERLAP_STOP_FORWARD,
    STOP_BARREL,
    STOP_FORWARD,
    classes,
    within,
)
from muonkit.muid.likelihood.outcome import region as region_of
from muonkit.muid.likelihood.payload import CONTEXTS, LikelihoodParameters, first_entries
from muonkit.transport.status import LEFT


@dataclass(frozen=True, slots=True)
class SampleSettings:
    """shared_classes: outcome and last layer do not depend on the species, so that the likelihood, which is given them,
    has equal priors; correlated: hits as in `likelihood.chain`, else every layer by itself; floor and first_bin: as in
    `LikelihoodSettings`."""

    shared_classes: bool = True
    correlated: bool = False
    floor: float = 0.0
    first_bin: str = "power"


def sample(
    payload: LikelihoodParameters,
    species: IntArray,
    charge: FloatArray,
    rng: np.random.Generator,
    settings: SampleSettings = SampleSettings(),
) -> MuidTracks:
    """One track for each true species (n,), place in HYPOTHESES, and charge (n,)."""
    hypothesis = signed_numbers(charge)[np.arange(len(species)), species]
    position = draw_classes(payload, hypothesis, rng, settings.shared_classes)
    code, barrel, endcap = ends_of_classes(position)
    ext = crossings(payload, position, barrel, endcap, rng)
    if settings.correlated:
        hypothesis = drawn_behaviour(payload, hypothesis, rng)
        hit = ext & signals(payload, hypothesis, position, within(barrel, endcap), rng)
    else:
        hit = ext & (rng.random(ext.shape) < hit_probability(payload, hypothesis, position, settings.floor))
    hits = hit.sum(axis=1)
    place = hypothesis, region_of(barrel, endcap), np.maximum(hits - 1, 0)
    x = chi2_distribution(payload, settings.first_bin).inverse(rng.random(len(hits)), place)
    return MuidTracks(
        charge=charge,
        outcome=code,
        is_forward=ends_forward(code),
        ext_layer_pattern=pattern(ext),
        hit_layer_pattern=pattern(hit),
        barrel_ext_layer=barrel,
        endcap_ext_layer=endcap,
        barrel_hit_layer=last_bit(hit[:, :BARREL_LAYERS]),
        endcap_hit_layer=last_bit(hit[:, BARREL_LAYERS:]),
        chi2=np.where(hits > 0, 2 * hits * x, 0.0),
        ndof=2 * hits,
        efficiency=np.ones((len(hits), LAYERS)),
        status=np.full(len(hits), LEFT),
    )


def class_shares(payload: LikelihoodParameters) -> FloatArray:
    """Share (12, 829) of the tracks of every signed hypothesis in every class."""
    tracks = payload.tracks.astype(np.float64)
    return tracks / np.maximum(tracks.sum(axis=1, keepdims=True), 1)


def draw_classes(
    payload: LikelihoodParameters, hypothesis: IntArray, rng: np.random.Generator, shared: bool
) -> IntArray:
    """Class (n,) of every track."""
    shares = class_shares(payload)
    if shared:
        by_charge = [shares[charge::2].mean(axis=0) for charge in (0, 1)]  # even numbers are positive
        shares = np.array([by_charge[h % 2] for h in range(SIGNED)])
    cumulative = np.cumsum(shares, axis=1)
    cumulative /= cumulative[:, -1:]
    u, out = rng.random(len(hypothesis)), np.zeros(len(hypothesis), dtype=np.int64)
    for h in range(SIGNED):
        rows = hypothesis == h
        out[rows] = np.searchsorted(cumulative[h], u[rows], side="right")
    return out


def ends_of_classes(position: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Outcome, last barrel and last endcap layer (n,) of classes (n,)."""
    code, last = np.array(classes())[position].T
    only_barrel = (code == STOP_BARREL) | (code == EXIT_BARREL)
    behind = np.where(code >= OVERLAP_STOP_FORWARD, (code - OVERLAP_STOP_FORWARD) % BARREL_LAYERS, -1)
    return code, np.where(only_barrel, last, behind), np.where(only_barrel, -1, last)


def ends_forward(code: IntArray) -> BoolArray:
    """Whether a track with this outcome ends forward (n,); one that ends in the barrel may do so too."""
    behind = code >= OVERLAP_STOP_FORWARD
    forward = (code - OVERLAP_STOP_FORWARD) // BARREL_LAYERS % 2 == 0
    plain = np.isin(code, (STOP_BARREL, EXIT_BARREL, STOP_FORWARD, EXIT_FORWARD))
    return np.asarray(np.where(behind, forward, plain))


def crossings(
    payload: LikelihoodParameters, position: IntArray, barrel: IntArray, endcap: IntArray, rng: np.random.Generator
) -> BoolArray:
    """Which layers are crossed (n, LAYERS)."""
    possible = within(barrel, endcap)
    entry = np.where(possible, first_entries()[position][:, None] + np.arange(LAYERS), 0)
    crossed, tracks = (values.sum(axis=0, dtype=np.float64) for values in (payload.crossed, payload.tracks))
    share = crossed[entry] / np.maximum(tracks[position], 1)[:, None]
    return possible & (rng.random(possible.shape) < share)


def hit_probability(
    payload: LikelihoodParameters, hypothesis: IntArray, position: IntArray, floor: float = 0.0
) -> FloatArray:
    """Probability (n, LAYERS) of a hit where a layer up to the last is crossed."""
    entry = np.minimum(first_entries()[position][:, None] + np.arange(LAYERS), payload.longitudinal.shape[1] - 1)
    p = payload.longitudinal[hypothesis[:, None], entry].astype(np.float64)
    return np.clip(p, floor, 1 - floor)


def drawn_behaviour(payload: LikelihoodParameters, hypothesis: IntArray, rng: np.random.Generator) -> IntArray:
    """The signed hypothesis (n,) as which tracks behave."""
    assert payload.behaviour is not None
    cumulative = np.cumsum(payload.behaviour[hypothesis], axis=1)
    species = np.sum(rng.random((len(hypothesis), 1)) * cumulative[:, -1:] > cumulative, axis=1)
    charge = np.where(hypothesis % 2 == 1, -1.0, 1.0)
    return signed_numbers(charge)[np.arange(len(species)), species]


def signals(
    payload: LikelihoodParameters, hypothesis: IntArray, position: IntArray, inside: BoolArray, rng: np.random.Generator
) -> BoolArray:
    """Signals (n, LAYERS) layer by layer, eq. 18a."""
    out, context = np.zeros(inside.shape, dtype=np.bool_), np.zeros(len(hypothesis), dtype=np.int64)
    for bit in range(LAYERS):
        here = inside[:, bit]
        entry = np.where(here, first_entries()[position] + bit, 0)
        out[:, bit] = here & (rng.random(len(here)) < payload.signal[hypothesis, context, entry])
        context = np.where(here, (2 * context + out[:, bit]) % CONTEXTS, context)
    return out


def pattern(layers: BoolArray) -> IntArray:
    """Bits (n,) of layers (n, LAYERS)."""
    return np.asarray(layers @ (1 << np.arange(LAYERS)))


def last_bit(layers: BoolArray) -> IntArray:
    """Last layer (n,) that is true, -1 for none."""
    last = layers.shape[1] - 1 - np.argmax(layers[:, ::-1], axis=1)
    return np.where(layers.any(axis=1), last, -1)
