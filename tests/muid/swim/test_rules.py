"""The rules of Muid by their numbers: 1.2 start, 1.3 end, 1.4 crossings, 1.5 search of hits, 1.7 update, 1.8 patterns.

Tracks of 20 GeV are nearly straight; hits are put relative to where a track without hits is predicted."""

from dataclasses import replace

import numpy as np
import pytest
from tests.muid.planes import candidates, hits, no_hits

from muonkit.data.klm import BACKWARD, BARREL, ENDCAP, FORWARD
from muonkit.data.tracks import FreeStates
from muonkit.detector.channels import Channels, ChannelStatus, StripEfficiency
from muonkit.detector.detector import load_detector
from muonkit.muid.swim import crossing
from muonkit.muid.swim.config import MuidSettings
from muonkit.muid.swim.extrapolate import direction_of_time, extrapolate, start_states
from muonkit.muid.swim.kernels import planes
from muonkit.muid.swim.yoke import build_yoke
from muonkit.transport import status as transport

BELLE2 = load_detector("belle2")
YOKE = build_yoke(BELLE2)
LAYOUT = YOKE.layout
BARREL_TRACK = ([115.0, 5.0, 60.0], [20.0, 0.5, 2.0])
FORWARD_TRACK = ([64.0, 32.0, 150.0], [8.0, 4.0, 18.0])
BACKWARD_TRACK = ([70.0, -20.0, -80.0], [11.0, -3.0, -17.0])
OVERLAP_TRACK = ([100.0, 10.0, 120.0], [14.0, 1.5, 15.0])


def follow(track, table=None, **settings):
    """One track: its results and its layers."""
    yoke = settings.pop("yoke", None) or build_yoke(BELLE2, MuidSettings(**settings))
    found = extrapolate(candidates(*track), no_hits() if table is None else table, yoke)
    return found.tracks, found.layers


def predicted(track, bit):
    """Where a track without hits meets a layer."""
    return follow(track)[1].position[0, bit]


def hit_near(track, bit, shift, **more):
    """A hit of the barrel in the sector of the track, or of an endcap; shifted from the prediction."""
    region = BARREL if bit < 15 else ENDCAP
    section = FORWARD if predicted(track, bit)[2] > 47 else BACKWARD
    row = (region, more.get("section", section), more.get("sector", 1), bit % 15, *(predicted(track, bit) + shift))
    return row + tuple(more.get("rest", ()))


def pattern(*bits):
    return sum(1 << bit for bit in bits)


# ------------------------------------------------------------------------------------------------------------- 1.2, 1.3


def test_rule_1_2_a_neutral_track_is_followed_as_positive_and_leptons_by_their_charge():
    plus, minus = (
        follow(BARREL_TRACK)[1],
        extrapolate(candidates(*BARREL_TRACK, charge=1.0), no_hits(), YOKE).layers,
    )
    assert plus.local[0, 10, 0] != minus.local[0, 10, 0]


def test_rule_1_2_a_cosmic_is_followed_backwards_and_gains_energy():
    position, momentum = np.array(BARREL_TRACK[0]), -np.array([3.0, 0.1, 0.3])
    tracks, layers = follow((position, momentum))
    assert tracks.ext_layer_pattern[0] == pattern(*range(15))
    assert np.all(np.diff(layers.momentum[0, :15]) > 0)
    assert direction_of_time(candidates(position, momentum).states, cosmics=True) == -1


def test_rule_1_2_backwards_retraces_the_way_forwards():
    forwards = follow(([115.0, 5.0, 60.0], [3.0, 0.1, 0.3]))[1]
    end = forwards.position[0, 9]
    out = extrapolate(candidates([115.0, 5.0, 60.0], [-3.0, -0.1, -0.3], charge=1.0), no_hits(), YOKE).layers
    assert np.hypot(*(out.position[0, 9] - end)[1:]) > 0.1  # gains, where the other loses: not the same way
    zero = build_yoke(BELLE2, MuidSettings(zero_field=True, energy_loss="none"))
    there = extrapolate(candidates([115.0, 5.0, 60.0], [3.0, 0.1, 0.3]), no_hits(), zero).layers
    back = extrapolate(candidates([115.0, 5.0, 60.0], [-3.0, -0.1, -0.3]), no_hits(), zero).layers
    np.testing.assert_allclose(back.position, there.position, atol=1e-9)


