"""The halves of a track, compared: what a decay in the tracker does to them, and what they say where there was none."""

import numpy as np
import pytest
from scipy.stats import kstest

from muonkit.core.units import CURVATURE
from muonkit.data.klm import DECAYED, LEFT, KLMTruth
from muonkit.simulation.klm.halves import (
    ACROSS,
    ALONG,
    CHAMBER,
    FIELD,
    RADIUS,
    Kink,
    Track,
    compared,
    kink_of,
    response,
    shift,
    track_of,
)  # fmt: skip
from muonkit.simulation.klm.start import Tracker

N, P, ANGLE = 4000, 1.2, 0.9
TRACKER = Tracker()
PION, MUON = 0.13957, 0.10566


def pions(radius=60.0, fate=DECAYED, soft=0.2, theta=ANGLE, n=N):
    """Pions of one momentum from the origin, that end at a radius."""
    direction = np.array([np.sin(theta), 0.0, np.cos(theta)])
    end = radius * direction / np.sin(theta)
    number = np.arange(n)
    return KLMTruth(
        number, 0 * number, np.full(n, 211), np.zeros((n, 3)), np.tile(P * direction, (n, 1)), np.full(n, fate),
        np.tile(end, (n, 1)), np.full(n, soft),
    )  # fmt: skip


@pytest.mark.parametrize("truth", [pions(fate=LEFT), pions(radius=150.0), pions(radius=0.5)])
def test_without_a_decay_between_the_layers_chi2_and_pull_have_their_laws(truth):
    chi2, pull = compared(truth, 1, TRACKER).T
    assert kstest(chi2, "chi2", (5,)).pvalue > 1e-3
    assert kstest(pull, "norm").pvalue > 1e-3


def test_a_decay_in_the_middle_is_seen_and_less_momentum_is_a_positive_pull():
    chi2, pull = compared(pions(), 1, TRACKER).T
    assert np.mean(chi2 > 30) > 0.95
    assert np.mean(pull > 3) > 0.9


def test_a_decay_at_the_end_of_the_tracker_is_not_seen():
    chi2 = compared(pions(radius=111.5), 1, TRACKER)[:, 0]
    assert np.mean(chi2 > 15) < 0.05


def test_a_track_keeps_its_numbers_in_any_piece():
    truth = pions(n=50)
    np.testing.assert_array_equal(compared(truth[20:30], 1, TRACKER), compared(truth, 1, TRACKER)[20:30])
    assert len(compared(truth[:0], 1, TRACKER)) == 0


def test_short_tracks_have_none():
    assert np.isnan(compared(pions(theta=0.1, radius=5.0, n=3), 1, TRACKER)).all()


def test_a_kink_conserves_momentum_and_energy():
    """p in front, q behind, and a neutrino with the rest: its energy is its momentum."""
    truth = pions(n=200)
    azimuth = np.linspace(0, 6, 200)
    kink = kink_of(truth, track_of(truth, TRACKER), azimuth)
    energy = np.hypot(P, PION) - truth.soft
    q = np.sqrt(energy**2 - MUON**2)
    slope = 1 / np.tan(ANGLE) + kink.slope
    after = np.stack((np.cos(kink.turn), np.sin(kink.turn), slope), axis=1)
    after *= (q / np.linalg.norm(after, axis=1))[:, None]
    lost = np.linalg.norm(truth.momentum - after, axis=1)
    np.testing.assert_allclose(lost, truth.soft, rtol=0.02)
    pt = CURVATURE * FIELD / (CURVATURE * FIELD / (P * np.sin(ANGLE)) + kink.curvature)
    np.testing.assert_allclose(pt, np.hypot(after[:, 0], after[:, 1]), rtol=1e-3)


@pytest.mark.parametrize(("sigma", "terms"), [(ACROSS, 3), (ALONG, 2)])
def test_the_two_fits_find_what_the_halves_are(sigma, terms):
    """Another parabola (or line) behind the middle is found exactly, and none is found where both are one."""
    reach = np.array([112.0, 60.0])
    R = response(reach, sigma, terms)
    middle = (CHAMBER[0] + reach) / 2
    u = RADIUS - middle[:, None]
    change = np.array([3e-4, 0.02, 0.1])[-terms:]
    line = sum(c * u**k / (2 if k == 2 else 1) for c, k in zip(change, range(terms - 1, -1, -1), strict=True))
    np.testing.assert_allclose(np.einsum("ntj,nj->nt", R, line), 0, atol=1e-9)
    np.testing.assert_allclose(np.einsum("ntj,nj->nt", R, line * (u >= 0)), np.tile(change, (2, 1)), rtol=1e-6)


def test_the_same_kink_is_seen_less_well_in_a_short_track_and_at_low_momentum():
    kink = Kink(np.full(3, 40.0), np.full(3, 0.01), np.zeros(3), np.full(3, 0.01))
    track = Track(np.array([112.0, 70.0, 112.0]), np.array([2.0, 2.0, 0.4]), np.ones(3), np.ones(3))
    size = np.sum(shift(kink, track) ** 2, axis=1)
    assert size[0] > size[1]
    assert size[0] > size[2]
