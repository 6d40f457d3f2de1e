"""A correction of the map of the field: it obeys Maxwell's equations, tracks see it as they should, and it is found."""

from dataclasses import replace

import numpy as np
import pytest
from tests.alignment import samples
from tests.thresholds import ALIGNMENT_DERIVATIVES, MAXWELL

from muonkit.alignment.apply import corrected, corrected_field
from muonkit.alignment.config import AlignmentSettings
from muonkit.alignment.harmonics import FieldCorrection, Harmonics
from muonkit.alignment.linear import eliminate, equations
from muonkit.alignment.parameters import SIZE, units
from muonkit.alignment.solve import solve
from muonkit.alignment.system import NormalSystem
from muonkit.core.config import parse
from muonkit.core.errors import InputError
from muonkit.core.indices import QOP
from muonkit.detector.detector import Detector, load_detector
from muonkit.detector.field import Uniform
from muonkit.simulation.gun import Gun
from muonkit.tracking.fit import fit

TERMS = Harmonics(6, 3, 280.0, 10.0, 3.8)
POINTS = np.random.default_rng(1).uniform(-1, 1, (50, 3)) * [80, 80, 250]
STEP = 1e-3
ERRORS = np.array([1e-2, 1e-2, 1e-3, 1e-3, 1e-4])  # what a difference is compared with, at least


def slope(terms: Harmonics, points: np.ndarray, step: float = 0.01) -> np.ndarray:
    """dB_i/dx_j (n, t, 3, 3) [T/cm]."""
    sides = [(terms.values(points + step * e) - terms.values(points - step * e)) / (2 * step) for e in np.eye(3)]
    return np.stack(sides, axis=-1)


def with_field(detector: Detector, terms: Harmonics, coefficients: np.ndarray) -> Detector:
    found = FieldCorrection(terms, coefficients, np.zeros((len(terms), len(terms))))
    return replace(detector, field=corrected_field(detector, found))


def test_terms_obey_maxwells_equations():
    by = slope(TERMS, POINTS)
    size = np.abs(by).max()
    assert np.abs(np.einsum("ntii->nt", by)).max() < MAXWELL * size
    assert np.abs(by - by.swapaxes(2, 3)).max() < MAXWELL * size


def test_on_the_axis_they_are_chebyshev_polynomials():
    z = np.linspace(-270, 290, 9)
    found = TERMS.values(np.column_stack((0 * z, 0 * z, z)))
    for n in range(1, 7):
        assert found[:, n - 1, 2] == pytest.approx(3.8 * np.cos(n * np.arccos((z - 10) / 280)), abs=1e-12)
    dipoles = found[:, [TERMS.names.index(name) - 1 for name in ("field x0", "field y0")]]
    assert dipoles == pytest.approx(np.tile(3.8 * np.eye(3)[:2], (9, 1, 1)))


@pytest.mark.parametrize(("name", "azimuth"), [("telescope", 1), ("cms_like_layers", 0), ("cms_like_layers", 2)])
def test_the_corrected_field_is_the_field_plus_the_terms(name, azimuth):
    detector = load_detector(name)
    terms = Harmonics.of(detector, 4, azimuth)
    values = np.random.default_rng(2).normal(size=len(terms)) * 1e-3
    points = POINTS * np.array([detector.envelope[0] / 100, detector.envelope[0] / 100, detector.envelope[2] / 280])
    changed = with_field(detector, terms, values)
    expected = detector.field.value(points) + terms.change(detector, values, points)
    assert changed.field.value(points) == pytest.approx(expected, abs=1e-8)
    twice = with_field(changed, terms, -values / (1 + values[0]))
    assert twice.field.value(points) == pytest.approx(detector.field.value(points), abs=1e-8)


def test_fits_in_a_changed_field_follow_every_term():
    """With tracks of 2 to 20 GeV over all of eta, and terms with and without azimuth."""
    detector = load_detector("cms_like_layers")
    terms = Harmonics.of(detector, 3, 2)
    gun = Gun(pt=(2, 20), distribution="log-uniform", eta=(-2.3, 2.3))
    hits, fitted = samples.fitted(detector, detector, 30, gun=gun, quiet=True)
    some = equations(hits, fitted, detector, samples.SETTINGS, harmonics=terms)
    by = eliminate(some).response.reshape(len(some), 5, -1)[:, :, -SIZE * units(len(terms)) :]
    for place in range(len(terms)):
        both = [with_field(detector, terms, sign * STEP * np.eye(len(terms))[place]) for sign in (1, -1)]
        states = [fit(hits, fitted.states, one, samples.SETTINGS).states.parameters[some.track] for one in both]
        found, expected = (states[0] - states[1]) / (2 * STEP), by[:, :, place]
        size = np.maximum(np.abs(found).max(axis=0), ERRORS * np.abs(found[:, QOP]).max() / ERRORS[QOP])
        assert (np.abs(expected - found) < ALIGNMENT_DERIVATIVES * size).all(), terms.names[place]


def test_sums_without_the_terms_are_refused():
    detector = samples.telescope()
    bare, full = NormalSystem(12), samples.sums(detector, detector, 20, harmonics=Harmonics.of(detector, 1))
    with pytest.raises(InputError, match="field_order: asks for 3 coefficients of the field, but the sums have 2"):
        solve(full, detector, AlignmentSettings(field_order=2))
    with pytest.raises(InputError, match="or another field_order, cannot be added"):
        bare.merge(full)
    with pytest.raises(InputError, match="no field in its middle"):
        AlignmentSettings(field_order=2).harmonics(replace(detector, field=Uniform((0.0, 0.0, 0.0))))
    with pytest.raises(InputError, match="field_azimuth: is for a correction of the map"):
        parse("field_azimuth = 1", AlignmentSettings)


def test_corrections_are_for_a_detector_of_one_size():
    detector = samples.telescope()
    settings = AlignmentSettings(field_order=1)
    system = samples.sums(detector, detector, 20, harmonics=settings.harmonics(detector))
    found = solve(system, detector, settings, np.array([SIZE * 12 + 1, SIZE * 12 + 5]))
    assert found.field is not None
    assert found.names == ("field z1", "no parameter")
    assert found.errors[0] == pytest.approx(found.field.errors[1])
    assert "field z1" in found.report()
    assert found.to_json()["field"]["values"]["field scale"] == found.field.values[0]
    with pytest.raises(InputError, match="a detector larger or smaller"):
        corrected(replace(detector, envelope=(70.0, -31.0, 30.0)), found)