def test_rule_1_2_without_field_the_covariance_is_fixed_and_p_is_10_gev():
    free, C = start_states(candidates(*BARREL_TRACK).states, zero_field=True)
    assert 1 / abs(free[0, 6]) == pytest.approx(10)
    cos2 = 1 - free[0, 5] ** 2
    np.testing.assert_allclose(np.diag(C[0]), [3.5e-3, 3.5e-3, cos2 * 5e-4, 1e-7, 5e-5])
    layers = follow(BARREL_TRACK, zero_field=True)[1]
    way = np.diff(layers.position[0, :15], axis=0)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    np.testing.assert_allclose(way, np.tile(way[0], (14, 1)), atol=1e-9)
    assert build_yoke(BELLE2, MuidSettings(zero_field=True)).rules.variance_factor == 10


def test_rule_1_3_the_target_is_the_iron_around_47_cm():
    R, low, high = BELLE2.envelope
    assert pytest.approx(353.5 / np.cos(np.pi / 8), abs=5e-3) == R
    assert (low, high) == pytest.approx((47 - 230 - 132.1, 47 + 230 + 132.1))


def test_rule_1_3_a_track_ends_when_it_has_left_stopped_or_entered_the_beam_pipe():
    for track, status in (
        (BARREL_TRACK, transport.LEFT),
        (([115.0, 5.0, 60.0], [0.8, 0.0, 0.1]), transport.STOPPED),
        (([100.0, 0.0, 20.0], [-200.0, 0.0, 0.0]), crossing.BEAM_PIPE),
    ):
        assert follow(track, cosmics=False)[0].status[0] == status


def test_rule_1_3_a_track_stops_below_2_mev_of_kinetic_energy():
    low, high = (follow(([115.0, 5.0, 60.0], [1.2, 0.0, 0.1]), min_kinetic=k)[1].momentum for k in (0.002, 0.5))
    assert np.sum(np.isfinite(low)) > np.sum(np.isfinite(high)) > 0


def test_rule_1_3_a_track_that_does_not_reach_the_klm_has_a_row_with_outcome_0():
    tracks, _ = follow(([115.0, 5.0, 60.0], [0.25, 0.0, 0.1]))
    assert (tracks.outcome[0], tracks.ext_layer_pattern[0], tracks.barrel_ext_layer[0]) == (0, 0, -1)


def test_rule_1_3_forward_means_that_the_track_ends_beyond_47_cm():
    for track, forward in ((FORWARD_TRACK, True), (BACKWARD_TRACK, False), (([115, 0, 40], [20, 0, -2]), False)):
        assert follow(track)[0].is_forward[0] == forward


def test_edge_rule_15_pt_equal_to_the_least_is_not_started():
    for pt, started in ((0.1, False), (np.nextafter(0.1, 1) + 1e-12, True)):
        status = follow(([115.0, 5.0, 60.0], [pt, 0.0, 1.0]))[0].status[0]
        assert (status != crossing.LOW_PT) == started


def test_edge_rule_16_a_start_outside_of_the_target_is_not_started():
    for place in ([383.0, 0.0, 47.0], [100.0, 0.0, 409.2], [100.0, 0.0, -315.2]):
        tracks, layers = follow((place, [20.0, 0.5, 2.0]))
        assert tracks.status[0] == crossing.OUTSIDE_START
        assert not np.any(layers.crossing)


# ------------------------------------------------------------------------------------------------------------------ 1.4


