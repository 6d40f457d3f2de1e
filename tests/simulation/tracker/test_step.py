"""The true way of particles: force, crossings, symmetry, chunks, statuses. Matter: `test_matter`."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from tests.detector import blocks
from tests.simulation import setups

from muonkit.core.errors import InputError
from muonkit.core.units import CURVATURE
from muonkit.detector.detector import crossed, directions, load_detector
from muonkit.detector.field import Box, Confined, MapRZ, Solenoid, Uniform
from muonkit.detector.surfaces import distance
from muonkit.detector.volumes import RHO
from muonkit.simulation.gun import Gun
from muonkit.simulation.tracker import step
from muonkit.simulation.tracker.step import Physics, follow
from muonkit.simulation.tracker.tracks import simulate_tracks

QUIET = Physics(energy_loss="none", scattering="none")
HELIX = 1e-7  # cm: ten times what the tolerance of one step allows, times ten steps
BZ = 1.0


def telescope(field=None):
    planes = (setups.plane(float(x)) for x in range(5, 65, 5))
    inside = (70.0, -40.0, 40.0)
    return setups.detector(*planes, field=Uniform((0, 0, BZ)) if field is None else field, envelope=inside)


def shape(truth, n):
    """Crossings as (tracks, surfaces); every track must have met each once, in order."""
    np.testing.assert_array_equal(truth.surface, np.tile(np.arange(n), len(truth)))
    return truth.position.reshape(-1, n, 3), truth.direction.reshape(-1, n, 3), truth.qop.reshape(-1, n)


def test_without_matter_a_track_in_a_uniform_field_is_a_helix():
    start = setups.spray(500, (0.5, 100))
    position, direction, qop = shape(follow(telescope(), start, "mu", 1, QUIET), 12)
    pt = np.hypot(start.momentum[:, 0], start.momentum[:, 1])
    kappa = (-start.charge * CURVATURE * BZ / pt)[:, None]  # d phi per transverse path
    phi0 = np.arctan2(start.momentum[:, 1], start.momentum[:, 0])[:, None]
    x = np.arange(5, 65, 5) - start.position[:, :1]
    phi = np.arcsin(np.sin(phi0) + kappa * x)
    path = (phi - phi0) / kappa
    y = start.position[:, 1:2] - (np.cos(phi) - np.cos(phi0)) / kappa
    z = start.position[:, 2:] + path * (start.momentum[:, 2] / pt)[:, None]
    np.testing.assert_allclose(position[..., 0], np.tile(np.arange(5.0, 65, 5), (500, 1)), atol=1e-9)
    np.testing.assert_allclose(position[..., 1], y, atol=HELIX)
    np.testing.assert_allclose(position[..., 2], z, atol=HELIX)
    np.testing.assert_allclose(np.arctan2(direction[..., 1], direction[..., 0]), phi, atol=1e-9)
    np.testing.assert_allclose(qop * np.linalg.norm(start.momentum, axis=1)[:, None], start.charge[:, None] + 0 * qop)


def test_without_field_and_matter_a_track_is_straight():
    start = setups.spray(100, (0.5, 100))
    position, direction, _ = shape(follow(telescope(Uniform((0, 0, 0))), start, "mu", 1, QUIET), 12)
    unit = start.momentum / np.linalg.norm(start.momentum, axis=1)[:, None]
    offset = position - start.position[:, None]
    np.testing.assert_allclose(np.cross(offset, unit[:, None]), 0, atol=1e-11)
    np.testing.assert_allclose(direction, np.broadcast_to(unit[:, None], direction.shape), atol=1e-14)


def test_in_a_solenoid_a_track_is_what_scipy_integrates():
    field = Solenoid(radius=100.0, length=240.0, B0=3.8)
    detector = setups.detector(setups.cylinder(30.0), setups.cylinder(90.0), setups.cylinder(130.0), field=field)
    start = setups.spray(8, (0.9, 20), opening=0.8)
    position, *_ = shape(follow(detector, start, "mu", 1, QUIET), 3)
    for i in range(8):
        p = np.linalg.norm(start.momentum[i])
        k = start.charge[i] * CURVATURE / p

        def slope(_, y, k=k):
            return np.concatenate((y[3:], k * np.cross(y[3:], field.value(y[None, :3])[0])))

        def arrived(_, y):
            return np.hypot(y[0], y[1]) - 130.0

        arrived.terminal = True
        y0 = np.concatenate((start.position[i], start.momentum[i] / p))
        end = solve_ivp(slope, (0, 400), y0, rtol=1e-12, atol=1e-12, method="DOP853", events=arrived)
        np.testing.assert_allclose(position[i, 2], end.y_events[0][0, :3], atol=1e-6)


def test_a_field_does_no_work_and_directions_stay_unit_vectors():
    truth = follow(telescope(Solenoid(radius=100.0, length=240.0, B0=3.8)), setups.spray(200, (1, 50)), "mu", 1, QUIET)
    p = np.linalg.norm(truth.momentum, axis=1)[truth.track]
    np.testing.assert_allclose(np.abs(truth.qop) * p, 1, rtol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(truth.direction, axis=1), 1, atol=1e-14)


def test_charge_flip_is_the_mirror_image():
    start = setups.spray(200, (0.5, 20))
    mirror = np.array([1, -1, 1])
    image = replace(start, position=start.position * mirror, momentum=start.momentum * mirror, charge=-start.charge)
    one, other = (follow(telescope(), states, "mu", 1, QUIET) for states in (start, image))
    np.testing.assert_allclose(other.position, one.position * mirror, atol=1e-9)
    np.testing.assert_allclose(other.direction, one.direction * mirror, atol=1e-11)
    np.testing.assert_array_equal(other.qop, -one.qop)
    np.testing.assert_array_equal(other.pdg_id, -one.pdg_id)


def test_every_crossing_lies_on_its_surface():
    detector = load_detector("cms_like_layers")
    truth, _ = simulate_tracks(detector, Gun(pt=(0.5, 20), eta=(-2.5, 2.5), spread=(0.01, 0.01, 5)), 300, 1)
    assert np.abs(distance(detector.surfaces, truth.surface, truth.position)).max() < 1e-9


@pytest.mark.parametrize("name", ["telescope", "cms_like_layers", "belle2"])
def test_straight_tracks_cross_the_surfaces_that_lines_cross(name):
    detector = replace(load_detector(name), field=Uniform((0, 0, 0)))
    eta, phi = np.random.default_rng(2).uniform((-2.4, -np.pi), (2.4, np.pi), (300, 2)).T
    lines = directions(eta, phi)
    start = replace(setups.beam(300, 50.0), momentum=50 * lines)
    truth = follow(detector, start, "mu", 1, QUIET)
    met = np.zeros((300, len(detector.layers)), dtype=np.int64)
    np.add.at(met, (truth.track, truth.surface), 1)
    np.testing.assert_array_equal(met, crossed(detector, lines))


def test_a_cylinder_is_crossed_twice_within_one_step():
    detector = setups.detector(setups.cylinder(50.0))
    for depth in (10.0, 0.1, 1e-3, 1e-6):  # the surface is met to 1e-10 cm, at a slope of half/50
        start = setups.beam(1, 1.0, start=(-80.0, 50.0 - depth, 0.0))
        truth = follow(detector, start, "mu", 1, QUIET)
        half = np.sqrt(2 * 50 * depth - depth**2)
        np.testing.assert_allclose(truth.position[:, 0], [-half, half], atol=1e-9 + 1e-10 * 50 / half)
    missed = follow(detector, setups.beam(1, 1.0, start=(-80.0, 50.0 + 1e-6, 0.0)), "mu", 1, QUIET)
    assert len(missed.surface) == 0


def test_a_curling_track_comes_back_through_the_cylinder():
    detector = setups.detector(setups.cylinder(10.0), field=Uniform((0, 0, 1)))
    p = 20.0 * CURVATURE  # radius of 20 cm
    truth = follow(detector, setups.beam(1, p), "mu", 1, QUIET.model_copy(update={"max_turn": 6.2}))
    np.testing.assert_allclose(np.hypot(*truth.position[:, :2].T), 10.0, atol=1e-9)
    assert len(truth.surface) == 2
    np.testing.assert_allclose(truth.position[0] * [1, -1, 1], truth.position[1] * [-1, -1, 1], atol=HELIX)


def test_surfaces_are_crossed_within_their_bounds_only():
    small = setups.plane(10.0, bounds=(-1, 1, -1, 1))
    detector = setups.detector(
        small, setups.plane(10.0, bounds=(1, 9, -9, 9)), setups.plane(10.0), setups.disc(5.0, 3.0)
    )
    start = setups.beam(3, 1.0)
    start = replace(start, momentum=np.array([[1.0, 0, 0], [1.0, 0.2, 0], [0.1, 0, 1.0]]))
    truth = follow(detector, start, "mu", 1, QUIET)
    met = [sorted(truth.surface[truth.track == i]) for i in range(3)]
    assert met == [[0, 2], [1, 2], [2, 3]]  # two planes in one place are both met


def test_a_track_that_starts_on_a_surface_has_crossed_it():
    detector = setups.detector(setups.plane(0.0), setups.plane(5.0))
    assert follow(detector, setups.beam(1, 1.0), "mu", 1, QUIET).surface.tolist() == [1]
    assert follow(detector, setups.beam(1, 1.0, along=(-1, 0, 0)), "mu", 1, QUIET).surface.tolist() == []


def test_a_field_that_begins_and_ends_at_once_is_right_on_both_sides():
    field = Confined(Uniform((0, 0, 1.5)), Box(x_min=10.0, x_max=14.7))
    detector = setups.detector(setups.plane(10.0), setups.plane(14.7), setups.plane(30.0), field=field)
    position, direction, _ = shape(follow(detector, setups.beam(1, 1.0), "mu", 1, QUIET), 3)
    sin = -4.7 * 1.5 * CURVATURE
    np.testing.assert_allclose(position[0, 0], [10, 0, 0], atol=1e-9)
    np.testing.assert_allclose(direction[0, 1:, 1], sin, atol=1e-8)
    y = -4.7 * np.tan(0.5 * np.arcsin(-sin)) + 15.3 * sin / np.sqrt(1 - sin**2)
    np.testing.assert_allclose(position[0, 2, 1], y, atol=HELIX)


def test_tracks_do_not_depend_on_the_chunk():
    detector, gun = load_detector("telescope"), Gun(p=(0.5, 20), theta=(1.4, 1.7), phi=(-0.2, 0.2))
    whole, hits = simulate_tracks(detector, gun, 60, 5)
    for first, n in ((0, 25), (25, 35), (59, 1)):
        part, some = simulate_tracks(detector, gun, n, 5, first=first)
        cut = slice(first, first + n)
        for name in ("position", "direction", "qop", "surface", "status", "pdg_id"):
            np.testing.assert_array_equal(getattr(part, name), getattr(whole[cut], name))
        np.testing.assert_array_equal(some.value, hits[cut].value)
    assert not np.array_equal(simulate_tracks(detector, gun, 60, 6)[1].value[:5], hits.value[:5])


def test_particles_have_the_codes_of_their_charge():
    detector = setups.detector(setups.plane(5.0))
    for name, code in (("mu-", 13), ("mu+", -13), ("pi-", -211), ("p+", 2212), ("d+", 1000010020)):
        truth, _ = simulate_tracks(detector, Gun(particle=name, p=5.0, eta=0.0, phi=0.0), 2, 1)
        assert truth.pdg_id.tolist() == [code, code]


def status(detector, start, physics=QUIET):
    """Of the middle one of three particles; its neighbours must not notice it."""
    good = setups.beam(1, 50.0)
    three = [
        np.concatenate((getattr(good, c), getattr(start, c), getattr(good, c)))
        for c in ("position", "momentum", "charge")
    ]
    truth = follow(detector, type(start)(*three), "mu", 1, physics)
    alone = follow(detector, good, "mu", 1, physics)
    np.testing.assert_array_equal(truth[:1].position, alone.position)
    assert truth.status[0] == truth.status[2] == alone.status[0] == step.LEFT
    return truth.status[1]


def test_a_curling_track_is_looping():
    detector = setups.detector(setups.plane(5.0), field=Uniform((0, 0, 3.8)), envelope=(500, -500, 500))
    assert status(detector, setups.beam(1, 0.3)) == step.LOOPING


def test_a_slow_track_stops_in_iron_where_its_range_ends():
    block = blocks.slices((0.0, 1.0, 101.0), (0, 1), axis=RHO)
    detector = setups.detector(setups.cylinder(2.0), setups.cylinder(90.0), volumes=block, matter=("iron",))
    physics = QUIET.model_copy(update={"energy_loss": "mean"})
    assert status(detector, setups.beam(1, 0.3), physics) == step.STOPPED
    assert follow(detector, setups.beam(1, 0.3), "mu", 1, physics).surface.tolist() == [0]


def test_a_track_that_leaves_the_map_is_out_of_it():
    r, z = np.linspace(0, 50, 6), np.linspace(-50, 50, 11)
    field = MapRZ.of(r, z, np.zeros((6, 11)), np.ones((6, 11)))
    inside = setups.detector(setups.plane(5.0), field=field, envelope=(49.0, -49.0, 49.0))
    assert status(inside, setups.beam(1, 20.0)) == step.LEFT
    wide = setups.detector(setups.plane(5.0), field=field)
    assert follow(wide, setups.beam(1, 20.0), "mu", 1, QUIET).status.tolist() == [step.OUT_OF_MAP]


def test_too_many_steps_are_told():
    detector = setups.detector(setups.plane(5.0), setups.plane(50.0))
    assert follow(detector, setups.beam(1, 1.0), "mu", 1, QUIET.model_copy(update={"max_steps": 2})).status == [
        step.STEP_LIMIT
    ]


def test_a_start_that_is_no_number_ends_there():
    bad = setups.beam(1, 1.0)
    bad.position[0, 0] = np.nan
    assert status(setups.detector(setups.plane(5.0)), bad) == step.OUT_OF_MAP


def test_every_status_has_a_message():
    assert len(step.MESSAGE) == len({step.LEFT, step.STOPPED, step.LOOPING, step.OUT_OF_MAP, step.STEP_LIMIT})


def test_electrons_that_lose_energy_are_refused():
    with pytest.raises(InputError, match="electrons radiate"):
        follow(telescope(), setups.beam(1, 1.0), "e", 1)
    assert follow(telescope(), setups.beam(1, 1.0), "e", 1, QUIET).status.tolist() == [step.LEFT]
