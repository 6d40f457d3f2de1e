"""Fine histograms of a score: the waist between tracks and everything that orders them.

4000 bins and two for what is below and above; bin i holds (edge_{i-1}, edge_i], so that `score > edge` is counted
exactly at every edge. What has no score (NaN) is below all. Quantiles are linear inside of a bin: their rounding is the
width of a bin at most, 0.1 of Delta, for any number of tracks in a memory that does not grow."""

from dataclasses import dataclass

import numpy as np

from muonkit.core.arrays import FloatArray, IntArray

BINS = 4000
CELLS = BINS + 2


@dataclass(frozen=True, slots=True)
class Fine:
    """Range of the score that is resolved."""

    low: float = -200.0
    high: float = 200.0

    @property
    def edges(self) -> FloatArray:
        """Edges (BINS + 1,)."""
        return np.linspace(self.low, self.high, BINS + 1)

    def index(self, score: FloatArray) -> IntArray:
        """Cell (n,): 0 is below or no score, CELLS - 1 above."""
        place = (np.where(np.isnan(score), -np.inf, score) - self.low) * (BINS / (self.high - self.low))
        return np.ceil(np.clip(place, 0, BINS + 1)).astype(np.int64)


def count(shape: tuple[int, ...], *index: IntArray) -> IntArray:
    """Number of rows at every combination of indices; rows with an index outside of its axis are not counted."""
    inside = np.all([(i >= 0) & (i < size) for i, size in zip(index, shape, strict=True)], axis=0)
    flat = np.ravel_multi_index(tuple(i[inside] for i in index), shape)
    return np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape)


def above(counts: IntArray) -> FloatArray:
    """Share (..., BINS + 1) of the entries of counts (..., CELLS) above every edge; 0 where there are none."""
    total = counts.sum(axis=-1, keepdims=True)
    passed = total - np.cumsum(counts[..., :-1], axis=-1)
    return np.asarray(passed / np.maximum(total, 1))


def upper_quantile(counts: IntArray, share: float, fine: Fine) -> float:
    """The score that `share` of the entries of counts (CELLS,) exceed: first or last edge if it is beyond them, NaN
    without entries."""
    if counts.sum() == 0:
        return float("nan")
    falling = above(counts)
    return float(np.interp(-share, -falling, fine.edges))
