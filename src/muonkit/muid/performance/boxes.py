"""Delta against p as boxes: least, greatest, quartiles, median and mean, by species.

Quantiles come from the fine histogram, over all tracks (one without a score is lowest); mean, least and greatest over
those with a finite Delta."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.muid.performance.fine import CELLS, Fine, count, upper_quantile
from muonkit.muid.performance.labelled import LabelledTracks
from muonkit.muid.performance.rates import SPECIES, place


@dataclass(frozen=True, slots=True)
class BoxCounts:
    """counts (species, bins, CELLS); of finite Delta (species, bins): number, total, least, greatest."""

    counts: IntArray
    number: IntArray
    total: FloatArray
    least: FloatArray
    greatest: FloatArray

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.counts + other.counts,
            self.number + other.number,
            self.total + other.total,
            np.minimum(self.least, other.least),
            np.maximum(self.greatest, other.greatest),
        )


@dataclass(frozen=True, slots=True)
class Boxes:
    """Of one species, by bins of p, each (bins,), NaN where there is nothing: quartiles, median and mean of Delta, its
    ends; numbers of tracks, and of those without a score."""

    lower_quartile: FloatArray
    median: FloatArray
    upper_quartile: FloatArray
    mean: FloatArray
    least: FloatArray
    greatest: FloatArray
    tracks: IntArray
    without_score: IntArray

    def to_json(self) -> dict[str, Any]:
        """Lists over the bins."""
        return {
            "lower_quartile": self.lower_quartile.tolist(),
            "median": self.median.tolist(),
            "upper_quartile": self.upper_quartile.tolist(),
            "mean": self.mean.tolist(),
            "min": self.least.tolist(),
            "max": self.greatest.tolist(),
            "tracks": self.tracks.tolist(),
            "without_score": self.without_score.tolist(),
        }


def count_boxes(tracks: LabelledTracks, edges: Sequence[float], fine: Fine) -> BoxCounts:
    """Count one piece in bins of p."""
    shape = (SPECIES, len(edges) - 1)
    score, p = tracks.scores[:, 0], place(tracks.p, edges)
    counts = count((*shape, CELLS), tracks.species, p, fine.index(score))
    finite = np.isfinite(score) & (p >= 0) & (p < shape[1])
    where, values = (tracks.species[finite], p[finite]), score[finite]
    total, least, greatest = np.zeros(shape), np.full(shape, np.inf), np.full(shape, -np.inf)
    np.add.at(total, where, values)
    np.minimum.at(least, where, values)
    np.maximum.at(greatest, where, values)
    return BoxCounts(counts, count(shape, *where), total, least, greatest)


def boxes(sums: BoxCounts, species: int, fine: Fine) -> Boxes:
    """The boxes of one species."""
    counts, number = sums.counts[species], sums.number[species]
    lower, median, upper = (np.array([upper_quantile(row, q, fine) for row in counts]) for q in (0.75, 0.5, 0.25))
    mean = np.where(number > 0, sums.total[species] / np.maximum(number, 1), np.nan)
    least, greatest = (np.where(number > 0, ends[species], np.nan) for ends in (sums.least, sums.greatest))
    tracks = counts.sum(axis=-1)
    return Boxes(lower, median, upper, mean, least, greatest, tracks, tracks - number)
