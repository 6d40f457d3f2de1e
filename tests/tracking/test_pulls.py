"""150 000 simulated tracks, found and fitted from their hits alone: the fit says how wrong it is.

Gaussian energy losses: the filter knows nothing else. The width with Landau's tails is told in docs/results.md."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats
from tests.thresholds import CHI2_FLATNESS, LOST_TRACKS, PULL_BIAS, PULL_WIDTH
from tests.tracking import samples

pytestmark = pytest.mark.slow
N = 50_000  # for each detector
MOMENTA = (0.5, 1, 2, 5, 20, 700)
ETAS = (-2.5, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 2.5)
OUTSIDE = (
    1e-6  # probability of chi2 below which a track has left the Gaussian world: it curls, or its hits are mixed up
)


@pytest.fixture(scope="module", params=["telescope", "cms_like_layers", "cms_like_tracker"])
def sample(request):
    return samples.sample(request.param, N, 1000)


def test_nearly_all_tracks_are_fitted(sample):
    assert len(sample.p) > (1 - LOST_TRACKS) * sample.simulated
    assert (sample.probability < OUTSIDE).mean() < LOST_TRACKS


def test_pulls_have_mean_0_and_width_1(sample):
    pulls = sample.pulls[sample.probability > OUTSIDE]
    assert (np.abs(pulls.mean(axis=0)) < PULL_BIAS).all()
    assert (np.abs(pulls.std(axis=0) - 1) < PULL_WIDTH).all()


@pytest.mark.parametrize("axis", ["p", "eta"])
def test_pulls_have_mean_0_and_width_1_everywhere(sample, axis):
    """In every bin: the same bounds, and three standard errors for the size of the bin."""
    good = sample.probability > OUTSIDE
    values = getattr(sample, axis)
    edges = MOMENTA if axis == "p" else ETAS
    for low, high in pairwise(edges):
        pulls = sample.pulls[good & (values >= low) & (values < high)]
        if len(pulls) < 100:
            continue
        error = 1 / np.sqrt(len(pulls))
        assert (np.abs(pulls.mean(axis=0)) < PULL_BIAS + 3 * error).all(), (axis, low, high)
        assert (np.abs(pulls.std(axis=0) - 1) < PULL_WIDTH + 3 * error).all(), (axis, low, high)


def test_probability_of_chi2_is_flat(sample):
    """In 20 bins; the lowest holds the tracks outside of the Gaussian world, so it is compared without them."""
    counts, _ = np.histogram(sample.probability[sample.probability > OUTSIDE], 20, (0, 1))
    assert stats.chisquare(counts).pvalue > CHI2_FLATNESS
