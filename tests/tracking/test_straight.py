"""Without field, or with what is left of one: straight lines, whose q/p is not measured."""

import numpy as np
import pytest
from tests.thresholds import TRACK_PULLS
from tests.tracking import samples, telescopes

from muonkit.core.errors import InputError
from muonkit.simulation.gun import Gun
from muonkit.tracking.fit import FitSettings, fit
from muonkit.tracking.passes import WIDE
from muonkit.tracking.seed import seed

P = 5.0


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    detector = telescopes.telescope(tmp_path_factory.mktemp("straight"), 8, field=0.0)
    truth, hits = telescopes.tracks(detector, Gun(particle="mu+", p=P, eta=(-0.1, 0.1), phi=(-0.1, 0.1)), 1500, 6)
    return detector, truth, hits


def test_a_field_too_weak_to_measure_q_over_p_spoils_neither_position_nor_direction(tmp_path):
    """Of 2 mT, through which matter scatters as much as 2 GeV bend; and of the Earth."""
    for field in (5e-5, 2e-3):
        detector = telescopes.telescope(tmp_path, 8, field=field)
        truth, hits = telescopes.tracks(detector, Gun(p=2.0, eta=(-0.1, 0.1), phi=(-0.1, 0.1)), 1500, 6)
        fitted = fit(hits, seed(hits, detector, momentum=2.0), detector, samples.SETTINGS)
        assert fitted.good.all()
        pull = telescopes.pulls(detector, truth, fitted)[:, :4]
        assert (np.abs(pull.mean(axis=0)) < TRACK_PULLS[0]).all()
        assert (np.abs(pull.std(axis=0) - 1) < TRACK_PULLS[1]).all()
        assert fitted.chi2.mean() == pytest.approx(12, abs=4 * np.sqrt(2 * 12 / len(hits)))


@pytest.mark.parametrize("iterations", [1, 3, 6])
def test_pulls_of_position_and_direction_have_mean_0_and_width_1(lines, iterations):
    detector, truth, hits = lines
    start = seed(hits, detector, momentum=P)
    fitted = fit(hits, start, detector, samples.SETTINGS, FitSettings(iterations=iterations))
    assert fitted.good.all()
    pull = telescopes.pulls(detector, truth, fitted)[:, :4]
    assert (np.abs(pull.mean(axis=0)) < TRACK_PULLS[0]).all()
    assert (np.abs(pull.std(axis=0) - 1) < TRACK_PULLS[1]).all()


def test_momentum_and_its_error_are_those_of_the_start(lines):
    detector, _, hits = lines
    fitted = fit(hits, seed(hits, detector, momentum=P), detector, samples.SETTINGS)
    np.testing.assert_allclose(fitted.states.parameters[:, 4], 1 / P, rtol=1e-3)  # the loss depends on the angle
    np.testing.assert_allclose(fitted.states.covariance[:, 4, 4], WIDE[4, 4], rtol=1e-3)
    assert (fitted.ndf == 2 * 8 - 4).all()
    assert fitted.chi2.mean() == pytest.approx(12, abs=4 * np.sqrt(2 * 12 / len(hits)))


def test_points_on_a_line_in_a_field_are_a_stiff_track(tmp_path):
    detector = telescopes.telescope(tmp_path, 8)
    _, hits = telescopes.tracks(detector, Gun(p=50.0, eta=(-0.01, 0.01), phi=0.0), 3, 6)
    hits.value[:] = 0.0
    fitted = fit(hits, seed(hits, detector), detector, samples.SETTINGS)
    assert fitted.good.all()
    assert (np.abs(fitted.states.parameters[:, 4]) < 1e-4).all()


def test_a_momentum_that_is_none_is_refused(lines):
    detector, _, hits = lines
    with pytest.raises(InputError, match=r"momentum: must be above 0"):
        seed(hits, detector, momentum=0.0)
