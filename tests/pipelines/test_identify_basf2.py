"""Identification of files of the Belle II software, made by uproot with the same branches."""

from functools import cache

import awkward as ak
import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.conftest import shared_data
from tests.io import basf2_files as basf2
from tests.muid.samples import muons
from tests.pipelines.identifying import identified, run

from muonkit.io.identified import join, pieces
from muonkit.io.klm import table_of, worded
from muonkit.io.tables import write_tables
from muonkit.muid.checks.toy import toy_payload
from muonkit.muid.swim.crossing import IN_TRACKER, NO_FIT

N = 60


@cache
def sample():
    candidates, hits, truth = muons(N)
    helices = basf2.helix_of(truth.vertex, truth.momentum, truth.charge)
    return candidates, hits, helices


def branches(pdg=13, **more):
    candidates, hits, helices = sample()
    event = candidates.event
    content = basf2.meta(event) | basf2.tracks([row[None] for row in helices], pdg) | basf2.hits(hits, event)
    return content | more


def write(folder, content, name="cdst", more="", output="", **options):
    basf2.write(folder / f"{name}.root", content, **options)
    text = (
        f'payload = "toy.npz"\n{output}\n[input]\nformat = "basf2"\ntracks = "{name}.root"\nchunk_size = 20\n{more}\n'
    )
    (folder / f"{name}.toml").write_text(text)
    return f"{name}.toml"


def refused(folder, capsys, content, *words, more="", **options):
    code, _, err = run(capsys, folder / write(folder, content, "bad", more, **options), "-o", folder / "bad.parquet")
    assert code == 2, err
    text = "\n".join(err)
    assert all(word in text for word in words), text
    assert "Traceback" not in text
    assert len(err) == 1, err
    assert not (folder / "bad.parquet").exists()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("basf2")
    toy_payload().save(path / "toy.npz")
    return path


def test_tracks_from_the_axis_are_identified_as_those_from_the_last_point(folder, capsys):
    found = identified(folder, capsys, "cdst.parquet", config=write(folder, branches(), others=("persistent",)))
    tracks, hits = table_of(*sample()[:2])
    write_tables(folder / "tracks.parquet", iter([tracks]))
    write_tables(folder / "hits.parquet", iter([worded(hits)]))
    (folder / "plain.toml").write_text('payload = "toy.npz"\n[input]\ntracks = "tracks.parquet"\nhits = "hits.parquet"')
    identified(folder, capsys, "plain.parquet", config="plain.toml")
    ours, theirs = (pq.read_table(folder / f"{name}.parquet").to_pydict() for name in ("cdst", "plain"))
    assert ours["event"] == theirs["event"]
    assert set(ours["experiment"]) == {1003}
    same = np.array(ours["hit_layer_pattern"]) == np.array(theirs["hit_layer_pattern"])
    assert same.mean() > 0.85
    assert found["hypotheses"] == {"13": N}
    assert sum("helices have their momenta in 1.5 T" in note for note in found["notes"]) == 1


def test_the_order_of_entries_does_not_matter(folder, capsys):
    order = np.random.default_rng(3).permutation(N)
    identified(folder, capsys, "straight.csv", config=write(folder, branches(), "straight"))
    mixed = {name: values[order] for name, values in branches().items()}
    identified(folder, capsys, "mixed.csv", config=write(folder, mixed, "mixed"))
    assert (folder / "straight.csv").read_bytes() == (folder / "mixed.csv").read_bytes()


def test_another_nesting_of_members_and_unknown_ones_are_read(folder, capsys):
    nested = {name.replace(".", "_"): values for name, values in branches().items()}
    nested |= {f"{name}_m_x": np.zeros(N) for name in ("KLMHit2ds", "NewThings", "RecoTracks")}
    found = identified(folder, capsys, "nested.csv", config=write(folder, nested, "nested"))
    assert "RecoTracks are objects that only basf2 unpacks; TrackFitResults are used" in found["text"]
    assert (folder / "nested.csv").read_bytes() == (folder / "straight.csv").read_bytes()


def test_processes_and_an_explanation_see_the_same_tracks(folder, capsys):
    identified(folder, capsys, "two.csv", "--jobs", "2", config="straight.toml")
    assert (folder / "two.csv").read_bytes() == (folder / "straight.csv").read_bytes()
    event, track = sample()[0].event[3], 0
    code, out, err = run(capsys, folder / "straight.toml", "-o", folder / "one.png", "--explain", f"{event}:{track}")
    assert code == 0, err
    assert f"event {event}, track 0" in out
    assert (folder / "one.png").exists()


