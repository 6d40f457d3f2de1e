"""The gains of the fit foretell what a distortion of one layer does to the fitted curvature."""

import numpy as np
import pytest
from tests.alignment import samples
from tests.thresholds import ALIGNMENT_DERIVATIVES, GAIN_FALL

from muonkit.alignment.gains import falls, gains, layer_of
from muonkit.alignment.harmonics import Harmonics
from muonkit.alignment.linear import eliminate, equations
from muonkit.core.errors import InputError
from muonkit.core.indices import QOP, THETA
from muonkit.detector.detector import load_detector
from muonkit.detector.distort import misalign
from muonkit.simulation.gun import Gun
from muonkit.tracking.fit import fit

WIDE = Gun(p=(1, 60), distribution="log-uniform", eta=(-0.05, 0.05), phi=(-0.05, 0.05))
EDGES = np.geomspace(1 / 60, 1, 13)


@pytest.fixture(scope="module")
def quiet():
    detector = samples.telescope()
    hits, fitted = samples.fitted(detector, detector, 400, gun=WIDE, quiet=True)
    tracks = equations(hits, fitted, detector, samples.SETTINGS)
    states = fitted.states.parameters[tracks.track]
    found = gains(eliminate(tracks), states, detector, layer_of(detector, 2), EDGES)
    return detector, hits, fitted, found


def curvature(fitted) -> np.ndarray:
    return fitted.states.parameters[:, QOP] / np.sin(fitted.states.parameters[:, THETA])


def test_a_field_moves_every_curvature_by_its_share(quiet):
    found = quiet[-1]
    assert found.layers[4] == "plane/05"
    assert found.terms[:, :, 0].sum(axis=1) == pytest.approx(-1, rel=ALIGNMENT_DERIVATIVES)


@pytest.mark.parametrize("plane", [1, 5, 12])
def test_a_shifted_plane_moves_curvatures_as_foretold(quiet, plane):
    detector, hits, fitted, found = quiet
    both = [
        fit(hits, fitted.states, misalign(detector, f"plane/{plane:02d}", (shift, 0, 0)), samples.SETTINGS)
        for shift in (1e-3, -1e-3)
    ]
    moved = (curvature(both[0]) - curvature(both[1])) / 2e-3  # of q k: d(q k)/du = q k d ln k/du
    place = np.digitize(np.abs(curvature(fitted)), EDGES) - 1
    mean = np.array([moved[place == b].mean() for b in range(len(EDGES) - 1) if (place == b).any()])
    expected = found.terms[:, plane - 1, 2]
    assert mean == pytest.approx(expected, abs=ALIGNMENT_DERIVATIVES * np.abs(found.terms[:, :, 2]).max())


def test_gains_fall_with_one_width_per_layer(quiet):
    """From the weights of hits to those of scattering, which act on the first and the last plane alone."""
    found = quiet[-1]
    fitted = falls(found)
    assert (fitted.misfit < GAIN_FALL).all()
    shape = fitted.rest + fitted.c / (1 + (fitted.d[:, None] * found.k[:, None, None]) ** 2)
    largest = np.abs(found.terms).max(axis=(0, 1))
    assert (np.abs(found.terms - shape).max(axis=(0, 1)) < GAIN_FALL * largest).all()
    assert np.median(fitted.misfit) < GAIN_FALL / 4
    assert np.abs(fitted.rest[:, 2]).argmax() in (0, 11)


def test_cylinders_shift_along_r_phi():
    detector = load_detector("cms_like_layers")
    gun = Gun(pt=(2, 50), distribution="log-uniform", eta=(-0.5, 0.5))
    hits, fitted = samples.fitted(detector, detector, 50, gun=gun, quiet=True)
    tracks = equations(hits, fitted, detector, samples.SETTINGS)
    states = fitted.states.parameters[tracks.track]
    found = gains(eliminate(tracks), states, detector, layer_of(detector, 2), np.array([0.02, 0.1, 0.5]))
    assert found.terms[:, :, 0].sum(axis=1) == pytest.approx(-1, rel=0.02)
    assert np.abs(found.terms[:, [name.startswith("TIB") for name in found.layers], 2]).min() > 0


def test_what_cannot_be_used_is_refused(quiet):
    detector, hits, fitted, found = quiet
    tracks = eliminate(equations(hits, fitted, detector, samples.SETTINGS))
    with pytest.raises(InputError, match="5 states for"):
        gains(tracks, fitted.states.parameters[:5], detector, layer_of(detector), EDGES)
    with pytest.raises(InputError, match="no track has 1/pT between 5 and 6"):
        gains(tracks, fitted.states.parameters, detector, layer_of(detector), np.array([5.0, 6.0]))
    few = type(found)(found.layers, found.k[:2], found.terms[:2], found.tracks[:2])
    with pytest.raises(InputError, match="a fall needs 4"):
        falls(few)


def test_coefficients_of_the_field_change_no_gains(quiet):
    detector, hits, fitted, found = quiet
    tracks = equations(hits, fitted, detector, samples.SETTINGS, harmonics=Harmonics.of(detector, 2))
    states = fitted.states.parameters[tracks.track]
    again = gains(eliminate(tracks), states, detector, layer_of(detector, 2), EDGES)
    assert again.terms == pytest.approx(found.terms, rel=1e-6, abs=1e-9)
