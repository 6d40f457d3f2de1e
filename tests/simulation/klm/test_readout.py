"""Strips, clusters and two-dimensional hits from crossings."""

import numpy as np
import pytest

from muonkit.data.klm import ENDCAP
from muonkit.detector.detector import load_detector
from muonkit.detector.surfaces import to_global, to_local
from muonkit.simulation.klm.crossings import Crossings, surface_at
from muonkit.simulation.klm.readout import Fired, KLMReadout, clusters, read_out
from muonkit.simulation.klm.strips import CENTRE, EDGE, chamber_strips, modules, scintillator_strips

BELLE2 = load_detector("belle2")
PERFECT = KLMReadout(rpc_efficiency=1.0, scintillator_efficiency=1.0)
RPC, BAR, DISC = (BELLE2.layers.index(name) for name in ("barrel/fwd/1/07", "barrel/fwd/1/00", "endcap/fwd/2/03"))


def crossing(surface, local, track=0, time=10.0, p=1.0, mass=0.10566, direction=None):
    """One crossing of a surface at local coordinates, along its normal."""
    position = to_global(BELLE2.surfaces, np.array([surface]), np.array([local], dtype=float))
    t = BELLE2.surfaces.axes[surface, 2] if direction is None else np.asarray(direction)
    columns = np.array([track]), np.array([surface]), position, p * t[None], np.array([mass]), np.array([time])
    return Crossings(*columns)


def together(*crossings):
    return Crossings(*(np.concatenate([getattr(c, name) for c in crossings]) for name in Crossings.__slots__))


@pytest.mark.parametrize("surface", [RPC, BAR, DISC])
def test_a_muon_leaves_one_hit_within_half_a_cluster(surface):
    local = [[10.3, 33.3], [10.3, 33.3], [170.1, 60.2]][[RPC, BAR, DISC].index(surface)]
    hits = read_out(crossing(surface, local), BELLE2, 1, 1, PERFECT)
    assert len(hits) == 1
    back = to_local(BELLE2.surfaces, np.array([surface]), hits.position)[0]
    pitch = modules(BELLE2).pitch[surface]
    assert np.all(np.abs(back - local) <= pitch * hits.width[0] / 2 + 1e-9)
    np.testing.assert_allclose(hits.time, 10.0)


def test_names_of_the_module_are_those_of_the_surface():
    hit = read_out(crossing(RPC, [10.3, 33.3]), BELLE2, 1, 1, PERFECT)
    assert (hit.region[0], hit.section[0], hit.sector[0], hit.layer[0]) == (0, 1, 1, 7)
    hit = read_out(crossing(DISC, [150, 150]), BELLE2, 1, 1, PERFECT)
    assert (hit.region[0], hit.section[0], hit.sector[0], hit.layer[0]) == (ENDCAP, 1, 2, 3)


def test_two_particles_in_a_module_give_all_four_combinations_and_in_two_modules_two_hits():
    pair = together(crossing(RPC, [-40.0, 50.0]), crossing(RPC, [40.0, 150.0]))
    assert len(read_out(pair, BELLE2, 1, 1, PERFECT)) == 4
    apart = together(crossing(RPC, [-40.0, 50.0]), crossing(DISC, [150.0, 150.0]))
    assert len(read_out(apart, BELLE2, 1, 1, PERFECT)) == 2
    events = together(crossing(RPC, [-40.0, 50.0]), crossing(RPC, [40.0, 150.0], track=1))
    assert len(read_out(events, BELLE2, 2, 1, PERFECT)) == 2


def test_late_particles_and_small_deposits_leave_nothing():
    assert len(read_out(crossing(RPC, [10.0, 50.0], time=1000.0), BELLE2, 1, 1, PERFECT)) == 0
    slow = crossing(BAR, [10.0, 50.0], p=0.5e-3, mass=0.511e-3)  # an electron of 0.2 MeV
    assert len(read_out(slow, BELLE2, 1, 1, PERFECT)) == 0
    assert len(read_out(slow, BELLE2, 1, 1, KLMReadout(scintillator_efficiency=1.0, threshold=1e-4))) == 1
    assert len(read_out(crossing(RPC, [10.0, 50.0], p=0.5e-3, mass=0.511e-3), BELLE2, 1, 1, PERFECT)) == 1


