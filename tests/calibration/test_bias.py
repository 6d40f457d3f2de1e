"""The bias model: signs by hand, limits, derivatives, symmetries."""

import numpy as np
import pytest

from muonkit.calibration import bias
from muonkit.calibration.bias import Bias

K = np.array([1 / 40, 1 / 10, 1 / 4, 1 / 2])


def one(A: float = 0.0, e: float = 0.0, M: float = 0.0) -> Bias:
    return Bias(np.full(4, A), np.full(4, e), np.full(4, M))


def test_signs_by_hand_for_both_charges() -> None:
    # pT = 10 GeV: A = 1e-3, e = 2e-2 GeV -> e k = 2e-3, M = 5e-5/GeV -> M/k = 5e-4
    k = np.array([0.1])
    row = Bias(np.array([1e-3]), np.array([2e-2]), np.array([5e-5]))
    assert bias.scale(k, 1 / k, 1, row) == pytest.approx(1 + 0.001 - 0.002 + 0.0005, rel=1e-14)
    assert bias.scale(k, 1 / k, -1, row) == pytest.approx(1 + 0.001 - 0.002 - 0.0005, rel=1e-14)
    # mu+ of 10 GeV: k_c = 0.09995 /GeV, pT grows to 10.0050025 GeV; mu-: 0.09985 /GeV, 10.0150225 GeV
    assert bias.corrected_pt(np.array([10.0]), 1, row) == pytest.approx(10.005002501, rel=1e-9)
    assert bias.corrected_pt(np.array([10.0]), -1, row) == pytest.approx(10.015022534, rel=1e-9)


def test_corrections_act_in_the_direction_of_their_physics() -> None:
    pt = 1 / K
    assert np.all(bias.corrected_pt(pt, 1, one(A=1e-3)) < pt), "a larger field scale bends more: less pT"
    assert np.all(bias.corrected_pt(pt, 1, one(e=1e-3)) > pt), "more energy loss: the muon had more pT at the vertex"
    assert np.allclose(bias.corrected_pt(pt, 1, one(e=1e-3)) - pt, 1e-3, rtol=1e-2), "by e, whatever its pT"


def test_no_bias_changes_nothing() -> None:
    assert np.array_equal(bias.scale(K, 1 / K, 1, one()), np.ones(4))


def test_charge_flip_changes_only_the_sign_of_M() -> None:
    minus, plus = bias.scale(K, 1 / K, -1, one(1e-3, 2e-3, 3e-5)), bias.scale(K, 1 / K, 1, one(1e-3, 2e-3, -3e-5))
    assert np.array_equal(minus, plus)


@pytest.mark.parametrize("q", [1, -1])
def test_derivatives_agree_with_differences(q: int) -> None:
    derivatives = bias.scale_dparameters(K, 1 / K, q)
    for name, shifted in (("A", one(A=1)), ("e", one(e=1)), ("M", one(M=1))):
        assert np.allclose(bias.scale(K, 1 / K, q, shifted) - 1, derivatives[name], rtol=1e-12)


@pytest.mark.parametrize("q", [1, -1])
def test_means_of_k_and_of_its_inverse_give_the_mean_of_a_cell(q: int) -> None:
    row, cell = one(1e-3, 5e-3, 4e-5), Bias(np.array(1e-3), np.array(5e-3), np.array(4e-5))
    mean = bias.scale(K.mean(), (1 / K).mean(), q, cell)
    assert mean == pytest.approx(bias.scale(K, 1 / K, q, row).mean(), rel=1e-14)
    assert abs(mean - bias.scale(K.mean(), 1 / K.mean(), q, cell)) > 1e-5, "1/<k> would be another number"


def test_rows_follow_their_eta_bin() -> None:
    per_bin = Bias(np.array([0.0, 1.0]), np.array([2.0, 3.0]), np.array([4.0, 5.0]))
    assert per_bin.at(np.array([1, 0, 1])).e.tolist() == [3.0, 2.0, 3.0]
