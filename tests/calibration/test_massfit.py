"""Mass fits: equal to iminuit, right errors, status as data."""

from dataclasses import replace

import numpy as np
import pytest
from tests import thresholds

from muonkit.calibration import lineshape, massfit, referee
from muonkit.calibration.massfit import CellData, FitOptions, FitStatus
from muonkit.calibration.response import gaussian_shapes

EDGES = np.linspace(2.92, 3.28, 101)
NODE = np.concatenate([3.0969 - np.linspace(0.25, 0.002, 40), [3.0969]])  # rising
WEIGHT = np.concatenate([np.full(40, 20.0), [9200.0]])
THETA = np.array([1.0003, 0.011, 0.06, -1.5])


def cells(
    count: int, entries: int, theta: np.ndarray = THETA, seed: int = 3, kernel_name: str = "curvature"
) -> CellData:
    p, _ = lineshape.probabilities(theta, EDGES, NODE, WEIGHT, lineshape.GAUSSIAN[kernel_name])
    counts = np.random.default_rng(seed).multinomial(entries, p, size=count).astype(float)
    first = np.arange(count + 1) * len(NODE)
    node, weight = np.tile(NODE, count), np.tile(WEIGHT, count)
    return CellData(counts, 0 * counts, EDGES, first, node, weight, weight, gaussian_shapes(count))


@pytest.mark.parametrize("name", ["mass", "curvature"])
@pytest.mark.parametrize("entries", [500, 5000])
def test_values_and_errors_are_those_of_iminuit(name: str, entries: int) -> None:
    data = cells(12, entries, kernel_name=name)
    options = massfit.prepare_options(data, FitOptions(name))
    fits = massfit.fit_cells(data, options)
    for i in np.flatnonzero(fits.status == FitStatus.CONVERGED):
        fit = referee.fit_binned(data.counts[i], EDGES, NODE, WEIGHT, options)
        errors = np.sqrt(np.diagonal(fit.covariance))
        assert np.all(np.abs(fits.theta[i] - fit.theta) < thresholds.IMINUIT_VALUE * errors)
        assert np.allclose(fits.errors[i], errors, rtol=thresholds.IMINUIT_ERROR)


def test_binned_and_unbinned_fits_agree() -> None:
    rng = np.random.default_rng(5)
    node = rng.choice(NODE, 4000, p=WEIGHT / WEIGHT.sum())
    masses = node * 1.0002 / np.sqrt((1 + 0.015 * rng.standard_normal(4000)) * (1 + 0.015 * rng.standard_normal(4000)))
    masses = masses[(masses > 2.92) & (masses < 3.28)]
    counts = np.histogram(masses, EDGES)[0].astype(float)
    options = FitOptions("curvature", start=(1.0, 0.011, 0.02, -1.0), slope_prior=(-1.0, 3.0))
    binned = referee.fit_binned(counts, EDGES, NODE, WEIGHT, options)
    unbinned = referee.fit_unbinned(masses, (2.92, 3.28), NODE, WEIGHT, options)
    errors = np.sqrt(np.diagonal(unbinned.covariance))
    assert np.all(np.abs(binned.theta - unbinned.theta)[:2] < 0.1 * errors[:2])


def test_errors_cover_the_spread_of_toys() -> None:
    """1500 toys know a standard deviation to 1.8 %: the bound of 5 % is 2.7 of it."""
    fits = massfit.fit_all(cells(1500, 2000, seed=11), FitOptions("curvature"))
    pulls = ((fits.theta - THETA) / fits.errors)[fits.good, :2]
    assert np.all(np.abs(pulls.std(axis=0) - 1) < thresholds.COVERAGE)
    assert np.all(np.abs(pulls.mean(axis=0)) < 4 / np.sqrt(len(pulls)))


