"""However many surfaces a detector has, all of them count."""

import numpy as np
import pytest
from tests.thresholds import GLUCKSTERN, TRACK_PULLS
from tests.tracking import samples, telescopes

from muonkit.core.units import CURVATURE
from muonkit.simulation.gun import Gun
from muonkit.tracking.fit import fit
from muonkit.tracking.seed import seed


def gluckstern(planes: int) -> float:
    """Error of q/p [1/GeV] of `planes` equal measurements, without matter: Gluckstern, NIM 24 (1963) 381."""
    n = planes - 1
    factor = 720 * n**3 / ((n - 1) * (n + 1) * (n + 2) * (n + 3))
    length = telescopes.LENGTH * (1 - 1 / planes)
    return np.sqrt(factor) * telescopes.SIGMA[0] / (CURVATURE * length**2)


@pytest.mark.parametrize("planes", [10, 100, 300])
def test_error_of_the_curvature_is_that_of_gluckstern(tmp_path, planes):
    detector = telescopes.telescope(tmp_path, planes, matter="")
    truth, hits = telescopes.tracks(detector, Gun(p=50.0, eta=(-0.01, 0.01), phi=(-0.01, 0.01)), 1000, 3)
    fitted = fit(hits, seed(hits, detector), detector, samples.SETTINGS)
    assert fitted.good.all()
    assert (fitted.count == planes).all()
    assert (fitted.ndf == 2 * planes - 5).all()
    sigma = np.sqrt(fitted.states.covariance[:, 4, 4])
    np.testing.assert_allclose(sigma, gluckstern(planes), rtol=GLUCKSTERN)
    pull = telescopes.pulls(detector, truth, fitted)
    assert (np.abs(pull.mean(axis=0)) < TRACK_PULLS[0]).all()
    assert (np.abs(pull.std(axis=0) - 1) < TRACK_PULLS[1]).all()


def test_matter_of_a_hundred_layers_counts(tmp_path):
    detector = telescopes.telescope(tmp_path, 100)
    truth, hits = telescopes.tracks(detector, Gun(p=(3.0, 30.0), eta=(-0.1, 0.1), phi=(-0.1, 0.1)), 1000, 4)
    pull = telescopes.pulls(detector, truth, fit(hits, seed(hits, detector), detector, samples.SETTINGS))
    assert (np.abs(pull.mean(axis=0)) < TRACK_PULLS[0]).all()
    assert (np.abs(pull.std(axis=0) - 1) < TRACK_PULLS[1]).all()
