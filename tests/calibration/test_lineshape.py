"""The mass density: normalised, right derivatives, numba equal to NumPy, exact where the Gaussian in mass is not."""

import numpy as np
import pytest
from scipy.integrate import quad
from tests import thresholds

from muonkit.calibration import kernels, lineshape

EDGES = np.linspace(2.92, 3.28, 101)
NODE = np.concatenate([[3.0969], 3.0969 - np.linspace(0.002, 0.25, 40)])
WEIGHT = np.concatenate([[9200.0], np.full(40, 20.0)])
THETA = np.array([1.0007, 0.011, 0.07, -1.3])
KINDS = pytest.mark.parametrize("kind", [kernels.MASS, kernels.CURVATURE])


@KINDS
def test_numba_twin_equals_the_reference(kind: int) -> None:
    p, dp = np.empty(100), np.empty((100, 4))
    for theta in (THETA, np.array([0.999, 0.03, 0.4, 2.0]), np.array([1.001, 0.02, 0.2, 1e-4])):
        kernels.probabilities(theta, EDGES, NODE, WEIGHT, kind, p, dp)
        expected, gradient = lineshape.probabilities(theta, EDGES, NODE, WEIGHT, kind)
        assert np.allclose(p, expected, rtol=thresholds.KERNEL_RTOL, atol=1e-16)
        assert np.allclose(dp, gradient, rtol=1e-10, atol=1e-12 * np.abs(gradient).max(axis=0))


@KINDS
def test_probabilities_add_up_to_one(kind: int) -> None:
    p, dp = lineshape.probabilities(THETA, EDGES, NODE, WEIGHT, kind)
    assert p.sum() == pytest.approx(1, abs=1e-13)
    assert np.allclose(dp.sum(axis=0), 0, atol=1e-10)


@KINDS
@pytest.mark.parametrize("parameter", range(4))
def test_gradient_agrees_with_finite_differences(kind: int, parameter: int) -> None:
    step = np.zeros(4)
    step[parameter] = 1e-6
    up, down = (lineshape.probabilities(THETA + s * step, EDGES, NODE, WEIGHT, kind)[0] for s in (1, -1))
    analytic = lineshape.probabilities(THETA, EDGES, NODE, WEIGHT, kind)[1][:, parameter]
    assert np.allclose(analytic, (up - down) / 2e-6, atol=1e-7 * np.abs(analytic).max())


@KINDS
def test_bins_are_exact_integrals_of_the_density(kind: int) -> None:
    p, _ = lineshape.probabilities(THETA, EDGES, NODE, WEIGHT, kind)
    for i in (0, 40, 49, 60, 99):
        integral, _ = quad(
            lambda m: lineshape.density(THETA, np.array([m]), (2.92, 3.28), NODE, WEIGHT, kind)[0],
            EDGES[i],
            EDGES[i + 1],
        )
        assert p[i] == pytest.approx(integral, rel=1e-9)


def test_background_is_flat_and_smooth_where_the_slope_vanishes() -> None:
    x = np.linspace(0, 1, 11)
    assert np.allclose(lineshape.exponential(x, 0.0)[0], x)
    for t in (kernels.SERIES_BELOW * 0.999, -kernels.SERIES_BELOW * 0.999):
        exact = np.expm1(t * x) / np.expm1(t)
        assert np.allclose(lineshape.exponential(x, t)[0], exact, rtol=1e-9)
    below, above = (lineshape.exponential(x, kernels.SERIES_BELOW * s)[1] for s in (1 - 1e-9, 1 + 1e-9))
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
