"""Counts of tracks -> probabilities of a signal given the two layers before: the tables of `likelihood.chain`.

A hit counts where a layer and the two before it are crossed (fewer at the beginning): holes elsewhere do no harm. Most
of the 4 x 17665 entries of a hypothesis hold few tracks. So a table leans on a common one, and that on a coarser one:
Beta distributions whose prior is the coarser table and counts as some tracks. From coarse to fine:

    region and distance from the last layer -> and layer -> and signal before -> and the one before that -> own class

where all but the last are those of a group of classes. Behind the barrel the group's table is the last."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from muonkit.core.additive import Additive
from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.data.muid import BARREL_LAYERS, LAYERS, MuidTracks
from muonkit.muid.build.config import ChainFit
from muonkit.muid.likelihood.hypotheses import SIGNED
from muonkit.muid.likelihood.longitudinal import classes_of
from muonkit.muid.likelihood.outcome import (
    EXIT_BARREL,
    OVERLAP_STOP_FORWARD,
    STOP_BARREL,
    classes,
    within,
)
from muonkit.muid.likelihood.payload import CONTEXTS, first_entries

LEAST = 1e-5  # probabilities stay that far from 0 and 1
STEP = 64  # of ln p/(1 - p) in a table: its inverse; rounded numbers make small files
NEAR = 2  # layers from the last one on that have tables of their own


@dataclass(frozen=True, slots=True)
class ChainCounts(Additive):
    """hit, crossed (12, CONTEXTS, entries): by signed hypothesis and hits in the two layers before."""

    hit: IntArray
    crossed: IntArray


@dataclass(frozen=True, slots=True)
class Entries:
    """Of every entry (entries,): whether a track can use it; region: a number for group of classes, barrel or endcap,
    and distance from the last layer there; layer: the same with the layer; behind: its class is behind the barrel."""

    used: BoolArray
    region: IntArray
    layer: IntArray
    behind: BoolArray


def no_chains() -> ChainCounts:
    """No counts yet."""
    shape = (SIGNED, CONTEXTS, int(first_entries()[-1]))
    return ChainCounts(np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64))


def count_chains(tracks: MuidTracks, hypothesis: IntArray) -> ChainCounts:
    """The counts of tracks (n,) of signed hypotheses (n,)."""
    total, place = no_chains(), classes_of(tracks)
    known = place >= 0
    tracks, hypothesis, place = tracks[known], hypothesis[known], place[known]
    inside = within(tracks.barrel_ext_layer, tracks.endcap_ext_layer)
    context, seen = np.zeros(len(tracks), dtype=np.int64), np.full(len(tracks), 2)  # layers in a row
    for bit in range(LAYERS):
        here = inside[:, bit]
        crossed, hit = here & (tracks.ext_layer_pattern >> bit & 1 == 1), tracks.hit_layer_pattern >> bit & 1
        counts = crossed & (seen >= 2)
        where = hypothesis[counts], context[counts], first_entries()[place[counts]] + bit
        np.add.at(total.crossed, where, 1)
        np.add.at(total.hit, where, hit[counts])
        context = np.where(here, (2 * context + crossed * hit) % CONTEXTS, context)
        seen = np.where(here, np.where(crossed, seen + 1, 0), seen)
    return total


@cache
def entries() -> Entries:
    """What every entry is about."""
    code, last = np.array(classes()).T
    of = np.repeat(np.arange(len(code)), np.diff(first_entries()))
    layer = np.arange(len(of)) - first_entries()[of]
    code, last = code[of], last[of]
    only_barrel, behind = (code == STOP_BARREL) | (code == EXIT_BARREL), code >= OVERLAP_STOP_FORWARD
    barrel = np.where(only_barrel, last, np.where(behind, (code - OVERLAP_STOP_FORWARD) % BARREL_LAYERS, -1))
    in_barrel = layer < BARREL_LAYERS
    used = ~in_barrel | (layer <= barrel)
    left = np.where(in_barrel, barrel - layer, last - (layer - BARREL_LAYERS))
    group = np.where(behind, OVERLAP_STOP_FORWARD + (code - OVERLAP_STOP_FORWARD) // BARREL_LAYERS, code)
    region = ((2 * group + in_barrel) * (NEAR + 1) + np.clip(left, 0, NEAR)) * used
    return Entries(used, region, region * LAYERS + layer, behind)


def tables(counts: ChainCounts, fit: ChainFit) -> FloatArray:
    """ln p/(1 - p) (12, CONTEXTS, entries) of a signal."""
    p = np.stack([of_hypothesis(hit, crossed, fit) for hit, crossed in zip(counts.hit, counts.crossed, strict=True)])
    p = np.clip(np.where(entries().used, p, 0.5), LEAST, 1 - LEAST)
    return np.asarray(np.round(np.log(p / (1 - p)) * STEP) / STEP)


def of_hypothesis(hit: IntArray, crossed: IntArray, fit: ChainFit) -> FloatArray:
    """Probabilities (CONTEXTS, entries) from counts (CONTEXTS, entries), from coarse to fine."""
    of = entries()
    h, n = hit * of.used, crossed * of.used
    region = pooled(h.sum(axis=0), n.sum(axis=0), of.region, np.full(h.shape[1], 0.5), 1.0)
    layer = pooled(h.sum(axis=0), n.sum(axis=0), of.layer, region, fit.region)
    p = np.empty(h.shape)
    for before in (0, 1):
        pair = pooled(h[before::2].sum(axis=0), n[before::2].sum(axis=0), of.layer, layer, fit.layer)
        for context in (before, before + 2):
            group = pooled(h[context], n[context], of.layer, pair, fit.context)
            own = (h[context] + fit.group * group) / (n[context] + fit.group)
            p[context] = np.where(of.behind, group, own)
    return p


def pooled(hit: IntArray, crossed: IntArray, key: IntArray, prior: FloatArray, weight: float) -> FloatArray:
    """Mean (entries,) of the Beta distribution of all entries with the same key, whose prior counts as `weight`
    tracks."""
    hits, tracks = np.bincount(key, hit), np.bincount(key, crossed)
    return np.asarray((hits[key] + weight * prior) / (tracks[key] + weight))
