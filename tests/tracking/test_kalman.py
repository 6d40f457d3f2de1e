"""The compiled filter and smoother against the textbook in NumPy; what a fit must not mind."""

from dataclasses import replace

import numpy as np
import pytest
from tests.tracking import samples

from muonkit.core.errors import InputError
from muonkit.core.particles import species
from muonkit.data.hits import Hits
from muonkit.data.tracks import BoundStates
from muonkit.detector.detector import load_detector
from muonkit.tracking import kalman
from muonkit.tracking.fit import FitSettings, fit
from muonkit.tracking.passes import WIDE
from muonkit.tracking.seed import seed
from muonkit.transport.interactions import scattering
from muonkit.transport.propagate import Settings, propagate

N, PLANES = 100, 12
NO_LOSS = Settings(energy_loss="none", straggling=False)
ONCE = FitSettings(iterations=1, keep_states=True)


@pytest.fixture(scope="module")
def telescope():
    detector, truth, hits, _ = samples.fitted("telescope", N, 5)
    return detector, truth, hits, seed(hits, detector)


def slab_noise(detector, surface, states):
    """Highland's noise (n, 5, 5) of a silicon plane across x."""
    p = 1 / np.abs(states[:, 4])
    across = np.sin(states[:, 3]) * np.cos(states[:, 2])
    X0 = detector.materials[detector.surfaces.material[surface]].X0
    variance = scattering.highland(detector.surfaces.thickness[surface] / across / X0, p, species("mu").mass)
    noise = np.zeros((len(p), 5, 5))
    noise[:, 2, 2], noise[:, 3, 3] = variance / np.sin(states[:, 3]) ** 2, variance
    return noise


def textbook(detector, hits, start):
    """Filter around the track of the start, and Rauch, Tung and Striebel's smoother; states, covariances per plane."""
    n = len(hits)
    values, variances = hits.value.reshape(n, PLANES, 2), hits.variance.reshape(n, PLANES, 2)
    reference = [start.parameters]
    jacobians = []
    for k in range(PLANES - 1):
        went = propagate(BoundStates(np.full(n, k), reference[-1]), k + 1, detector, NO_LOSS)
        reference.append(went.states.parameters)
        jacobians.append(went.jacobian)
    x, C = start.parameters, np.tile(WIDE, (n, 1, 1))
    predicted, filtered, chi2 = [], [], np.zeros(n)
    H = kalman.measurement_matrix(np.tile(np.eye(2), (n, 1, 1)))
    for k in range(PLANES):
        predicted.append((x, C))
        V = np.zeros((n, 2, 2))
        V[:, 0, 0], V[:, 1, 1] = variances[:, k].T
        after = kalman.update(x, C, values[:, k], H, V)
        chi2 += after.chi2
        filtered.append((after.x, after.C))
        if k + 1 < PLANES:
            F = jacobians[k]
            x = reference[k + 1] + np.einsum("nij,nj->ni", F, after.x - reference[k])
            noise = slab_noise(detector, k, reference[k])
            C = kalman.predict(after.C, F, F @ noise @ np.swapaxes(F, 1, 2))
    smoothed = [filtered[-1]]
    for k in range(PLANES - 2, -1, -1):
        smoothed.insert(0, kalman.smooth(*filtered[k], jacobians[k], predicted[k + 1], smoothed[0]))
    return smoothed, chi2


def test_filter_and_smoother_are_those_of_the_textbook(telescope):
    detector, _, hits, start = telescope
    tracks = fit(hits, start, detector, NO_LOSS, ONCE)
    smoothed, chi2 = textbook(detector, hits, start)
    np.testing.assert_allclose(tracks.chi2, chi2, rtol=1e-7)
    assert (tracks.ndf == 2 * PLANES - 5).all()
    for k, (x, C) in enumerate(smoothed):
        sigma = np.sqrt(np.einsum("nii->ni", C))
        assert (np.abs(tracks.stop_parameters[:, k] - x) / sigma).max() < 1e-8
        relative = np.abs((tracks.stop_covariance[:, k] - C) / (sigma[:, :, None] * sigma[:, None, :])).max()
        # at the first planes the wide start is subtracted from itself; later iterations start narrower
        assert relative < (1e-9 if k > 2 else 1e-3)


def test_iterations_leave_digits_to_the_covariance(telescope):
    detector, _, hits, start = telescope
    tracks = fit(hits, start, detector, NO_LOSS, FitSettings(iterations=3))
    again = fit(hits, replace(start, parameters=tracks.states.parameters), detector, NO_LOSS, ONCE)
    exact = textbook(detector, hits, replace(start, parameters=tracks.states.parameters))[0][0][1]
    sigma = np.sqrt(np.einsum("nii->ni", exact))
    scale = sigma[:, :, None] * sigma[:, None, :]
    narrow, wide = (np.abs((one.states.covariance - exact) / scale).max(axis=(1, 2)) for one in (tracks, again))
    assert np.median(narrow) < 1e-4  # 1/INFLATION is 1e-5; the textbook's inverses have lost digits too
    assert narrow.max() < 2e-3
    assert wide.max() < 2e-3