def test_rule_1_4_every_layer_is_met_exactly_on_its_plane():
    radii = np.array([203.95, *(212.9 + 9.1 * np.arange(14))])
    np.testing.assert_allclose(follow(BARREL_TRACK)[1].position[0, :15, 0], radii, atol=1e-6)
    forward = follow(FORWARD_TRACK)[1].position[0, 15:, 2]
    np.testing.assert_allclose(forward, 47 + 236.9 + 9.1 * np.arange(14), atol=1e-6)


def test_rule_1_4_the_backward_endcap_has_12_layers_and_passing_the_last_is_escaping():
    tracks, layers = follow(BACKWARD_TRACK)
    assert tracks.endcap_ext_layer[0] == 11
    assert tracks.outcome[0] == 6
    np.testing.assert_allclose(layers.position[0, 15:27, 2], 47 - 236.9 - 9.1 * np.arange(12), atol=1e-6)


def test_rule_1_4_escaped_means_crossing_the_last_instrumented_plane():
    assert follow(BARREL_TRACK)[0].outcome[0] == 3
    assert follow(FORWARD_TRACK)[0].outcome[0] == 4
    stopped = follow(([115.0, 5.0, 60.0], [1.15, 0.0, 0.1]))[0]
    assert stopped.outcome[0] == 1
    assert 0 < stopped.barrel_ext_layer[0] < 14


def test_rule_1_4_a_track_may_meet_the_barrel_and_then_an_endcap():
    tracks, _ = follow(OVERLAP_TRACK)
    b, e = tracks.barrel_ext_layer[0], tracks.endcap_ext_layer[0]
    assert b >= 0
    assert e >= 0
    assert tracks.outcome[0] in (7 + b, 37 + b)


def test_edge_rule_18_azimuth_337_5_belongs_to_sector_0():
    for degrees, sector in ((337.5, 0), (337.4999, 7), (-22.5, 0), (22.4999, 0), (22.5, 1), (180.0, 4)):
        assert planes.sector_at(np.radians(degrees), LAYOUT.phi0, 8) == sector


def test_rule_1_4_a_layer_is_never_met_twice():
    curling = ([115.0, 0.0, 47.0], [0.5, 0.35, 0.05])
    layers = follow(curling, species="e")[1]
    assert np.sum(layers.crossing > 0) == len(set(layers.surface[layers.crossing > 0]))


# ------------------------------------------------------------------------------------------------------------------ 1.5


def test_rule_1_5_a_hit_on_the_track_matches_with_chi2_0():
    tracks, layers = follow(BARREL_TRACK, hits(hit_near(BARREL_TRACK, 3, 0)))
    assert tracks.hit_layer_pattern[0] == pattern(3)
    assert tracks.ndof[0] == 2
    assert tracks.chi2[0] < 1e-12
    assert (tracks.barrel_hit_layer[0], tracks.endcap_hit_layer[0]) == (3, -1)
    assert layers.hit[0, 3] == 0


@pytest.mark.parametrize(("time", "found"), [(0.0, True), (30.0, True), (-30.0, True), (30.001, False)])
def test_rule_1_5_hits_count_within_the_time_window(time, found):
    table = hits((*hit_near(BARREL_TRACK, 3, 0), time, 1.0, 1.0))
    assert bool(follow(BARREL_TRACK, table, max_dt=30.0)[0].hit_layer_pattern[0]) == found
    moved = hits((*hit_near(BARREL_TRACK, 3, 0), time + 500.0, 1.0, 1.0))
    assert bool(follow(BARREL_TRACK, moved, max_dt=30.0, mean_dt=500.0)[0].hit_layer_pattern[0]) == found


@pytest.mark.parametrize(("off", "found"), [(1.999, True), (-1.999, True), (2.001, False)])
def test_rule_1_5_a_hit_is_in_the_plane_within_2_cm(off, found):
    for track, bit, normal in ((BARREL_TRACK, 4, [1, 0, 0]), (FORWARD_TRACK, 19, [0, 0, 1])):
        along = np.array(track[1]) / np.linalg.norm(track[1])
        shift = along * off / np.dot(along, normal)
        assert bool(follow(track, hits(hit_near(track, bit, shift)))[0].hit_layer_pattern[0]) == found


