"""One track explained layer by layer: where it was predicted, what was there, and what each hypothesis makes of it."""

from dataclasses import dataclass

import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.data.klm import Candidates, KLMHits
from muonkit.data.muid import BARREL_LAYERS, Extrapolated, MuidLayers
from muonkit.muid.identify import Identification
from muonkit.muid.likelihood.evaluate import Likelihoods, likelihood
from muonkit.muid.likelihood.factors import layer_terms, log_chi2
from muonkit.muid.swim import crossing
from muonkit.muid.swim.extrapolate import extrapolate

LOW_EFFICIENCY = 0.9  # below, a missing hit is blamed on the module


@dataclass(frozen=True, slots=True)
class ExplainedLayer:
    """A layer that was crossed: its name; predicted local coordinates, their sigma (2,) [cm], momentum [GeV]; row of
    the nearest hit in the table, -1 for none; pulls (2,) of that hit, with track and hit errors; chi2 of a match; what
    became of it; the term (6,) of each hypothesis in ln P_L."""

    name: str
    predicted: FloatArray
    sigma: FloatArray
    momentum: float
    hit: int
    pull: FloatArray
    chi2: float
    reason: str
    terms: FloatArray


@dataclass(frozen=True, slots=True)
class ExplainedTrack:
    """All layers in order, the term (6,) of the reduced chi2 in ln P_T, and the results, tables of one row."""

    layers: tuple[ExplainedLayer, ...]
    transverse: FloatArray
    found: Extrapolated
    likelihoods: Likelihoods


def explain_track(candidates: Candidates, row: int, hits: KLMHits, how: Identification) -> ExplainedTrack:
    """One track explained, in `row` of the tracks of an event (with arbitration, its neighbours matter)."""
    whole = extrapolate(candidates, hits, how.yoke)
    found = Extrapolated(whole.tracks[row : row + 1], whole.layers[row : row + 1])
    chosen = how.likelihood
    terms = layer_terms(found.tracks, how.payload, chosen)[0]
    names = how.yoke.detector.layers
    bits = np.flatnonzero(found.layers.crossing[0] != crossing.NOT_CROSSED)
    layers = tuple(_layer(found, int(bit), names, terms[bit]) for bit in bits)
    shape = log_chi2(found.tracks, how.payload, chosen)[0]
    return ExplainedTrack(layers, shape, found, likelihood(found.tracks, how.payload, chosen))


def _layer(found: Extrapolated, bit: int, names: tuple[str, ...], terms: FloatArray) -> ExplainedLayer:
    layers = found.layers
    surface = int(layers.surface[0, bit])
    region = "barrel" if bit < BARREL_LAYERS else "endcap"
    return ExplainedLayer(
        names[surface] if surface >= 0 else f"{region} layer {bit % BARREL_LAYERS}",
        layers.local[0, bit],
        np.sqrt(layers.covariance[0, bit, [0, 2]]),
        float(layers.momentum[0, bit]),
        int(layers.hit[0, bit]),
        layers.residual[0, bit] / np.sqrt(layers.variance[0, bit]),
        float(layers.chi2[0, bit]),
        reason(layers, bit, float(found.tracks.efficiency[0, bit])),
        terms,
    )


def reason(layers: MuidLayers, bit: int, efficiency: float) -> str:
    """Why there is, or is not, a hit."""
    what = int(layers.crossing[0, bit])
    if what in (crossing.MISSED, crossing.NO_MATCH) and efficiency < LOW_EFFICIENCY:
        return f"inefficient: the module has {efficiency:.2f}"
    return crossing.CROSSING[what]
