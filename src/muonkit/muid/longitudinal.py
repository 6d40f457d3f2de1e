"""The longitudinal likelihood: which of the crossed layers have a hit (MuidBuilder of the Belle II software).

    ln P = sum over crossed layers with a hit of ln p  +  sum over those without of ln(1 - p eff)               (18)

p: probability of a hit by hypothesis, outcome, last layer and layer; eff: efficiency of the module, in the second sum
only. A missing hit in the last layer tells nothing (range straggling) and is left out, unless that layer is the
innermost or the outermost of its region; behind the barrel the innermost barrel layer has no such exception. This is
the reference; `kernels.likelihood` is the compiled twin."""

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.data.muid import BARREL_LAYERS, ENDCAP_LAYERS, LAYERS, MuidTracks
from muonkit.muid.hypotheses import signed_numbers
from muonkit.muid.outcome import LAST_LAYERS, OUTCOMES, OVERLAP_STOP_FORWARD, class_index, last_layer
from muonkit.muid.payload import LikelihoodParameters, first_entries

OUTERMOST_BARREL, OUTERMOST_FORWARD, OUTERMOST_BACKWARD = 14, 13, 11


def classes_of(tracks: MuidTracks) -> IntArray:
    """Position (n,) of the class of every track; -1 where it is none."""
    last = last_layer(tracks.barrel_ext_layer, tracks.endcap_ext_layer)
    known = (tracks.outcome > 0) & (tracks.outcome < OUTCOMES) & (last >= 0) & (last < LAST_LAYERS)
    known &= (tracks.barrel_ext_layer < BARREL_LAYERS) & (tracks.endcap_ext_layer < ENDCAP_LAYERS)
    return np.where(known, class_index()[np.where(known, tracks.outcome, 0), np.where(known, last, 0)], -1)


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
    position, hypothesis = classes_of(tracks), signed_numbers(tracks.charge)
    first = first_entries()[np.maximum(position, 0)]
    total = np.where(position < 0, -np.inf, 0.0)[:, None] * np.ones(6)
    last = np.where(
        np.arange(LAYERS) < BARREL_LAYERS, tracks.barrel_ext_layer[:, None], tracks.endcap_ext_layer[:, None]
    )
    for bit in range(LAYERS):
        layer = bit if bit < BARREL_LAYERS else bit - BARREL_LAYERS
        used = (position >= 0) & (tracks.ext_layer_pattern >> bit & 1 == 1) & (layer <= last[:, bit])
        hit = tracks.hit_layer_pattern >> bit & 1 == 1
        entry = np.where(used, first + bit, 0)
        p = payload.longitudinal[hypothesis, entry[:, None]].astype(np.float64)
        p = np.clip(p, floor, 1 - floor)
        efficiency = np.nan_to_num(tracks.efficiency[:, bit], nan=1.0)[:, None]
        with np.errstate(divide="ignore"):
            total += np.where((used & hit)[:, None], np.log(p), 0.0)
            missed = used & ~hit & miss_counts(tracks, bit, strict)
            total += np.where(missed[:, None], np.log1p(-np.where(missed[:, None], p * efficiency, 0.0)), 0.0)
    return total