def test_rule_1_5_only_the_nearest_hit_is_tried_not_that_of_the_least_chi2():
    sigma = np.sqrt(follow(BARREL_TRACK)[1].covariance[0, 3, 0] + BELLE2.surfaces.sigma[LAYOUT.barrel[1, 0, 3]] ** 2)
    near, far = hit_near(BARREL_TRACK, 3, [0, 0, 4.0 * sigma[1]]), hit_near(BARREL_TRACK, 3, [0, 0, -4.1 * sigma[1]])
    inside = hit_near(BARREL_TRACK, 3, [0, 3.0 * sigma[0], -2.9 * sigma[1]])
    distance = [np.hypot(*(np.array(row[4:]) - predicted(BARREL_TRACK, 3))[1:]) for row in (near, inside)]
    assert distance[0] < distance[1]  # the hit that would pass the gate is further away
    layers = follow(BARREL_TRACK, hits(far, near, inside))[1]
    assert layers.crossing[0, 3] == crossing.NO_MATCH
    assert layers.hit[0, 3] == 1


def test_edge_rule_14_of_two_hits_at_the_same_distance_the_first_is_taken():
    one, two = hit_near(BARREL_TRACK, 3, [0, 1.0, 0]), hit_near(BARREL_TRACK, 3, [0, 1.0, 0])
    assert follow(BARREL_TRACK, hits(one, two))[1].hit[0, 3] == 0
    assert follow(BARREL_TRACK, hits(hit_near(BARREL_TRACK, 3, [0, 2.0, 0]), one, two))[1].hit[0, 3] == 1


def test_rule_1_5_endcap_hits_are_of_the_same_end():
    row = hit_near(FORWARD_TRACK, 18, 0)
    assert follow(FORWARD_TRACK, hits(row))[0].ndof[0] == 2
    assert follow(FORWARD_TRACK, hits((ENDCAP, BACKWARD, *row[2:])))[0].ndof[0] == 0


def near_the_edge():
    """A barrel track that crosses layer 5 a few cm before the edge between sectors 1 and 2, and a point of the plane of
    sector 2 on its straight way, with the path there."""
    R = 249.3
    y = R * np.tan(np.pi / 8) - 3.0
    track = ([115.0, y - 0.05 * (R - 115.0), 60.0], [20.0, 1.0, 2.0])
    point, t = predicted(track, 5), np.array(track[1]) / np.linalg.norm(track[1])
    n = np.array([np.cos(np.pi / 4), np.sin(np.pi / 4), 0])
    q = (R - point @ n) / (t @ n)
    return track, point + t * q, q


def test_edge_rule_19_a_hit_in_an_adjacent_sector_within_15_cm_matches():
    track, point, q = near_the_edge()
    assert 2.0 < abs(q) < 15.0
    row = (BARREL, FORWARD, 2, 5, *point)
    tracks, layers = follow(track, hits(row))
    assert tracks.hit_layer_pattern[0] == pattern(5)
    assert layers.chi2[0, 5] < 0.05  # straight on between the planes, the track bends a little
    assert follow(track, hits((BARREL, FORWARD, 3, 5, *point)))[0].hit_layer_pattern[0] == 0


def test_edge_rule_17_a_track_parallel_to_a_plane_has_no_match():
    flat = ([203.95, 0.0, 100.0], [1e-9, 1.0, 0.2])
    tracks, _ = follow(flat)
    assert not tracks.hit_layer_pattern[0] & 1


# ------------------------------------------------------------------------------------------------------------------ 1.7


@pytest.mark.parametrize(("match", "found"), [("both", False), ("either", True)])
def test_rule_1_7_the_gate_asks_for_both_coordinates_the_documentation_for_one(match, found):
    far = hits(hit_near(BARREL_TRACK, 3, [0, 30.0, 0]))
    assert bool(follow(BARREL_TRACK, far, match=match)[0].hit_layer_pattern[0]) == found


