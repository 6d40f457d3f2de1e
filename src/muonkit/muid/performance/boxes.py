"""Delta against p as boxes: least, greatest, quartiles, median and mean, by species.

Quantiles come from the fine histogram, over all tracks (one without a score is lowest); mean, least and greatest over
those with a finite Delta."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.muid.performance.fine import CELLS, Fine, count, upper_quantile
from muonkit.muid.performance.known import KnownTracks
from muonkit.muid.performance.rates import SPECIES, place

QUANTILES = {"lower_quartile": 0.75, "median": 0.5, "upper_quartile": 0.25}  # name -> share above


@dataclass(frozen=True, slots=True)
class Boxes:
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


def boxes(tracks: KnownTracks, edges: Sequence[float], fine: Fine) -> Boxes:
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
    return Boxes(counts, count(shape, *where), total, least, greatest)


def box(found: Boxes, species: int, fine: Fine) -> dict[str, list[Any]]:
    """Lists over the bins, for one species; NaN where there is nothing."""
    counts = found.counts[species]
    lists: dict[str, list[Any]] = {
        name: [upper_quantile(row, share, fine) for row in counts] for name, share in QUANTILES.items()
    }
    number = found.number[species]
    mean = np.where(number > 0, found.total[species] / np.maximum(number, 1), np.nan)
    least, greatest = (np.where(number > 0, ends[species], np.nan) for ends in (found.least, found.greatest))
    lists |= {"mean": mean.tolist(), "min": least.tolist(), "max": greatest.tolist()}
    return lists | {"tracks": counts.sum(axis=-1).tolist(), "without_score": (counts.sum(axis=-1) - number).tolist()}
