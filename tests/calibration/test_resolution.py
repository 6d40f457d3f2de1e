"""The resolution model: limits, equivalent forms, derivatives."""

import numpy as np

from muonkit.calibration import resolution
from muonkit.calibration.resolution import Resolution
from muonkit.calibration.smearing import Tails, smearing

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


def test_derivatives_in_the_parameters_agree_with_finite_differences() -> None:
    values, h = {"a": 0.01, "c": 2e-4, "g": 30.0, "d": 10.0}, 1e-6
    for name, derivative in resolution.variance_dparameters(PT2, row(**values)).items():
        up, down = (resolution.variance(PT2, row(**(values | {name: values[name] * (1 + s * h)}))) for s in (1, -1))
        assert np.allclose(derivative, (up - down) / (2 * h * values[name]), rtol=1e-6)


def test_smearing_adds_what_is_missing_and_takes_nothing_away() -> None:
    better, worse = row(0.010, 0, 0, 0), row(0.011, 0, 0, 0)
    one, none = np.ones(4), Tails.none(4)
    kick = 1 / smearing(one, one, PT2, worse, better, none) - 1
    assert np.allclose(kick**2, 0.011**2 - 0.010**2, rtol=1e-12)
    assert np.array_equal(smearing(one, one, PT2, better, worse, none), one)
