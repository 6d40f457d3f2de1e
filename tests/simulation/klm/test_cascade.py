"""The fast simulation piece by piece: walls against the lookup of volumes, bending against a circle, decays against
their kinematics, elastic and inelastic lengths against their exponentials."""

import numpy as np
import pytest
from scipy.stats import kstest
from tests.thresholds import CHI2_FLATNESS

from muonkit.core.units import CURVATURE, MUON_MASS
from muonkit.data.klm import DECAYED, STOPPED
from muonkit.detector.detector import load_detector
from muonkit.detector.volumes import locate
from muonkit.simulation.draws import key_of
from muonkit.simulation.kernels import philox, walls
from muonkit.simulation.kernels.indices import ROW_SIZE, TX, TZ, P, X, Z
from muonkit.simulation.klm import fast
from muonkit.simulation.klm.interactions import ABSORBED, PROJECTILES
from muonkit.simulation.klm.kernels import cascade, decays, kinds, nuclear, scene, showers
from muonkit.simulation.klm.kernels.kinds import CODES, KINDS, MU_PLUS, PI_PLUS
from muonkit.simulation.klm.kernels.scene import ELASTIC, INELASTIC, KIND, LIFE, PRIMARY, SIZE

BELLE2 = load_detector("belle2")
START = (112.0, -80.0, 155.0)


def points(n, seed=1):
    """States anywhere in the yoke and the calorimeter."""
    rng = np.random.default_rng(seed)
    y = np.zeros((n, SIZE))
    r, phi = rng.uniform(120, 350, n), rng.uniform(-np.pi, np.pi, n)
    y[:, 0], y[:, 1], y[:, 2] = r * np.cos(phi), r * np.sin(phi), rng.uniform(-310, 400, n)
    t = rng.normal(size=(n, 3))
    y[:, 3:6] = t / np.linalg.norm(t, axis=1, keepdims=True)
    return y


def event(track=0, room=9):
    """With an empty stack and the dice of a track."""
    dice = philox.new_dice()
    philox.begin(dice, key_of(1), 0, track, philox.STEPS)
    whole, crossings = np.zeros((3, max(room, 1)), np.int64), np.zeros((room, ROW_SIZE))
    notes = scene.Notes(
        *(track, whole[0, :1], whole[1, :room], whole[2, :room], crossings),
        *(np.zeros(ROW_SIZE), np.zeros(1, np.int64), np.zeros(3), np.zeros(3)),
    )
    return scene.Event(scene.new_stack(), dice, notes, np.zeros(3), np.zeros((3, 3)))


def waiting(one):
    """Rows on the stack of an event."""
    return one.stack.rows[: one.stack.used[0]]


def test_the_wall_ahead_is_where_the_lookup_changes():
    V, arrays = BELLE2.volumes, BELLE2.arrays().volumes
    y = points(3000)
    block, part = locate(V, y[:, :3])
    inside = np.flatnonzero(block >= 0)
    assert len(inside) > 1000
    d = np.array([walls.ahead(arrays, block[i], part[i], y[i]) for i in inside])
    for shift, same in ((-1e-6, True), (1e-6, False)):
        path = np.maximum(d + shift, 0)
        there = locate(V, y[inside, :3] + path[:, None] * y[inside, 3:6])
        unchanged = (there[0] == block[inside]) & (there[1] == part[inside])
        assert np.all(unchanged == same)
    middle = locate(V, y[inside, :3] + 0.5 * d[:, None] * y[inside, 3:6])
    assert np.all(middle[1] == part[inside])


def test_outside_of_all_volumes_the_way_ahead_is_free():
    y = points(4000, seed=2)
    block, _ = locate(BELLE2.volumes, y[:, :3])
    out = np.flatnonzero(block < 0)
    d = np.array([walls.ahead(BELLE2.arrays().volumes, -1, -1, y[i]) for i in out])
    free = d > walls.GRAIN
    assert free.sum() > 100
    there, _ = locate(BELLE2.volumes, y[out[free], :3] + (d[free] - 1e-9)[:, None] * y[out[free], 3:6])
    assert np.all(there < 0)


def test_a_bent_step_stays_on_its_circle():
    B, y = np.array([0, 0, 1.5]), np.zeros(SIZE)
    y[TX], y[P] = 1.0, 1.0
    k = CURVATURE / y[P]
    radius = 1 / (k * 1.5)
    for _ in range(200):
        cascade.turn(B, y, 1.0, k)
    np.testing.assert_allclose(np.linalg.norm(y[:2] - [0, -radius]), radius, rtol=1e-5)
    np.testing.assert_allclose(y[3:6], [np.cos(200 / radius), -np.sin(200 / radius), 0], atol=1e-9)


