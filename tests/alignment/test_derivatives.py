"""Derivatives of fitted tracks by the parameters of surfaces, against fits with a detector that has been changed.

Tracks without noise: residuals are 0, so that other weights of the fit change nothing."""

import numpy as np
import pytest
from tests.alignment import samples
from tests.thresholds import ALIGNMENT_CHI2, ALIGNMENT_DERIVATIVES
from tests.tracking import telescopes

from muonkit.alignment.linear import eliminate, equations
from muonkit.alignment.parameters import FIELD, MATERIAL, NAMES, SIZE
from muonkit.core.indices import QOP
from muonkit.detector.detector import Detector, load_detector
from muonkit.detector.distort import add_material, misalign, scale_field
from muonkit.simulation.gun import Gun
from muonkit.tracking.fit import fit

STEPS = {"u": 1e-3, "v": 1e-3, "w": 1e-2, "alpha": 1e-3, "beta": 1e-3, "gamma": 1e-3}
ERRORS = np.array([1e-3, 1e-3, 1e-4, 1e-4, 1e-4])  # what a difference is compared with, at least


@pytest.fixture(scope="module")
def quiet():
    detector = samples.telescope()
    hits, fitted = samples.fitted(detector, detector, 30, quiet=True)
    return detector, hits, fitted, eliminate(equations(hits, fitted, detector, samples.SETTINGS))


def moved(hits, fitted, changed: Detector, step: float) -> np.ndarray:
    """Difference of two fits, per unit of the change."""
    other = fit(hits, fitted.states, changed, samples.SETTINGS)
    return (other.states.parameters - fitted.states.parameters) / step


def agree(found: np.ndarray, expected: np.ndarray) -> bool:
    size = np.abs(expected).max(axis=0)
    return bool((np.abs(found - expected) <= ALIGNMENT_DERIVATIVES * np.maximum(size, ERRORS)).all())


@pytest.mark.parametrize("kind", STEPS)
def test_moved_surfaces(quiet, kind):
    detector, hits, fitted, tracks = quiet
    place, step = NAMES.index(kind), STEPS[kind]
    shift = np.zeros(6)
    shift[place] = step
    both = [misalign(detector, "plane/05", tuple(s * shift[:3]), tuple(s * shift[3:])) for s in (1, -1)]
    found = (moved(hits, fitted, both[0], step) + moved(hits, fitted, both[1], -step)) / 2
    assert agree(found, tracks.response[:, :, SIZE * 4 + place])


def test_a_stronger_field(quiet):
    detector, hits, fitted, tracks = quiet
    both = [scale_field(detector, 1 + step) for step in (1e-3, -1e-3)]
    found = (moved(hits, fitted, both[0], 1e-3) + moved(hits, fitted, both[1], -1e-3)) / 2
    expected = tracks.response.reshape(len(found), 5, -1, SIZE)[..., FIELD].sum(axis=2)
    assert agree(found, expected)
    assert expected[:, QOP] == pytest.approx(-fitted.states.parameters[:, QOP], rel=ALIGNMENT_DERIVATIVES)


def test_more_matter(quiet):
    detector, hits, fitted, tracks = quiet
    both = [add_material(detector, "plane/05", factor=1 + step) for step in (0.1, -0.1)]
    found = (moved(hits, fitted, both[0], 0.1) + moved(hits, fitted, both[1], -0.1)) / 2
    expected = tracks.response[:, QOP, SIZE * 4 + MATERIAL]
    assert found[:, QOP] == pytest.approx(expected, rel=ALIGNMENT_DERIVATIVES, abs=ALIGNMENT_DERIVATIVES * 1e-5)


def test_moved_cylinders():
    detector = load_detector("cms_like_layers")
    gun = Gun(pt=(5, 50), eta=(-0.8, 0.8))
    hits, fitted = samples.fitted(detector, detector, 20, gun=gun, quiet=True)
    tracks = eliminate(equations(hits, fitted, detector, samples.SETTINGS))
    name = next(name for name in detector.layers if name.startswith("TIB/2/mono"))
    surface = detector.layers.index(name)
    stop = np.argmax(tracks.surface == surface, axis=1)
    met = (tracks.surface == surface).any(axis=1)
    for kind in ("u", "w", "alpha", "gamma"):
        place, step = NAMES.index(kind), STEPS[kind] / 10
        shift = np.zeros(6)
        shift[place] = step
        both = [misalign(detector, name, tuple(s * shift[:3]), tuple(s * shift[3:])) for s in (1, -1)]
        found = (moved(hits, fitted, both[0], step) + moved(hits, fitted, both[1], -step)) / 2
        expected = tracks.response[np.arange(len(stop)), :, SIZE * stop + place]
        assert agree(found[met], expected[met]), kind


def test_chi2_and_covariance_are_those_of_the_fit():
    detector = samples.telescope()
    hits, fitted = samples.fitted(detector, detector, 100)
    tracks = eliminate(equations(hits, fitted, detector, samples.SETTINGS))
    covariance = fitted.states.covariance
    assert covariance is not None
    sigma = np.sqrt(np.einsum("nii->ni", covariance))
    assert tracks.chi2 == pytest.approx(fitted.chi2, rel=ALIGNMENT_CHI2)
    assert (tracks.ndf == fitted.ndf).all()
    assert (np.abs(tracks.covariance - covariance) < ALIGNMENT_CHI2 * sigma[:, :, None] * sigma[:, None, :]).all()


def test_straight_tracks_have_one_parameter_less(tmp_path):
    """Where no field bends, q/p is none: chi2 and ndf are those of the fit."""
    detector = telescopes.telescope(tmp_path, 8, field=0.0)
    hits, fitted = samples.fitted(detector, detector, 50)
    tracks = eliminate(equations(hits, fitted, detector, samples.SETTINGS))
    assert (tracks.ndf == fitted.ndf).all()
    assert tracks.chi2 == pytest.approx(fitted.chi2, rel=ALIGNMENT_CHI2)
