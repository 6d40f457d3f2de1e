"""Hits that several tracks of an event match: Muid uses them for each. Here they are counted and, on request, given to
one track only."""

from dataclasses import fields
from typing import Protocol

import numpy as np

from muonkit.core.arrays import IntArray
from muonkit.data.klm import Candidates, KLMHits
from muonkit.data.muid import Extrapolated, MuidLayers
from muonkit.muid.swim.crossing import HIT
from muonkit.muid.swim.hits import Lost


class Follow(Protocol):
    """Extrapolates tracks, each without the hits that it has lost."""

    def __call__(self, candidates: Candidates, hits: KLMHits, *, lost: Lost | None) -> Extrapolated: ...


def matched(layers: MuidLayers) -> tuple[IntArray, IntArray, IntArray]:
    """Track, layer bit and row of the hit (m,) of all hits that updated a track."""
    track, bit = np.nonzero(layers.crossing == HIT)
    return track, bit, layers.hit[track, bit]


def shared_hits(layers: MuidLayers) -> IntArray:
    """Number (n,) of matched hits that another track has matched too."""
    track, _, hit = matched(layers)
    count = np.bincount(hit) if len(hit) else np.zeros(0, dtype=np.int64)
    return np.bincount(track[count[hit] > 1], minlength=len(layers))


def losers(layers: MuidLayers) -> tuple[IntArray, IntArray]:
    """Tracks and rows of hits (m,) that these tracks share with one that fits better: each hit belongs to the track
    to which it adds the least chi2, of equals to the first."""
    track, bit, hit = matched(layers)
    order = np.lexsort((track, layers.chi2[track, bit], hit))
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = np.diff(hit[order]) != 0
    return track[order][~first], hit[order][~first]


def arbitrated(follow: Follow, candidates: Candidates, hits: KLMHits) -> Extrapolated:
    """Tracks (n) as `follow` extrapolates them, with every hit given to one; a track that loses a hit is followed again
    without it. What a track has lost is kept as a list, so memory grows with tracks and hits, not with their product.
    """
    found = follow(candidates, hits, lost=None)
    tracks, rows = (np.zeros(0, dtype=np.int64) for _ in range(2))
    while True:  # there is an end: in each round a track loses a hit for ever
        track, hit = losers(found.layers)
        if not len(track):
            return found
        tracks, rows = np.concatenate((tracks, track)), np.concatenate((rows, hit))
        again = np.unique(track)
        _replace(found, again, follow(candidates[again], hits, lost=_lost(again, tracks, rows)))


def _lost(again: IntArray, tracks: IntArray, rows: IntArray) -> Lost:
    """What the tracks `again` (n,) have lost, of all pairs of track and row (m,)."""
    order = np.argsort(tracks, kind="stable")
    order = order[np.isin(tracks[order], again)]
    return Lost(np.append(np.searchsorted(tracks[order], again), len(order)), rows[order])


def _replace(found: Extrapolated, tracks: IntArray, new: Extrapolated) -> None:
    """Write new results over old ones."""
    for old, fresh in ((found.tracks, new.tracks), (found.layers, new.layers)):
        for field in fields(old):
            getattr(old, field.name)[tracks] = getattr(fresh, field.name)
