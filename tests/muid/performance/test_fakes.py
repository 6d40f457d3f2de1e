"""Fake rates at given efficiencies, from exact histograms of any score."""

import numpy as np
import pytest
from scipy.stats import norm

from muonkit.muid.performance.fakes import against, fakes_in_ranges, ranges_of

EFFICIENCIES = (0.8, 0.9, 0.95)


def gaussian(seed=1, n=20_000):
    rng = np.random.default_rng(seed)
    return rng.normal(2.0, 1.0, n), rng.normal(0.0, 1.0, n)


def test_two_gaussians_give_the_rates_and_the_area_of_the_formula():
    found = against(*gaussian(), EFFICIENCIES)
    assert found.auc == pytest.approx(norm.cdf(2 / np.sqrt(2)), abs=4 * found.auc_error)
    for one in found.fakes:
        expected = norm.sf(norm.ppf(1 - one.efficiency) + 2)
        assert abs(one.fake_rate - expected) < 2 * (one.high - one.low)
        assert one.low < one.fake_rate < one.high


def test_any_rising_function_of_a_score_is_the_same_score():
    signal, background = gaussian(2, 2000)
    assert against(np.exp(signal), np.exp(background), EFFICIENCIES) == against(signal, background, EFFICIENCIES)


def test_the_interval_is_the_spread_of_samples():
    rates = [against(*gaussian(seed, 1000), (0.9,)).fakes[0] for seed in range(200)]
    spread = np.std([one.fake_rate for one in rates])
    assert np.mean([one.high - one.low for one in rates]) / 2 == pytest.approx(spread, rel=0.25)


def test_a_score_with_one_value_is_a_coin():
    found = against(np.ones(50), np.ones(70), EFFICIENCIES)
    assert [one.fake_rate for one in found.fakes] == pytest.approx(EFFICIENCIES)
    assert found.auc == 0.5


def test_tracks_without_a_score_pass_no_cut():
    signal = np.where(np.arange(100) < 12, -np.inf, 1.0)
    found = against(signal, np.full(10, -np.inf), EFFICIENCIES)
    assert [one.reached for one in found.fakes] == [True, False, False]
    assert found.fakes[0].fake_rate == 0


@pytest.mark.parametrize("value", [-np.inf, np.inf])
def test_infinite_scores_are_scores_and_none_is_reached_without_any(value):
    found = against(np.full(20, value), np.full(20, value), EFFICIENCIES)
    assert found.auc == 0.5
    assert {one.reached for one in found.fakes} == {value > 0}


def test_a_range_without_tracks_has_numbers_only():
    scores = dict.fromkeys(("e", "pi", "K", "p", "d"), np.array([1.0, 2.0]))
    whole, low, high = fakes_in_ranges(
        scores, np.array([1, 2]), np.array([1.5, 0.8]), ranges_of((0, 5), (0, 1, 5)), (0.9,)
    )
    assert (whole.species["pi"].muons, whole.species["pi"].tracks) == (1, 1)
    assert (low.species["pi"].muons, low.species["pi"].fakes, low.species["pi"].auc) == (0, (), None)
    assert high.species["pi"].tracks == 0
