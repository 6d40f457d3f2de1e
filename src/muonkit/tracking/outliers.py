"""Which hits of a track are outliers: fits without some of its hits, compared.

What a hit adds to chi2 is the chi2 r^T (V - H C H^T)^-1 r of its smoothed residual (Fruhwirth 1987, eq. 12d): a fit
without the hit has so much less. Hits above a limit per coordinate are suspicious. It need not be the worst one that is
wrong: with few layers an outlier pulls the track away from good hits. So a track with suspicious hits is fitted again
without each of the hits that add most, then without pairs, and so on. Of the fits that leave no suspicious hit and a
chi2 that is not improbable, that with the fewest hits missing is taken, and among these that of the least chi2. Where
another choice of as many hits is nearly as good, the hits do not tell which one is wrong.

An annealing filter (Fruhwirth and Strandlie, Comput. Phys. Commun. 120 (1999) 197; T = 81 ... 1, cut 16) was tried. It
removes only a good hit, or also a good hit, in 21 and 18 % of tracks with five planes and one outlier of 10 and 20
sigma, and in 74 % of those with two of 100 sigma; this search in less than 1 %."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import stats

from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.data.hits import Hits, select
from muonkit.tracking.fitted import FittedTracks
from muonkit.tracking.kernels.tuples import USED
from muonkit.tracking.passes import usable

MOST = 3  # hits of a track that are left out
WIDTH = 8  # choices of a track that are fitted, for each number of hits
PLAUSIBLE = 1e-4  # probability of chi2 of a fit without the outliers
APART = 9.0  # in chi2, of the best choice from the next one: below, it is not decided

Refit = Callable[[IntArray, BoolArray], FittedTracks]


class Choices(NamedTuple):
    """Fits without some hits. track (m,); removed (m, longest): hits that are left out; chi2 (m,), inf where there is
    no fit; gain (m, longest): what each hit adds to chi2, -inf where it is not used; clean (m,): nothing is
    suspicious."""

    track: IntArray
    removed: BoolArray
    chi2: FloatArray
    gain: FloatArray
    clean: BoolArray

    def chosen(self, rows: BoolArray | IntArray) -> "Choices":
        """Some of them."""
        return Choices(self.track[rows], self.removed[rows], self.chi2[rows], self.gain[rows], self.clean[rows])


def search(hits: Hits, fitted: FittedTracks, allowed: FloatArray, refit: Refit) -> tuple[BoolArray, BoolArray]:
    """Which hits (k,) are outliers, and for which tracks (n,) this cannot be decided.

    allowed (k,): what a hit may add to chi2; refit(tracks, mask): fits of `tracks` (m,) with the hits in the mask."""
    outlier, undecided = np.zeros(len(hits.surface), np.bool_), np.zeros(len(hits), np.bool_)
    tracks = np.unique(hits.track[(fitted.use == USED) & (fitted.hit_chi2 > allowed)])
    undecided[tracks] = True
    now = _first(hits, fitted, tracks)
    for _ in range(MOST):
        now = _fit(hits, *_more(now), allowed, refit)
        for row in _best(now):
            alone = _rivals(now, row) == 0
            undecided[now.track[row]] = not alone
            first, stop = hits.offsets[now.track[row]], hits.offsets[now.track[row] + 1]
            outlier[first:stop][now.removed[row, : stop - first]] = alone
        now = now.chosen(~np.isin(now.track, now.track[now.clean]))
    return outlier, undecided


def _first(hits: Hits, fitted: FittedTracks, tracks: IntArray) -> Choices:
    """The fit with all hits."""
    places = _places(hits, tracks)
    gain = np.where((places >= 0) & (fitted.use[places] == USED), fitted.hit_chi2[places], -np.inf)
    none = np.zeros(len(tracks), np.bool_)
    return Choices(tracks, np.zeros(places.shape, np.bool_), fitted.chi2[tracks], gain, none)


def _more(now: Choices) -> tuple[IntArray, BoolArray]:
    """Tracks (m,) and hits to leave out (m, longest), one more than before; of each track the WIDTH that promise the
    least chi2."""
    choice, hit = np.nonzero(np.isfinite(now.gain) & np.isfinite(now.chi2)[:, None])
    track, removed = now.track[choice], now.removed[choice]
    removed[np.arange(len(hit)), hit] = True
    order = np.lexsort((now.chi2[choice] - now.gain[choice, hit], track))
    _, once = np.unique(np.column_stack((track, removed))[order], axis=0, return_index=True)
    order = order[np.sort(once)]
    rank = np.arange(len(order)) - np.searchsorted(track[order], track[order])
    kept = order[rank < WIDTH]
    return track[kept], removed[kept]


def _fit(hits: Hits, tracks: IntArray, removed: BoolArray, allowed: FloatArray, refit: Refit) -> Choices:
    places = np.pad(_places(hits, tracks), ((0, 0), (0, removed.shape[1])), constant_values=-1)[:, : removed.shape[1]]
    there = places >= 0
    fitted = refit(tracks, ~removed[there])
    good = usable(fitted)
    gain, limit = np.full(places.shape, -np.inf), np.zeros(places.shape)
    gain[there] = np.where(fitted.use == USED, fitted.hit_chi2, -np.inf)
    limit[there] = allowed[places[there]]
    plausible = stats.chi2.sf(fitted.chi2, fitted.ndf) > PLAUSIBLE
    clean = good & (gain <= limit).all(axis=1) & plausible
    return Choices(tracks, removed, np.where(good, fitted.chi2, np.inf), gain, clean)


def _best(now: Choices) -> IntArray:
    """The clean choice of the least chi2 of every track that has one."""
    order = np.lexsort((now.chi2, ~now.clean, now.track))
    first = order[np.unique(now.track[order], return_index=True)[1]]
    return first[now.clean[first]]


def _rivals(now: Choices, row: int) -> int:
    """How many other clean choices of the track are nearly as good."""
    near = now.clean & (now.track == now.track[row]) & (now.chi2 < now.chi2[row] + APART)
    return int(near.sum()) - 1


def _places(hits: Hits, tracks: IntArray) -> IntArray:
    """Rows of the hits of tracks (m,), padded with -1, (m, longest)."""
    count = np.diff(hits.offsets)[tracks]
    there = np.arange(int(count.max(initial=0))) < count[:, None]
    places = np.full(there.shape, -1)
    places[there] = select(hits.offsets, tracks)[1]
    return places
