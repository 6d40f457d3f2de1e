"""Simulated tracks, fitted: what the tests of pulls and the reference of the Kalman filter share."""

from typing import NamedTuple

import numpy as np
from scipy import stats

from muonkit.core.arrays import BoolArray, FloatArray
from muonkit.data.hits import Hits
from muonkit.data.truth import Truth
from muonkit.detector.detector import Detector, load_detector
from muonkit.detector.surfaces import to_local
from muonkit.simulation.gun import Gun
from muonkit.simulation.tracker.step import Physics
from muonkit.simulation.tracker.tracks import simulate_tracks
from muonkit.tracking.fit import FitSettings, FittedTracks, fit
from muonkit.tracking.seed import seed
from muonkit.transport.propagate import Settings

GUNS = {
    "telescope": Gun(p=(0.5, 100), distribution="log-uniform", eta=(-0.1, 0.1), phi=(-0.1, 0.1)),
    "cms_like_tracker": Gun(pt=(0.5, 100), distribution="log-uniform", eta=(-2.5, 2.5), spread=(0.001, 0.001, 1.0)),
    "cms_like_layers": Gun(pt=(0.5, 100), distribution="log-uniform", eta=(-2.5, 2.5), spread=(0.001, 0.001, 1.0)),
}
PHYSICS = Physics(energy_loss="gaussian", scattering="gaussian")
SETTINGS = Settings(energy_loss="ionisation")


class Sample(NamedTuple):
    """pulls (n, 5) at the first surface, p (n,) [GeV], eta (n,), probability of chi2 (n,) of the fitted tracks; how
    many were simulated with enough hits."""

    pulls: FloatArray
    p: FloatArray
    eta: FloatArray
    probability: FloatArray
    simulated: int


def fitted(
    name: str, n: int, random_seed: int, physics: Physics = PHYSICS, settings: Settings = SETTINGS
) -> tuple[Detector, Truth, Hits, FittedTracks]:
    """Tracks through a detector, found from their hits alone."""
    detector = load_detector(name)
    truth, hits = simulate_tracks(detector, GUNS[name], n, random_seed, physics)
    return detector, truth, hits, fit(hits, seed(hits, detector), detector, settings, FitSettings())


def sample(name: str, n: int, random_seed: int) -> Sample:
    """Pulls of n tracks, in chunks."""
    parts = [_part(*fitted(name, min(10_000, n - first), random_seed + first)) for first in range(0, n, 10_000)]
    columns = [np.concatenate([part[k] for part in parts]) for k in range(4)]
    return Sample(*columns, sum(part.simulated for part in parts))


def _part(detector: Detector, truth: Truth, hits: Hits, tracks: FittedTracks) -> Sample:
    rows, met = first_rows(truth, tracks)
    expected = bound(detector, truth, rows)
    difference = tracks.states.parameters - expected
    difference[:, 2] = (difference[:, 2] + np.pi) % (2 * np.pi) - np.pi
    covariance = tracks.states.covariance
    assert covariance is not None
    with np.errstate(invalid="ignore"):
        pulls = difference / np.sqrt(np.einsum("nii->ni", covariance))
    good = tracks.good & met
    momentum = truth.momentum[good]
    p = np.linalg.norm(momentum, axis=1)
    probability = stats.chi2.sf(tracks.chi2[good], tracks.ndf[good])
    return Sample(pulls[good], p, np.arctanh(momentum[:, 2] / p), probability, int((np.diff(hits.offsets) > 3).sum()))


def first_rows(truth: Truth, tracks: FittedTracks) -> tuple[FloatArray, BoolArray]:
    """Row of the truth where every track is at the surface of its fitted state for the first time; whether there is
    one."""
    track = np.repeat(np.arange(len(truth)), np.diff(truth.offsets))
    there = np.flatnonzero(truth.surface == tracks.states.surface[track])[::-1]
    rows = np.full(len(truth), -1)
    rows[track[there]] = there
    return np.maximum(rows, 0), rows >= 0


def bound(detector: Detector, truth: Truth, rows: FloatArray) -> FloatArray:
    """True bound parameters (n, 5)."""
    t = truth.direction[rows]
    local = to_local(detector.surfaces, truth.surface[rows], truth.position[rows])
    angles = np.arctan2(t[:, 1], t[:, 0]), np.arctan2(np.hypot(t[:, 0], t[:, 1]), t[:, 2])
    return np.column_stack((local, *angles, truth.qop[rows]))
