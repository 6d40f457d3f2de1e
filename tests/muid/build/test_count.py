"""Tracks are counted where they belong, signs apart, and only those that are selected."""

from dataclasses import replace

import numpy as np
import pytest
from tests.muid.build.samples import drawn, truth

from muonkit.core.errors import InputError
from muonkit.data.klm import DECAYED, INTERACTED
from muonkit.data.muid import BARREL_LAYERS, MuidTracks
from muonkit.muid.build.config import BuildSelection
from muonkit.muid.build.count import check, count, missing_species, nothing, without_holes
from muonkit.muid.checks.toy import toy_payload
from muonkit.muid.likelihood.hypotheses import signed_number
from muonkit.muid.likelihood.outcome import BARREL_ONLY, BOTH, ENDCAP_ONLY, class_index, last_layer
from muonkit.muid.likelihood.payload import first_entries

ALL = BuildSelection()
PAYLOAD = toy_payload()


def one(outcome=3, barrel=14, endcap=-1, hits=None, holes=(), chi2=28.0, ndof=28):
    """One track that crosses all layers up to its last ones, but `holes`, with hits in all or in `hits`."""
    bits = [*range(barrel + 1), *range(BARREL_LAYERS, BARREL_LAYERS + endcap + 1)]
    ext = sum(1 << bit for bit in bits if bit not in holes)
    hit = ext if hits is None else sum(1 << bit for bit in hits)
    forward = outcome in (2, 4) or 7 <= outcome < 22 or 37 <= outcome < 52
    numbers = outcome, forward, ext, hit, barrel, endcap, barrel, endcap, chi2, ndof
    columns = [np.array([number]) for number in numbers]
    return MuidTracks(np.array([1.0]), *columns, np.ones((1, 29)), np.array([0]))


def muon(charge=1.0, **more):
    return truth(np.array(["mu"]), np.array([charge]), **more)


def test_a_track_counts_in_its_class_layer_by_layer():
    counts = count(one(hits=range(10)), muon(), ALL)
    h, first = signed_number("mu", 1), first_entries()[class_index()[3, 14]]
    assert counts.tracks[h, class_index()[3, 14]] == counts.tracks.sum() == 1
    assert counts.crossed[h, first : first + 15].tolist() == [1] * 15
    assert counts.hit[h, first : first + 15].tolist() == [1] * 10 + [0] * 5
    assert counts.crossed.sum() == 15
    assert counts.chi2[h, BARREL_ONLY, 13, 10] == counts.chi2.sum() == 1


@pytest.mark.parametrize(
    ("outcome", "barrel", "endcap", "D"),
    [(5, -1, 4, ENDCAP_ONLY), (6, -1, 11, ENDCAP_ONLY), (9, 2, 5, BOTH), (60, 8, 11, BOTH)],
)
def test_the_last_layer_of_outcomes_from_5_on_is_that_of_the_endcap(outcome, barrel, endcap, D):
    counts = count(one(outcome, barrel, endcap), muon(), ALL)
    h, place = signed_number("mu", 1), class_index()[outcome, endcap]
    assert counts.tracks[h, place] == 1
    crossed = counts.crossed[h, first_entries()[place] : first_entries()[place + 1]]
    assert crossed.tolist() == [1] * (barrel + 1) + [0] * (14 - barrel) + [1] * (endcap + 1)
    assert counts.chi2[h, D].sum() == 1


@pytest.mark.parametrize("name", ["e", "mu", "pi", "K", "p", "d"])
@pytest.mark.parametrize("charge", [1.0, -1.0])
def test_charges_are_counted_apart_by_the_true_particle(name, charge):
    counts = count(one(), truth(np.array([name]), np.array([charge])), ALL)
    assert np.flatnonzero(counts.seen).tolist() == [signed_number(name, charge)]
    assert np.flatnonzero(counts.tracks.sum(axis=1)).tolist() == [signed_number(name, charge)]


