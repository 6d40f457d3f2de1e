"""Outliers are found, good hits stay, and what cannot be decided is said."""

from dataclasses import replace

import numpy as np
import pytest
from tests.thresholds import OUTLIERS_FOUND, OUTLIERS_WRONG, TRACK_PULLS
from tests.tracking import samples, telescopes

from muonkit.core.errors import InputError
from muonkit.simulation.gun import Gun
from muonkit.tracking.fit import FitSettings, fit
from muonkit.tracking.fitted import UNDECIDED
from muonkit.tracking.kernels.tuples import OUTLIER, USED
from muonkit.tracking.seed import seed

ROBUST = FitSettings(max_chi2=12.0)
GUN = Gun(p=(2.0, 50.0), distribution="log-uniform", eta=(-0.1, 0.1), phi=(-0.1, 0.1))
N = 400


def spoilt(detector, number, size, seed_of_hits=5):
    """Truth, hits of which `number` per track are wrong by `size` sigma, and which ones (n, planes)."""
    truth, hits = telescopes.tracks(detector, GUN, N, seed_of_hits)
    rng = np.random.default_rng(seed_of_hits)
    n, planes = len(hits), len(detector.layers)
    wrong = np.argsort(rng.random((n, planes)), axis=1) < number
    shift = rng.choice([-1, 1], (n * planes, 2)) * size * np.sqrt(hits.variance)
    return truth, replace(hits, value=hits.value + wrong.reshape(-1, 1) * shift), wrong


def fitted(detector, hits, fitting=ROBUST):
    return fit(hits, seed(hits, detector), detector, samples.SETTINGS, fitting)


@pytest.mark.parametrize("size", [20, 35, 100])
@pytest.mark.parametrize(("planes", "number"), [(5, 1), (8, 1), (8, 2), (14, 2)])
def test_the_wrong_hit_is_left_out_and_good_hits_stay(tmp_path, planes, number, size):
    detector = telescopes.telescope(tmp_path, planes)
    truth, hits, wrong = spoilt(detector, number, size)
    tracks = fitted(detector, hits)
    left_out = (tracks.use == OUTLIER).reshape(wrong.shape)
    decided = tracks.status != UNDECIDED
    assert ((left_out == wrong).all(axis=1) & decided).mean() > OUTLIERS_FOUND
    assert (left_out & ~wrong).any(axis=1).mean() < OUTLIERS_WRONG
    right = tracks.good & (left_out == wrong).all(axis=1)
    pull = telescopes.pulls(detector, truth, tracks)[right]
    assert (np.abs(pull.mean(axis=0)) < 2 * TRACK_PULLS[0]).all()  # 400 tracks instead of 1000
    assert (np.abs(pull.std(axis=0) - 1) < 2 * TRACK_PULLS[1]).all()


def test_where_hits_are_too_few_the_status_says_so(tmp_path):
    detector = telescopes.telescope(tmp_path, 3)
    _, hits, _ = spoilt(detector, 1, 100)
    tracks = fitted(detector, hits)
    assert (tracks.status == UNDECIDED).all()
    assert not tracks.good.any()
    assert (tracks.use == USED).all()  # nothing is thrown out by chance
    assert "do not tell which hit it is: " in str(tracks)


def test_two_outliers_in_five_planes_are_never_a_good_track_with_good_hits_thrown_out(tmp_path):
    detector = telescopes.telescope(tmp_path, 5)
    _, hits, wrong = spoilt(detector, 2, 100)
    tracks = fitted(detector, hits)
    left_out = (tracks.use == OUTLIER).reshape(wrong.shape)
    assert (tracks.good & (left_out != wrong).any(axis=1)).mean() < OUTLIERS_WRONG


def test_tracks_without_outliers_do_not_change_beside_those_with(tmp_path):
    detector = telescopes.telescope(tmp_path, 8)
    _, clean, _ = spoilt(detector, 0, 0.0)
    value = clean.value.copy()
    value[8 * 5 + 3] += 0.1
    whole = FitSettings(keep_states=True)
    robust = fitted(detector, replace(clean, value=value), replace(whole, max_chi2=12.0))
    plain = fitted(detector, clean, whole)
    others = np.arange(len(clean)) != 5
    assert robust.use[8 * 5 + 3] == OUTLIER
    for name in ("chi2", "ndf", "status", "stop_parameters", "stop_covariance"):
        np.testing.assert_array_equal(getattr(robust, name)[others], getattr(plain, name)[others])
    np.testing.assert_array_equal(robust.states.covariance[others], plain.states.covariance[others])


def test_the_outlier_of_a_track_with_fewer_hits_than_others_is_left_out(tmp_path):
    detector = telescopes.telescope(tmp_path, 12)
    _, clean, _ = spoilt(detector, 0, 0.0)
    value = clean.value.copy()
    value[[12 * 5 + 3, 12 * 6 + 3]] += 0.1
    rows = np.delete(np.arange(len(value)), np.s_[12 * 6 + 8 : 12 * 7])  # track 6 has eight hits
    offsets = np.where(np.arange(len(clean) + 1) > 6, clean.offsets - 4, clean.offsets)
    surface, variance = clean.surface[rows], clean.variance[rows]
    hits = replace(clean, offsets=offsets, surface=surface, value=value[rows], variance=variance)
    tracks = fitted(detector, hits)
    assert np.flatnonzero(tracks.use == OUTLIER).tolist() == [12 * 5 + 3, 12 * 6 + 3]
    assert tracks.good[[5, 6]].all()


@pytest.mark.parametrize(
    ("key", "value"), [("iterations", 0), ("max_chi2", 0.0), ("max_chi2", np.nan), ("margin", -1.0)]
)
def test_settings_out_of_bounds_are_refused(key, value):
    with pytest.raises(InputError, match=f"fit: {key}: must be"):
        FitSettings(**{key: value})