def test_the_output_joins_the_particles_of_the_file(folder, capsys):
    pdg = np.where(np.arange(N) % 2 == 0, 13, -13)
    content = branches(**basf2.particles(pdg, np.ones((N, 3))))
    identified(folder, capsys, "join.parquet", config=write(folder, content, "join"))
    joined = join(folder / "join.parquet", folder / "join.root", ("event", "track"), ("muonkit", "basf2"))
    (_, truth), *_ = pieces(joined, N)
    assert joined.unused == 0
    assert truth.pdg_id.tolist() == pdg.tolist()


def test_the_field_of_the_file_scales_the_momenta(folder, capsys):
    config = write(folder, branches(), "weak", more="tracker = { field = 0.05 }")
    found = identified(folder, capsys, "weak.parquet", config=config)
    assert found["not_started"] + found["not_reached"] == N
    assert not any("T, the field of" in note for note in found["notes"])
    assert any("T, as input.tracker.field says" in note for note in found["notes"])


def test_fits_of_other_species_stand_in_and_are_counted(folder, capsys):
    found = identified(folder, capsys, "pion.parquet", config=write(folder, branches(211), "pion"))
    assert found["hypotheses"] == {"211": N}
    assert "tracks by PDG code: 60 211" in found["text"]


def test_tracks_without_a_fit_and_loopers_stay_in_the_table(folder, capsys):
    content = branches()
    places = ak.to_numpy(content["Tracks.m_trackFitIndices"]).copy()
    places[4] = -1
    content["Tracks.m_trackFitIndices"] = basf2.jagged(list(places), np.int16)
    tau = ak.to_numpy(content["TrackFitResults.m_tau"]).copy()
    tau[7, 2], tau[7, 4] = 0.03, 0.01
    content["TrackFitResults.m_tau"] = basf2.jagged(list(tau), np.float64)
    found = identified(folder, capsys, "odd.parquet", config=write(folder, content, "odd"))
    status = pq.read_table(folder / "odd.parquet").to_pydict()["status"]
    assert (status[4], status[7]) == (NO_FIT, IN_TRACKER)
    assert "1 not started: does not leave the tracker" in found["text"]
    assert found["not_started"] == 2


def test_flagged_hits_of_the_barrel_are_left_out_as_in_muid(folder, capsys):
    candidates, hits, _ = sample()
    late = np.arange(len(hits)) % 5 == 0
    content = branches(**basf2.hits(hits, candidates.event, late))
    found = identified(folder, capsys, "late.parquet", config=write(folder, content, "late"))
    number = int(np.sum(late & (hits.region == 0)))
    assert f"{number} hits of the barrel carry the flag 'out of time'" in found["text"]
    assert found["hits"]["hits"] == len(hits) - number


def test_empty_events_and_empty_files_are_no_fault(folder, capsys):
    empty = {name: values[:0] for name, values in branches().items()}
    assert identified(folder, capsys, "empty.parquet", config=write(folder, empty, "empty"))["tracks"] == 0
    some = branches()
    bare = {
        name: values if name.startswith("Event") else ak.concatenate((values[:-5], values[:5][:, :0]))
        for name, values in some.items()
    }
    assert identified(folder, capsys, "bare.parquet", config=write(folder, bare, "bare"))["tracks"] == N - 5


def test_hits_of_an_older_release_give_the_same_tracks(folder, capsys):
    candidates, hits, _ = sample()
    older = basf2.older_hits(hits, candidates.event)
    both = branches() | older
    content = {name: values for name, values in both.items() if not name.startswith("KLMHit2ds")}
    found = identified(folder, capsys, "older.parquet", config=write(folder, content, "older"))
    identified(folder, capsys, "newer.parquet", config=write(folder, branches(), "newer"))
    ours, theirs = (pq.read_table(folder / f"{name}.parquet").to_pydict() for name in ("older", "newer"))
    assert ours["hit_layer_pattern"] == theirs["hit_layer_pattern"]
    assert any("BKLMHit2ds and EKLMHit2ds of an older release are used" in note for note in found["notes"])
    barrel = {name: values for name, values in content.items() if not name.startswith("EKLM")}
    found = identified(folder, capsys, "half.parquet", config=write(folder, barrel, "half"))
    assert any("there are no EKLMHit2ds" in note for note in found["notes"])


