"""The mass density: normalised, right derivatives, numba equal to NumPy, exact where the Gaussian in mass is not."""

import numpy as np
import pytest
from scipy.integrate import quad
from tests import thresholds

from muonkit.calibration import lineshape
from muonkit.calibration.kernels import density, fit, nodes, records
from muonkit.calibration.lineshape import Kernel
from muonkit.calibration.response import gaussian_shapes

EDGES = np.linspace(2.92, 3.28, 101)
NODE = np.concatenate([3.0969 - np.linspace(0.25, 0.002, 40), [3.0969]])  # rising
WEIGHT = np.concatenate([np.full(40, 20.0), [9200.0]])
THETA = np.array([1.0007, 0.011, 0.07, -1.3])
GAUSSIAN = gaussian_shapes(1).tables[0]
SKEWED = lineshape.tabulated(GAUSSIAN, 0.8, 0.6)
KERNELS = pytest.mark.parametrize("kernel", [*lineshape.GAUSSIAN.values(), SKEWED], ids=["mass", "curvature", "table"])


def compiled(theta: np.ndarray, kernel: Kernel) -> records.Density:
    plan = records.MassFitPlan(EDGES, kernel.kind, theta, theta, theta > 0, theta, 0.0, 0)
    mean = float(np.average(NODE, weights=WEIGHT))
    cell = records.Cell(np.zeros(100), np.zeros(100), GAUSSIAN, kernel.kappa, kernel.growth, mean)
    modes, scratch = np.zeros((len(NODE), records.TILTS)), np.zeros((3, len(NODE)))
    template = records.Nodes(np.array([len(NODE)]), NODE, WEIGHT, WEIGHT, modes, *scratch)
    result = fit.new_density(100)
    density.probabilities(theta, cell, template, plan, result)
    return result


@KERNELS
def test_numba_twin_equals_the_reference(kernel: Kernel) -> None:
    for theta in (THETA, np.array([0.999, 0.03, 0.4, 2.0]), np.array([1.001, 0.02, 0.2, 1e-4])):
        found = compiled(theta, kernel)
        p, dp = lineshape.probabilities(theta, EDGES, NODE, WEIGHT, kernel)
        assert np.allclose(found.p, p, rtol=thresholds.TABLE_RTOL, atol=thresholds.TABLE_ATOL)
        assert np.all(np.abs(found.dp - dp) < thresholds.TABLE_GRADIENT * np.abs(dp).max(axis=0))


@KERNELS
def test_second_derivatives_agree_with_differences_of_the_first(kernel: Kernel) -> None:
    found, steps = compiled(THETA, kernel), np.diag([1e-6, 1e-6, 1e-6, 1e-4])
    second = []
    for step in steps:
        up, down = (compiled(THETA + s * step, kernel).dp for s in (1, -1))
        second.append((up - down) / (2 * step.sum()))
    expected = np.stack([second[0][:, 0], second[0][:, 1], second[1][:, 1], second[3][:, 3]], axis=1)
    assert np.all(np.abs(found.d2p[:, :4] - expected) < thresholds.TABLE_CURVATURE * np.abs(expected).max(axis=0))


def test_fewer_nodes_give_the_same_density() -> None:
    rng, kernel = np.random.default_rng(4), lineshape.GAUSSIAN["curvature"]
    masses = np.sort(3.0969 - 0.3 * rng.random(300) ** 3)
    weight = rng.exponential(size=300)
    counts, none, zero = np.zeros((1, 100)), np.zeros(1), np.zeros(1, dtype=np.int64)
    tables, first = np.zeros((1, records.INTERVALS, 4)), np.array([0, 300])
    response, modes = (tables, none, zero, none), np.stack([weight, 2 * weight, -weight], axis=1)
    spectra = records.Spectra(counts, counts, np.zeros((1, 4)), first, masses, weight, weight, modes, *response)
    scratch = np.zeros((6, 602))
    few = records.Nodes(np.zeros(1, dtype=np.int64), *scratch[:3], np.zeros((602, records.TILTS)), *scratch[3:])
    nodes.compress(spectra, 0, 300, THETA[1], few)
    count = few.size[0]
    assert count < 50
    assert few.weight[:count].sum() == pytest.approx(weight.sum(), rel=1e-12)
    for theta in (THETA, THETA * [1, 1.3, 1, 1]):
        whole, _ = lineshape.probabilities(theta, EDGES, masses, weight, kernel)
        less, _ = lineshape.probabilities(theta, EDGES, few.mass[:count], few.weight[:count], kernel)
        assert np.abs(less - whole).max() < thresholds.FEWER_NODES * whole.max()


