"""From cells to parameters: chi2 fit of (mu, sigma^2) over all cells for A, e, M and a, c, g, d in bins of muons.

    mu^2 = s+ ^(2 w+) s- ^(2 w-),   s = 1 + A - e <k> + q M <1/k>,   w = d ln m/d ln pT  (1/2 without muon mass)
    sigma^2 = w+^2 R+ + w-^2 R- + angular share                      (PRIN slides 2021; s in `bias`, R in `resolution`)

Two corrections stand between the mass fits and this model, each second order in the resolution:
* migration: a cell is chosen by the reconstructed log(pT+/pT-) = L, whose error is correlated with that of the mass
  when R+ and R- differ. By Tweedie's formula (Efron, JASA 106 (2011) 1602)
  <shift of ln m> = 1/2 (1/f) d/dL[(R- - R+) f], f the density in L: in the mean over a cell, (R- - R+) f at its walls.
* errors: a cell whose sigma fluctuates down claims a small error; every cell's covariance is therefore scaled to the
  sigma that the resolution model predicts for it, without which mu and sigma^2 are pulled by 1/entries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import least_squares, nnls
from scipy.sparse import csr_array
from scipy.stats import chi2 as chi2_distribution
from threadpoolctl import threadpool_limits

from muonkit.calibration import parameters
from muonkit.calibration.binning import MuonBins
from muonkit.calibration.cells import Cells
from muonkit.calibration.massfit import CellFits
from muonkit.calibration.parameters import ParameterLayout, ParameterValues
from muonkit.calibration.resolution import Resolution, variance
from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError

MOST_SHOWN = 10  # bins in a message


class NotFixedError(InputError):
    """The cells do not fix a parameter, or a combination of parameters."""


@dataclass(frozen=True, slots=True)
class Goodness:
    """chi2 and degrees of freedom of a part of a fit."""

    chi2: float
    ndf: int

    @property
    def p_value(self) -> float | None:
        """None without degrees of freedom."""
        return float(chi2_distribution.sf(self.chi2, self.ndf)) if self.ndf > 0 else None


@dataclass(frozen=True, slots=True)
class Extraction:
    """Values (p,) and covariance (p, p) in the order of `layout.names`; the bins of muons; chi2 and ndf of the fit;
    names of parameters at a limit; and of one sample: pull of mu and chi2 of every used cell (used cells,), which cells
    were used (cells,). Of all samples: residuals (m,) in standard deviations, see `Problem`, and their derivatives
    (m, p). unbinned: whether it is a fit to pairs, see `unbinned`. widths: the part of chi2 and ndf that sigma^2 has,
    where it is fitted to cells."""

    layout: ParameterLayout
    bins: MuonBins
    vector: FloatArray
    covariance: FloatArray
    chi2: float
    ndf: int
    pulls: FloatArray
    used: BoolArray
    at_limit: tuple[str, ...]
    cell_chi2: FloatArray
    residuals: FloatArray
    jacobian: csr_array
    unbinned: bool = False
    widths: Goodness | None = None

    @property
    def values(self) -> ParameterValues:
        """All seven parameters per bin of muons; those not fitted are 0."""
        return self.layout.unpack(self.vector)

    @property
    def measurements(self) -> int:
        """Number of measurements of the used cells: mu, and sigma^2 where it is fitted."""
        return len(self.pulls) * (2 if self.layout.fits_resolution or self.unbinned else 1)

    @property
    def errors(self) -> FloatArray:
        """Standard deviations (p,); 0 for a parameter at a limit."""
        return np.sqrt(np.diagonal(self.covariance))


@dataclass(frozen=True, slots=True)
class Measurements:
    """ln mu (n,) and sigma^2 (n,) of the used cells, corrected for migration and entries; covariance (n, 2, 2)."""

    log_mu: FloatArray
    sigma2: FloatArray
    covariance: FloatArray


@dataclass(frozen=True, slots=True)
class Rules:
    """priors: parameter -> value and width of a Gaussian constraint in every bin; whether the statistics of the
    template counts, and whether migration is corrected."""

    priors: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    template_errors: bool = True
    migration: bool = True


def extract(
    cells: Cells, fits: CellFits, bins: MuonBins, fitted: tuple[str, ...], rules: Rules = Rules()
) -> Extraction:
    """Fit the parameters named in `fitted`, in these bins of muons, to all good cells.

    Raises InputError when a bin has no cell, and NotFixedError when the data leave a direction open."""
    return extract_jointly([(cells, fits)], bins, fitted, rules)[0]


def extract_jointly(
    samples: Sequence[tuple[Cells, CellFits]],
    bins: MuonBins,
    fitted: tuple[str, ...],
    rules: Rules = Rules(),
) -> list[Extraction]:
    """One fit to the cells of all samples: the same parameters, with the cells of each sample in turn; see `extract`.

    With several samples the fit works with A - e k0 in place of A, k0 the mean curvature in each bin."""
    used = [fits.good & (cells.entries > 0) for cells, fits in samples]
    kept = Cells.joined([cells[rows] for (cells, _), rows in zip(samples, used, strict=True)])
    good = CellFits.joined([fits[rows] for (_, fits), rows in zip(samples, used, strict=True)])
    _require_every_bin(kept, bins)
    layout = ParameterLayout(fitted, bins.count)
    problem, rough = _posed(kept, good, layout, rules)
    k0 = kept.mean_curvature(layout.bins) if len(samples) > 1 else np.zeros(layout.bins)
    lower, upper = layout.bounds()
    # a step may lead to a scale below 0, whose logarithm is NaN; the minimiser then takes a shorter one
    with threadpool_limits(1, "blas"), np.errstate(invalid="ignore"):  # threads waited 1 s for each other's 5 ms
        fit = least_squares(
            lambda x: problem.residuals(layout.outward(x, k0)),
            layout.start(rough),
            lambda x: layout.inward(problem.jacobian(layout.outward(x, k0)), k0),
            (lower, upper),
            x_scale="jac",
            xtol=1e-12,
        )
        at_limit = fit.x - lower < 1e-9
        jac, free = np.asarray(fit.jac), np.flatnonzero(~at_limit)
        covariance = inverse_information(jac[:, free].T @ jac[:, free], layout, at_limit)
    if rules.template_errors:
        sample = np.repeat(np.arange(len(used)), [rows.sum() for rows in used])
        covariance = covariance + _from_shared(problem, sample, jac, covariance)
    for _ in range(2):  # T C T^T: columns, then rows
        covariance = np.array([layout.outward(row, k0) for row in covariance.T])
    chi2, ndf = float(fit.fun @ fit.fun), len(fit.fun) - len(fit.x)
    limited = tuple(np.array(layout.names)[at_limit])
    vector = layout.outward(fit.x, k0)
    jacobian = csr_array(problem.jacobian(vector))
    parts = problem.residuals_of_cells(fit.fun)
    ends = np.cumsum([rows.sum() for rows in used])[:-1]
    return [
        Extraction(
            layout, bins, vector, covariance, chi2, ndf, part[0], rows, limited,
            (part**2).sum(axis=0), fit.fun, jacobian, widths=_widths(layout, parts),
        )
        for rows, part in zip(used, np.split(parts, ends, axis=1), strict=True)
    ]  # fmt: skip


def _widths(layout: ParameterLayout, parts: FloatArray) -> Goodness | None:
    """chi2 and ndf of sigma^2, from the residuals (1 or 2, n) of the cells. mu and sigma^2 of a cell hardly depend on
    each other, nor do their parameters."""
    if not layout.fits_resolution:
        return None
    return Goodness(float(parts[1] @ parts[1]), parts.shape[1] - len(layout.resolution_terms) * layout.bins)


def _posed(
    cells: Cells, fits: CellFits, layout: ParameterLayout, rules: Rules
) -> tuple[parameters.Problem, Resolution]:
    """The fit to these cells, and a rough resolution to start from."""
    rough = rough_resolution(cells, fits, layout.bins)
    measured = measure(cells, fits, rough, rules)
    terms = (measured.log_mu, measured.sigma2, measured.covariance)
    return parameters.Problem(layout, cells, *terms, rules.priors), rough


def step_in_squares(cells: Cells, fits: CellFits, start: Extraction, rules: Rules = Rules()) -> FloatArray:
    """Values (p,) of the same parameters for other fits of the cells, with a^2 and c^2 in place of a and c: one step of
    Newton's method from `start`. What is at a limit there stays.

    ln mu and sigma^2 are linear in these, but for g and d, so that the step leads to the minimum. It has no limit: a
    square whose true value is 0 is below 0 in half of all samples, and Gaussian."""
    used = fits.good & (cells.entries > 0)
    problem, _ = _posed(cells[used], fits[used], start.layout, rules)
    free = np.flatnonzero(start.errors)
    scale = start.errors[free]  # in units of the errors the numbers are of one size
    jacobian = problem.jacobian(start.vector)[:, free] * scale
    step = np.linalg.solve(jacobian.T @ jacobian, jacobian.T @ problem.residuals(start.vector))
    values = start.layout.squares(start.vector)
    values[free] -= step * scale * start.layout.squares_dvector(start.vector)[free]
    return values


def _require_every_bin(cells: Cells, bins: MuonBins) -> None:
    count = np.bincount(np.concatenate([cells.bin_plus, cells.bin_minus]), minlength=bins.count)
    labels = [" x ".join(each) for each in zip(*bins.labels.values(), strict=True)]
    empty = [labels[i] for i in np.flatnonzero(count == 0)]
    if empty:
        more = f", ... ({len(empty)} bins)" if len(empty) > MOST_SHOWN else ""
        raise InputError(
            f"no fitted cell in {bins.name} {', '.join(empty[:MOST_SHOWN])}{more}. Use wider bins or a smaller range "
            f"in binning.{' and binning.'.join(bins.edges)}, or lower fit.min_entries."
        )


def rough_resolution(cells: Cells, fits: CellFits, bins: int, terms: tuple[str, ...] = ("a", "c")) -> Resolution:
    """a and c per bin of muons (bins,) by non-negative least squares in a^2, c^2: for the weights and for migration.

    Without "c" in `terms`, c is 0."""
    free = 2 * bins if "c" in terms else bins
    observed = np.maximum(fits.theta[:, 1] ** 2 - cells.angular, 1e-10)
    design = np.zeros((len(cells), 2 * bins))
    rows = np.arange(len(cells))
    for row, pt2, w in ((cells.bin_plus, cells.pt2_plus, cells.response_plus),
                        (cells.bin_minus, cells.pt2_minus, cells.response_minus)):  # fmt: skip
        design[rows, row] += w**2
        design[rows, bins + row] += w**2 * pt2
    weight = np.sqrt(cells.entries) / np.median(observed)
    for _ in range(2):
        solution = np.zeros(2 * bins)
        solution[:free], _ = nnls(design[:, :free] * weight[:, None], observed * weight)
        weight = np.sqrt(cells.entries) / np.maximum(design @ solution, 1e-10)
    zero = np.zeros(bins)
    return Resolution(np.sqrt(solution[:bins]), np.sqrt(solution[bins:]), zero, zero)


def measure(cells: Cells, fits: CellFits, rough: Resolution, rules: Rules) -> Measurements:
    """Corrected (ln mu, sigma^2) and their covariance, scaled to the resolution that `rough` predicts."""
    plus, minus = rough.at(cells.bin_plus), rough.at(cells.bin_minus)
    mu, sigma = fits.theta[:, 0], fits.theta[:, 1]
    r_plus, r_minus = variance(cells.pt2_plus, plus), variance(cells.pt2_minus, minus)
    predicted = cells.response_plus**2 * r_plus + cells.response_minus**2 * r_minus + cells.angular
    covariance = fits.expected_covariance[:, :2, :2] * (predicted / sigma**2)[:, None, None]
    if rules.template_errors:
        covariance = covariance + fits.template_covariance[:, :2, :2]
    jacobian = np.stack([1 / mu, 2 * np.sqrt(predicted)], axis=1)
    covariance = covariance * jacobian[:, :, None] * jacobian[:, None, :]
    log_mu = np.log(mu) - (migration(cells, plus, minus) if rules.migration else 0)
    return Measurements(log_mu, sigma**2 * (1 + 1 / cells.entries) - cells.angular, covariance)


def migration(cells: Cells, plus: Resolution, minus: Resolution) -> FloatArray:
    """Shift of ln m (cells,) because cells are chosen by the reconstructed log(pT+/pT-); one row of `plus`, `minus`, of
    which a and c count, per cell."""
    r_plus = plus.a**2 * cells.flux + plus.c**2 * cells.flux_pt2_plus
    r_minus = minus.a**2 * cells.flux + minus.c**2 * cells.flux_pt2_minus
    return (r_minus - r_plus) / 2


def _from_shared(
    problem: parameters.Problem, sample: IntArray, jacobian: FloatArray, covariance: FloatArray
) -> FloatArray:
    """What chance in the spectra that cells share adds to the covariance (p, p); `sample` (n,): that of every cell."""
    added = np.zeros_like(covariance)
    relative = 2 * problem.sigma2 * problem.cells.shared
    for one in np.unique(sample[relative > 0]):
        shift = covariance @ (jacobian.T @ problem.moved(np.where(sample == one, relative, 0)))
        added += np.outer(shift, shift)
    return added


def inverse_information(information: FloatArray, layout: ParameterLayout, at_limit: BoolArray) -> FloatArray:
    """Covariance (p, p) from the information of the parameters that are not at a limit; those at a limit (p,) have no
    covariance (0). Raises NotFixedError if the data leave a direction open."""
    free = np.flatnonzero(~at_limit)
    scale = np.sqrt(np.diagonal(information))
    if np.any(scale == 0):
        names = [layout.names[free[i]] for i in np.flatnonzero(scale == 0)]
        raise NotFixedError(
            f"fit.parameters: nothing in the data fixes {', '.join(names)}; drop it or give a prior in [fit.priors]"
        )
    correlation = information / np.outer(scale, scale)
    values, vectors = np.linalg.eigh(correlation)
    if values[0] < 1e-12 * values[-1]:
        strongest = [layout.names[free[i]] for i in np.argsort(-np.abs(vectors[:, 0]))[:4]]
        raise NotFixedError(
            f"fit.parameters: the data do not fix a combination of {', '.join(strongest)}; fit fewer parameters, "
            "use wider bins, or give a prior in [fit.priors]"
        )
    covariance = np.zeros((len(at_limit), len(at_limit)))
    covariance[np.ix_(free, free)] = (vectors / values) @ vectors.T / np.outer(scale, scale)
    return covariance
