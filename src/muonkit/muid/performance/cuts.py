"""Cuts on Delta that give a wanted muon efficiency, by p and theta.

In every bin the quantile of the muons' Delta, with the error that follows from the binomial error of an efficiency:
half the distance of the quantiles at efficiency -+ sqrt(eff (1 - eff)/n). A bin with too few muons takes the cut of all
theta at this p, if these are too few as well that of all tracks; `status` says so. Where too many muons have no score
at all the efficiency cannot be had: then the cut is the lowest edge, which only these fail. Soft muons have but a few
values of Delta: where more than COARSE of them share one that the cut would split, it goes to the side whose efficiency
is nearer. `reached` is the efficiency that a cut has."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.muid.performance.fine import CELLS, Fine, above, count, upper_quantile
from muonkit.muid.performance.labelled import LabelledTracks
from muonkit.muid.performance.rates import place

MEASURED, FROM_P, FROM_ALL, UNREACHABLE, NEAREST = range(5)
STATUS = (
    *("measured", "few muons: from all theta", "few muons: from all tracks", "not reachable"),
    "many muons at one value: the nearest",
)
COARSE, MANY = 0.01, 10  # share and number of the muons in one fine bin


@dataclass(frozen=True, slots=True)
class CutTable:
    """For one efficiency, by p and theta: cut, error, status, reached (np, nt); edges; muons (np, nt) in the bin."""

    efficiency: float
    p_edges: FloatArray
    theta_edges: FloatArray
    cut: FloatArray
    error: FloatArray
    status: IntArray
    reached: FloatArray
    muons: IntArray

    def to_json(self) -> dict[str, Any]:
        """Lists, rows by p."""
        content: dict[str, Any] = {"efficiency": self.efficiency, "meaning_of_status": list(STATUS)}
        columns = ("p_edges", "theta_edges", "cut", "error", "status", "reached", "muons")
        return content | {name: getattr(self, name).tolist() for name in columns}


def count_cuts(
    tracks: LabelledTracks, signal: int, p_edges: tuple[float, ...], theta_edges: tuple[float, ...], fine: Fine
) -> IntArray:
    """Fine histograms (np, nt, CELLS) of the signal's Delta, of one piece."""
    muons = tracks[tracks.species == signal]
    shape = (len(p_edges) - 1, len(theta_edges) - 1, CELLS)
    return count(shape, place(muons.p, p_edges), place(muons.theta, theta_edges), fine.index(muons.scores[:, 0]))


def cut_table(
    counts: IntArray, efficiency: float, p_edges: FloatArray, theta_edges: FloatArray, fine: Fine, least: int
) -> CutTable:
    """The cuts of all bins; a bin needs `least` muons for a cut of its own."""
    shape = counts.shape[:2]
    cut, error, reached = (np.zeros(shape) for _ in range(3))
    status = np.zeros(shape, dtype=np.int64)
    for where in np.ndindex(shape):
        chosen, status[where] = _enough(counts, where[0], where[1], least)
        cut[where], error[where] = quantile(chosen, efficiency, fine)
        if above(chosen)[0] < efficiency:
            status[where] = UNREACHABLE
        elif (side := nearer_side(chosen, efficiency, fine)) is not None:
            cut[where], status[where] = side, status[where] or NEAREST
        reached[where] = np.interp(cut[where], fine.edges, above(chosen))
    return CutTable(efficiency, p_edges, theta_edges, cut, error, status, reached, counts.sum(axis=-1))


def nearer_side(counts: IntArray, efficiency: float, fine: Fine) -> float | None:
    """The edge with the nearer efficiency of the fine bin in which the cut lies, if many share this bin."""
    passed = above(counts)
    after = int(np.searchsorted(-passed, -efficiency, "right"))
    sides = np.clip([after - 1, after], 0, len(passed) - 1)
    inside = passed[sides[0]] - passed[sides[1]]
    if inside <= COARSE or inside * counts.sum() < MANY:
        return None
    return float(fine.edges[sides[np.argmin(np.abs(passed[sides] - efficiency))]])


def _enough(counts: IntArray, i: int, j: int, least: int) -> tuple[IntArray, int]:
    """The histogram of a bin, or of the smallest sum that holds enough, and which it is."""
    choices = (counts[i, j], counts[i].sum(axis=0), counts.sum(axis=(0, 1)))
    for level, choice in enumerate(choices[:2]):
        if choice.sum() >= least:
            return choice, level
    return choices[2], FROM_ALL


def quantile(counts: IntArray, efficiency: float, fine: Fine) -> tuple[float, float]:
    """The cut that `efficiency` of the entries pass, and its error; lowest edge and 0 without entries."""
    n = int(counts.sum())
    if n == 0:
        return fine.low, 0.0
    sigma = np.sqrt(efficiency * (1 - efficiency) / n)
    tight, loose = (upper_quantile(counts, np.clip(efficiency + s, 0, 1), fine) for s in (-sigma, sigma))
    return upper_quantile(counts, efficiency, fine), (tight - loose) / 2
