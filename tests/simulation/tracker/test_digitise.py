"""Hits: their widths, what is missing, and that they come from the truth and from nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from tests.simulation import setups

from muonkit.core.errors import InputError
from muonkit.data import hits as hit_tables
from muonkit.data import truth as truth_tables
from muonkit.detector.surfaces import to_local
from muonkit.simulation.tracker.digitise import GENUINE, NOISE, OUTLIER, Readout, digitise, efficiencies, missed
from muonkit.simulation.tracker.step import Physics, follow

N = 5000
QUIET = Physics(energy_loss="none", scattering="none")
DETECTOR = setups.detector(*(setups.plane(x) for x in (5.0, 10.0, 15.0, 20.0)))
TRUTH = follow(DETECTOR, setups.spray(N, (1.0, 10.0)), "mu", 1, QUIET)
SIGMA = DETECTOR.surfaces.sigma[0]
RARE = 1e-3  # right hits fail with one seed in a thousand


def residuals(hits, origin, truth=TRUTH, detector=DETECTOR):
    rows = origin.crossing
    return hits.value - to_local(detector.surfaces, truth.surface[rows], truth.position[rows])


def test_gaussian_errors_have_the_resolution_of_the_surface():
    hits, origin = digitise(TRUTH, DETECTOR, 1)
    pulls = residuals(hits, origin) / SIGMA
    assert len(pulls) == 4 * N
    for column in pulls.T:
        assert stats.kstest(column, "norm").pvalue > RARE
    assert abs(np.corrcoef(pulls.T)[0, 1]) < 4 / np.sqrt(4 * N)
    np.testing.assert_array_equal(hits.variance, np.tile(SIGMA**2, (4 * N, 1)))


def test_strips_give_their_centres_and_an_error_that_is_even():
    hits, origin = digitise(TRUTH, DETECTOR, 1, Readout(smearing="strips"))
    pitch = np.sqrt(12) * SIGMA
    np.testing.assert_allclose(hits.value / pitch % 1, 0.5, atol=1e-6)
    for column in (residuals(hits, origin) / pitch).T:
        assert stats.kstest(column + 0.5, "uniform").pvalue > RARE
        assert column.std() * np.sqrt(12) == pytest.approx(1, abs=4 / np.sqrt(4 * N))


def test_without_smearing_a_hit_is_where_the_particle_was():
    hits, origin = digitise(TRUTH, DETECTOR, 1, Readout(smearing="none"))
    np.testing.assert_array_equal(residuals(hits, origin), 0)


def test_one_measured_coordinate_leaves_the_other_at_zero():
    flat = np.zeros((4, 2, 2))
    c, s = np.cos(0.1), np.sin(0.1)
    flat[:, 0] = c, s  # strips at a stereo angle
    stereo = DETECTOR.surfaces._replace(n_measured=np.array([1, 1, 0, 1]), projection=flat)
    detector = replace(DETECTOR, surfaces=stereo)
    hits, origin = digitise(TRUTH, detector, 1, Readout(smearing="none"))
    assert (hits.surface != 2).all()  # nothing is measured there
    assert (hits.value[:, 1] == 0).all()
    local = to_local(stereo, hits.surface, TRUTH.position[origin.crossing])
    np.testing.assert_allclose(hits.value[:, 0], c * local[:, 0] + s * local[:, 1], atol=1e-12)


def test_hits_of_a_track_are_in_the_order_of_its_crossings():
    hits, origin = digitise(TRUTH, DETECTOR, 1, Readout(efficiency=0.7))
    np.testing.assert_array_equal(hits.track, TRUTH.track[origin.crossing])
    assert (np.diff(origin.crossing) > 0).all()
    np.testing.assert_array_equal(hits.surface, TRUTH.surface[origin.crossing])


def test_sensors_miss_tracks_as_often_as_they_should_and_independently():
    hits, origin = digitise(TRUTH, DETECTOR, 1, Readout(efficiency=0.9))
    lost = missed(TRUTH, DETECTOR, origin)
    assert lost.sum() == 4 * N - len(hits.surface)
    assert stats.binomtest(int(lost.sum()), 4 * N, 0.1).pvalue > RARE
    per_track = np.bincount(TRUTH.track[lost], minlength=N)
    expected = N * stats.binom.pmf([0, 1, 2], 4, 0.1)
    observed = np.array([(per_track == k).sum() for k in (0, 1, 2)])
    assert (np.abs(observed - expected) < 4 * np.sqrt(expected)).all()


def test_efficiency_of_a_layer_is_that_of_the_longest_name_that_fits():
    named = replace(DETECTOR, layers=("a/1", "a/2", "a", "ab"))
    readout = Readout(efficiency=0.9, layer_efficiency={"a": 0.5, "a/2": 0.0})
    np.testing.assert_array_equal(efficiencies(named, readout), [0.5, 0.0, 0.5, 0.9])
    hits, _ = digitise(TRUTH, named, 1, readout)
    assert (hits.surface != 1).all()


def test_wrong_efficiencies_are_told_all_at_once():
    with pytest.raises(InputError, match=r"must lie in \[0, 1\]") as error:
        efficiencies(DETECTOR, Readout(layer_efficiency={"layer": 1.5, "layr": 0.5}))
    assert "no layer 'layr'" in str(error.value)


def test_outliers_lie_anywhere_in_the_window():
    hits, origin = digitise(TRUTH, DETECTOR, 1, Readout(outliers=0.05, window=0.5))
    astray = origin.kind == OUTLIER
    assert stats.binomtest(int(astray.sum()), 4 * N, 0.05).pvalue > RARE
    offset = residuals(hits, origin)
    for column in offset[astray].T:
        assert stats.kstest(column + 0.5, "uniform").pvalue > RARE
    assert (np.abs(offset[~astray]) < 6 * SIGMA).all()
    np.testing.assert_array_equal(hits.variance[astray], np.tile(SIGMA**2, (astray.sum(), 1)))  # the fit cannot tell


def test_noise_stands_where_a_sensor_missed_the_track():
    readout = Readout(efficiency=0.8, noise=0.25)
    hits, origin = digitise(TRUTH, DETECTOR, 1, readout)
    assert stats.binomtest(int((origin.kind == NOISE).sum()), 4 * N, 0.2 * 0.25).pvalue > RARE
    _, without = digitise(TRUTH, DETECTOR, 1, Readout(efficiency=0.8))
    np.testing.assert_array_equal(origin.crossing[origin.kind == GENUINE], without.crossing)
    assert np.abs(residuals(hits, origin)[origin.kind == NOISE]).max() <= readout.window


def test_hits_do_not_depend_on_the_chunk_nor_on_what_other_sensors_miss():
    readout = Readout(efficiency=0.9)
    whole, _ = digitise(TRUTH, DETECTOR, 1, readout)
    parts = [digitise(TRUTH[cut], DETECTOR, 1, readout, cut.start)[0] for cut in (slice(0, 1000), slice(1000, N))]
    joined = hit_tables.concatenate(parts)
    for name in ("offsets", "surface", "value", "variance"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))
    everything, origin = digitise(TRUTH, DETECTOR, 1)
    seen = ~missed(TRUTH, DETECTOR, digitise(TRUTH, DETECTOR, 1, readout)[1])
    np.testing.assert_array_equal(everything.value[seen[origin.crossing]], whole.value)


def test_tables_of_truth_are_cut_and_joined_without_loss():
    parts = [TRUTH[:10], TRUTH[np.arange(N) >= 10]]
    joined = truth_tables.concatenate(parts)
    for name in (*truth_tables.PER_TRACK, *truth_tables.PER_CROSSING, "offsets"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(TRUTH, name))
    turned = TRUTH[np.array([5, 3])]
    np.testing.assert_array_equal(turned.position[turned.track == 1], TRUTH.position[TRUTH.track == 3])


def test_no_tracks_give_no_hits():
    hits, origin = digitise(TRUTH[:0], DETECTOR, 1)
    assert len(hits) == 0
    assert len(origin.kind) == 0
