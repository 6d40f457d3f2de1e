"""The longitudinal likelihood: which of the crossed layers have a hit (MuidBuilder of the Belle II software).

    ln P = sum over crossed layers with a hit of ln p  +  sum over those without of ln(1 - p eff)               (18)

p: probability of a hit by hypothesis, outcome, last layer and layer; eff: efficiency of the module, in the second sum
only. A missing hit in the last layer says nothing (range straggling) and is left out, unless that layer is the
innermost or the outermost of its region; behind the barrel the innermost barrel layer has no such exception. This is
the reference; `kernels.likelihood` is the compiled twin."""

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.data.muid import BARREL_LAYERS, ENDCAP_LAYERS, LAYERS, MuidTracks
from muonkit.muid.likelihood.hypotheses import signed_numbers
from muonkit.muid.likelihood.outcome import (
    LAST_LAYERS,
    OUTCOMES,
    OVERLAP_STOP_FORWARD,
    class_index,
    is_consistent,
    last_layer,
)
from muonkit.muid.likelihood.payload import LikelihoodParameters, first_entries

OUTERMOST_BARREL, OUTERMOST_FORWARD, OUTERMOST_BACKWARD = 14, 13, 11


def classes_of(tracks: MuidTracks) -> IntArray:
    """Position (n,) of the class of every track; -1 where it is none."""
    last = last_layer(tracks.barrel_ext_layer, tracks.endcap_ext_layer)
    possible = (tracks.outcome > 0) & (tracks.outcome < OUTCOMES) & (last >= 0) & (last < LAST_LAYERS)
    possible &= (tracks.barrel_ext_layer < BARREL_LAYERS) & (tracks.endcap_ext_layer < ENDCAP_LAYERS)
    possible &= is_consistent(tracks.outcome, tracks.barrel_ext_layer, tracks.endcap_ext_layer)
    return np.where(possible, class_index()[np.where(possible, tracks.outcome, 0), np.where(possible, last, 0)], -1)


def miss_counts(tracks: MuidTracks, bit: int, strict: bool) -> BoolArray:
    """Whether a missing hit in a layer counts (n,)."""
    everyone = np.ones(len(tracks), dtype=np.bool_)
    if strict:
        return everyone
    if bit < BARREL_LAYERS:
        if bit == OUTERMOST_BARREL:
            return everyone
        innermost = (tracks.outcome < OVERLAP_STOP_FORWARD) if bit == 0 else ~everyone
        return np.asarray(innermost | (bit < tracks.barrel_ext_layer))
    layer = bit - BARREL_LAYERS
    outermost = layer == np.where(tracks.is_forward, OUTERMOST_FORWARD, OUTERMOST_BACKWARD)
    return np.asarray((layer == 0) | outermost | (layer < tracks.endcap_ext_layer))


def efficiency_known(tracks: MuidTracks) -> BoolArray:
    """Whether all layers that a track crosses have a known efficiency (n,)."""
    crossed = (tracks.ext_layer_pattern[:, None] >> np.arange(LAYERS)) & 1 == 1
    return np.asarray(~(np.isnan(tracks.efficiency) & crossed).any(axis=1))


def longitudinal(
    tracks: MuidTracks, payload: LikelihoodParameters, strict: bool = False, floor: float = 0.0
) -> FloatArray:
    """ln P (n, 6) for HYPOTHESES of the tracks' charge, eq. 18; -inf for a combination that does not exist.

    An unknown efficiency counts as 1. floor: probabilities are kept from 0 and 1 by it."""
    total = contributions(tracks, payload, strict, floor).sum(axis=1)
    return np.where(classes_of(tracks)[:, None] < 0, -np.inf, total)


def contributions(
    tracks: MuidTracks, payload: LikelihoodParameters, strict: bool = False, floor: float = 0.0
) -> FloatArray:
    """The terms (n, LAYERS, 6) of eq. 18; 0 for layers that do not count."""
    position, hypothesis = classes_of(tracks), signed_numbers(tracks.charge)
    first = first_entries()[np.maximum(position, 0)]
    terms = np.zeros((len(tracks), LAYERS, 6))
    for bit in range(LAYERS):
        in_barrel = bit < BARREL_LAYERS
        last = tracks.barrel_ext_layer if in_barrel else tracks.endcap_ext_layer
        layer = bit if in_barrel else bit - BARREL_LAYERS
        used = (position >= 0) & (tracks.ext_layer_pattern >> bit & 1 == 1) & (layer <= last)
        hit = tracks.hit_layer_pattern >> bit & 1 == 1
        missed = used & ~hit & miss_counts(tracks, bit, strict)
        p = payload.longitudinal[hypothesis, np.where(used, first + bit, 0)[:, None]].astype(np.float64)
        p = np.clip(p, floor, 1 - floor)
        efficiency = np.nan_to_num(tracks.efficiency[:, bit], nan=1.0)[:, None]
        with np.errstate(divide="ignore"):
            with_hit, without = np.log(p), np.log1p(-np.where(missed[:, None], p * efficiency, 0.0))
        terms[:, bit] = np.where((used & hit)[:, None], with_hit, np.where(missed[:, None], without, 0.0))
    return terms
