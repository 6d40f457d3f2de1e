"""What a fit of tracks returns, and its statuses."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from muonkit.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from muonkit.data.hits import Hits
from muonkit.data.tracks import BoundStates
from muonkit.tracking.kernels.tuples import NO_HIT, OUTLIER, USED
from muonkit.transport import status as transport
from muonkit.transport.status import NO_START, OK

REPEATED = 3  # of `use`, behind NO_HIT, USED, OUTLIER
USE = {
    NO_HIT: "not met by the track",
    USED: "used",
    OUTLIER: "outliers",
    REPEATED: "behind another hit of the track on the same surface",
}
FEWEST = 3  # hits, without which there is no start
TOO_FEW, UNDECIDED, UNORDERED = range(10, 13)
STATUS = transport.MESSAGE | {
    OK: "fitted",
    NO_START: "has no start: the seed needs three hits with two coordinates each",
    TOO_FEW: "has no more measurements than parameters",
    UNDECIDED: "has an outlier, and its other hits do not tell which hit it is",
    UNORDERED: "does not meet all of its hits in turn: out of order, behind the start, or one is far off",
}

PER_TRACK = ("chi2", "ndf", "status", "route", "count", "stop_parameters", "moved", "stop_covariance", "gain")
PER_HIT = ("residual", "variance", "hit_chi2", "use")


@dataclass(frozen=True, slots=True)
class FittedTracks:
    """states: smoothed, on the first surface of every track (NaN where it was not reached); chi2, ndf, status (n,), a
    key of STATUS; per hit: smoothed residual (k, 2) [cm], its variance (k, 2), chi2 (k,), use (k,), a key of USE; route
    (n, L), count (n,): surfaces met; moved (n,): change of q/p in the last pass, in standard deviations; stops:
    smoothed parameters (n, L, 5) and, if they were asked for, covariances (n, L, 5, 5) there, and gains (n, L, 5):
    derivatives of ln(1/pT) of the fitted first state by kicks of the state at a stop, behind its hit.

    Where no field bends a track, its q/p and the variance of it are those of the start (see `passes.WIDE`)."""

    states: BoundStates
    chi2: FloatArray
    ndf: IntArray
    status: IntArray
    residual: FloatArray
    variance: FloatArray
    hit_chi2: FloatArray
    use: IntArray
    route: IntArray
    count: IntArray
    stop_parameters: FloatArray
    moved: FloatArray
    stop_covariance: FloatArray | None
    gain: FloatArray | None = None

    @property
    def good(self) -> BoolArray:
        """Which tracks were fitted, (n,)."""
        good: BoolArray = self.status == OK
        return good

    def with_tracks(self, tracks: IntArray, hits: IntArray, other: Self) -> Self:
        """With `tracks` (m,), whose hits are rows `hits`, taken from another fit of these alone."""
        columns: dict[str, Any] = {}
        for names, rows in ((PER_TRACK, tracks), (PER_HIT, hits)):
            columns |= {name: _put(getattr(self, name), rows, getattr(other, name)) for name in names}
        states = BoundStates(
            self.states.surface,
            _put(self.states.parameters, tracks, other.states.parameters),
            _put(self.states.covariance, tracks, other.states.covariance),
        )
        return replace(self, states=states, **columns)

    def __str__(self) -> str:
        used = self.use == USED
        return "\n".join(
            (
                f"Tracks fitted        {self.good.sum()} of {len(self.good)}",
                *_counts(self.status[~self.good], STATUS),
                f"Hits used            {used.sum()} of {len(used)}",
                *_counts(self.use[~used], USE),
            )
        )


def _counts(codes: IntArray, words: dict[int, str]) -> list[str]:
    return [f"  {words[code]}: {number}" for code, number in zip(*np.unique(codes, return_counts=True), strict=True)]


def _put(values: Any, rows: IntArray, others: Any) -> Any:
    """Rows of an array replaced by others, which may have more or fewer stops in their second place."""
    if values is None:
        return None
    longest = max((array.shape[1] for array in (values, others) if array.ndim > 1), default=0)
    into, put = (_padded(array, longest) for array in (values, others))
    into[rows] = put
    return into


def _padded(array: AnyArray, longest: int) -> AnyArray:
    """A copy with so many places in the second dimension, if it has one."""
    if array.ndim == 1 or array.shape[1] == longest:
        return array.copy()
    missing = np.full(
        (len(array), longest - array.shape[1], *array.shape[2:]), -1 if array.dtype.kind == "i" else np.nan
    )
    return np.concatenate((array, missing), axis=1)


def judged(fitted: FittedTracks, hits: Hits, undecided: BoolArray) -> FittedTracks:
    """With the statuses of tracks that have an undecided outlier, hits that are not met, or too few hits. A hit behind
    another one on the same surface is told from one that is not met."""
    use, status = fitted.use.copy(), fitted.status.copy()
    missed = np.zeros(len(hits), np.bool_)
    if (use == NO_HIT).any():
        use[_behind_others(hits) & (use == NO_HIT)] = REPEATED
        missed = _out_of_order(use, hits)
    status[(status == NO_START) & (np.diff(hits.offsets) < FEWEST)] = TOO_FEW
    fine = status == OK
    status[fine & undecided] = UNDECIDED
    status[fine & missed] = UNORDERED
    status[fine & ~missed & (fitted.ndf <= 0)] = TOO_FEW
    return replace(fitted, use=use, status=status)


def _out_of_order(use: IntArray, hits: Hits) -> BoolArray:
    """Which tracks (n,) do not meet a hit but a later one, or do not meet half of their hits. Hits at the end that are
    not met are those of a track that curls: they are counted, and the fit of the others is right."""
    track, number, n = hits.track, np.arange(len(use)), len(hits)
    first, last = np.full(n, len(use)), np.full(n, -1)
    lost, met = use == NO_HIT, (use == USED) | (use == OUTLIER)
    np.minimum.at(first, track[lost], number[lost])
    np.maximum.at(last, track[met], number[met])
    mostly = 2 * np.bincount(track[lost], minlength=n) >= np.diff(hits.offsets)
    return np.asarray((first < last) | (mostly & (np.diff(hits.offsets) > 0)), dtype=np.bool_)


def _behind_others(hits: Hits) -> BoolArray:
    """Which hits (k,) are not the first of their track on their surface."""
    behind = np.ones(len(hits.surface), np.bool_)
    place = hits.track * (hits.surface.max(initial=0) + 1) + hits.surface
    behind[np.unique(place, return_index=True)[1]] = False
    return behind
