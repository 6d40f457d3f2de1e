"""The likelihood of all pairs at once as a function of all parameters, with its first and second derivatives.

    -ln L = -sum_i w_i ln[f B(m_i) + (1 - f) S_i(m_i)/N_i],   S_i = sum_j w_j (d/dm) F(z_ij),   N_i: S_i over the window

`kernels.pairs` sums over the pairs of every region; here the regions are put together."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np

from muonkit.calibration.kernels import pairs as kernel
from muonkit.calibration.parameters import SCALE, ParameterLayout
from muonkit.core.arrays import FloatArray, IntArray, sums

LETTERS = (*SCALE, "a", "c")  # in the order of the kernel


@dataclass(frozen=True, slots=True)
class Evaluation:
    """-ln L, its gradient (p,) and second derivatives (p, p), the sum of outer products of the scores (p, p); of every
    region, the scores of its ln mu and ln sigma (regions, 2), their outer products (regions, 2, 2), and minus the
    second derivatives of ln L by them and by the parameters (regions, 2, p)."""

    value: float
    gradient: FloatArray
    hessian: FloatArray
    squares: FloatArray
    scores: FloatArray
    score_squares: FloatArray
    crossed: FloatArray

    @property
    def value_or_infinity(self) -> float:
        """The value; infinity where the parameters give none."""
        return self.value if np.isfinite(self.value) else np.inf


@dataclass(frozen=True)
class PairLikelihood:
    """The likelihood of all pairs as a function of a vector (p,): the parameters of `layout`, then phi and slope x
    window of the backgrounds, if there are any; `priors`: parameter -> values (bins,) and width."""

    pairs: kernel.Pairs
    regions: kernel.Regions
    layout: ParameterLayout
    backgrounds: int
    slope: float
    priors: Mapping[str, tuple[FloatArray, float]]
    window: tuple[float, float]
    threads: int

    @property
    def size(self) -> int:
        """Number of parameters."""
        return len(self.layout.names) + 2 * self.backgrounds

    def __call__(self, vector: FloatArray) -> Evaluation:
        """Everything at one vector."""
        of_regions = self.by_region(vector)
        index = self._index()
        whole = [_symmetric(each) for each in (of_regions.hessian, of_regions.squares)]
        gradient = sums(index.ravel(), of_regions.gradient.ravel(), self.size + 1)[:-1]
        hessian, squares = (self._gather(index, each) for each in whole)
        own = slice(kernel.OWN_MU, kernel.LOCAL)
        constraint = self._constraint(vector)
        return Evaluation(
            constraint[0] - float(of_regions.value.sum()),
            constraint[1] - gradient,
            np.diag(constraint[2]) - hessian,
            np.diag(constraint[2]) + squares,
            of_regions.gradient[:, own],
            whole[1][:, own, own],
            self._spread(index, -whole[0][:, own]),
        )

    def by_region(self, vector: FloatArray) -> kernel.Slopes:
        """The sums over the pairs of every region."""
        regions, local = len(self.regions.kappa), kernel.LOCAL
        parts = (np.empty(regions), np.empty((regions, local)), *np.empty((2, regions, local, local)))
        out = kernel.Slopes(*parts)
        work = partial(kernel.evaluate, self.pairs, self.regions, self._point(vector))
        if self.threads == 1:
            work(0, regions, out)
            return out
        wanted = np.linspace(0, self.pairs.first[-1], 4 * self.threads + 1)
        ends = np.unique(np.append(np.searchsorted(self.pairs.first, wanted[:-1]), regions))
        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(lambda part: work(*part, out), pairwise(ends.tolist())))
        return out

    def _point(self, vector: FloatArray) -> kernel.Point:
        muons = np.array([self.layout.of(vector, name) for name in LETTERS])
        backgrounds = np.zeros((int(self.regions.background.max()) + 1, 2))
        if self.backgrounds:
            backgrounds[:] = vector[len(self.layout.names) :].reshape(2, -1).T
        return kernel.Point(muons, backgrounds, self.window)

    def _index(self) -> IntArray:
        """Place in the vector of every local parameter (regions, LOCAL); the last place is that of none."""
        regions = self.regions
        index = np.full((len(regions.kappa), kernel.LOCAL), self.size)
        for start, eta in ((kernel.PLUS, regions.eta_plus), (kernel.MINUS, regions.eta_minus)):
            for i, name in enumerate(LETTERS):
                if name in self.layout.fitted:
                    index[:, start + i] = self.layout.fitted.index(name) * self.layout.bins + eta
        if self.backgrounds:
            index[:, kernel.PHI] = len(self.layout.names) + regions.background
            index[:, kernel.SLOPE] = index[:, kernel.PHI] + self.backgrounds
        return index

    def _gather(self, index: IntArray, matrices: FloatArray) -> FloatArray:
        """Sum of matrices (regions, LOCAL, LOCAL) at their places (p, p)."""
        n = self.size + 1
        places = (index[:, :, None] * n + index[:, None, :]).ravel()
        return sums(places, matrices.ravel(), n * n).reshape(n, n)[:-1, :-1]

    def _spread(self, index: IntArray, rows: FloatArray) -> FloatArray:
        """Rows (regions, 2, LOCAL) at their places (regions, 2, p)."""
        n, (regions, two, _) = self.size + 1, rows.shape
        places = np.arange(regions * two).reshape(regions, two, 1) * n + index[:, None, :]
        return sums(places.ravel(), rows.ravel(), regions * two * n).reshape(regions, two, n)[:, :, :-1]

    def _constraint(self, vector: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """What the priors add: value, gradient (p,), second derivatives (p,)."""
        centre, width = np.zeros(self.size), np.full(self.size, np.inf)
        for name, (value, sigma) in self.priors.items():
            self.layout.of(centre, name)[:], self.layout.of(width, name)[:] = value, sigma
        slopes = slice(len(self.layout.names) + self.backgrounds, None)
        centre[slopes], width[slopes] = self.slope, 1.0
        pull = (vector - centre) / width
        return float(pull @ pull / 2), pull / width, width**-2


def _symmetric(lower: FloatArray) -> FloatArray:
    """From lower triangles (regions, n, n) to whole matrices."""
    transposed = np.swapaxes(lower, 1, 2)
    result: FloatArray = np.tril(lower) + np.triu(transposed, 1)
    return result