def test_rule_1_7_a_hit_pulls_the_track_and_the_next_prediction():
    table = hits(hit_near(BARREL_TRACK, 3, [0, 1.0, 0]))
    free, pulled = follow(BARREL_TRACK)[1], follow(BARREL_TRACK, table)[1]
    assert 0 < pulled.local[0, 4, 0] - free.local[0, 4, 0] < 1.0
    assert pulled.covariance[0, 4, 0] < free.covariance[0, 4, 0]
    np.testing.assert_allclose(pulled.momentum[0, 4], free.momentum[0, 4], rtol=1e-5)


def test_edge_rule_11_an_update_that_leaves_the_region_sets_the_bit_but_not_ndof():
    steep = ([100.0, 0.0, 200.0], [10.0, 0.0, 3.6])
    bit = 3
    far = [0, 0, 277.0 - predicted(steep, bit)[2] + 15.0]
    wide = candidates(*steep, sigma=(5.0, 0.1))
    table = hits(hit_near(steep, bit, far))
    found = extrapolate(wide, table, build_yoke(BELLE2, MuidSettings(max_sigma=3.5)))
    assert found.layers.crossing[0, bit] == crossing.LEFT_REGION
    assert found.tracks.hit_layer_pattern[0] == pattern(bit)
    assert (found.tracks.ndof[0], found.tracks.chi2[0]) == (0, 0.0)
    assert found.tracks.barrel_hit_layer[0] == bit


# ------------------------------------------------------------------------------------------------------------------ 1.8

CRACK = ([115.0, 115.0 * np.tan(np.pi / 8), 60.0], [20.0, 20.0 * np.tan(np.pi / 8), 2.0])


def test_rule_1_8_bits_0_to_14_are_the_barrel_and_15_to_28_the_endcaps():
    assert follow(BARREL_TRACK)[0].ext_layer_pattern[0] == pattern(*range(15))
    assert follow(FORWARD_TRACK)[0].ext_layer_pattern[0] == pattern(*range(15, 29))


def test_rule_1_8_in_a_crack_of_the_barrel_nothing_is_recorded_but_the_track_escapes():
    tracks, layers = follow(CRACK)
    assert np.all(layers.crossing[0, :15] == crossing.CRACK)
    assert (tracks.ext_layer_pattern[0], tracks.barrel_ext_layer[0]) == (0, -1)
    assert tracks.outcome[0] == 0


def test_rule_1_8_a_gap_of_an_endcap_advances_the_last_layer_a_crack_of_the_barrel_does_not():
    tracks, layers = follow(([48.6, 0.0, 150.0], [6.48, 0.0, 20.0]))
    assert 128 < layers.position[0, 28, 0] < 132.5
    assert layers.crossing[0, 28] == crossing.DEAD
    assert (tracks.endcap_ext_layer[0], tracks.ext_layer_pattern[0], tracks.outcome[0]) == (13, 0, 4)
    assert tracks.efficiency[0, 28] == 0


def yoke_with(dead=(), modules=None):
    status = ChannelStatus.model_validate({"schema": "KLMChannelStatus/1", "dead": dead})
    efficiency = None
    if modules is not None:
        efficiency = StripEfficiency.model_validate({"schema": "KLMStripEfficiency/1", "modules": modules})
    return YOKE.with_channels(Channels(status, efficiency))


def barrel_module(layer, **more):
    return {"region": "barrel", "section": "fwd", "sector": 1, "layer": layer} | more


