"""The fine histogram: exact at its edges, quantiles to a bin."""

import numpy as np
import pytest
from tests import thresholds

from muonkit.muid.performance.fine import BINS, CELLS, Fine, above, count, upper_quantile

FINE = Fine()


def filled(score, fine=FINE):
    return count((CELLS,), fine.index(score))


def test_shares_above_every_edge_are_those_of_the_scores():
    score = np.random.default_rng(1).normal(0, 60, 5000)
    score[:40] = [-np.inf, np.inf, np.nan, 1e9] * 10
    loop = [np.mean(score > edge) for edge in FINE.edges]  # NaN is above nothing
    np.testing.assert_allclose(above(filled(score)), loop, rtol=0, atol=1e-12)


@pytest.mark.parametrize("edge", [-200.0, -199.9, 0.0, 10.0, 20.0, 200.0])
def test_a_score_at_an_edge_does_not_exceed_it(edge):
    at = round((edge + 200) * 10)
    assert above(filled(np.array([edge])))[at] == 0
    assert above(filled(np.array([edge + 1e-6])))[at] == 1


def test_quantiles_are_right_to_the_width_of_a_bin():
    score = np.random.default_rng(2).normal(30, 15, 20_001)
    counts = filled(score)
    for share in (0.05, 0.5, 0.9, 0.99):
        assert abs(upper_quantile(counts, share, FINE) - np.quantile(score, 1 - share)) < thresholds.FINE_BIN


def test_quantiles_beyond_the_range_are_its_ends_and_without_entries_nan():
    assert upper_quantile(filled(np.full(9, -np.inf)), 0.5, FINE) == FINE.low
    assert upper_quantile(filled(np.full(9, 1e3)), 0.5, FINE) == FINE.high
    assert np.isnan(upper_quantile(np.zeros(CELLS, dtype=int), 0.5, FINE))


def test_rows_outside_of_an_axis_are_not_counted():
    assert count((2, 3), np.array([0, -1, 1, 2, 1]), np.array([0, 0, 2, 1, 3])).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert len(FINE.edges) == BINS + 1
