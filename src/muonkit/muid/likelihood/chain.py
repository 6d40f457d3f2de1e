"""The longitudinal likelihood with correlated layers: the probability of the whole pattern of hits.

A particle makes a signal in a layer, s = 1, or none, s = 0, given what it did in the two layers before:

    P(s_l = 1 | s_(l-2), s_(l-1)) = q_l(s_(l-2), s_(l-1))                                                      (18a)

by species, outcome and last layer; in front of the first layer there is none. A signal is seen as a hit with the
efficiency of the module. A layer that is not crossed, or is dead, shows nothing. With a(s, s') the probability of the
signals in the last two layers, given all that is seen there and before,

    p_l = sum a(s, s') q_l(s, s'),   seen = p_l eff with a hit, 1 - p_l eff without, 1 if nothing is shown     (18b)

and Bayes' theorem gives a of the next layer. The product of what is seen is normalised: its sum over all patterns of
the crossed layers is 1, whatever the efficiencies are. Every missing hit counts, that in the last layer too.

Most particles of species h behave as their species do, a share b_hj as species j: a pion that decays becomes a muon.

    P_h(pattern, x) = sum_j b_hj P_j(pattern) f_j(x)                                                           (18c)

so that b is part of what h is expected to do next: it is updated with every layer. This is the reference;
`kernels.add_chain` and `kernels.blend` are the compiled twin."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray
from muonkit.core.errors import InputError
from muonkit.data.muid import LAYERS, MuidTracks
from muonkit.muid.likelihood.hypotheses import signed_numbers
from muonkit.muid.likelihood.longitudinal import classes_of
from muonkit.muid.likelihood.outcome import within
from muonkit.muid.likelihood.payload import CONTEXTS, NAME, WITHOUT, LikelihoodParameters, first_entries

LEAST_EFFICIENCY = 1e-5  # of a layer with a hit


@dataclass(frozen=True, slots=True)
class Followed:
    """By hypothesis: terms (n, LAYERS, 6), ln of the probability of what is seen in a layer given the layers before;
    predicted (n, LAYERS, 6), probability of a hit there, before it is looked at; share (n, 6, 6): of those that behave
    as species j (last index), given all layers."""

    terms: FloatArray
    predicted: FloatArray
    share: FloatArray


def followed(tracks: MuidTracks, payload: LikelihoodParameters, floor: float = 0.0) -> Followed:
    """Eqs. 18a to 18c layer by layer; 0 for layers that show nothing. Raises InputError for a payload without the
    tables."""
    share = behaviours(tracks, payload)
    terms, predicted = np.zeros((len(tracks), LAYERS, 6)), np.zeros((len(tracks), LAYERS, 6))
    for bit, (hit, seen) in enumerate(layer_by_layer(tracks, payload, floor)):
        joint = share * seen[:, None]
        total = joint.sum(axis=2)
        terms[:, bit] = np.log(total)
        predicted[:, bit] = np.sum(share * hit[:, None], axis=2)
        share = joint / total[..., None]
    return Followed(terms, predicted, share)


def behaviours(tracks: MuidTracks, payload: LikelihoodParameters) -> FloatArray:
    """b (n, 6, 6) of eq. 18c for the tracks' charge. Raises InputError for a payload without the tables."""
    if payload.behaviour is None:
        raise InputError(f"{NAME}: {WITHOUT}")
    shares: FloatArray = payload.behaviour[signed_numbers(tracks.charge)]
    return shares


def layer_by_layer(
    tracks: MuidTracks, payload: LikelihoodParameters, floor: float = 0.0
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """For every layer, by species of the tracks' charge: probability of a hit given the layers before, and of what is
    seen there (n, 6), eq. 18b."""
    position, species = classes_of(tracks), signed_numbers(tracks.charge)
    inside = within(tracks.barrel_ext_layer, tracks.endcap_ext_layer) & (position >= 0)[:, None]
    first, efficiency = first_entries()[np.maximum(position, 0)], np.nan_to_num(tracks.efficiency, nan=1.0)
    a = np.zeros((len(tracks), 6, CONTEXTS))
    a[..., 0] = 1.0
    for bit in range(LAYERS):
        used = inside[:, bit]
        crossed = used & (tracks.ext_layer_pattern >> bit & 1 == 1)
        hit = crossed & (tracks.hit_layer_pattern >> bit & 1 == 1)
        entry = np.where(used, first + bit, 0)[:, None, None]
        q = np.clip(payload.signal[species[..., None], np.arange(CONTEXTS), entry], floor, 1 - floor)
        signal, none = a * q, a * (1 - q)
        p = signal.sum(axis=2)
        with_signal, without = appearance(crossed, hit, efficiency[:, bit])
        new = moved(signal * with_signal[:, None, None], none * without[:, None, None])
        total = new.sum(axis=2)
        a = np.where(used[:, None, None], new / total[..., None], a)
        yield np.where(crossed[:, None], p * efficiency[:, bit, None], 0.0), np.where(used[:, None], total, 1.0)


def appearance(crossed: BoolArray, hit: BoolArray, efficiency: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Probabilities (n,) of what is seen in a layer with a signal, and without."""
    lit = np.where(hit, np.maximum(efficiency, LEAST_EFFICIENCY), 1 - efficiency)
    return np.where(crossed, lit, 1.0), np.where(hit, 0.0, 1.0)


def moved(signal: FloatArray, none: FloatArray) -> FloatArray:
    """Contexts (n, 6, 4) of the next layer from those of this one, with a signal here and without."""
    return np.stack(
        [none[..., s] + none[..., s + 2] if here == 0 else signal[..., s] + signal[..., s + 2]
         for s in (0, 1) for here in (0, 1)], axis=-1)  # fmt: skip
