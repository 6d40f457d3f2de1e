"""Steps with kicks: exact in maps whose slope jumps, and no longer than the surfaces allow."""

import numpy as np
import pytest
from tests.transport import zoo
from tests.transport.test_travel import BARREL, LAYERS, go

from muonkit.detector.field import MapRZ
from muonkit.transport import status as statuses
from muonkit.transport.kernels import kicks


def linear_map():
    """The bottle on nodes 4 cm apart, linear between them."""
    r, z = np.arange(0, 204, 4.0), np.arange(-400, 404, 4.0)
    Br, Bz = zoo.polynomial_rz(r[:, None], z[None, :])
    return zoo.detector(MapRZ.of(r, z, Br, Bz, "linear"), LAYERS)


def carried(bound, det, **settings):
    """Ends (n, 5), covariances, and statuses."""
    cov = np.tile(np.diag([0.01, 0.01, 1.0, 1.0, 1.0]), (len(bound), 1, 1))
    end, covariance, *_, status = go(bound, BARREL, det, zoo.EXACT._replace(**settings), cov=cov)
    return end, covariance, status


@pytest.mark.parametrize("tolerance", [1e-4, 1e-5, 1e-6])
def test_ends_in_a_linear_map_are_as_exact_as_promised_with_few_steps(tolerance):
    bound, det = zoo.states(100, p=(1.5, 20)), linear_map()
    exact, expected, _ = carried(bound, det, tolerance=1e-4, max_step=0.2)  # so short that there are no kicks
    end, found, status = carried(bound, det, tolerance=tolerance, max_steps=20)
    assert (status == statuses.OK).all()
    far = np.abs(end - exact)[:, :2].max(axis=1)
    assert np.sqrt((far**2).mean()) < tolerance
    assert far.max() < 5 * tolerance
    sigma = np.sqrt(np.einsum("nii->ni", expected))
    assert (np.abs(found - expected) / (sigma[:, :, None] * sigma[:, None, :])).max() < 2e-4


@pytest.mark.parametrize("n", [6, 7, 30])
def test_the_weights_integrate_a_polynomial_of_third_order(n):
    weights = np.array([kicks.weight(node, n) for node in range(n + 1)])
    s = np.arange(n + 1) / n
    for power in range(4):
        assert (weights * s**power).sum() / n == pytest.approx(1 / (power + 1), rel=1e-14)


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4])
def test_tracks_that_curl_meet_the_barrel_where_they_cross_it_first(tolerance):
    """Kicks allow steps of a radian, over which the parabola of a track is not its way."""
    rows = [(0.0, 0.0, phi, 1.4, 1 / p) for phi in np.linspace(-0.4, 0.4, 9) for p in np.linspace(0.68, 0.9, 30)]
    bound, det = np.array(rows), linear_map()
    exact, *_ = carried(bound, det, tolerance=1e-4, max_step=0.2)
    end, _, status = carried(bound, det, tolerance=tolerance)
    assert (status == statuses.OK).all()
    assert np.abs(end - exact)[:, :2].max() < 5 * tolerance
