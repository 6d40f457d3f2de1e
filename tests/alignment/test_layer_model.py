"""The bias model layer by layer from hits: one plane is shifted, and generated against reconstructed curvature says
which; d_l come from the weights of the fit."""

import numpy as np
import pytest
from scipy import stats
from tests.alignment import samples
from tests.alignment.test_gains import EDGES, WIDE
from tests.thresholds import ALIGNMENT_PROBABILITY

from muonkit.alignment.gains import Falls, falls, gains, layer_of
from muonkit.alignment.linear import eliminate, equations
from muonkit.calibration.layers import LayerBias, LayerPriors, fit_layers
from muonkit.core.indices import QOP, THETA
from muonkit.detector.distort import misalign
from muonkit.simulation.tracker.tracks import simulate_tracks
from muonkit.tracking.fit import fit
from muonkit.tracking.seed import seed

pytestmark = pytest.mark.slow
PLANE, SHIFT = 4, 200e-4  # number from 0; cm
WIDTH = 0.02  # 1/GeV, of the priors of M
ONLY_M = LayerPriors(A_layer=1e-9, e_layer=1e-9, M_layer=WIDTH, M=WIDTH)


@pytest.fixture(scope="module")
def foretold() -> tuple[Falls, tuple[str, ...]]:
    detector = samples.telescope()
    hits, quiet = samples.fitted(detector, detector, 400, gun=WIDE, quiet=True)
    tracks = equations(hits, quiet, detector, samples.SETTINGS)
    states = quiet.states.parameters[tracks.track]
    found = gains(eliminate(tracks), states, detector, layer_of(detector, 2), EDGES)
    return falls(found), found.layers


@pytest.fixture(scope="module")
def ratios() -> np.ndarray:
    """k_true/k_reco, its error, k and charge (4, b) in bins of the generated k, 5 widths around the median."""
    detector = samples.telescope()
    real = misalign(detector, "plane/05", (SHIFT, 0, 0))
    truth, hits = simulate_tracks(real, WIDE, 20_000, 7, samples.PHYSICS)
    fitted = fit(hits, seed(hits, detector), detector, samples.SETTINGS)
    there = fitted.good & (np.diff(truth.offsets) > 0)
    first = truth.offsets[:-1][there]
    k = np.abs(truth.qop[first]) / np.hypot(truth.direction[first, 0], truth.direction[first, 1])
    q, states = np.sign(truth.qop[first]), fitted.states.parameters[there]
    off, place = q * states[:, QOP] / np.sin(states[:, THETA]) / k - 1, np.digitize(k, EDGES)
    rows = []
    for chosen in ((place == b) & (q == sign) for b in range(1, len(EDGES)) for sign in (-1, 1)):
        x = off[chosen]
        middle = np.median(x)
        core = x[np.abs(x - middle) < 5 * 1.4826 * np.median(np.abs(x - middle))]
        rows.append((1 - core.mean(), core.std() / np.sqrt(len(core)), k[chosen].mean(), q[chosen][0]))
    return np.array(rows).T


def alone(foretold, ratios, plane: int) -> LayerBias:
    """One plane, and what is the same everywhere."""
    fall, names = foretold
    return fit_layers(*ratios, fall.d[[plane]], (names[plane],), ONLY_M)


def test_the_shifted_plane_is_found_among_the_planes(foretold, ratios):
    """Its d describes the curvatures best, with the amplitudes that the weights foretell. Its mirror image has the same
    d and cannot be told from it; planes of another d are excluded."""
    fall, _ = foretold
    every = [alone(foretold, ratios, plane) for plane in range(12)]
    chi2 = np.array([one.chi2 for one in every])
    assert chi2.argmin() == PLANE
    assert stats.chi2.sf(chi2[PLANE], every[PLANE].ndf) > ALIGNMENT_PROBABILITY
    other = np.abs(np.log(fall.d / fall.d[PLANE])) > 0.3
    assert other.sum() >= 6
    assert (chi2[other] > chi2[PLANE] + 9).sum() >= other.sum() - 2
    found = every[PLANE]
    expected = SHIFT * np.array([fall.c[PLANE, 2], fall.rest[PLANE, 2]])
    free = np.flatnonzero(np.diag(found.covariance) > 1e-12)
    difference = np.array([found.values[0, 2], found.everywhere[2]]) - expected
    assert stats.chi2.sf(difference @ np.linalg.solve(found.covariance[np.ix_(free, free)], difference), 2) > 1e-2


def test_the_covariance_tells_how_many_planes_can_be_told_apart(foretold, ratios):
    """All planes at once: of twelve M_l and M, four combinations are five times better known than by the priors."""
    fall, names = foretold
    found = fit_layers(*ratios, fall.d, names, LayerPriors(A_layer=1e-9, e_layer=1e-9, M_layer=WIDTH, M=WIDTH))
    of_M = np.concatenate((2 * 12 + np.arange(12), [38]))
    size = np.sqrt(np.linalg.eigvalsh(found.covariance[np.ix_(of_M, of_M)]))
    assert (size < WIDTH / 5).sum() == 4
    assert (found.errors[:, 2] > WIDTH / 3).all()
    assert stats.chi2.sf(found.chi2, len(ratios[0]) - 4) > ALIGNMENT_PROBABILITY