@KERNELS
def test_probabilities_add_up_to_one(kernel: Kernel) -> None:
    p, dp = lineshape.probabilities(THETA, EDGES, NODE, WEIGHT, kernel)
    assert p.sum() == pytest.approx(1, abs=1e-13)
    assert np.allclose(dp.sum(axis=0), 0, atol=1e-10)


@KERNELS
@pytest.mark.parametrize("parameter", range(4))
def test_gradient_agrees_with_finite_differences(kernel: Kernel, parameter: int) -> None:
    step = np.zeros(4)
    step[parameter] = 1e-6
    up, down = (lineshape.probabilities(THETA + s * step, EDGES, NODE, WEIGHT, kernel)[0] for s in (1, -1))
    analytic = lineshape.probabilities(THETA, EDGES, NODE, WEIGHT, kernel)[1][:, parameter]
    assert np.allclose(analytic, (up - down) / 2e-6, atol=1e-7 * np.abs(analytic).max())


@KERNELS
def test_bins_are_exact_integrals_of_the_density(kernel: Kernel) -> None:
    p, _ = lineshape.probabilities(THETA, EDGES, NODE, WEIGHT, kernel)
    for i in (0, 40, 49, 60, 99):
        integral, _ = quad(
            lambda m: lineshape.density(THETA, np.array([m]), (2.92, 3.28), NODE, WEIGHT, kernel)[0],
            EDGES[i],
            EDGES[i + 1],
            limit=200,
        )
        assert p[i] == pytest.approx(integral, rel=1e-8)


def test_background_is_flat_and_smooth_where_the_slope_vanishes() -> None:
    x, limit = np.linspace(0, 1, 11), density.SERIES_BELOW
    assert np.allclose(lineshape.exponential(x, 0.0)[0], x)
    for t in (limit * 0.999, -limit * 0.999):
        exact = np.expm1(t * x) / np.expm1(t)
        assert np.allclose(lineshape.exponential(x, t)[0], exact, rtol=1e-9)
    below, above = (lineshape.exponential(x, limit * s)[1] for s in (1 - 1e-9, 1 + 1e-9))
    assert np.allclose(below, above, atol=1e-9)


@pytest.mark.parametrize("ratio", [1.0, 1.5])
def test_curvature_kernel_is_what_two_gaussian_curvatures_do(ratio: float) -> None:
    """Moments of y = m_gen/m_reco against the kernel's normal law, by quadrature over both kicks."""
    s1, s2 = 0.012, 0.012 * ratio
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    weights = weights / weights.sum()
    y = np.sqrt(np.outer(1 + s1 * nodes, 1 + s2 * nodes))
    w = np.outer(weights, weights)
    sigma2 = (s1**2 + s2**2) / 4
    mean = (w * y).sum()
    assert mean - (1 - sigma2 / 2) == pytest.approx(0, abs=2e-7)
    assert (w * (y - mean) ** 2).sum() == pytest.approx(sigma2, rel=1e-3)


def test_gaussian_in_mass_would_be_shifted_by_jensen() -> None:
    """The mean of m_reco/m_gen is 3 (s1^2 + s2^2)/8 above 1: 1.1e-4 at a mass resolution of 0.85 %."""
    s = 0.0085 * np.sqrt(2)
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    w = np.outer(weights, weights) / weights.sum() ** 2
    mean = (w / np.sqrt(np.outer(1 + s * nodes, 1 + s * nodes))).sum()
    assert mean - 1 == pytest.approx(3 * 2 * s**2 / 8, rel=1e-3)
