"""Hits that several tracks of an event match: Muid uses them for each. Here they are counted and, on request, given to
one track only."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np

from muonkit.core.arrays import IntArray
from muonkit.data.klm import Candidates, KLMHits
from muonkit.data.muid import MuidLayers
from muonkit.detector.detector import Detector
from muonkit.muid.swim.crossing import HIT
from muonkit.muid.swim.extrapolate import Extrapolated, MuidSettings, extrapolate
from muonkit.muid.swim.kernels.tuples import ChannelArrays


def matched(layers: MuidLayers) -> tuple[IntArray, IntArray, IntArray]:
    """Track, layer bit and row of the hit (m,) of all hits that updated a track."""
    track, bit = np.nonzero(layers.outcome == HIT)
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


def arbitrate(
    candidates: Candidates,
    hits: KLMHits,
    detector: Detector,
    settings: MuidSettings,
    channels: ChannelArrays | None = None,
) -> Extrapolated:
    """As `extrapolate`, with every hit given to one track; one that loses a hit is extrapolated again without it."""
    found = extrapolate(candidates, hits, detector, settings, channels)
    taken: dict[int, list[int]] = defaultdict(list)
    while True:  # there is an end: in each round a track loses a hit for ever
        track, hit = losers(found.layers)
        if not len(track):
            return found
        for one, row in zip(track.tolist(), hit.tolist(), strict=True):
            taken[one].append(row)
        again = np.unique(track)
        own, rows = _without(hits, candidates.event[again], [taken[one] for one in again.tolist()])
        event = np.arange(len(again))
        new = extrapolate(Candidates(event, event, candidates.states[again]), own, detector, settings, channels)
        _replace(found, again, new, rows)


def _without(hits: KLMHits, events: IntArray, taken: Sequence[Sequence[int]]) -> tuple[KLMHits, IntArray]:
    """The hits of `events` (n,) without the rows `taken` from each, as n events of their own; and their rows in the
    table."""
    order = np.argsort(hits.event, kind="stable")
    first, last = (np.searchsorted(hits.event[order], events, side) for side in ("left", "right"))
    parts = [np.setdiff1d(order[a:b], gone) for a, b, gone in zip(first, last, taken, strict=True)]
    rows = np.concatenate(parts)
    table = hits[rows]
    return replace(table, event=np.repeat(np.arange(len(parts)), [len(part) for part in parts])), rows


def _replace(found: Extrapolated, tracks: IntArray, new: Extrapolated, rows: IntArray) -> None:
    """Write new results over old ones; hits are named by their rows in the whole table."""
    for old, fresh in ((found.tracks, new.tracks), (found.layers, new.layers)):
        for field in fields(old):
            getattr(old, field.name)[tracks] = getattr(fresh, field.name)
    hit = new.layers.hit
    found.layers.hit[tracks] = np.where(hit >= 0, rows[hit], hit) if len(rows) else hit
