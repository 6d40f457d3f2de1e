"""Tracks through modules: what the simulation crosses, and what the fit makes of it."""

from typing import NamedTuple

import numpy as np
import pytest
from scipy import stats
from tests.thresholds import MODULE_PULL_BIAS, MODULE_PULL_WIDTH, WRONG_MODULES
from tests.tracking import samples
from tests.tracking.test_pulls import OUTSIDE

from muonkit.data.hits import Hits
from muonkit.data.truth import Truth
from muonkit.detector import surfaces as geometry
from muonkit.detector.detector import Detector, load_detector
from muonkit.detector.distort import Misalign, distorted
from muonkit.simulation.gun import Gun
from muonkit.simulation.tracker.step import Physics
from muonkit.simulation.tracker.tracks import simulate_tracks, simulate_truth
from muonkit.tracking.fit import fit
from muonkit.tracking.fitted import FittedTracks
from muonkit.tracking.seed import seed
from muonkit.transport.propagate import Settings

N = 2000
GUN = Gun(pt=(1, 100), distribution="log-uniform", eta=(-2.4, 2.4), spread=(0.001, 0.001, 1.0))
NOTHING = Physics(energy_loss="none", scattering="none")


@pytest.fixture(scope="module")
def tracker() -> Detector:
    return load_detector("cms_like_tracker")


class Sample(NamedTuple):
    truth: Truth
    hits: Hits
    tracks: FittedTracks


@pytest.fixture(scope="module")
def sample(tracker: Detector) -> Sample:
    truth, hits = simulate_tracks(tracker, GUN, N, 11, samples.PHYSICS)
    return Sample(truth, hits, fit(hits, seed(hits, tracker), tracker, samples.SETTINGS))


def test_simulation_crosses_every_module_on_its_way(tracker):
    """Against the truth itself: dense points of the same tracks, and all modules between two of them."""
    gun = Gun(pt=(0.6, 3), distribution="log-uniform", eta=(-2.2, 2.2), spread=(0.001, 0.001, 1.0))
    coarse = simulate_truth(tracker, gun, 15, 5, NOTHING)
    S, alone = tracker.surfaces, tracker.layer_of < 0
    for i in range(len(coarse)):
        rows = slice(coarse.offsets[i], coarse.offsets[i + 1])
        met = coarse.surface[rows]
        assert len(np.unique(met[~alone[met]])) == (~alone[met]).sum(), "every module once"
        path = helix_points(coarse, rows)
        expected = crossed_between(tracker, path)
        assert expected <= set(met.tolist()), [tracker.layers[one] for one in expected - set(met.tolist())]
    local = geometry.to_local(S, coarse.surface, coarse.position)
    assert geometry.inside(S, coarse.surface, local, margin=1e-9).all()


def helix_points(truth: Truth, rows: slice) -> np.ndarray:
    """The track between its first and last crossing, by cubics through positions and directions there."""
    x, t = truth.position[rows], truth.direction[rows]
    length = np.linalg.norm(np.diff(x, axis=0), axis=1)[:, None, None]
    s = np.linspace(0, 1, 60, endpoint=False)[None, :, None]
    chord = np.diff(x, axis=0)[:, None]
    a, b = length * t[:-1, None] - chord, chord - length * t[1:, None]
    return (x[:-1, None] + s * (chord + (1 - s) * ((1 - s) * a + s * b))).reshape(-1, 3)


def crossed_between(detector: Detector, path: np.ndarray) -> set[int]:
    """Modules that a dense path crosses clearly, 0.05 cm within their bounds and 1 um before and behind."""
    S, found = detector.surfaces, set()
    for i in np.flatnonzero(detector.layer_of >= 0):
        height = (path - S.center[i]) @ S.axes[i, 2]
        k = np.flatnonzero((height[:-1] * height[1:] < 0) & (np.abs(height[:-1]) > 1e-4) & (np.abs(height[1:]) > 1e-4))
        for one in k:
            share = height[one] / (height[one] - height[one + 1])
            point = path[one] + share * (path[one + 1] - path[one])
            ids = np.array([i])
            if geometry.inside(S, ids, geometry.to_local(S, ids, point[None]), margin=-0.05)[0]:
                found.add(int(i))
    return found


def test_hits_name_their_module_and_have_local_coordinates(tracker, sample):
    hits = sample.hits
    parts = {tracker.layers[i].partition("/")[0] for i in np.unique(hits.surface)}
    assert parts == {"PXB", "PXF", "TIB", "TOB", "TID", "TEC"}
    assert (tracker.layer_of[hits.surface] >= 0).all()
    half = geometry.edges_at(tracker.surfaces, hits.surface, np.zeros(len(hits.surface)))[:, 1]
    strips = tracker.surfaces.n_measured[hits.surface] == 1
    assert (hits.value[strips, 1] == 0).all()
    assert (np.abs(hits.value[~strips, 0]) < half[~strips] + 0.6).all()
    assert np.array_equal(hits.variance, tracker.surfaces.sigma[hits.surface] ** 2)


