"""All sums of one piece of tracks: the waist of the hourglass. All results are made of these."""

from dataclasses import dataclass

import numpy as np

from muonkit.core.additive import Additive
from muonkit.core.arrays import IntArray
from muonkit.muid.checks.goodness import FitCounts, count_fit
from muonkit.muid.likelihood.hypotheses import HYPOTHESES
from muonkit.muid.likelihood.payload import LikelihoodParameters
from muonkit.muid.performance.boxes import BoxCounts, count_boxes
from muonkit.muid.performance.config import Performance
from muonkit.muid.performance.confusion import confusion
from muonkit.muid.performance.cuts import count_cuts
from muonkit.muid.performance.fine import CELLS, Fine, count
from muonkit.muid.performance.labelled import UNKNOWN, LabelledTracks, selected, uninformed, wanted
from muonkit.muid.performance.layers import differences
from muonkit.muid.performance.rates import SPECIES, Passed, RateCounts, count_rates, passing, place, tally

DELTA = Fine()


@dataclass(frozen=True, slots=True)
class PerformanceCounts(Additive):
    """read (7,): tracks by species, other ones last; reached (6,): of them in the muon detector; selected (6,);
    without_score (6,): selected ones that fail every cut; tracker_decays: by cut and species, tracks that would be
    selected and decayed inside of the tracker; uninformed (6,): tracks that would be selected and cross no working
    layer; roc: fine histograms (scores, 6, bins of p, CELLS); cuts: fine histograms (np, nt, CELLS) of the signal;
    others: see the modules of their names."""

    read: IntArray
    reached: IntArray
    selected: IntArray
    without_score: IntArray
    tracker_decays: Passed
    uninformed: IntArray
    rates: RateCounts
    boxes: BoxCounts
    roc: IntArray
    cuts: IntArray
    confusion: IntArray
    differences: IntArray
    fit: FitCounts | None


def count_tracks(
    tracks: LabelledTracks, config: Performance, payload: LikelihoodParameters | None = None
) -> PerformanceCounts:
    """Count one piece; with a payload also what its test needs."""
    binning, signal = config.binning, HYPOTHESES.index(config.signal)
    used = tracks[selected(tracks, config.selection)]
    inside, blind = used[used.in_tracker], used.species[uninformed(used)]
    used = used[wanted(used, config.selection)]
    species = np.where(tracks.species == UNKNOWN, SPECIES, tracks.species)
    return PerformanceCounts(
        read=count((SPECIES + 1,), species),
        reached=count((SPECIES,), tracks.species[tracks.tracks.outcome > 0]),
        selected=count((SPECIES,), used.species),
        without_score=count((SPECIES,), used.species[used.scores[:, 0] == -np.inf]),
        tracker_decays=tally(passing(inside, config.cuts), (SPECIES,), inside.species),
        uninformed=count((SPECIES,), blind),
        rates=count_rates(used, config.cuts, signal, binning),
        boxes=count_boxes(used, binning.p, DELTA),
        roc=count_scores(used, config),
        cuts=count_cuts(used, signal, binning.cuts_p, binning.cuts_theta, DELTA),
        confusion=confusion(used),
        differences=differences(used),
        fit=None if payload is None else _fit(tracks, config, payload),
    )


def _fit(tracks: LabelledTracks, config: Performance, payload: LikelihoodParameters) -> FitCounts:
    """Of all tracks in the muon detector, selected or not: the payload is meant for all."""
    assert config.payload is not None  # there would be no payload
    used = tracks[(tracks.species != UNKNOWN) & (tracks.tracks.outcome > 0) & wanted(tracks, config.selection)]
    return count_fit(used.tracks, used.species, payload, config.payload.likelihood)


def fines(config: Performance) -> list[Fine]:
    """Ranges of all scores, Delta first."""
    return [DELTA, *(Fine(*choice.range) for choice in config.score)]


def count_scores(tracks: LabelledTracks, config: Performance) -> IntArray:
    """Fine histograms (scores, 6, bins of p, CELLS)."""
    edges = config.binning.roc_p
    shape = (SPECIES, len(edges) - 1, CELLS)
    p = place(tracks.p, edges)
    return np.stack([
        count(shape, tracks.species, p, fine.index(tracks.scores[:, i])) for i, fine in enumerate(fines(config))
    ])  # fmt: skip
