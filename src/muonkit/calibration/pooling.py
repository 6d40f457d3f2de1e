"""Templates of cells that have few simulated pairs: the spectrum of many cells, tilted to the moments of the cell.

Chance in a template is smoothed by the kernel, by a wider kernel more: so the likelihood prefers a sigma that is too
large. With p_i + eps_i in place of p_i, E ln(p + eps) = ln p - Var/(2 p^2), and

    bias of sigma = -N/2 d/dsigma sum_i q_i Var_i(sigma)/p_i(sigma)^2 / information          (q_i: p_i, held)

It falls as 1/(entries of the template). A J/psi, narrower than the resolution, has 0.002 of sigma with 500 entries; a Z
has 0.1 with 700. Where it is above BIAS, the template of cell c is

    w_j = h_j exp(t_c . x_j),   x = (ln m, (ln m)^2, share of all pairs below m)

with t_c of maximum likelihood: the three means of x are those of the cell. h is common, such that all cells add up to
the spectrum of all (a density-ratio model; Qin, Biometrika 85 (1998) 619). Acceptance changes a spectrum slowly with
the mass, which ln m describes. The share below m keeps the place of the peak that the cell has itself.

Radiation does not change it slowly: back to back, a photon that takes the share 1 - x of one muon makes |L| = -ln x and
m^2 = x M^2, so that a bin of L has the photons of a range of masses. So h is that of the cells at the same place in
(L, cos dphi) in all eta bins, if every place has ENOUGH pairs."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from muonkit.calibration import lineshape, massfit
from muonkit.calibration.kernels.records import FLOOR, TILTS
from muonkit.calibration.massfit import CellData, CellFits, FitOptions
from muonkit.calibration.weights import effective_entries
from muonkit.core.arrays import BoolArray, FloatArray, IntArray, sums

BIAS = 0.005  # of sigma: what chance in a template may do
STEP = 1e-3  # of sigma, for its derivative
ROUNDS = 30  # of Newton's method; 5 suffice
SETTLED = 1e-8
CLOSE = 1e-4  # means of x
REGULAR = 1e-9  # added to the variances of x
TINY = 1e-300
ENOUGH = 2  # times the entries that a cell needs: sigma is biased by half of BIAS at most
FARTHEST = 1.0  # step of a tilt in standard deviations of x
BATCH = 500


def pooled(cells: CellData, options: FitOptions, place: IntArray | None = None) -> tuple[CellData, FloatArray]:
    """The cells, those with too few simulated pairs with tilted templates; and for these the relative error of sigma by
    chance in the spectrum of all cells, 0 for the others (cells,). `place` (cells,): cells of the same spectrum."""
    whole = massfit.merged_to_one(cells)
    fit = massfit.fit_cells(whole, options)
    entries = _entries(cells)
    needed = entries_needed(whole, fit, options)
    thin = np.flatnonzero((entries > 0) & (entries < needed))
    if len(thin) == 0:
        return cells, np.zeros(len(cells))
    kind = np.zeros(len(cells), dtype=np.int64)
    if place is not None:
        _, kinds = np.unique(place, return_inverse=True)
        kind = kinds if np.bincount(kinds, entries).min() > ENOUGH * needed else kind
    tilted, found = _with_templates(cells, thin, _Pool.of(cells, whole, kind))
    return tilted, found * np.sqrt(fit.template_covariance[0, 1, 1]) / fit.theta[0, 1]


def notes(shared: FloatArray) -> list[str]:
    """One line if cells have tilted templates; `shared`: see `pooled`."""
    if not shared.any():
        return []
    return [
        f"{np.count_nonzero(shared)} of {len(shared)} cells have too few simulated pairs for so broad a resonance: "
        f"their templates are the spectrum of all cells, tilted. Its chance is an error of {shared.max():.2%} of sigma."
    ]


def _entries(cells: CellData) -> FloatArray:
    """Effective entries of every template (cells,)."""
    cell = np.repeat(np.arange(len(cells)), np.diff(cells.first))
    return effective_entries(sums(cell, cells.weight, len(cells)), sums(cell, cells.variance, len(cells)))


def entries_needed(whole: CellData, fit: CellFits, options: FitOptions) -> float:
    """Effective entries of a template with which the bias of sigma is BIAS; `whole`: all cells as one, with its fit."""
    theta, step = fit.theta[0], STEP * fit.theta[0, 1]
    held, _ = _chance(whole, theta, options)
    (low, var_low), (high, var_high) = (_chance(whole, theta + np.array([0, d, 0, 0]), options) for d in (-step, step))
    slope = np.sum(held * (var_high / high**2 - var_low / low**2)) / (2 * step)
    bias = -whole.counts.sum() / 2 * slope * fit.expected_covariance[0, 1, 1]
    return float(bias / theta[1] * _entries(whole)[0] / BIAS)


def _chance(whole: CellData, theta: FloatArray, options: FitOptions) -> tuple[FloatArray, FloatArray]:
    """Probability of every mass bin (bins,), and its variance by the errors of the nodes (bins,)."""
    kernel = lineshape.GAUSSIAN["mass" if options.kernel == "mass" else "curvature"]
    p, _ = lineshape.probabilities(theta, whole.edges, whole.node, whole.weight, kernel)
    below = kernel.cdf(lineshape.standardised(whole.edges[:, None], whole.node, theta[0], theta[1], kernel))
    part, seen = np.diff(below, axis=0), below[-1] - below[0]
    signal = part @ whole.weight / (seen @ whole.weight)
    by_weight = (1 - theta[2]) * (part - signal[:, None] * seen) / (seen @ whole.weight)
    return np.maximum(p, FLOOR), by_weight**2 @ whole.variance


@dataclass(frozen=True, slots=True)
class _Pool:
    """Of all cells: nodes (nodes,) [GeV], their x (nodes, TILTS) of mean 0 and rms 1. Of every kind of cells, the
    relative errors and weights (kinds, nodes), which add up to 1. Of every cell its kind (cells,), the means of x
    (cells, TILTS), sums of weights and effective entries (cells,)."""

    node: FloatArray
    x: FloatArray
    error: FloatArray
    weight: FloatArray
    kind: IntArray
    means: FloatArray
    size: FloatArray
    entries: FloatArray

    @classmethod
    def of(cls, cells: CellData, whole: CellData, kind: IntArray) -> Self:
        """The pool of all cells; `whole`: these as one; `kind` (cells,): the kind of each."""
        x = _functions(whole.node, whole.weight / whole.weight.sum())
        place = massfit.places(cells.node)
        cell = np.repeat(np.arange(len(cells)), np.diff(cells.first))
        size = sums(cell, cells.weight, len(cells))
        means = np.stack([sums(cell, cells.weight * each[place], len(cells)) for each in x.T], axis=1)
        means /= np.maximum(size, TINY)[:, None]
        shape = (int(kind.max()) + 1, len(whole.node))
        key = kind[cell] * shape[1] + place
        added = (sums(key, each, shape[0] * shape[1]) for each in (cells.weight, cells.variance))
        total, variance = (each.reshape(shape) for each in added)
        share = total / np.maximum(total.sum(axis=1, keepdims=True), TINY)
        error = np.sqrt(variance) / np.maximum(total, TINY)
        pool = cls(whole.node, x, error, share, kind, means, size, _entries(cells))
        return replace(pool, weight=share * total / np.maximum(pool.together(), TINY))

    def together(self) -> FloatArray:
        """The tilted templates of all cells of every kind, added up (kinds, nodes)."""
        total = np.zeros_like(self.weight)
        for start in range(0, len(self.size), BATCH):
            rows = np.arange(start, min(start + BATCH, len(self.size)))
            np.add.at(total, self.kind[rows], self.size[rows, None] * self.tilted(rows))
        return total

    def tilted(self, rows: IntArray) -> FloatArray:
        """Templates (rows, nodes) of the cells `rows` whose means of x are those of the cells; each adds up to 1."""
        tilt = np.zeros((len(rows), TILTS))
        for _ in range(ROUNDS):
            density = self._density(tilt, rows)
            mean = density @ self.x
            step = np.linalg.solve(self._spread(density, mean), (self.means[rows] - mean)[:, :, None])[:, :, 0]
            step /= np.maximum(np.abs(step).max(axis=1, keepdims=True) / FARTHEST, 1)
            tilt += step
            if np.abs(step).max() < SETTLED:
                break
        return self._density(tilt, rows)

    def modes(self, rows: IntArray, density: FloatArray) -> FloatArray:
        """By what chance in the means of x changes the templates (rows, nodes, TILTS): independent, one standard
        deviation each."""
        mean = density @ self.x
        root = np.linalg.cholesky(np.linalg.inv(self._spread(density, mean) * self.entries[rows, None, None]))
        return density[:, :, None] * ((self.x - mean[:, None, :]) @ root)

    def _density(self, tilt: FloatArray, rows: IntArray) -> FloatArray:
        exponent = tilt @ self.x.T
        density = self.weight[self.kind[rows]] * np.exp(exponent - exponent.max(axis=1, keepdims=True))
        return density / density.sum(axis=1, keepdims=True)

    def _spread(self, density: FloatArray, mean: FloatArray) -> FloatArray:
        """Covariance of x (rows, TILTS, TILTS), never singular."""
        products = (self.x[:, :, None] * self.x[:, None, :]).reshape(len(self.x), -1)
        spread = (density @ products).reshape(-1, TILTS, TILTS) - mean[:, :, None] * mean[:, None, :]
        return np.asarray(spread + REGULAR * np.eye(TILTS))


def _functions(node: FloatArray, share: FloatArray) -> FloatArray:
    """x of every node (nodes, TILTS), with mean 0 and rms 1 over all cells; `share`: of all pairs."""
    log_mass = np.log(node)
    log_mass -= log_mass @ share
    x = np.stack([log_mass, log_mass**2, np.cumsum(share) - share / 2], axis=1)
    x -= share @ x
    scaled: FloatArray = x / np.sqrt(share @ x**2)
    return scaled


def _with_templates(cells: CellData, thin: IntArray, pool: _Pool) -> tuple[CellData, BoolArray]:
    """The cells with templates of the pool for those in `thin`, and which these are (cells,). A cell whose means
    no tilt has, as if all its pairs had one mass, keeps its own."""
    found = np.zeros(len(cells), dtype=np.bool_)
    own = np.split(np.stack([cells.node, cells.weight, cells.variance]), cells.first[1:-1], axis=1)
    modes = [np.zeros((each.shape[1], TILTS)) for each in own]
    for start in range(0, len(thin), BATCH):
        rows = thin[start : start + BATCH]
        density = pool.tilted(rows)
        good = np.abs(density @ pool.x - pool.means[rows]).max(axis=1) < CLOSE
        rows, density = rows[good], density[good]
        found[rows] = True
        for c, weight, of_cell in zip(rows.tolist(), density, pool.modes(rows, density), strict=True):
            seen, size = weight > 0, pool.size[c]
            error = size * weight * pool.error[pool.kind[c]]
            own[c] = np.stack([pool.node, size * weight, error**2])[:, seen]
            modes[c] = size * of_cell[seen]
    first = np.concatenate([[0], np.cumsum([each.shape[1] for each in own])])
    node, weight, variance = np.concatenate(own, axis=1)
    nodes = {"first": first, "node": node, "weight": weight, "variance": variance, "modes": np.concatenate(modes)}
    return replace(cells, **nodes), found
