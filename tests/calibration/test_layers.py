"""The bias model layer by layer: limits, derivatives, recovery of injected values."""

import numpy as np
import pytest
from scipy import stats
from tests.thresholds import ALIGNMENT_PROBABILITY

from muonkit.calibration.bias import Bias, scale
from muonkit.calibration.layers import LayerPriors, design, fit_layers
from muonkit.core.errors import InputError

D = np.array([0.5, 3.0, 12.0])
LAYERS = ("pixel", "inner", "outer")
K, Q = (a.reshape(-1) for a in np.meshgrid(np.geomspace(0.01, 0.5, 30), [-1, 1]))
ERROR = np.full(K.size, 1e-5)
TRUE = np.array([[2e-4, 1e-3, 1e-5], [-3e-4, 0.0, 4e-5], [1e-4, 5e-4, -2e-5]])


def ratios(values: np.ndarray, M: float) -> np.ndarray:
    """The formula, term by term."""
    total = 1 + Q * M / K
    for (A, e, M_layer), d in zip(values, D, strict=True):
        total += (A - e * K + Q * M_layer / K) / (1 + d**2 * K**2)
    return total


def test_without_a_fall_it_is_the_bias_model():
    one = fit_layers(ratios(TRUE, 2e-5), ERROR, K, Q, np.array([1e-9]), ("all",))
    A, e, M = one.values[0]
    expected = scale(K, 1 / K, Q, Bias(np.full(K.size, A), np.full(K.size, e), np.full(K.size, M + one.everywhere[2])))
    assert one.scale(K, Q) == pytest.approx(expected, rel=1e-12)


def test_the_design_is_the_derivative_of_the_formula():
    values = np.concatenate((TRUE.T.reshape(-1), [0.0, 0.0, 2e-5]))
    assert 1 + design(K, Q, D) @ values == pytest.approx(ratios(TRUE, 2e-5), rel=1e-14)


def test_injected_values_are_found_within_their_errors():
    rng = np.random.default_rng(3)
    found = fit_layers(ratios(TRUE, 2e-5) + ERROR * rng.normal(size=K.size), ERROR, K, Q, D, LAYERS)
    free = np.flatnonzero(np.diag(found.covariance) > 0)
    assert len(free) == 10
    difference = np.concatenate(((found.values - TRUE).T.reshape(-1), found.everywhere - [0, 0, 2e-5]))[free]
    distance = difference @ np.linalg.solve(found.covariance[np.ix_(free, free)], difference)
    assert stats.chi2.sf(distance, len(difference)) > ALIGNMENT_PROBABILITY
    assert stats.chi2.sf(found.chi2, found.ndf) > ALIGNMENT_PROBABILITY
    assert np.abs(found.scale(K, Q) - ratios(TRUE, 2e-5)).max() < 4e-5


def test_one_layer_is_found_in_that_layer():
    only = np.zeros((3, 3))
    only[1, 0] = 2e-3
    narrow = LayerPriors(e_layer=1e-5, M_layer=1e-7, M=1e-7)
    rng = np.random.default_rng(4)
    found = fit_layers(ratios(only, 0.0) + ERROR * rng.normal(size=K.size), ERROR, K, Q, D, LAYERS, narrow)
    pulls = found.values[:, 0] / found.errors[:, 0]
    assert pulls[1] > 20
    assert np.abs(pulls[[0, 2]]).max() < 4


def test_the_charge_exchanged_changes_only_the_sign_of_M():
    plus = fit_layers(ratios(TRUE, 2e-5), ERROR, K, Q, D, LAYERS)
    minus = fit_layers(ratios(TRUE, 2e-5), ERROR, K, -Q, D, LAYERS)
    assert minus.values * [1, 1, -1] == pytest.approx(plus.values, abs=1e-9)
    assert minus.everywhere * [1, 1, -1] == pytest.approx(plus.everywhere, abs=1e-9)


def test_it_prints_and_becomes_json():
    found = fit_layers(ratios(TRUE, 2e-5), ERROR, K, Q, D, LAYERS)
    assert all(name in str(found) for name in LAYERS)
    assert found.to_json()["A"] == found.values[:, 0].tolist()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"k": -K}, "k: has values that are not finite and above 0"),
        ({"error": 0 * ERROR}, "error: has values"),
        ({"ratio": np.nan * K}, "ratio: has values that are not finite"),
        ({"q": Q[:3]}, r"q: must have the shape \(60,\)"),
        ({"d": D[:2]}, "d: must have one value for each of 3 layers"),
    ],
)
def test_what_cannot_be_fitted_is_refused(change, fault):
    given = {"ratio": ratios(TRUE, 0.0), "error": ERROR, "k": K, "q": Q, "d": D, "layers": LAYERS} | change
    with pytest.raises(InputError, match=fault):
        fit_layers(**given)