def test_muons_from_pions_at_rest_have_their_momentum_and_all_directions():
    world, momenta = fast.world(BELLE2, START), []
    for i in range(2000):
        one, y = event(i), np.zeros(SIZE)
        y[TZ], y[P], y[KIND] = 1.0, 1e-9, PI_PLUS
        assert decays.decay(world, one, y) == DECAYED
        (muon,) = waiting(one)
        assert muon[KIND] == MU_PLUS
        momenta.append(muon[P] * muon[TX:P])
    momenta = np.array(momenta)
    np.testing.assert_allclose(np.linalg.norm(momenta, axis=1), 0.029792, atol=2e-6)
    assert kstest(momenta[:, 2] / 0.029792, "uniform", (-1, 2)).pvalue > CHI2_FLATNESS


def test_muons_from_moving_pions_have_the_share_that_kinematics_allows():
    world, share = fast.world(BELLE2, START), []
    mass, p = world.kinds.mass[PI_PLUS], 3.0
    for i in range(2000):
        one, y = event(i), np.zeros(SIZE)
        y[TZ], y[P], y[KIND], y[PRIMARY] = 1.0, p, PI_PLUS, 1.0
        decays.decay(world, one, y)
        share.append(np.hypot(waiting(one)[0, P], MUON_MASS) / np.hypot(p, mass))
    ratio, beta = (MUON_MASS / mass) ** 2, p / np.hypot(p, mass)
    low, high = ((1 + ratio) / 2 + sign * beta * (1 - ratio) / 2 for sign in (-1, 1))
    assert kstest(share, "uniform", (low, high - low)).pvalue > CHI2_FLATNESS


def test_particles_that_do_not_interact_lose_nothing_and_live_as_long_as_they_should():
    """Pions of 0.5 GeV in the tracker: decay lengths c tau p/m, up to the 60 cm that all of them have."""
    n = 20_000
    states = np.tile([0.0, 0, 0, 0.5, 0, 0], (n, 1))
    found = fast.simulate(BELLE2, states, np.full(n, 211), 3, 0, START)
    way = np.linalg.norm(found.end, axis=1)
    early = np.sort(way[way < 60])
    expected = n * (1 - np.exp(-60 / (780.45 * 0.5 / 0.13957)))
    assert abs(len(early) - expected) < 4 * np.sqrt(expected)
    assert np.all(found.fate[way < 60] == DECAYED)


def test_what_happens_to_one_depends_on_its_number_only():
    rng = np.random.default_rng(4)
    states = np.zeros((60, 6))
    states[:, 3:] = rng.normal((1, 0, 0), 1, (60, 3))
    codes = rng.choice([211, -211, 2212, -2212, 321, 13, -13, 11], 60)
    whole = fast.simulate(BELLE2, states, codes, 9, 100, START)
    half = fast.simulate(BELLE2, states[30:], codes[30:], 9, 130, START)
    np.testing.assert_array_equal(whole.end[30:], half.end)
    later = whole.crossings[whole.crossings.track >= 30]
    np.testing.assert_array_equal(later.position, half.crossings.position)
    assert len(later) > 50


def stopped(code, n=400):
    """Codes and kinetic energies of what comes of n particles that stop in the iron."""
    world = fast.world(BELLE2, START)
    iron = [material.name for material in BELLE2.materials].index("iron")
    events = []
    for i in range(n):
        one, y = event(i), np.zeros(SIZE)
        y[TZ], y[P], y[KIND] = 1.0, 0.001, CODES.index(code)
        assert showers.stop(world, one, y, iron) == STOPPED
        made = waiting(one)
        mass = world.kinds.mass[made[:, KIND].astype(int)]
        kinetic = np.hypot(made[:, P], mass) - mass
        events.append([(CODES[int(kind)], T) for kind, T in zip(made[:, KIND], kinetic, strict=True)])
    return events


