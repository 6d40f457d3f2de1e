"""Several resonances in one mass window, such as the three Upsilon: their relative yields in every cell.

The template of a cell is the sum of their spectra. Yields of data and simulation differ, with pT and eta too; a wrong
sum pulls sigma and the background, and mu where peaks overlap. So the yields are fitted: with those of the template the
masses are fitted, with mu, sigma and background held the yields (expectation-maximisation), and again until nothing
moves. That is the maximum of the likelihood in all parameters. What the yields add to the errors of mu and sigma comes
from the Fisher matrix of all.

A node belongs to the lightest resonance that is not lighter than it: radiation takes mass away, and widths are far
below the distance of the peaks. The radiation of one resonance below the next counts as that of the next: 5 % of it,
spread over the whole window."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from muonkit.calibration import lineshape, massfit
from muonkit.calibration.kernels import yields as kernels
from muonkit.calibration.kernels.records import FLOOR, MASS
from muonkit.calibration.lineshape import KINDS, Kernel
from muonkit.calibration.massfit import CellData, CellFits, FitOptions, FitStatus
from muonkit.core.arrays import FloatArray, IntArray

Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
ABOVE = 5e-4  # in ln m: a node of a resonance may lie this far above its mass
ROUNDS = 8
SETTLED = 2e-4  # largest change of a yield, as share of the signal
STEPS = 200  # of the expectation-maximisation
ABSENT = 1e-6  # share below which a resonance has no yield to fit


def component_of(node: FloatArray, masses: Sequence[float]) -> IntArray:
    """Which of the resonances of these `masses` [GeV], from the lightest on, the nodes (n,) [GeV] belong to."""
    edges = np.array(sorted(masses))[:-1] * (1 + ABOVE)
    return np.searchsorted(edges, node).astype(np.int64)


def fit_all(cells: CellData, options: FitOptions, masses: Sequence[float], run: Map = map) -> tuple[CellData, CellFits]:
    """Fit every cell with free yields of the resonances of these `masses` [GeV]: the cells with fitted templates, and
    the fits, whose covariances include the yields."""
    component = component_of(cells.node, masses)
    for _ in range(ROUNDS):
        fits = massfit.fit_all(cells, options, run)
        factor, change = _factors(cells, fits, options, component, len(masses))
        if change < SETTLED:
            break
        cells = replace(cells, weight=cells.weight * factor, variance=cells.variance * factor**2)
    return cells, _with_errors(cells, fits, massfit.prepare_options(cells, options), component, len(masses))


@dataclass(frozen=True, slots=True)
class _Mixture:
    """One cell: counts and known counts (bins,), share of every mass bin in the peaks (components, bins) and in the
    background (bins,), both adding up to 1; yields (components,) as shares of the signal; fraction f."""

    counts: FloatArray
    known: FloatArray
    peaks: FloatArray
    background: FloatArray
    yields: FloatArray
    fraction: float

    @classmethod
    def of(
        cls, cells: CellData, c: int, theta: FloatArray, component: IntArray, kernel: Kernel, count: int
    ) -> "_Mixture":
        """Cell number c at theta (4,); `component`: see `component_of`; `count`: number of resonances."""
        rows = slice(cells.first[c], cells.first[c + 1])
        node, weight = cells.node[rows], cells.weight[rows]
        below = np.zeros((len(cells.edges), count))
        table = cells.shapes.tables[cells.shapes.table[c]]
        lines = lineshape.linear(node, theta[0], theta[1] * lineshape.widths(node, weight, kernel), kernel)
        x = cells.edges if kernel.kind == MASS else 1 / cells.edges
        kernels.fill_below(x, *lines, weight, component[rows], table, below)
        peaks = np.ascontiguousarray(np.diff(below, axis=0).T)
        size = peaks.sum(axis=1)
        span = cells.edges[-1] - cells.edges[0]
        value, _ = lineshape.exponential((cells.edges - cells.edges[0]) / span, theta[3] * span)
        shares = peaks / np.maximum(size, 1e-300)[:, None]
        return cls(cells.counts[c], cells.known[c], shares, np.diff(value), size / size.sum(), float(theta[2]))

    @property
    def following(self) -> float:
        """The share of the counts whose expectation is not known."""
        return 1 - float(self.known.sum() / self.counts.sum())

    def density(self, yields: FloatArray) -> FloatArray:
        """Probability of every mass bin (bins,)."""
        fitted = self.fraction * self.background + (1 - self.fraction) * (yields @ self.peaks)
        return np.maximum(self.following * fitted + self.known / self.counts.sum(), FLOOR)

    def fitted_yields(self) -> FloatArray:
        """The yields that maximise the likelihood, as shares of the signal."""
        yields = self.yields.copy()
        base = self.following * self.fraction * self.background + self.known / self.counts.sum()
        scale = self.following * (1 - self.fraction)
        kernels.maximise(self.counts, self.peaks, base, scale, yields, STEPS, SETTLED / 100)
        return yields


def _kernel(cells: CellData, c: int, options: FitOptions) -> Kernel:
    shapes, i = cells.shapes, cells.shapes.table[c]
    kernel = lineshape.tabulated(shapes.tables[i], float(shapes.kappa[i]), float(shapes.growth[c]))
    return replace(kernel, kind=KINDS[options.kernel])


def _factors(
    cells: CellData, fits: CellFits, options: FitOptions, component: IntArray, count: int
) -> tuple[FloatArray, float]:
    """By what the weights of all nodes (nodes,) change, and the largest change of a yield."""
    factor, largest = np.ones(len(cells.node)), 0.0
    for c in np.flatnonzero(fits.good).tolist():
        mixture = _Mixture.of(cells, c, fits.theta[c], component, _kernel(cells, c, options), count)
        wanted, rows = mixture.fitted_yields(), slice(cells.first[c], cells.first[c + 1])
        change = np.divide(wanted, mixture.yields, out=np.ones(count), where=mixture.yields > ABSENT)
        factor[rows] = np.maximum(change, ABSENT)[component[rows]]
        largest = max(largest, float(np.abs(wanted - mixture.yields).max()))
    return factor, largest


def _with_errors(cells: CellData, fits: CellFits, options: FitOptions, component: IntArray, count: int) -> CellFits:
    """The fits with what free yields add to the covariances."""
    added = np.zeros_like(fits.covariance)
    for c in np.flatnonzero(fits.good).tolist():
        kernel = _kernel(cells, c, options)
        rows = slice(cells.first[c], cells.first[c + 1])
        mixture = _Mixture.of(cells, c, fits.theta[c], component, kernel, count)
        _, gradient = lineshape.probabilities(fits.theta[c], cells.edges, cells.node[rows], cells.weight[rows], kernel)
        free = 2 if fits.status[c] == FitStatus.NO_BACKGROUND or not options.background else 4
        added[c, :free, :free] = _added(mixture, gradient[:, :free], options.slope_prior[1])
    return replace(fits, covariance=fits.covariance + added, expected_covariance=fits.expected_covariance + added)


def _added(mixture: _Mixture, gradient: FloatArray, slope_width: float) -> FloatArray:
    """Covariance (free, free) with free yields less that with fixed ones; `gradient`: (bins, free)."""
    present = np.flatnonzero(mixture.yields > ABSENT)
    by_yield = (1 - mixture.fraction) * (mixture.peaks[present[:-1]] - mixture.peaks[present[-1]]).T
    columns = mixture.following * np.concatenate([gradient, by_yield], axis=1)
    total = mixture.counts.sum()
    least = 0.5 / (total * len(mixture.counts))  # as in `kernels.climb`: empty side bands do not know everything
    information = total * columns.T @ (columns / np.maximum(mixture.density(mixture.yields), least)[:, None])
    free = gradient.shape[1]
    if free == 4:
        information[3, 3] += 1 / slope_width**2
    return _inverse(information)[:free, :free] - _inverse(information[:free, :free])


def _inverse(information: FloatArray) -> FloatArray:
    """The inverse of a matrix whose parameters have very different sizes."""
    scale = np.sqrt(np.diagonal(information))
    inverse: FloatArray = np.linalg.inv(information / np.outer(scale, scale)) / np.outer(scale, scale)
    return inverse
