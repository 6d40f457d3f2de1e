"""Gains of the fit, and the law of every track against simulated ones with tails."""

import numpy as np
import pytest
from scipy import stats
from tests.thresholds import CORE_ERROR, CORE_SHIFT, FLAT_P_VALUE, GAIN, PULL_WIDTH
from tests.tracking import toys
from tests.tracking.cores import CHOICE, core, evenness, ratio, sample, with_gains

from muonkit.calibration.curvature import location
from muonkit.core.indices import PHI, QOP, THETA
from muonkit.detector.detector import load_detector
from muonkit.simulation.gun import Gun
from muonkit.simulation.tracker.step import Physics
from muonkit.simulation.tracker.tracks import simulate_tracks
from muonkit.tracking.refit import FitChoice, prepared, refit
from muonkit.tracking.tails import crossed


@pytest.fixture(scope="module")
def plain():
    return load_detector("cms_like_layers")


@pytest.fixture(scope="module")
def detector(plain):
    return prepared(plain)


@pytest.mark.parametrize("stop", [2, 7])
def test_gains_are_what_a_fit_makes_of_a_loss_and_of_a_kick(plain, detector, stop):
    truth, _ = toys.quiet(plain, Gun(pt=5.0, eta=(0.2, 0.8)), 20, 3)
    way = toys.ways(plain, truth)
    still = np.zeros((*way.surface.shape, 5))

    def fitted(loss, angle):
        tails = toys.Tails(np.zeros(way.surface.shape), np.zeros((*way.surface.shape, 2)))
        tails.loss[:, stop], tails.angle[:, stop] = loss, angle
        return with_gains(toys.noisy(way, still, tails), detector)

    def moved(loss, angle):
        high, low = (np.log(np.abs(toys.curvature(fitted(s * loss, s * angle).states.parameters))) for s in (1, -1))
        return (high - low) / 2

    base = fitted(0.0, np.zeros(2))
    place = np.argmax(base.route == way.surface[:, stop][:, None], axis=1)
    x, gain = (part[np.arange(20), place] for part in (base.stop_parameters, base.gain))
    p = 1 / np.abs(x[:, QOP])
    by_loss, small = gain[:, QOP] * x[:, QOP] * np.hypot(p, toys.MASS) / p**2, 1e-5
    np.testing.assert_allclose(moved(1e-3, np.zeros(2)) / 1e-3, by_loss, rtol=GAIN, atol=GAIN * by_loss.max())
    for angle, expected in (([small, 0], gain[:, THETA]), ([0, small], gain[:, PHI] / np.sin(x[:, THETA]))):
        found = moved(0.0, np.array(angle)) / small
        size = np.hypot(gain[:, THETA], gain[:, PHI] / np.sin(x[:, THETA]))
        assert (np.abs(np.abs(found) - np.abs(expected)) < GAIN * size).all()


@pytest.mark.parametrize(("pt", "eta"), [(3.0, (0.2, 0.4)), (3.0, (1.2, 1.4)), (10.0, (-1.6, -1.4))])
def test_core_of_mirrored_tracks_lies_at_0(plain, detector, pt, eta):
    found = core(sample(plain, detector, Gun(pt=pt, eta=eta), 100, 7))
    assert abs(found.after) < CORE_ERROR + 3 * found.error
    assert found.error < CORE_SHIFT


@pytest.mark.parametrize("pt", [0.7, 3.0, 20.0])
@pytest.mark.parametrize("eta", [(-0.9, 0.9), (1.2, 1.6)])
def test_the_law_of_a_track_describes_core_and_tails_and_a_gaussian_does_not(plain, detector, pt, eta):
    truth, hits = simulate_tracks(plain, Gun(pt=pt, eta=eta), 6000, 41, Physics(scattering="tails"))
    fitted = refit(hits, detector, CHOICE)
    y = ratio(fitted.perigees.parameters, truth)
    good = np.isfinite(y)
    assert good.mean() > 0.98
    law, y = fitted.law[good], y[good]
    assert abs(location(y / law.sigma).width - 1) < PULL_WIDTH + 3 * 1.17 / np.sqrt(2 * len(y))
    assert evenness(law.cdf(y)) > FLAT_P_VALUE
    assert evenness(stats.norm.cdf(y / law.sigma)) < FLAT_P_VALUE
    beyond = 1 - law.cdf(3 * law.sigma) + law.cdf(-3 * law.sigma)
    assert (np.abs(y) > 3 * law.sigma).mean() == pytest.approx(beyond.mean(), rel=0.4)


def test_a_gaussian_model_has_no_tails(plain, detector):
    truth, hits = simulate_tracks(plain, Gun(pt=5.0, eta=(-0.9, 0.9)), 200, 3, Physics(energy_loss="gaussian"))
    fitted = refit(hits, detector, FitChoice(energy_loss="ionisation", scattering="highland"))
    assert not fitted.law.loss.any()
    assert not fitted.law.kick.any()
    assert stats.kstest(fitted.law.cdf(ratio(fitted.perigees.parameters, truth)), "uniform").pvalue > FLAT_P_VALUE


def test_most_of_the_variance_is_that_of_the_hits_where_scattering_is_weak(plain, detector):
    """The gains and the noise of all stops add up to less than the variance of the fit, the rest being the hits'."""
    hits = simulate_tracks(plain, Gun(pt=100.0, eta=(-0.9, 0.9)), 50, 3, Physics())[1]
    fitted = with_gains(hits, detector)
    stops = crossed(fitted, detector, CHOICE.transport)
    matter = np.bincount(stops.row, stops.loss_variance + stops.kick_variance, 50)
    total = refit(hits, detector, FitChoice(energy_loss="restricted", scattering="highland, no log")).law.sigma ** 2
    assert (matter < 0.5 * total).all()
    assert (matter > 0).all()