def test_template_of_few_entries_enters_the_error() -> None:
    """Toys that draw the template anew: the spread is that of entries and template together."""
    rng = np.random.default_rng(17)
    p, _ = lineshape.probabilities(THETA, EDGES, NODE, WEIGHT, lineshape.GAUSSIAN["curvature"])
    toys, entries, simulated = 800, 2000, 60
    weight = rng.multinomial(simulated, WEIGHT / WEIGHT.sum(), size=toys).astype(float)
    kept = weight > 0
    first = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    node = np.tile(NODE, (toys, 1))[kept]
    counts = rng.multinomial(entries, p, size=toys).astype(float)
    data = CellData(counts, 0 * counts, EDGES, first, node, weight[kept], weight[kept], gaussian_shapes(toys))
    fits = massfit.fit_all(data, FitOptions("curvature"))
    spread = fits.theta[fits.good, 0].std()
    from_entries = np.sqrt((fits.errors[fits.good, 0] ** 2).mean())
    both = np.sqrt((fits.errors[fits.good, 0] ** 2 + fits.template_covariance[fits.good, 0, 0]).mean())
    assert spread > 1.08 * from_entries, "the test would not notice a missing template error"
    assert spread == pytest.approx(both, rel=0.08)


def test_sample_without_background_is_fitted_without_failures() -> None:
    fits = massfit.fit_all(cells(200, 600, np.array([1.0, 0.008, 0.0, 0.0])), FitOptions("curvature"))
    assert fits.good.all()
    assert set(fits.status) <= {FitStatus.CONVERGED, FitStatus.NO_BACKGROUND}
    pulls = (fits.theta[:, 0] - 1) / fits.errors[:, 0]
    assert abs(pulls.mean()) < 4 / np.sqrt(200)


def test_cell_without_signal_is_told_by_its_status() -> None:
    data = cells(1, 1000)
    spike = np.zeros((1, 100))
    spike[0, 99] = 1000
    flat = CellData(spike, 0 * spike, EDGES, data.first, data.node, data.weight, data.variance, data.shapes)
    fits = massfit.fit_cells(flat, FitOptions("curvature"))
    assert fits.status[0] in (FitStatus.AT_LIMIT, FitStatus.NOT_CONVERGED, FitStatus.BAD_FISHER)


def test_result_does_not_depend_on_the_batches() -> None:
    data = cells(900, 500)
    whole = massfit.fit_cells(data, massfit.prepare_options(data, FitOptions("curvature")))
    batched = massfit.fit_all(data, FitOptions("curvature"))
    assert np.array_equal(whole.theta, batched.theta)


def test_kernels_agree_for_narrow_resolution() -> None:
    """Both kernels agree to first order in sigma: at 0.1 % their mu differ by less than 2e-6."""
    narrow = np.array([1.0, 0.001, 0.02, -1.0])
    data = cells(1, 10_000_000, narrow)
    mass_kernel, curvature = (massfit.fit_cells(data, FitOptions(name)).theta[0, 0] for name in ("mass", "curvature"))
    assert abs(mass_kernel - curvature) < 2e-6


def test_cells_without_background_do_not_start_at_the_limit_of_the_slope() -> None:
    """The fit to all cells together may drive a slope without meaning to its limit; the cells must not start there."""
    data = cells(20, 2000, np.array([1.0003, 0.011, 0.0, -1.5]), seed=8)
    for factor in (1.0, 1.6):  # the second: side bands without a single entry
        inside = np.abs(EDGES[:-1] - 3.1) < 0.1 * factor
        emptied = replace(data, counts=np.where(inside, data.counts, 0))
        options = massfit.prepare_options(emptied, FitOptions("curvature"))
        assert abs(options.slope_prior[0]) < 50 / (EDGES[-1] - EDGES[0])


def test_start_values_do_not_change_the_result() -> None:
    data = cells(60, 1500, seed=8)
    options = massfit.prepare_options(data, FitOptions("curvature"))
    near, far = (massfit.fit_cells(data, each) for each in (options, replace(options, quartiles=None)))
    assert np.abs((near.theta - far.theta)[near.good] / near.errors[near.good])[:, :2].max() < thresholds.START
    wide = massfit.start_values(cells(1, 10_000, THETA * [1, 2, 1, 1]), options)[0]
    assert wide[1] == pytest.approx(2 * THETA[1], rel=0.1)
