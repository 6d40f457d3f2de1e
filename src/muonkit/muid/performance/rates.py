"""Efficiencies and fake rates: tracks that pass a cut among all, by species and bin of p, theta or phi.

Their errors are Clopper-Pearson intervals, which cover at least what they claim for any number of tracks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from hist.intervals import clopper_pearson_interval

from muonkit.core.additive import Additive
from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.data.klm import DECAYED
from muonkit.muid.likelihood.hypotheses import HYPOTHESES
from muonkit.muid.performance.config import PerformanceBinning
from muonkit.muid.performance.fine import count
from muonkit.muid.performance.labelled import LabelledTracks

SPECIES = len(HYPOTHESES)
ONE_SIGMA = 0.6826894921370859
OTHER, IN_FLIGHT = 0, 1  # ends of a track: anything but a decay, a decay


class PassedBins(NamedTuple):
    """Of one cut, (bins,): numbers of tracks that pass, and of all."""

    passed: IntArray
    total: IntArray

    def to_json(self) -> dict[str, Any]:
        """Lists over the bins."""
        return {"passed": self.passed.tolist(), "total": self.total.tolist()}


@dataclass(frozen=True, slots=True)
class Passed(Additive):
    """passed (cuts, ...), total (...): numbers of tracks."""

    passed: IntArray
    total: IntArray

    def __getitem__(self, rows: Any) -> "Passed":
        """The same for some of the bins."""
        return Passed(self.passed[(slice(None), *np.index_exp[rows])], self.total[rows])

    def of_cut(self, cut: int) -> PassedBins:
        """The numbers of one cut."""
        return PassedBins(self.passed[cut], self.total)


class Rate(NamedTuple):
    """Share that passes, and the ends of its interval; NaN without tracks."""

    value: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, slots=True)
class RateCounts(Additive):
    """p, theta, phi: (cuts, species, bins); map: of the signal in (theta, phi); ends: (cuts, species, OTHER or
    IN_FLIGHT, bins of p)."""

    p: Passed
    theta: Passed
    phi: Passed
    map: Passed
    ends: Passed


def tally(passes: BoolArray, shape: tuple[int, ...], *index: IntArray) -> Passed:
    """Count tracks that pass (cuts, n) and all, at every combination of indices (n,)."""
    passed = np.stack([count(shape, *(i[row] for i in index)) for row in passes])
    return Passed(passed, count(shape, *index))


def place(values: FloatArray, edges: Sequence[float]) -> IntArray:
    """Bin (n,) of values: edges[i] <= value < edges[i + 1]; outside it is -1 or the number of bins."""
    return np.searchsorted(np.asarray(edges), values, side="right").astype(np.int64) - 1


def wrapped(phi: FloatArray, edges: Sequence[float]) -> FloatArray:
    """phi (n,) [deg] in the turn that begins at the first edge."""
    return np.asarray(edges[0] + np.mod(phi - edges[0], 360.0))


def passing(tracks: LabelledTracks, cuts: Sequence[float]) -> BoolArray:
    """Which tracks pass the cuts on Delta (cuts, n)."""
    return np.asarray(tracks.scores[:, 0] > np.array(cuts)[:, None])


def count_rates(tracks: LabelledTracks, cuts: Sequence[float], signal: int, binning: PerformanceBinning) -> RateCounts:
    """Count one piece."""
    passes = passing(tracks, cuts)
    p, theta = place(tracks.p, binning.p), place(tracks.theta, binning.theta)
    phi = place(wrapped(tracks.phi, binning.phi), binning.phi)
    bins_p, bins_theta, bins_phi = (len(edges) - 1 for edges in (binning.p, binning.theta, binning.phi))
    wanted = tracks.species == signal
    return RateCounts(
        tally(passes, (SPECIES, bins_p), tracks.species, p),
        tally(passes, (SPECIES, bins_theta), tracks.species, theta),
        tally(passes, (SPECIES, bins_phi), tracks.species, phi),
        tally(passes[:, wanted], (bins_theta, bins_phi), theta[wanted], phi[wanted]),
        tally(passes, (SPECIES, 2, bins_p), tracks.species, (tracks.fate == DECAYED).astype(np.int64), p),
    )


def rate(passed: FloatArray | IntArray, total: FloatArray | IntArray, coverage: float = ONE_SIGMA) -> Rate:
    """Share with a Clopper-Pearson interval of this coverage; numbers may be effective ones."""
    none = np.asarray(total) == 0
    safe = np.where(none, 1.0, total)
    with np.errstate(invalid="ignore", divide="ignore"):
        low, high = clopper_pearson_interval(np.asarray(passed, dtype=np.float64), safe, coverage)
    value = np.asarray(passed) / safe
    return Rate(*(np.where(none, np.nan, values) for values in (value, low, high)))
