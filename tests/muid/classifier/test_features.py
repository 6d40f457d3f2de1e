"""Features against plain loops; none of them knows the truth."""

from dataclasses import replace

import numpy as np
import pytest
from tests.muid.samples import YOKE, muons

from muonkit.data.muid import BARREL_LAYERS, LAYERS
from muonkit.muid.classifier.features import CLOSE, LAYER_NAMES, NAMES, NEAR, features, holes
from muonkit.muid.swim.crossing import HIT
from muonkit.muid.swim.extrapolate import extrapolate

N = 200


@pytest.fixture(scope="module")
def made():
    candidates, hits, _ = muons(N)
    found = extrapolate(candidates, hits, YOKE)
    return candidates, hits, found, features(candidates, hits, found)


def column(X, name):
    return X[:, NAMES.index(name)]


def test_every_feature_has_a_name_and_a_column(made):
    X = made[3]
    assert X.shape == (len(made[0]), len(NAMES))
    assert len(set(NAMES)) == len(NAMES) == 22 + len(LAYER_NAMES) * LAYERS
    assert X.dtype == np.float32


def test_features_of_the_track_are_those_of_a_plain_loop(made):
    candidates, _, found, X = made
    for i in range(0, N, 7):
        px, py, pz = candidates.states.momentum[i]
        crossed = [bit for bit in range(LAYERS) if found.tracks.ext_layer_pattern[i] >> bit & 1]
        hit = [bit for bit in crossed if found.tracks.hit_layer_pattern[i] >> bit & 1]
        gaps = [bit for bit in crossed if bit not in hit and hit and bit < hit[-1]]
        expected = {"p": np.sqrt(px**2 + py**2 + pz**2), "pt": np.hypot(px, py), "crossed": len(crossed)}
        expected |= {"hits": len(hit), "gaps": len(gaps), "ndof": found.tracks.ndof[i]}
        for name, value in expected.items():
            assert column(X, name)[i] == pytest.approx(value, rel=1e-6), name


def test_features_of_layers_are_those_of_a_plain_loop(made):
    candidates, hits, found, X = made
    for i in range(0, N, 11):
        for bit in range(LAYERS):
            layers = found.layers
            is_hit = layers.crossing[i, bit] == HIT
            assert (column(X, f"is_hit_{bit}")[i] == 1) == is_hit
            assert column(X, f"is_crossed_{bit}")[i] == found.tracks.ext_layer_pattern[i] >> bit & 1
            assert column(X, f"reached_{bit}")[i] == np.isfinite(layers.momentum[i, bit])
            assert np.isnan(column(X, f"hit_chi2_{bit}")[i]) != is_hit
            mine = (hits.event == candidates.event[i]) & (hits.layer + BARREL_LAYERS * hits.region == bit)
            if np.isnan(layers.momentum[i, bit]):
                assert np.isnan(column(X, f"near_{bit}")[i])
            else:
                distance = np.linalg.norm(hits.position[mine] - layers.position[i, bit], axis=1)
                assert column(X, f"close_{bit}")[i] == np.sum(distance < CLOSE)
                assert column(X, f"near_{bit}")[i] == np.sum(distance < NEAR)
                assert column(X, f"in_layer_{bit}")[i] == np.sum(mine)


def test_bend_and_tilt_are_the_parts_of_the_pull_in_azimuth_times_the_charge_and_in_polar_angle(made):
    candidates, hits, found, X = made
    seen = 0
    for i, bit in np.argwhere(found.layers.hit >= 0)[::13]:
        x, y, z = found.layers.position[i, bit]
        off = hits.position[found.layers.hit[i, bit]] - found.layers.position[i, bit]
        azimuth = np.array([-y, x, 0]) / np.hypot(x, y)
        polar = np.array([x * z, y * z, -(x**2) - y**2])
        polar /= np.linalg.norm(polar)
        expected = candidates.states.charge[i] * column(X, f"pull_{bit}")[i] * (off @ azimuth) / np.linalg.norm(off)
        assert column(X, f"bend_{bit}")[i] == pytest.approx(expected, rel=1e-5, abs=1e-6)
        expected = column(X, f"pull_{bit}")[i] * (off @ polar) / np.linalg.norm(off)
        assert column(X, f"tilt_{bit}")[i] == pytest.approx(expected, rel=1e-5, abs=1e-6)
        assert column(X, f"distance_{bit}")[i] == pytest.approx(np.linalg.norm(off), rel=1e-5)
        seen += 1
    assert seen > 50


def test_bends_lean_to_neither_side_for_muons_and_to_one_where_the_momentum_is_less(made):
    candidates, hits, _, X = made
    bend = column(X, "mean_bend")
    assert abs(bend.mean()) < 4 * bend.std() / np.sqrt(N)
    faster = replace(candidates, states=replace(candidates.states, momentum=1.5 * candidates.states.momentum))
    leaning = column(features(faster, hits, extrapolate(faster, hits, YOKE)), "mean_bend")
    assert abs(leaning.mean()) > 4 * leaning.std() / np.sqrt(N)


def test_all_near_is_the_sum_over_layers(made):
    X = made[3]
    near = np.stack([column(X, f"near_{bit}") for bit in range(LAYERS)], axis=1)
    np.testing.assert_allclose(column(X, "all_near"), np.nansum(near, axis=1))


def test_momentum_at_the_last_hit_is_that_predicted_there(made):
    found, X = made[2:]
    for i in range(N):
        hit = np.flatnonzero(found.layers.crossing[i] == HIT)
        left = found.layers.momentum[i, hit[-1]] if len(hit) else np.nan
        assert column(X, "p_at_last_hit")[i] == pytest.approx(left, rel=1e-6, nan_ok=True)
        assert column(X, "share_at_last_hit")[i] == pytest.approx(left / column(X, "p")[i], rel=1e-5, nan_ok=True)


def test_halves_of_tracks_are_features_where_they_were_compared(made):
    candidates, hits, found, X = made
    assert np.all(column(X, "has_halves") == 0)
    assert np.isnan(column(X, "halves_chi2")).all()
    halves = np.column_stack((np.arange(N), -np.arange(N))).astype(float)
    halves[3, 1] = np.nan
    X = features(replace(candidates, halves=halves), hits, found)
    assert np.flatnonzero(column(X, "has_halves") == 0).tolist() == [3]
    assert np.isnan(X[3, NAMES.index("halves_chi2")])
    assert (column(X, "halves_chi2")[7], column(X, "halves_pull")[7]) == (7, -7)


def test_holes_and_their_longest_run():
    crossed = np.array([[1, 1, 1, 1, 1, 1, 0, 0]] * 4 + [[1, 1, 0, 1, 1, 1, 1, 1]], dtype=bool)
    hit = np.array(
        [[1, 1, 1, 1, 1, 1, 0, 0], [1, 0, 0, 1, 0, 1, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0],
         [1, 0, 0, 0, 0, 0, 0, 1]], dtype=bool
    )  # fmt: skip
    pad = np.zeros((5, LAYERS - 8), dtype=bool)
    gaps, longest = holes(np.hstack((crossed, pad)), np.hstack((hit, pad)))
    assert gaps.tolist() == [0, 3, 0, 0, 5]
    assert longest.tolist() == [0, 2, 0, 0, 5]


def test_features_of_a_track_do_not_depend_on_the_others(made):
    candidates, hits, found, X = made
    rows = np.arange(0, N, 3)
    again = extrapolate(candidates[rows], hits, YOKE)
    np.testing.assert_array_equal(features(candidates[rows], hits, again), X[rows])
    assert len(found.tracks) == len(candidates)
