"""Passed and total against plain loops, intervals, sums of pieces."""

from itertools import pairwise

import numpy as np
from scipy.stats import binom
from tests.muid.performance.test_score import config, floats
from tests.muid.performance.toys import TOY, identified, truth

from muonkit.data.klm import DECAYED
from muonkit.muid.likelihood.hypotheses import HYPOTHESES
from muonkit.muid.performance.boxes import boxes
from muonkit.muid.performance.counts import DELTA, count_tracks
from muonkit.muid.performance.labelled import labelled, selected
from muonkit.muid.performance.rates import ONE_SIGMA, place, rate, wrapped

EVERY = ("e", "mu", "pi", "K", "p", "d")


def some(n=4000, seed=1, choice=None):
    rng = np.random.default_rng(seed)
    true = truth(n, rng, EVERY)
    return labelled(floats(identified(true, rng)), true, choice or config())


def test_passed_and_total_are_those_of_plain_loops():
    choice, tracks = config(), some(2000)
    found = count_tracks(tracks, choice).rates
    used = tracks[selected(tracks, choice.selection)]
    for name in ("p", "theta", "phi"):
        edges, sums = getattr(choice.binning, name), getattr(found, name)
        total, passed = np.zeros((6, len(edges) - 1), int), np.zeros((3, 6, len(edges) - 1), int)
        for value, s, score in zip(getattr(used, name), used.species, used.scores[:, 0], strict=True):
            for i, (low, high) in enumerate(pairwise(edges)):
                if low <= value < high:
                    total[s, i] += 1
                    passed[:, s, i] += [score > cut for cut in choice.cuts]
        np.testing.assert_array_equal(sums.total, total)
        np.testing.assert_array_equal(sums.passed, passed)
        assert total.sum() == len(used)


def test_the_map_sums_to_the_rates_and_ends_sum_to_all():
    choice, tracks = config(), some()
    found = count_tracks(tracks, choice).rates
    muon = HYPOTHESES.index("mu")
    np.testing.assert_array_equal(found.map.total.sum(axis=0), found.phi.total[muon])
    np.testing.assert_array_equal(found.map.passed.sum(axis=1), found.phi.passed[:, muon])
    np.testing.assert_array_equal(found.ends.passed.sum(axis=2), found.p.passed)
    used = tracks[selected(tracks, choice.selection)]
    pions = used.species == HYPOTHESES.index("pi")
    assert found.ends.total[HYPOTHESES.index("pi"), 1].sum() == np.sum(used.fate[pions] == DECAYED) > 0


def leaves(value):
    """All arrays of nested sums."""
    if value is None:
        return []
    if isinstance(value, np.ndarray):
        return [value]
    return [leaf for name in value.__dataclass_fields__ for leaf in leaves(getattr(value, name))]


def test_pieces_add_up_to_the_whole():
    choice = config('[payload]\nfile = "x"')
    tracks = some(choice=choice)
    whole = count_tracks(tracks, choice, TOY)
    parts = count_tracks(tracks[:1000], choice, TOY) + count_tracks(tracks[1000:1001], choice, TOY)
    parts += count_tracks(tracks[1001:], choice, TOY)
    pairs = list(zip(leaves(whole), leaves(parts), strict=True))
    assert len(pairs) > 25
    for mine, theirs in pairs:
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-9)


def test_intervals_cover_at_least_what_they_claim_for_every_probability():
    for n in (1, 7, 60):
        passed = np.arange(n + 1)
        found = rate(passed, np.full(n + 1, n))
        for p in (0.01, 0.1, 0.5, 0.93):
            inside = (found.low <= p) & (p <= found.high)
            assert np.sum(binom.pmf(passed, n, p)[inside]) >= ONE_SIGMA


def test_a_bin_without_tracks_has_no_rate():
    found = rate(np.array([0, 0, 5]), np.array([0, 5, 5]))
    assert np.isnan([found.value[0], found.low[0], found.high[0]]).all()
    assert (found.value[1], found.low[1], found.value[2], found.high[2]) == (0, 0, 1, 1)
    assert found.high[1] > 0
    assert found.low[2] < 1


def test_phi_is_turned_into_the_range_of_the_edges():
    assert wrapped(np.array([-170.0, 10.0, 180.0]), (0.0, 360.0)).tolist() == [190.0, 10.0, 180.0]
    assert wrapped(np.array([180.0]), (-180.0, 180.0)).tolist() == [-180.0]
    assert place(np.array([0.0, 0.5, 1.0]), (0.0, 0.5, 1.0)).tolist() == [0, 1, 2]