def test_what_is_missing_is_named_in_one_line(folder, capsys):
    without = lambda part: {name: values for name, values in branches().items() if part not in name}  # noqa: E731
    refused(folder, capsys, without("KLMHit2ds"), "has no KLMHit2ds", "mdst")
    refused(folder, capsys, without("m_tau"), "TrackFitResults has no m_tau", "found m_cov5, m_pdg")
    refused(folder, capsys, without("EventMetaData"), "has no EventMetaData")
    refused(folder, capsys, {"x": np.zeros(3)}, "holds no objects of basf2")
    old = {name.replace("KLMHit2ds", "BKLMHit2ds"): values for name, values in branches().items()}
    refused(folder, capsys, old, "BKLMHit2ds has no m_ModuleID")
    refused(folder, capsys, branches(), "there is no tree 'other'", more='tree = "other"')
    refused(folder, capsys, branches(), "field of 0", more="tracker = { field = 0 }")
    refused(folder, capsys, branches(), "track_columns", more='track_columns = { x = "y" }')


def test_events_that_stand_twice_are_refused(folder, capsys):
    twice = {name: values[np.arange(N) // 2] for name, values in branches().items()}
    refused(folder, capsys, twice, "track 0 of event", "stands twice")


def test_members_of_different_lengths_are_refused(folder, capsys):
    content = branches()
    content["KLMHit2ds.m_Time"] = content["KLMHit2ds.m_Time"][:, 1:]
    refused(folder, capsys, content, "KLMHit2ds: m_Time has other lengths")
    content = branches()
    content["TrackFitResults.m_tau"] = content["TrackFitResults.m_tau"][:, 1:]
    refused(folder, capsys, content, "holds no 5 numbers")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_file_that_is_cut_off_gives_one_line(folder, capsys, share):
    config = write(folder, branches(), "cut")
    whole = (folder / "cut.root").read_bytes()
    (folder / "cut.root").write_bytes(whole[: int(share * len(whole))])
    code, _, err = run(capsys, folder / config, "-o", folder / "cut.parquet")
    assert code == 2
    assert len(err) == 1
    assert "Traceback" not in err[0]


def test_records_of_muid_stand_beside_the_new_results(folder, capsys):
    whole = ("outcome", "ext_layer_pattern", "hit_layer_pattern", "chi2", "ndof", "is_forward", "junk")
    table = dict.fromkeys((*whole, "barrel_ext_layer", "endcap_ext_layer"), np.ones(N))
    table |= dict.fromkeys(("barrel_hit_layer", "endcap_hit_layer"), np.ones(N))
    log = -np.arange(6 * N, dtype=float).reshape(N, 6)
    content = branches(**basf2.records(table | {"junk": np.zeros(N), "log": log}))
    identified(folder, capsys, "both.parquet", config=write(folder, content, "both"))
    found = pq.read_table(folder / "both.parquet").to_pydict()
    assert found["basf2_logL_mu"] == log[:, 1].tolist()
    assert found["basf2_outcome"] == [1.0] * N
    assert found["logL_mu"] != found["basf2_logL_mu"]


def test_a_flat_ntuple_has_the_names_of_belle2(folder, capsys):
    config = write(folder, branches(), "ntuple", output='[output]\nnames = "basf2"')
    identified(folder, capsys, "ntuple.parquet", config=config)
    identified(folder, capsys, "cdst2.parquet", config=write(folder, branches(), "cdst2"))
    table, plain = (pq.read_table(folder / f"{name}.parquet").to_pydict() for name in ("ntuple", "cdst2"))
    assert table["muidLogL_mu"] == plain["logL_mu"]
    assert table["klmMuonID"] == plain["p_mu"]
    assert table["muidOutcomeExtTrack"] == plain["outcome"]
    assert table["__event__"] == plain["event"]
    ones = [None if bits is None else bits.bit_count() for bits in plain["hit_layer_pattern"]]
    assert table["muidTotalHits"] == ones
    assert not set(plain) & set(table) - {"status", "shared_hits", "efficiency_missing"}


def test_a_real_mdst_says_that_it_has_no_hits(folder, capsys):
    real = shared_data("belle2/mdst.root")
    (folder / "real.toml").write_text(f'payload = "toy.npz"\n[input]\nformat = "basf2"\ntracks = "{real}"')
    code, _, err = run(capsys, folder / "real.toml", "-o", folder / "real.parquet")
    assert code == 2
    assert len(err) == 1
    assert "has no KLMHit2ds: an mdst holds no hits" in err[0]
