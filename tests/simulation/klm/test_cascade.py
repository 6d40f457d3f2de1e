"""The fast simulation piece by piece: walls against the lookup of volumes, bending against a circle, decays against
their kinematics, elastic and inelastic lengths against their exponentials."""

import numpy as np
from scipy.stats import kstest
from tests.thresholds import CHI2_FLATNESS

from muonkit.detector.detector import load_detector
from muonkit.detector.volumes import locate
from muonkit.simulation.draws import key_of
from muonkit.simulation.kernels import philox, walls
from muonkit.simulation.klm import fast
from muonkit.simulation.klm.interactions import CODES
from muonkit.simulation.klm.kernels import cascade, showers
from muonkit.simulation.klm.kernels.cascade import KIND, PRIMARY, SIZE, STACK, P

BELLE2 = load_detector("belle2")
START = (112.0, -80.0, 155.0)
PION, MUON = 2, 0
EMPTY = cascade.Notes(
    np.zeros(1, np.int64), np.zeros(9, np.int64), np.zeros(9, np.int64), np.zeros((9, 9)), np.zeros(9), np.zeros(3)
)


def points(n, seed=1):
    """States anywhere in the yoke and the calorimeter."""
    rng = np.random.default_rng(seed)
    y = np.zeros((n, SIZE))
    r, phi = rng.uniform(120, 350, n), rng.uniform(-np.pi, np.pi, n)
    y[:, 0], y[:, 1], y[:, 2] = r * np.cos(phi), r * np.sin(phi), rng.uniform(-310, 400, n)
    t = rng.normal(size=(n, 3))
    y[:, 3:6] = t / np.linalg.norm(t, axis=1, keepdims=True)
    return y


def scratch():
    return cascade.Scratch(np.zeros((STACK + 1, SIZE)), np.zeros(1, np.int64), np.zeros(3), np.zeros((3, 3)))


def dice(track, seed=1):
    one = philox.new_dice()
    philox.begin(one, key_of(seed), 0, track, philox.STEPS)
    return one


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
    s, y = scratch(), np.zeros(SIZE)
    s.B[:] = 0, 0, 1.5
    y[3], y[P] = 1.0, 1.0
    k = 0.00299792458 / y[P]
    radius = 1 / (k * 1.5)
    for _ in range(200):
        cascade.turn(s, y, 1.0, k)
    np.testing.assert_allclose(np.linalg.norm(y[:2] - [0, -radius]), radius, rtol=1e-5)
    np.testing.assert_allclose(y[3:6], [np.cos(200 / radius), -np.sin(200 / radius), 0], atol=1e-9)


def test_muons_from_pions_at_rest_have_their_momentum_and_all_directions():
    world, momenta = fast.world(BELLE2, START), []
    for i in range(2000):
        s, y = scratch(), np.zeros(SIZE)
        y[5], y[P], y[KIND] = 1.0, 1e-9, PION
        showers.decay(world, y, s, dice(i), EMPTY)
        assert s.used[0] == 1
        assert s.stack[0, KIND] == MUON
        momenta.append(s.stack[0, P] * s.stack[0, 3:6])
    momenta = np.array(momenta)
    np.testing.assert_allclose(np.linalg.norm(momenta, axis=1), 0.029792, atol=2e-6)
    assert kstest(momenta[:, 2] / 0.029792, "uniform", (-1, 2)).pvalue > CHI2_FLATNESS


def test_muons_from_moving_pions_have_the_share_that_kinematics_allows():
    world, share = fast.world(BELLE2, START), []
    mass, p = world.kinds.mass[PION], 3.0
    for i in range(2000):
        s, y = scratch(), np.zeros(SIZE)
        y[5], y[P], y[KIND], y[PRIMARY] = 1.0, p, PION, 1.0
        showers.decay(world, y, s, dice(i), EMPTY)
        share.append(np.hypot(s.stack[0, P], world.kinds.mass[MUON]) / np.hypot(p, mass))
    ratio, beta = (world.kinds.mass[MUON] / mass) ** 2, p / np.hypot(p, mass)
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
    assert np.all(found.fate[way < 60] == 2)


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
        s, y = scratch(), np.zeros(SIZE)
        y[5], y[P], y[KIND] = 1.0, 0.001, CODES.index(code)
        assert showers.stop(world, y, iron, s, dice(i), EMPTY) == cascade.STOPPED
        made = s.stack[: s.used[0]]
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
