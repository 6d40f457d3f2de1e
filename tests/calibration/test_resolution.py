"""The resolution model: limits, equivalent forms, derivatives."""

import numpy as np

from muonkit.calibration import resolution
from muonkit.calibration.resolution import Resolution

PT2 = np.array([2.0, 5.0, 20.0, 80.0]) ** 2


def row(a: float, c: float, g: float, d: float) -> Resolution:
    return Resolution(*(np.full(4, value) for value in (a, c, g, d)))


def test_without_g_and_d_scattering_and_hits_add_in_quadrature() -> None:
    assert np.allclose(resolution.variance(PT2, row(0.01, 2e-4, 0, 0)), 1e-4 + 4e-8 * PT2, rtol=1e-14)


def test_equivalent_form_with_b() -> None:
    a, c, g, d = 0.01, 2e-4, 30.0, 10.0
    b2 = c**2 * (g**2 - d**2)
    other = a**2 + c**2 * PT2 + b2 / (1 + d**2 / PT2)
    assert np.allclose(resolution.variance(PT2, row(a, c, g, d)), other, rtol=1e-14)


def test_equal_g_and_d_cancel() -> None:
    assert np.allclose(resolution.hit_shape(PT2, np.array(7.0), np.array(7.0)), PT2, rtol=1e-14)


def test_derivative_in_log_pt_agrees_with_finite_differences() -> None:
    r, h = row(0.01, 2e-4, 30.0, 10.0), 1e-5
    up, down = (resolution.variance(PT2 * np.exp(2 * s * h), r) for s in (1, -1))
    assert np.allclose(resolution.variance_dlogpt(PT2, r), (up - down) / (2 * h), rtol=1e-7)