def test_stopped_antiprotons_annihilate_into_no_more_than_two_masses():
    events = stopped(-2212)
    mesons = [sum(abs(code) == 211 for code, _ in event) for event in events]
    assert 2 < np.mean(mesons) < 4  # charged pions of an annihilation: 3, less what the nucleus keeps
    rest = {211: 0.13957, -211: 0.13957, 321: 0.49368, -321: 0.49368, 130: 0.49761}
    energy = [
        sum(T + rest.get(code, 0.0) for code, T in event if code not in (2212, 2112, 1000010020)) for event in events
    ]
    assert max(energy) < 2 * 0.93827 * 1.1
    assert np.mean(energy) > 1.0


def test_stopped_kaons_are_captured_or_decay_by_charge():
    positive, negative = stopped(321), stopped(-321)
    muons = [T for event in positive for code, T in event if code == -13]
    assert abs(len(muons) / len(positive) - 0.668) < 4 * np.sqrt(0.668 * 0.332 / len(positive))
    np.testing.assert_allclose(muons, 0.1525, atol=3e-4)  # of K -> mu nu at rest
    assert not any(code in (13, -13) for event in negative for code, _ in event)
    assert sum(len(event) > 0 for event in negative) > 0.5 * len(negative)


def test_stopped_protons_leave_nothing():
    assert not any(stopped(2212, 50))


def test_kinds_are_what_their_names_say():
    assert CODES[kinds.PROTON] == 2212
    assert CODES[kinds.DEUTERON] == 1000010020
    assert CODES[kinds.ELECTRON] == -CODES[kinds.POSITRON] == 11
    assert {CODES[i] for i in range(KINDS) if kinds.is_hadron(i)} == set(PROJECTILES.tolist())
    assert {CODES[i] for i in range(KINDS) if kinds.is_meson(i)} == {*ABSORBED, 321}
    one = kinds.kind_of(fast.world(BELLE2, START).kinds, kinds.MU_MINUS)
    assert (one.charge, one.particle.mass, one.particle.spin) == (-1, MUON_MASS, 1)


def test_a_step_ends_where_the_first_budget_runs_out():
    pion = kinds.kind_of(fast.world(BELLE2, START).kinds, PI_PLUS)
    for due, inelastic, elastic, life, way in (
        (INELASTIC, 0.5, 2.0, 1e3, 5.0),
        (ELASTIC, 0.7, 0.8, 1e3, 4.0),
        (LIFE, 0.7, 2.0, 3 * pion.particle.mass, 3.0),
        (showers.NOTHING, 2.0, 4.0, 1e3, 10.0),
    ):
        y = np.zeros(SIZE)
        y[P], y[INELASTIC], y[ELASTIC], y[LIFE] = 1.0, inelastic, elastic, life
        h, what = showers.to_next(y, 10.0, pion, nuclear.Rates(0.1, 0.2, 0.0))
        assert (h, what) == (pytest.approx(way), due)
        left = [inelastic - 0.1 * way, elastic - 0.2 * way, life - way * pion.particle.mass]
        np.testing.assert_allclose(y[[INELASTIC, ELASTIC, LIFE]], left, atol=1e-12)


def test_a_particle_remembers_the_slab_it_came_into_until_it_leaves_it():
    V = BELLE2.arrays().volumes
    y = np.zeros(SIZE)
    y[X], y[Z], y[TX] = 240.0, 20.0, 1.0
    first = scene.look_up(V, y, scene.UNKNOWN)
    assert first.slab == first.wall > 0.2
    y[X] += 0.1
    inside = scene.look_up(V, y, first)
    assert (inside.slice_, inside.slab) == (first.slice_, first.slab)
    assert inside.wall == pytest.approx(first.wall - 0.1)
    y[X] += inside.wall + cascade.NUDGE
    behind = scene.look_up(V, y, inside)
    assert behind.slice_ != first.slice_
    assert behind.slab == behind.wall


def test_a_full_stack_and_full_notes_drop_what_comes():
    world, one, y = fast.world(BELLE2, START), event(room=1), np.zeros(SIZE)
    y[TZ], y[P] = 1.0, 1.0
    for surface in (3, 4):
        scene.note(world.kinds, one.notes, y, surface, (1.0, 2.0, 3.0))
    assert one.notes.surface.tolist() == [3]
    np.testing.assert_allclose(one.notes.row[0], [1, 2, 3, 0, 0, 1, MUON_MASS, 0, 1])
    for _ in range(scene.STACK + 1):
        scene.push(world.kinds, one, y, scene.Daughter(MU_PLUS, 1.0, 0.1), False)
    assert len(waiting(one)) == scene.STACK
    assert not one.stack.rows[scene.STACK].any()