@pytest.mark.parametrize(
    ("more", "kept"),
    [
        ({"soft": 0.04}, True),
        ({"soft": 0.06}, False),
        ({"theta": np.radians(32.0)}, False),
        ({"theta": np.radians(127.5)}, False),
        ({"theta": np.radians(117.0), "phi": np.radians(90.0)}, False),
        ({"theta": np.radians(117.0), "phi": np.radians(130.0)}, True),
    ],
)
def test_cracks_chimney_and_decays_of_muons_are_left_out(more, kept):
    assert count(one(), muon(**more), ALL).selected.sum() == kept


def test_pions_keep_their_decays():
    pion = truth(np.array(["pi"]), np.array([1.0]), soft=1.0)
    assert count(one(), pion, ALL).selected.sum() == 1


@pytest.mark.parametrize(("choice", "kept"), [("keep", True), ("drop", False)])
@pytest.mark.parametrize(
    ("fate", "end", "inside"),
    [
        (DECAYED, (50.0, 50.0, 10.0), True),
        (DECAYED, (100.0, 100.0, 10.0), False),  # in the calorimeter
        (DECAYED, (50.0, 50.0, 160.0), False),
        (INTERACTED, (50.0, 50.0, 10.0), False),
    ],
)
def test_decays_in_the_tracker_are_counted_and_left_out_if_wanted(choice, kept, fate, end, inside):
    pion = replace(truth(np.array(["pi"]), np.array([1.0])), fate=np.array([fate]), end=np.array([end]))
    counts = count(one(), pion, BuildSelection(tracker_decays=choice))
    assert counts.tracker_decays[signed_number("pi", 1)] == counts.tracker_decays.sum() == inside
    assert counts.selected.sum() == (kept or not inside)
    assert counts.seen.sum() == 1


def test_tracks_with_holes_of_both_regions_count_where_they_cross():
    counts = count(one(9, 2, 5, holes=(1,)), muon(), ALL)
    assert counts.tracks.sum() == 1
    assert counts.crossed.sum() == 3 + 6 - 1
    assert counts.with_holes.sum() == 0


def test_tracks_with_holes_count_for_chi2_only_and_are_told():
    counts = count(one(holes=(4,)), muon(), ALL)
    assert counts.crossed.sum() == 0
    assert counts.chi2.sum() == 1
    assert counts.with_holes[signed_number("mu", 1), 3] == 1
    assert without_holes(one()).tolist() == [True]
    assert without_holes(one(holes=(0,))).tolist() == [False]
    assert without_holes(one(9, 2, 5)).tolist() == [True]


@pytest.mark.parametrize("track", [one(0, -1, -1, chi2=0.0, ndof=0), one(ndof=40)])
def test_tracks_that_did_not_arrive_or_have_too_many_hits_are_left_out(track):
    counts = count(track, muon(), ALL)
    assert counts.selected.sum() == 0
    assert counts.seen.sum() == 1


def test_reduced_chi2_above_ten_is_in_the_last_bin():
    assert count(one(chi2=28 * 11.0), muon(), ALL).chi2[signed_number("mu", 1), BARREL_ONLY, 13, -1] == 1


def test_pieces_add_up():
    tracks, true = drawn(PAYLOAD, 4000)
    whole = count(tracks, true, ALL)
    parts = count(tracks[:1500], true[:1500], ALL) + count(tracks[1500:], true[1500:], ALL) + nothing()
    for name in ("hit", "crossed", "tracks", "chi2", "selected", "with_holes", "seen", "tracker_decays"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))
    last = last_layer(tracks.barrel_ext_layer, tracks.endcap_ext_layer)
    assert whole.tracks.sum() + whole.with_holes.sum() == whole.selected.sum()
    assert len(np.unique(last)) > 10


def test_unknown_particles_and_missing_species_are_told():
    true = muon()
    true.pdg_id[:] = 22
    with pytest.raises(InputError, match="pdg 22"):
        count(one(), true, ALL)
    counts = count(one(), muon(), ALL)
    assert missing_species(counts) == ["e+", "e-", "d+", "d-", "p+", "p-", "pi+", "pi-", "K+", "K-", "mu-"]
    with pytest.raises(InputError, match=r"hold no e\+"):
        check(counts)
