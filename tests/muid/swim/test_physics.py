"""Simulated muons, extrapolated and matched: residuals and chi2 are what they should be. The simulation shares the
detector with the extrapolation and nothing else."""

import numpy as np
import pytest
from scipy.stats import chi2
from tests.conftest import shared_data
from tests.muid.samples import HONEST, muons
from tests.thresholds import MATCH_PULL_BIAS, MATCH_PULL_WIDTH, REDUCED_CHI2

from muonkit.muid.swim.crossing import CRACK, DEAD, HIT
from muonkit.muid.swim.extrapolate import extrapolate

N = 8000
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found():
    candidates, hits, _ = muons(N)
    return extrapolate(candidates, hits, HONEST)


def test_pulls_of_matched_hits_have_mean_0_and_width_1(found):
    matched = found.layers.crossing == HIT
    pull = (found.layers.residual / np.sqrt(found.layers.variance))[matched]
    assert len(pull) > 50_000
    assert np.all(np.abs(pull.mean(axis=0)) < MATCH_PULL_BIAS)
    assert np.all(np.abs(pull.std(axis=0) - 1) < MATCH_PULL_WIDTH)


@pytest.mark.parametrize("bits", [range(5), range(5, 15), range(15, 20), range(20, 29)])
def test_pulls_do_not_depend_on_the_depth(found, bits):
    matched = found.layers.crossing == HIT
    pull = found.layers.residual / np.sqrt(found.layers.variance)
    part = np.concatenate([pull[matched[:, bit], bit] for bit in bits])
    assert np.all(np.abs(part.mean(axis=0)) < MATCH_PULL_BIAS)
    assert np.all(np.abs(part.std(axis=0) - 1) < MATCH_PULL_WIDTH)


@pytest.mark.parametrize("ndof", [20, 26, 28, 30])
def test_reduced_chi2_of_muons_is_close_to_ideal(found, ndof):
    chosen = found.tracks.ndof == ndof
    x = found.tracks.chi2[chosen] / ndof
    assert len(x) > 150
    error = np.sqrt(2 / ndof / len(x))
    assert abs(x.mean() - 1) < REDUCED_CHI2 + 3 * error


def test_chi2_is_the_sum_of_its_layers_and_ndof_counts_them(found):
    layers, tracks = found.layers, found.tracks
    np.testing.assert_allclose(np.nansum(layers.chi2, axis=1), tracks.chi2, rtol=1e-12, atol=1e-12)
    assert np.array_equal(2 * np.sum(layers.crossing == HIT, axis=1), tracks.ndof)
    assert np.all(tracks.ndof <= 2 * np.bitwise_count(tracks.hit_layer_pattern))


def test_muons_have_hits_in_almost_all_layers_that_they_cross(found):
    crossed = (found.layers.crossing != 0) & (found.layers.crossing != CRACK) & (found.layers.crossing != DEAD)
    assert np.mean((found.layers.crossing == HIT)[crossed]) == pytest.approx(0.98 * 0.98, abs=0.03)


def distance_from_ideal(x, ndof):
    """Half the sum of the differences to the density of chi2, for shares of reduced chi2 in 20 bins up to 10."""
    edges = np.linspace(0, 10, 21)
    share = np.histogram(x[0], edges, weights=x[1])[0] / np.sum(x[1])
    return np.sum(np.abs(share - np.diff(chi2.cdf(edges * ndof, ndof)))) / 2


@pytest.fixture(scope="module")
def soft():
    """Muons of which many stop after one to seven layers."""
    candidates, hits, _ = muons(N, seed=5, p=(0.6, 1.2))
    return extrapolate(candidates, hits, HONEST).tracks


@pytest.mark.parametrize("ndof", [2, 6, 10])
def test_reduced_chi2_of_few_hits_is_nearer_to_ideal_than_the_published_one(soft, ndof):
    with shared_data("belle2/reduced_chi2_histograms.csv").open() as stream:
        rows = [line.split(",")[1:] for line in stream if line.startswith(f"MuonPlus,{ndof},")]
    _, low, high, count = np.array(rows, dtype=float).T
    published = distance_from_ideal(((low + high) / 2, count), ndof)
    x = soft.chi2[soft.ndof == ndof] / ndof
    assert len(x) > 200
    assert distance_from_ideal((x, np.ones(len(x))), ndof) < published