@pytest.mark.parametrize(("surface", "efficiency"), [(RPC, 0.9), (BAR, 0.8)])
def test_both_planes_have_their_efficiency(surface, efficiency):
    n = 4000
    many = together(*(crossing(surface, [10.0, 50.0], track=i) for i in range(n)))
    readout = KLMReadout(rpc_efficiency=0.9, scintillator_efficiency=0.8)
    expected = n * efficiency**2
    found = len(read_out(many, BELLE2, n, 1, readout))
    assert abs(found - expected) < 4 * np.sqrt(expected * (1 - efficiency**2))


@pytest.mark.parametrize("plane", [0, 1])
@pytest.mark.parametrize(("x", "table"), [(7.5, CENTRE), (7.0, EDGE)])
def test_sizes_of_clusters_have_the_frequencies_of_the_toy(x, table, plane):
    n = 50_000
    first, last = chamber_strips(np.full(n, x + 1e-9), plane, np.random.default_rng(1).random(n))
    share = np.bincount(last - first + 1, minlength=5)[1:5] / n
    expected = table[plane] / table[plane].sum()
    assert np.all(np.abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / n))
    assert np.all((first <= 7) & (last >= 7))


def test_clusters_of_chambers_are_not_biased():
    x = np.random.default_rng(2).uniform(5, 6, 200_000)
    first, last = chamber_strips(x, 0, np.random.default_rng(3).random(len(x)))
    off = (first + last + 1) / 2 - x
    assert abs(off.mean()) < 4 * off.std() / np.sqrt(len(x))
    single = first == last
    assert off[single].std() * np.sqrt(12) < 1.0


def test_a_slanted_track_fires_the_strips_that_it_passes():
    first, last = scintillator_strips(np.array([3.5, 3.5, 3.9]), np.array([0.1, 1.0, 0.3]))
    assert first.tolist() == [3, 2, 3]
    assert last.tolist() == [3, 4, 4]


def test_neighbouring_strips_become_one_cluster_and_gaps_part_them():
    fired = Fired(
        np.array([5, 5, 5, 6]), np.array([3, 4, 7, 4]), np.array([3, 5, 7, 4]), np.array([9.0, 8.0, 7.0, 6.0])
    )
    joined = clusters(fired)
    assert joined.module.tolist() == [5, 5, 6]
    assert joined.first.tolist() == [3, 7, 4]
    assert joined.last.tolist() == [5, 7, 4]
    assert joined.time.tolist() == [8.0, 7.0, 6.0]


def test_a_wide_cluster_swallows_the_narrow_ones_in_it():
    fired = Fired(np.zeros(3, int), np.array([1, 2, 6]), np.array([8, 2, 6]), np.zeros(3))
    assert clusters(fired).last.tolist() == [8]


def test_events_read_out_in_pieces_are_the_same():
    rng = np.random.default_rng(5)
    many = together(*(crossing(RPC, [rng.uniform(-90, 90), rng.uniform(5, 210)], track=i // 3) for i in range(120)))
    whole = read_out(many, BELLE2, 40, 7)
    late = many[many.track >= 20]
    late = Crossings(late.track - 20, *(getattr(late, name) for name in Crossings.__slots__[1:]))
    part = read_out(late, BELLE2, 20, 7, first=20)
    np.testing.assert_array_equal(whole.position[whole.event >= 20], part.position)
    np.testing.assert_array_equal(whole.event[whole.event >= 20], part.event)


def test_noise_is_poisson_and_lies_in_modules():
    nothing = crossing(RPC, [0.0, 100.0])[:0]
    hits = read_out(nothing, BELLE2, 3000, 1, KLMReadout(noise=2.0))
    assert abs(len(hits) - 6000) < 4 * np.sqrt(6000)
    share = 26 * 4 / (26 * 4 + 240)  # of the modules: quadrants of discs, sectors of the barrel's layers
    assert abs(np.mean(hits.region == ENDCAP) - share) < 4 * np.sqrt(share * (1 - share) / 6000)
    assert np.all(np.diff(hits.event) >= 0)
    assert np.mean(surface_at(BELLE2, hits.position) >= 0) > 0.98  # the last strip of a plane may be cut


def test_strips_are_as_many_as_fit():
    M = modules(BELLE2)
    assert M.number[RPC].tolist() in ([47, 48], [48, 49], [48, 48])
    assert M.number[BAR, 0] in (37, 38)
    assert M.number[DISC].tolist() == [81, 81]  # 4 cm each, to r = 323.7 cm
