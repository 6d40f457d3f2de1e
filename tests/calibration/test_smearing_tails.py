"""What smeared and stretched simulation looks like where the response has tails; data have its shape, 10 % wider."""

import numpy as np
import pytest

from muonkit.calibration.bias import Bias
from muonkit.calibration.resolution import Resolution, smearing, stretching

MUONS, SHARE, FACTOR, WIDER, CORE = 1_000_000, 0.12, 2.2, 1.1, 0.01
RMS = CORE * np.sqrt(1 + SHARE * (FACTOR**2 - 1))
QUANTILES = np.array([0.001, 0.01, 0.16])
PT = np.full(MUONS, 20.0)


def response(tails: bool, seed: int) -> np.ndarray:
    """k/k_gen - 1 (MUONS,) of simulation."""
    rng = np.random.default_rng(seed)
    wide = rng.random(MUONS) < SHARE
    kick = rng.standard_normal(MUONS)
    return np.asarray(CORE * np.where(wide, FACTOR, 1.0) * kick if tails else RMS * kick)


def row(sigma: float) -> Resolution:
    zero = np.zeros(MUONS)
    return Resolution(np.full(MUONS, sigma), zero, zero, zero)


def against_data(smeared: np.ndarray, tails: bool) -> np.ndarray:
    """The quantiles of both sides over those of data, less 1."""
    found, data = (
        np.quantile(each, QUANTILES) - np.quantile(each, 1 - QUANTILES)
        for each in (smeared, WIDER * response(tails, 5))
    )
    return np.asarray(found / data - 1)


@pytest.mark.parametrize(("tails", "expected"), [(False, (0.0, 0.0, 0.0)), (True, (-0.062, -0.032, 0.029))])
def test_noise_is_right_for_a_gaussian_response_and_short_of_tails_for_another(
    tails: bool, expected: tuple[float, ...]
) -> None:
    """The expected values are exact ones, see docs/results.md."""
    normal = np.random.default_rng(4).standard_normal(MUONS)
    x = response(tails, 3)
    k = (1 + x) / smearing(normal, PT**2, row(WIDER * RMS), row(RMS))
    assert k.std() == pytest.approx(WIDER * RMS, rel=0.005)
    assert against_data(k - 1, tails) == pytest.approx(np.array(expected), abs=0.015)


def test_stretching_keeps_the_tails() -> None:
    x, zero = response(True, 3), np.zeros(MUONS)
    factor = stretching(PT / (1 + x), PT, PT, 1, row(WIDER * RMS), row(RMS), Bias(zero, zero, zero))
    assert against_data((1 + x) / factor - 1, True) == pytest.approx(np.zeros(3), abs=0.015)
