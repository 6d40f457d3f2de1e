"""Trackers in Geant4: the same surfaces at the same places as in the own engine, and the same losses and scattering."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tests.simulation import setups
from tests.thresholds import GEANT4_MEDIAN, GEANT4_PLACE, GEANT4_SHIFT, GEANT4_WIDTH

from muonkit.data.truth import ENDS
from muonkit.detector.detector import load_detector
from muonkit.detector.distort import Misalign, ScaleField, distorted
from muonkit.detector.surfaces import distance
from muonkit.simulation.gun import Gun, shoot
from muonkit.simulation.tracker import by_geant4, step
from muonkit.simulation.tracker.by_geant4 import Geant4Job

OFF = ("muIoni", "msc", "muBrems", "muPairProd", "CoulombScat", "muonNuclear", "Decay")
KNOBS = (ScaleField(factor=0.99), Misalign(layers="*", translation=(0.1, 0.05, 0.02), rotation=(0.01, 0.0, 0.0)))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    if find_spec("geant4_pybind") is None:
        pytest.skip("geant4_pybind is not installed")
    from tests.oracles.geant4_iron import MissingError, environment

    folder = tmp_path_factory.mktemp("data")
    try:
        environment(folder)
    except MissingError as error:
        pytest.skip(str(error))
    return folder


@cache
def both(data: Path, pt, n, off=(), knobs=(), name="cms_like_layers", phi=(-np.pi, np.pi)):
    """The ways of n muons through a tracker by Geant4 and by the own engine."""
    detector = distorted(load_detector(name), knobs)
    eta = (-2.2, 2.2) if name == "cms_like_layers" else (-0.2, 0.2)
    start = shoot(Gun(particle="mu", pt=pt, eta=eta, phi=phi), n, 1)
    theirs = by_geant4.follow(Geant4Job(name, knobs, data, 1e-3, off), detector, start, "mu", 5, np.pi)
    quiet = {"energy_loss": "none", "scattering": "none"}
    full = {"scattering": "tails", "radiation": True}
    return detector, theirs, step.follow(detector, start, "mu", 1, step.Physics(**quiet if off else full))


@pytest.mark.slow
@pytest.mark.parametrize("knobs", [(), KNOBS], ids=["as it is", "distorted"])
def test_without_matter_both_engines_cross_the_same_surfaces_at_the_same_places(data, knobs):
    detector, theirs, ours = both(data, (0.8, 50.0), 60, OFF, knobs)
    np.testing.assert_array_equal(theirs.surface, ours.surface)
    np.testing.assert_array_equal(theirs.offsets, ours.offsets)
    assert np.abs(distance(detector.surfaces, theirs.surface, theirs.position)).max() < GEANT4_PLACE
    assert np.quantile(np.linalg.norm(theirs.position - ours.position, axis=1), 0.99) < GEANT4_PLACE
    np.testing.assert_allclose(theirs.qop, ours.qop, rtol=1e-9)


@pytest.mark.slow
def test_planes_are_where_they_are_in_the_own_engine(data):
    _, theirs, ours = both(data, (0.8, 50.0), 60, OFF, KNOBS, "telescope", (-0.2, 0.2))
    assert len(ours.surface) > 300
    np.testing.assert_array_equal(theirs.surface, ours.surface)
    np.testing.assert_allclose(theirs.position, ours.position, atol=GEANT4_PLACE)


def lost(truth):
    """Momentum lost up to the last crossing [GeV]."""
    return np.linalg.norm(truth.momentum, axis=1) - 1 / np.abs(truth.qop[truth.offsets[1:] - 1])


@pytest.mark.slow
def test_both_engines_lose_and_scatter_alike(data):
    _, theirs, ours = both(data, 10.0, 1500)
    assert np.median(lost(theirs)) == pytest.approx(np.median(lost(ours)), rel=GEANT4_MEDIAN)
    assert np.array_equal(theirs.status, np.full(1500, ENDS.index("left")))
    spread = [np.subtract(*np.quantile(bent(truth), [0.84, 0.16])) for truth in (theirs, ours)]
    assert spread[0] == pytest.approx(spread[1], rel=GEANT4_WIDTH)


@pytest.mark.slow
@pytest.mark.parametrize("eta", [(-0.9, 0.9), (1.4, 2.2)])
def test_the_improved_fit_shifts_tracks_of_geant4_no_more_than_own_ones(data, eta):
    """Exact hits of muons that do not scatter: a tenth of the loss is 3e-4 in the barrel."""
    from tests.oracles.geant4_audit import even_and_odd, fitted, in_geant4

    even, odd = even_and_odd(fitted(in_geant4(3.0, eta, 400, data)))
    assert abs(even.value) < GEANT4_SHIFT + 3 * even.error
    assert abs(odd.value) < GEANT4_SHIFT + 3 * odd.error


def bent(truth):
    """Change of the polar angle up to the last crossing [rad]: the field does not bend it."""
    p = truth.momentum / np.linalg.norm(truth.momentum, axis=1)[:, None]
    t = truth.direction[truth.offsets[1:] - 1]
    return np.arctan2(np.hypot(t[:, 0], t[:, 1]), t[:, 2]) - np.arctan2(np.hypot(p[:, 0], p[:, 1]), p[:, 2])


def test_points_of_a_slab_are_moved_along_the_track_to_its_surface():
    detector = setups.detector(setups.plane(5.0), setups.cylinder(4.0))
    t = np.array([[0.6, 0.8, 0.0], [1.0, 0.0, 0.0]])
    x = by_geant4.on_surface(detector, np.array([0, 1]), np.array([[4.97, 1.0, 2.0], [3.995, 0.0, 2.0]]), t)
    np.testing.assert_allclose(x, [[5.0, 1.04, 2.0], [4.0, 0.0, 2.0]])


def test_tracks_end_where_they_leave_the_envelope_or_have_turned_too_much():
    detector = setups.detector(setups.plane(5.0), envelope=(10.0, -10.0, 10.0))
    start = setups.beam(3, 1.0)
    track = np.array([0, 0, 0, 2, 2, 2])
    x = np.zeros((6, 3))
    x[1] = 0.0, 0.0, 11.0
    angle = np.array([0.1, 0.2, 0.1, 1.0, 2.0, 3.5])
    t = np.stack((np.cos(angle), np.sin(angle), np.zeros(6)), axis=1)
    kept, loops = by_geant4.before_the_end(detector, track, x, t, start, 3.0)
    assert kept.tolist() == [True, False, False, True, True, False]
    assert loops.tolist() == [False, False, True]


def test_tracks_without_crossings_are_in_order():
    detector = setups.detector(setups.plane(5.0))
    none = np.zeros((0, 3))
    kept, loops = by_geant4.before_the_end(detector, np.zeros(0, np.int64), none, none, setups.beam(2, 1.0), 3.0)
    assert not len(kept)
    assert not loops.any()