def test_boxes_have_the_quartiles_and_the_mean_of_the_finite_ones():
    choice, tracks = config("[binning]\np = [0.5, 5]"), some()
    found = boxes(count_tracks(tracks, choice).boxes, HYPOTHESES.index("mu"), DELTA)
    used = tracks[selected(tracks, choice.selection)]
    score = used.scores[used.species == HYPOTHESES.index("mu"), 0]
    finite = score[np.isfinite(score)]
    assert found.tracks.tolist() == [len(score)]
    assert found.without_score.tolist() == [len(score) - len(finite)]
    assert found.least.tolist() == [finite.min()]
    assert found.greatest.tolist() == [finite.max()]
    np.testing.assert_allclose(found.mean, finite.mean(), rtol=1e-12)
    for name, share in (("lower_quartile", 0.25), ("median", 0.5), ("upper_quartile", 0.75)):
        assert abs(getattr(found, name)[0] - np.quantile(score, share)) < 0.3


def test_confusion_and_layers_are_those_of_plain_loops():
    choice, tracks = config("[selection]\nreached = false"), some()
    found = count_tracks(tracks, choice)
    used = tracks[selected(tracks, choice.selection)]
    matrix, layers = np.zeros((6, 7), int), np.zeros((6, 30), int)
    for j in range(len(used)):
        q, t = used.probability[j], used.tracks
        matrix[used.species[j], 6 if np.isnan(q).any() else np.argmax(q)] += 1
        b, e, bh, eh = (int(getattr(t, n)[j]) for n in ("barrel_ext_layer", "endcap_ext_layer", "barrel_hit_layer",
                                                        "endcap_hit_layer"))  # fmt: skip
        layers[used.species[j], b + e + 1 - (bh if eh == -1 else b + eh + 1)] += 1
    np.testing.assert_array_equal(found.confusion, matrix)
    np.testing.assert_array_equal(found.differences, layers)
    assert matrix[:, 6].sum() > 0
    muon = HYPOTHESES.index("mu")
    assert np.argmax(found.differences[muon]) == 0
    assert np.argmax(matrix[muon]) == muon


def test_delta_at_the_cut_does_not_pass_and_tracks_without_score_are_counted():
    choice, tracks = config("[selection]\np = [0.1, 9]\ntheta = [0, 180]"), some(100)
    tracks.tracks.outcome[:] = 1
    tracks.species[:] = HYPOTHESES.index("mu")
    tracks.scores[:, 0] = np.where(np.arange(100) < 30, 10.0, -np.inf)
    tracks.scores[90:, 0] = np.nextafter(10.0, 11)
    found = count_tracks(tracks, choice)
    assert found.rates.phi.passed.sum(axis=(1, 2)).tolist() == [40, 10, 0]
    assert found.without_score.tolist() == [0, 60, 0, 0, 0, 0]


def test_decays_in_the_tracker_are_shown_apart_and_left_out_if_wanted():
    """In these tables all decays are at the origin."""
    kept, dropped = (config(f'[selection]\ntracker_decays = "{choice}"\n') for choice in ("keep", "drop"))
    tracks = some(choice=kept)
    inside = tracks.fate == DECAYED
    everyone, others = (count_tracks(tracks, choice) for choice in (kept, dropped))
    np.testing.assert_array_equal(everyone.tracker_decays.passed, others.tracker_decays.passed)
    np.testing.assert_array_equal(everyone.selected - others.selected, others.tracker_decays.total)
    np.testing.assert_array_equal(others.rates.p.total, count_tracks(tracks[~inside], kept).rates.p.total)
    pion = HYPOTHESES.index("pi")
    assert others.tracker_decays.total[pion] == np.sum(
        inside & selected(tracks, kept.selection) & (tracks.species == pion)
    )
    assert others.tracker_decays.total[pion] > 30


def test_tracks_that_cross_no_working_layer_are_counted_and_left_out_if_wanted():
    kept, dropped = (config(f'[selection]\nuninformed = "{choice}"\n') for choice in ("keep", "drop"))
    tracks = some(choice=kept)
    tracks.tracks.ext_layer_pattern[::10] = 0
    blind = (np.arange(len(tracks)) % 10 == 0) & (tracks.tracks.outcome > 0)
    everyone, informed = (count_tracks(tracks, choice) for choice in (kept, dropped))
    np.testing.assert_array_equal(everyone.uninformed, informed.uninformed)
    np.testing.assert_array_equal(everyone.selected - informed.selected, informed.uninformed)
    assert informed.uninformed.sum() == np.sum(blind & selected(tracks, kept.selection)) > 200
