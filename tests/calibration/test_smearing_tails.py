"""What smeared and stretched simulation looks like where the response has tails; data have its shape, 10 % wider."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests import thresholds
from tests.calibration.smearing_tails import (
    FACTOR,
    SHARE,
    VARIANCE,
    A,
    C,
    far_and_quantiles,
    file_of,
    other_shapes,
    smeared_shape,
)
from tests.calibration.test_response import responses

from muonkit.calibration.bias import LEAST, Bias
from muonkit.calibration.resolution import Resolution, stretching, variance
from muonkit.calibration.smearing import Tails, smearing
from muonkit.calibration.tails import fitted_tails, tails_of

MUONS, WIDER, PT = 1_000_000, 1.1, 20.0
RMS = np.sqrt(VARIANCE) * np.hypot(A, C * PT)
TAILS = Tails(np.full(3, SHARE), np.full(3, FACTOR))
GOLDEN = [0.9893942621132724, 1.0052907630183956, 1.0095744954631924, 0.9452076549408406, 1.561598600759498]


def response(tails: bool, n: int = MUONS) -> np.ndarray:
    """(k/k_gen - 1)/rms (n,) of simulation."""
    rng = np.random.default_rng(3)
    wide, kick = rng.random(n) < SHARE, rng.standard_normal(n)
    return np.asarray(np.where(wide, FACTOR, 1.0) * kick / np.sqrt(VARIANCE) if tails else kick)


def row(sigma: float, n: int = 1) -> Resolution:
    zero = np.zeros(n)
    return Resolution(np.full(n, sigma), zero, zero, zero)


def smeared(path: Path, x: np.ndarray, tails: Tails | None) -> np.ndarray:
    """Deviations of simulated muons after smearing with a file, in units of the rms of data."""
    rng, event = np.random.default_rng(4), np.arange(len(x))
    eta, phi, one = rng.uniform(-2.4, 2.4, len(x)), rng.uniform(-3, 3, len(x)), np.ones_like(event)
    k = (1 + RMS * x) / PT
    factor = file_of(path / "c.json.gz", WIDER, tails).smearing(np.full(len(x), PT), eta, phi, one, one, event)
    return np.asarray((k / factor * PT - 1) / (WIDER * RMS))


def test_smeared_simulation_has_the_quantiles_and_tails_of_data(tmp_path: Path) -> None:
    x = response(True)
    found = smeared(tmp_path, x, TAILS)
    assert found.std() == pytest.approx(1, rel=0.005)
    widths, far = far_and_quantiles(found, x)
    assert widths == pytest.approx(np.zeros(4), abs=thresholds.SMEARED_WIDTHS)
    assert far == pytest.approx(1, abs=thresholds.SMEARED_FAR)


@pytest.mark.parametrize(("tails", "expected"), [(False, (0, 0, 0, 0)), (True, (-0.062, -0.032, 0.018, 0.029))])
def test_gaussian_noise_is_right_for_a_gaussian_response_and_short_of_tails_for_another(
    tmp_path: Path, tails: bool, expected: tuple[float, ...]
) -> None:
    """The expected values are exact ones, see docs/results.md."""
    x = response(tails)
    assert far_and_quantiles(smeared(tmp_path, x, None), x)[0] == pytest.approx(np.array(expected), abs=0.015)


@pytest.mark.parametrize("name", ["Student, 5 degrees", "three Gaussians", "skewed"])
def test_tails_of_other_shapes_are_those_of_data_too(name: str) -> None:
    x = other_shapes(MUONS)[name]
    x = (x - x.mean()) / x.std()
    (widths, far), (before, _) = (far_and_quantiles(*smeared_shape(x, WIDER, tailed)) for tailed in (True, False))
    assert np.abs(widths).max() < thresholds.SMEARED_WIDTHS
    assert far == pytest.approx(1, abs=thresholds.SMEARED_FAR_OF_OTHERS)
    assert np.abs(before).max() > 3 * thresholds.SMEARED_WIDTHS, "the test would not notice Gaussian noise"


@pytest.mark.parametrize("wider", [1.01, 1.1, 1.5, 3.0])
@pytest.mark.parametrize(("share", "factor"), [(0.12, 2.2), (0.5, 1.3), (0.01, 6.0)])
def test_noise_has_the_cumulants_that_are_missing(wider: float, share: float, factor: float) -> None:
    """Kicks of one standard deviation, for all second numbers: their squares are the variances of the noise."""
    second, one, tails = np.linspace(-8, 8, 2_000_001), np.ones(2_000_001), Tails(np.array([share]), np.array([factor]))
    weight = np.exp(-(second**2) / 2) / np.exp(-(second**2) / 2).sum()
    rms = 1e-3
    square = (1 / smearing(one, second, one, row(wider * rms), row(rms), tails) - 1) ** 2 / rms**2
    core2 = 1 / (1 + share * (factor**2 - 1))
    fourth = 3 * core2**2 * share * (1 - share) * (factor**2 - 1) ** 2
    assert square.min() == pytest.approx((wider**2 - 1) * core2, rel=1e-9)
    assert weight @ square == pytest.approx(wider**2 - 1, rel=1e-3)
    assert 3 * (weight @ square**2 - (weight @ square) ** 2) == pytest.approx((wider**4 - 1) * fourth, rel=3e-3)


def test_where_data_are_not_wider_nothing_is_changed(tmp_path: Path) -> None:
    n = 100_000
    pt, eta, number = np.geomspace(1, 500, n), np.linspace(-2.3, 2.3, n), np.arange(n)
    for wider in (1.0, 0.9):
        factor = file_of(tmp_path / f"{wider}.json.gz", wider, TAILS).smearing(pt, eta, eta, number, number, number)
        assert np.array_equal(factor, np.ones(n))


def test_for_a_gaussian_response_the_noise_is_gaussian_to_the_last_bit() -> None:
    rng = np.random.default_rng(5)
    normal, second = rng.standard_normal((2, 10_000))
    data, simulation, pt2 = Resolution(*np.array([[0.012], [2e-4], [30], [10]])), row(0.01), rng.uniform(4, 1e4, 10_000)
    missing = np.maximum(0, variance(pt2, data) - variance(pt2, simulation))
    expected = 1 / np.maximum(1 + normal * np.sqrt(missing), LEAST)
    assert np.array_equal(smearing(normal, second, pt2, data, simulation, Tails.none(1)), expected)


def test_smeared_muons_are_the_same_for_ever(tmp_path: Path) -> None:
    """Golden values; the first and the third muon have wide noise."""
    pt, eta, phi = np.array([3.0, 10, 45, 200, 5000]), np.array([0.5, -0.5, -1.25, 2.1, 0]), np.linspace(-3, 3, 5)
    event = np.array([2374, 1, 2375, 3, 0])
    factor = file_of(tmp_path / "c.json.gz", 1.5, TAILS).smearing(pt, eta, phi, event, event + 1, event + 2)
    np.testing.assert_allclose(factor, GOLDEN, rtol=1e-13)


def test_two_gaussians_are_found_in_the_response_and_none_in_a_gaussian() -> None:
    rng = np.random.default_rng(6)
    kicks = 0.012 * rng.standard_normal((2, 500_000))
    found = fitted_tails(responses(*np.where(rng.random(kicks.shape) < SHARE, FACTOR * kicks, kicks)))
    assert found.share == pytest.approx(SHARE, abs=thresholds.TAIL_SHARE)
    assert found.factor == pytest.approx(FACTOR, abs=thresholds.TAIL_FACTOR)
    assert fitted_tails(responses(*kicks)) == Tails.none(1)
    assert fitted_tails(responses(*kicks[:, :0])) == Tails.none(1)
    assert fitted_tails(responses(*(0 * kicks))) == Tails.none(1), "a simulation without resolution"


def test_noise_has_tails_if_the_kernel_of_the_fit_has_them() -> None:
    rng = np.random.default_rng(7)
    kicks = 0.012 * rng.standard_normal((2, 60_000)) * np.where(rng.random((2, 60_000)) < SHARE, FACTOR, 1.0)
    truth = SimpleNamespace(responses=responses(*kicks))

    def plans(kernel: str) -> Any:
        return [SimpleNamespace(choice=SimpleNamespace(kernel=kernel), truth=truth) for _ in range(2)]

    assert tails_of(plans("curvature")) is None
    found = tails_of(plans("response"))
    assert found == fitted_tails(truth.responses + truth.responses), "all samples count"
    assert found.share[0] > 0


def test_stretching_keeps_the_tails() -> None:
    x, zero = response(True), np.zeros(MUONS)
    ratio, pt = 1 + RMS * x, np.full(MUONS, PT)
    factor = stretching(pt / ratio, pt, pt, 1, row(WIDER * RMS, MUONS), row(RMS, MUONS), Bias(zero, zero, zero))
    assert far_and_quantiles((ratio / factor - 1) / (WIDER * RMS), x)[0] == pytest.approx(np.zeros(4), abs=1e-9)