def test_edge_rule_07_a_dead_layer_has_no_bit_and_efficiency_0_but_it_counts_as_last():
    low = BELLE2.surfaces.bounds[LAYOUT.barrel[1, 0, 14]]
    z = follow(BARREL_TRACK)[1].local[0, 14, 1]
    pitch = BELLE2.surfaces.sigma[LAYOUT.barrel[1, 0, 14], 1] * np.sqrt(12 / 0.55)
    assert pitch == pytest.approx(4.52, abs=5e-3)
    strip = int((z - low[2]) / pitch) + 1
    for one, is_dead in ((strip, True), (strip + 1, False)):
        tracks, layers = follow(BARREL_TRACK, yoke=yoke_with([barrel_module(14, plane=1, strips=[one])]))
        assert (layers.crossing[0, 14] == crossing.DEAD) == is_dead
        assert tracks.ext_layer_pattern[0] == pattern(*range(14 if is_dead else 15))
        assert tracks.efficiency[0, 14] == (0.0 if is_dead else 1.0)
        assert tracks.barrel_ext_layer[0] == 14


def test_rule_1_8_a_dead_strip_of_a_quadrant_is_dead_there_only():
    x = predicted(FORWARD_TRACK, 20)[0]
    for sector, is_dead in ((2, True), (1, False)):  # sector 1 of the forward endcap has x < 0
        strip = int(abs(x) / (1.155 * np.sqrt(12))) + 1
        dead = [{"region": "endcap", "section": "fwd", "sector": sector, "layer": 5, "plane": 0, "strips": [strip]}]
        layers = follow(FORWARD_TRACK, yoke=yoke_with(dead))[1]
        assert (layers.crossing[0, 20] == crossing.DEAD) == is_dead


def test_rule_1_8_a_hit_in_a_dead_strip_counts():
    dead = yoke_with([barrel_module(3, plane=0, strips=list(range(1, 37)))])
    tracks, _ = follow(BARREL_TRACK, hits(hit_near(BARREL_TRACK, 3, 0)), yoke=dead)
    assert tracks.hit_layer_pattern[0] == pattern(3)


def test_rule_1_8_the_efficiency_of_a_layer_is_the_product_of_its_two_planes():
    modules = [barrel_module(layer, planes=[0.9, 0.8]) for layer in range(15)]
    tracks, _ = follow(BARREL_TRACK, yoke=yoke_with(modules=modules))
    np.testing.assert_allclose(tracks.efficiency[0, :15], 0.72)
    np.testing.assert_allclose(tracks.efficiency[0, 15:], 1.0)


def test_edge_rule_20_a_missing_efficiency_is_nan_for_the_likelihood_to_see():
    tracks, _ = follow(BARREL_TRACK, yoke=yoke_with(modules=[barrel_module(3, planes=[0.9, 0.8])]))
    assert np.isnan(tracks.efficiency[0, [0, 1, 2, *range(4, 15)]]).all()
    assert tracks.efficiency[0, 3] == pytest.approx(0.72)


def test_hits_and_tracks_are_symmetric_under_charge_and_reflection():
    states = candidates(*BARREL_TRACK).states
    mirrored = FreeStates(states.position * [1, -1, 1], states.momentum * [1, -1, 1], -states.charge, states.covariance)
    one = extrapolate(candidates(*BARREL_TRACK), no_hits(), YOKE).layers
    other = extrapolate(replace(candidates(*BARREL_TRACK), states=mirrored), no_hits(), YOKE).layers
    np.testing.assert_allclose(other.local[0, :15], one.local[0, :15] * [-1, 1], atol=1e-6)
    np.testing.assert_allclose(other.covariance[0, :15], one.covariance[0, :15] * [1, -1, 1], rtol=1e-6, atol=1e-8)


def test_a_track_does_not_depend_on_those_before_it():
    where = candidates([-58.4, 13.6, 86.9], [-0.452, 0.245, 0.732])
    again = replace(where, event=np.zeros(3, int), track=np.arange(3), states=where.states[np.zeros(3, int)])
    layers = extrapolate(again, no_hits(), YOKE).layers
    for row in (1, 2):
        assert np.array_equal(layers.covariance[row], layers.covariance[0], equal_nan=True)
        assert np.array_equal(layers.position[row], layers.position[0], equal_nan=True)
