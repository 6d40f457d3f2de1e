"""Two Gaussians, for which everything is known: muons N(d, 1), pions N(0, 1), in units of s."""

import numpy as np
import pytest
from scipy.stats import norm
from tests import thresholds
from tests.muid.performance.test_fine import FINE, filled

from muonkit.muid.performance.cuts import quantile
from muonkit.muid.performance.fine import CELLS
from muonkit.muid.performance.roc import auc, curve, working_point

TOYS, SCALE = 200, 12.0


def toys(d, n_mu, n_pi, seed=1):
    """Fine histograms of muons and pions, TOYS times."""
    rng = np.random.default_rng(seed)
    for _ in range(TOYS):
        yield filled(SCALE * rng.normal(d, 1, n_mu)), filled(SCALE * rng.normal(0, 1, n_pi))


def assert_unit_gaussian(pulls):
    assert abs(np.mean(pulls)) < thresholds.TOY_PULLS[0]
    assert abs(np.std(pulls) - 1) < thresholds.TOY_PULLS[1]


@pytest.mark.parametrize("d", [0.0, 1.0, 2.5])
def test_area_of_two_gaussians_is_found_within_its_error(d):
    found = [auc(*pair) for pair in toys(d, 400, 700)]
    assert_unit_gaussian([(value - norm.cdf(d / np.sqrt(2))) / error for value, error in found])


def test_fake_rate_at_an_efficiency_is_covered_by_its_interval():
    d, efficiency = 2.0, 0.9
    true = norm.sf(norm.isf(efficiency) + d)
    points = [working_point(*pair, efficiency, FINE) for pair in toys(d, 300, 1000)]
    inside = np.mean([point.low <= true <= point.high for point in points])
    assert abs(inside - 0.683) < thresholds.TOY_COVERAGE
    cut = SCALE * (d + norm.isf(efficiency))
    assert abs(np.mean([point.cut for point in points]) - cut) < SCALE * 0.02
    assert all(point.reached for point in points)


def test_the_interval_knows_the_error_of_the_cut():
    rng = np.random.default_rng(2)
    pions = filled(SCALE * rng.normal(0, 1, 10**5))
    few, many = (filled(SCALE * rng.normal(2, 1, n)) for n in (100, 10**5))
    wide, narrow = (working_point(muons, pions, 0.9, FINE) for muons in (few, many))
    assert wide.high - wide.low > 5 * (narrow.high - narrow.low)


def test_no_fakes_leave_an_upper_limit():
    point = working_point(filled(np.full(100, 50.0)), filled(np.full(40, -50.0)), 0.9, FINE)
    assert point.fake == point.low == 0
    assert point.high == pytest.approx(1 - (0.5 * (1 - 0.6826894921370859)) ** (1 / 40), rel=1e-6)


def test_equal_scores_count_half():
    same = filled(np.full(50, 3.0))
    assert auc(same, same)[0] == 0.5
    assert curve(same, same).at(0.4) == pytest.approx(0.4)


def test_an_efficiency_that_no_cut_has_is_flagged():
    muons = filled(np.r_[np.full(85, 40.0), np.full(15, -np.inf)])
    assert not working_point(muons, filled(np.zeros(100)), 0.9, FINE).reached
    assert working_point(muons, filled(np.zeros(100)), 0.8, FINE).reached


def test_nothing_is_found_without_tracks():
    empty = np.zeros(CELLS, dtype=int)
    assert np.isnan(auc(empty, filled(np.zeros(3)))).all()
    point = working_point(filled(np.zeros(3)), empty, 0.9, FINE)
    assert np.isnan([point.fake, point.low, point.high, point.cut]).all()


def test_swapping_muons_and_pions_mirrors_the_area():
    muons, pions = next(toys(1.3, 500, 300))
    assert auc(muons, pions)[0] + auc(pions, muons)[0] == pytest.approx(1)
    assert auc(muons, pions)[1] == pytest.approx(auc(pions, muons)[1])


def test_cuts_are_quantiles_within_their_errors():
    for efficiency in (0.8, 0.95):
        found = [quantile(muons, efficiency, FINE) for muons, _ in toys(1.0, 2000, 1, seed=5)]
        true = SCALE * (1 + norm.isf(efficiency))
        assert_unit_gaussian([(cut - true) / error for cut, error in found])