def test_tracks_may_have_two_hits_in_one_layer(tracker, sample):
    layer = tracker.layer_of[sample.hits.surface]
    key = sample.hits.track * (layer.max() + 1) + layer
    pixel = np.char.startswith(np.array(tracker.layers)[sample.hits.surface], "PXB")
    several = np.unique(key[pixel], return_counts=True)[1]
    assert 0.03 < (several > 1).mean() < 0.5


def test_fit_on_modules_knows_its_errors(tracker, sample):
    rows, met = samples.first_rows(sample.truth, sample.tracks)
    difference = sample.tracks.states.parameters - samples.bound(tracker, sample.truth, rows)
    difference[:, 2] = (difference[:, 2] + np.pi) % (2 * np.pi) - np.pi
    good = sample.tracks.good & met
    assert good.mean() > 0.998
    pulls = (difference / np.sqrt(np.einsum("nii->ni", sample.tracks.states.covariance)))[good]
    likely = probability(sample.tracks)[good] > OUTSIDE
    assert (np.abs(pulls[likely].mean(axis=0)) < MODULE_PULL_BIAS).all()
    assert (np.abs(pulls[likely].std(axis=0) - 1) < MODULE_PULL_WIDTH).all()


def probability(tracks: FittedTracks) -> np.ndarray:
    return np.asarray(stats.chi2.sf(tracks.chi2, tracks.ndf))


def test_matter_of_modules_without_a_hit_counts(tracker, sample):
    """With half of the hits the fit still meets the modules that the tracks crossed, and hardly any other."""
    hits, rng = sample.hits, np.random.default_rng(3)
    pixel = tracker.surfaces.n_measured[hits.surface] == 2
    kept = pixel | (rng.random(len(hits.surface)) < 0.5)
    offsets = np.concatenate(([0], np.cumsum(np.bincount(hits.track[kept], minlength=len(hits)))))
    fewer = Hits(offsets, hits.surface[kept], hits.value[kept], hits.variance[kept])
    tracks = fit(fewer, sample.tracks.states, tracker, samples.SETTINGS)
    met = set_of(np.repeat(np.arange(N), tracks.count), tracks.route[tracks.route >= 0])
    true = set_of(sample.truth.track, sample.truth.surface)
    assert len(met - true) < WRONG_MODULES * len(met)
    row, track = np.arange(len(sample.truth.surface)), sample.truth.track
    reached = (row >= samples.first_rows(sample.truth, tracks)[0][track]) & (
        row <= last_met(sample.truth, tracks)[track]
    )
    inside = set_of(sample.truth.track[reached], sample.truth.surface[reached])
    assert len(inside - met) < WRONG_MODULES * len(met)


def last_met(truth: Truth, tracks: FittedTracks) -> np.ndarray:
    """Row of the truth (n,) of the last surface of every route; -1 where there is none."""
    end = tracks.route[np.arange(N), np.maximum(tracks.count - 1, 0)]
    rows = np.flatnonzero(truth.surface == end[truth.track])
    last = np.full(N, -1)
    last[truth.track[rows]] = rows
    return last


def set_of(track: np.ndarray, surface: np.ndarray) -> set[tuple[int, int]]:
    return set(zip(track.tolist(), surface.tolist(), strict=True))


def test_modules_measure_as_well_as_layers(sample):
    """The resolution of the momentum, and of the angles, against pT."""
    layers = load_detector("cms_like_layers")
    _, hits = simulate_tracks(layers, GUN, N, 11, samples.PHYSICS)
    whole = fit(hits, seed(hits, layers), layers, samples.SETTINGS)
    both = sample.tracks.good & whole.good
    widths = [np.sqrt(np.einsum("nii->ni", one.states.covariance[both])) for one in (sample.tracks, whole)]
    ratio = np.median(widths[0] / widths[1], axis=0)
    assert ratio[4] == pytest.approx(1, abs=0.05), "q/p"
    assert ratio[2:4] == pytest.approx([1, 1], abs=0.1), "phi and theta"


def test_a_moved_module_shows_in_its_residuals(tracker):
    """A module of TOB/5 moved by 0.05 cm along u: the fit with the ideal detector sees it there, and nowhere else."""
    name = "TOB/5/ladder 1/module 6"
    moved = distorted(tracker, [Misalign(layers=(name,), translation=(0.05, 0, 0))])
    gun = Gun(p=(20, 30), phi=(-0.03, 0.03), eta=(-0.05, 0.05))
    _, hits = simulate_tracks(moved, gun, 300, 3, samples.PHYSICS)
    tracks = fit(hits, seed(hits, tracker), tracker, Settings())
    there = hits.surface == tracker.layers.index(name)
    assert there.sum() > 50
    pull = tracks.residual[:, 0] / np.sqrt(tracks.variance[:, 0])
    assert np.nanmedian(pull[there]) < -5
    assert abs(np.nanmedian(pull[~there])) < 1