def test_covariances_are_symmetric_and_positive(telescope):
    detector, _, hits, start = telescope
    C = fit(hits, start, detector, samples.SETTINGS, ONCE).stop_covariance
    np.testing.assert_array_equal(C, np.swapaxes(C, -1, -2))
    scaled = C / np.sqrt(np.einsum("...ii->...i", C))[..., None] / np.sqrt(np.einsum("...ii->...i", C))[..., None, :]
    assert (np.linalg.eigvalsh(scaled) > 0).all()


def test_the_fit_forgets_its_start(telescope):
    detector, _, hits, start = telescope
    shifted = replace(start, parameters=start.parameters + np.array([0.02, -0.02, 2e-3, -2e-3, 0.01]))
    one, other = (fit(hits, s, detector, samples.SETTINGS, FitSettings(iterations=4)) for s in (start, shifted))
    sigma = np.sqrt(np.einsum("nii->ni", one.states.covariance))
    assert (np.abs(one.states.parameters - other.states.parameters) / sigma).max() < 0.01


def test_mirrored_hits_give_the_mirrored_track_of_the_other_charge(telescope):
    detector, _, hits, start = telescope
    flip = np.array([-1, 1, -1, 1, -1])
    mirrored = replace(hits, value=hits.value * np.array([-1, 1]))
    one = fit(hits, start, detector, samples.SETTINGS)
    other = fit(mirrored, replace(start, parameters=start.parameters * flip), detector, samples.SETTINGS)
    np.testing.assert_allclose(other.states.parameters, one.states.parameters * flip, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(other.chi2, one.chi2, rtol=1e-7)


def without(hits, keep):
    """The hits of the mask."""
    offsets = np.concatenate(([0], np.cumsum(np.bincount(hits.track[keep], minlength=len(hits)))))
    return Hits(offsets, hits.surface[keep], hits.value[keep], hits.variance[keep])


def test_missing_layers_cost_degrees_of_freedom_and_their_matter_stays(telescope):
    detector, _, hits, start = telescope
    fewer = without(hits, hits.surface != 5)
    whole, part = (fit(h, start, detector, samples.SETTINGS) for h in (hits, fewer))
    assert (part.ndf == whole.ndf - 2).all()
    assert (part.count == PLANES).all()
    ratio = np.einsum("nii->ni", part.states.covariance) / np.einsum("nii->ni", whole.states.covariance)
    assert (np.median(ratio, axis=0) > 1).all()
    assert (ratio > 0.95).all()  # the noise is that of the fitted momentum, which moves a little


def test_outliers_are_found_and_left_out(telescope):
    detector, _, hits, start = telescope
    value = hits.value.copy()
    wrong = np.flatnonzero(hits.surface == 7)
    value[wrong] += 0.3
    spoilt = replace(hits, value=value)
    kept = fit(spoilt, start, detector, samples.SETTINGS)
    robust = fit(spoilt, start, detector, samples.SETTINGS, FitSettings(max_chi2=30.0))
    clean = fit(without(hits, hits.surface != 7), start, detector, samples.SETTINGS)
    assert (kept.chi2 > 1000).all()
    found = robust.use[wrong] == 2
    assert found.mean() > 0.95
    sigma = np.sqrt(np.einsum("nii->ni", clean.states.covariance))
    difference = np.abs(robust.states.parameters - clean.states.parameters) / sigma
    assert np.median(difference[found]) < 0.05


def test_residuals_to_the_smoothed_track_have_their_variance():
    _, _, _, tracks = samples.fitted("telescope", 4000, 8)
    pulls = tracks.residual / np.sqrt(tracks.variance)
    assert abs(pulls.mean()) < 0.01
    assert pulls.std() == pytest.approx(1, abs=0.01)
    assert tracks.hit_chi2.mean() == pytest.approx(2, abs=0.03)


def test_one_bad_track_hurts_no_other(telescope):
    detector, _, hits, start = telescope
    clean = fit(hits, start, detector, samples.SETTINGS)
    parameters = start.parameters.copy()
    parameters[3] = np.nan
    parameters[7, 4] = 100.0  # 10 MeV: curls up
    spoilt = fit(hits, replace(start, parameters=parameters), detector, samples.SETTINGS)
    others = ~np.isin(np.arange(N), (3, 7))
    assert not spoilt.good[3]
    assert not spoilt.good[7]
    np.testing.assert_array_equal(spoilt.states.parameters[others], clean.states.parameters[others])


def test_no_tracks_are_no_error():
    detector = load_detector("telescope")
    nothing = Hits(np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros((0, 2)), np.zeros((0, 2)))
    tracks = fit(nothing, seed(nothing, detector), detector, samples.SETTINGS)
    assert len(tracks.chi2) == 0


def test_a_start_too_few_and_an_unknown_surface_are_said(telescope):
    detector, _, hits, start = telescope
    with pytest.raises(InputError, match="100 tracks of hits, but 99 starts"):
        fit(hits, start[:99], detector)
    with pytest.raises(InputError, match="surface 500 is not one of the 12 of telescope"):
        fit(hits, replace(start, surface=np.full(N, 500)), detector)
