"""Injected distortions are found where they are, and nowhere else."""

import numpy as np
import pytest
from scipy import stats
from tests.alignment import samples
from tests.alignment.barrel import FROM_THE_BEAM, barrel
from tests.thresholds import ALIGNMENT_PROBABILITY

from muonkit.alignment.config import AlignmentSettings
from muonkit.alignment.linear import eliminate, equations
from muonkit.alignment.parameters import SIZE, U, V, W, indices
from muonkit.alignment.solve import solve
from muonkit.alignment.system import NormalSystem
from muonkit.detector.detector import load_detector
from muonkit.detector.distort import Scatter, misalign
from muonkit.simulation.gun import Gun

SHIFTS = AlignmentSettings(w=0, alpha=0, beta=0, gamma=0, field=0, material=0)
ENDS = SHIFTS.model_copy(update={"reference": ("plane/01", "plane/06", "plane/12")})


def probability(found: np.ndarray, true: np.ndarray, covariance: np.ndarray) -> float:
    difference = found - true
    return float(stats.chi2.sf(difference @ np.linalg.solve(covariance, difference), len(difference)))


def test_one_plane_moved_by_20_um_is_found_alone():
    detector = samples.telescope()
    real = misalign(detector, "plane/05", (20e-4, 0, 0))
    found = solve(samples.sums(detector, real, 1000), detector, ENDS, "all")
    true = np.zeros((12, SIZE))
    true[4, U] = 20e-4
    values, errors = found.values.reshape(-1)[found.asked], found.errors
    assert probability(values, true.reshape(-1)[found.asked], found.covariance) > ALIGNMENT_PROBABILITY
    place = int(np.flatnonzero(found.asked == SIZE * 4 + U)[0])
    others = np.delete(np.abs(values) / errors, place)
    assert values[place] / errors[place] > 30
    assert others.max() < 4


def test_many_planes_moved_by_50_um_are_found_by_iteration():
    """Errors of the second order in the shifts go with a second fit, with the corrected detector."""
    detector = samples.telescope()
    real = Scatter(layers=("plane/0[2-5]", "plane/0[7-9]"), translation=(50e-4, 50e-4, 0), seed=3).apply(detector)
    true = np.einsum("nij,nj->ni", detector.surfaces.axes, real.surfaces.center - detector.surfaces.center)[:, :2]
    found = solve(samples.sums(detector, real, 1000), detector, ENDS, "all")
    values = found.values[:, :2]
    free = ~found.fixed[:, :2]
    assert np.abs(true).max() > 50e-4
    assert probability(values[free], true[free], found.covariance) > ALIGNMENT_PROBABILITY


def test_without_reference_what_tracks_know_is_right():
    """The part of all eight kinds of parameters that tracks see, weak modes left out by their weight."""
    detector = samples.telescope()
    real = misalign(detector, "plane/08", (0, 50e-4, 0), (0, 0, 3e-4))
    system = samples.sums(detector, real, 1000)
    found = solve(system, detector, AlignmentSettings(field=0, material=0))
    true = np.zeros((12, SIZE))
    true[7, [V, 5]] = 50e-4, 3e-4
    assert samples.distance(found.values, true, system) < stats.chi2.isf(ALIGNMENT_PROBABILITY, 12 * 6)


def test_a_telescope_does_not_get_longer():
    """Where slopes follow the residuals they are multiplied with, the planes move apart: by 8 of these errors."""
    detector = samples.telescope()
    settings = AlignmentSettings(u=0, v=0, alpha=0, beta=0, gamma=0, field=0, material=0)
    found = solve(samples.sums(detector, detector, 3000), detector, settings, "all")
    x = detector.surfaces.center[:, 0]
    stretch = x - x.mean()
    by_data = samples.sums(detector, detector, 3000).rhs[:, W] @ stretch
    information = samples.sums(detector, detector, 3000).matrix(np.ones(12 * SIZE)).toarray()[W::SIZE, W::SIZE]
    assert abs(by_data) < 4 * np.sqrt(stretch @ information @ stretch)
    assert found.gain >= 0


@pytest.mark.slow
def test_a_hundred_modules_moved_by_50_um_are_found():
    """In three layers of a barrel between two that are the reference. Curvature absorbs a sagitta of all three: there
    the prior holds, as wide as the shifts."""
    detector = barrel()
    real = Scatter(layers=("layer [1-3]/*",), translation=(50e-4, 50e-4, 0), seed=5).apply(detector)
    true = np.einsum("nij,nj->ni", detector.surfaces.axes, real.surfaces.center - detector.surfaces.center)[:, :2]
    settings = SHIFTS.model_copy(update={"u": 50e-4, "v": 50e-4, "reference": ("layer [04]/*",)})
    found = solve(samples.sums(detector, real, 6000, gun=FROM_THE_BEAM), detector, settings, "all")
    free = ~found.fixed[:, :2]
    difference = (found.values[:, :2] - true)[free]
    assert free.sum() == 2 * 108
    assert probability(found.values[:, :2][free], true[free], found.covariance) > ALIGNMENT_PROBABILITY
    assert difference.std() < 0.2 * true[free].std()


@pytest.mark.slow
def test_a_pixel_layer_moved_by_20_um_is_found_alone():
    detector = load_detector("cms_like_layers")
    surface = next(i for i, name in enumerate(detector.layers) if name.startswith("PXB") and i > 1)
    real = misalign(detector, detector.layers[surface], (20e-4, 0, 0))
    gun = Gun(pt=(3, 50), distribution="log-uniform", eta=(-1.2, 1.2), spread=(0.001, 0.001, 2.0))
    system = NormalSystem(len(detector.layers))
    for part in range(4):
        hits, fitted = samples.fitted(detector, real, 1000, 10 + part, gun)
        system.add(eliminate(equations(hits, fitted, detector, samples.SETTINGS)))
    layers = np.array([i for i, name in enumerate(detector.layers) if system.met[i] > 400 and name.startswith("P")])
    asked = np.concatenate([indices(layers, "u"), indices(layers, "v")])
    strips = SHIFTS.model_copy(update={"reference": ("T*",)})
    found = solve(system, detector, strips, asked)
    pulls = found.values.reshape(-1)[asked] / found.errors
    place = int(np.flatnonzero(asked == SIZE * surface + U)[0])
    assert abs(found.values.reshape(-1)[asked[place]] - 20e-4) < 4 * found.errors[place]
    assert pulls[place] > 10
    assert np.abs(np.delete(pulls, place)).max() < 4
