"""Identification from files to a file: results, pieces, processes, bad input."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.muid.samples import YOKE, muons
from tests.pipelines.identifying import N, changed, identified, prepared, run, write

from muonkit.io.klm import table_of, worded
from muonkit.io.tables import write_tables
from muonkit.muid.checks.toy import toy_payload
from muonkit.muid.likelihood.evaluate import likelihood
from muonkit.muid.likelihood.hypotheses import HYPOTHESES
from muonkit.muid.swim.crossing import LOW_PT
from muonkit.muid.swim.extrapolate import extrapolate
from muonkit.muid.swim.sharing import shared_hits


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("identify"))


def test_the_table_holds_what_the_api_computes(folder, capsys):
    result = identified(folder, capsys, "out.parquet")
    table = pq.read_table(folder / "out.parquet").to_pydict()
    candidates, hits, _ = muons(N)
    found = extrapolate(candidates, hits, YOKE)
    likelihoods = likelihood(found.tracks, toy_payload())
    assert result["tracks"] == len(table["event"]) == len(candidates)
    for name in ("outcome", "ext_layer_pattern", "hit_layer_pattern", "barrel_hit_layer", "ndof", "chi2", "status"):
        np.testing.assert_array_equal(table[name], getattr(found.tracks, name))
    for i, name in enumerate(HYPOTHESES):
        np.testing.assert_array_equal(np.array(table[f"logL_{name}"], dtype=float), likelihoods.log_pdf[:, i])
        np.testing.assert_array_equal(np.array(table[f"p_{name}"], dtype=float), likelihoods.probability[:, i])
    assert result["most_probable_mu"] > 0.8 * len(candidates)
    assert not (folder / ".out.parquet").exists()
    assert not list(folder.glob(".out*"))


def test_columns_are_those_of_the_interface(folder, capsys):
    identified(folder, capsys, "names.parquet")
    names = pq.read_schema(folder / "names.parquet").names
    fixed = "outcome is_forward ext_layer_pattern hit_layer_pattern barrel_ext_layer endcap_ext_layer barrel_hit_layer"
    fixed += " endcap_hit_layer chi2 ndof junk logL_e logL_mu logL_pi logL_K logL_p logL_d p_e p_mu p_pi p_K p_p p_d"
    assert set(fixed.split()) < set(names)


def test_any_number_of_processes_and_chunks_gives_the_same_bits(folder, capsys):
    identified(folder, capsys, "one.csv")
    identified(folder, capsys, "two.csv", "--jobs", "2")
    write(folder, "big.toml", more="max_bad_share = 0.5")
    (folder / "big.toml").write_text((folder / "big.toml").read_text().replace("chunk_size = 100", "chunk_size = 1000"))
    identified(folder, capsys, "big.csv", config="big.toml")
    assert (folder / "one.csv").read_bytes() == (folder / "two.csv").read_bytes() == (folder / "big.csv").read_bytes()


def test_a_killed_run_goes_on_where_it_stopped(folder, capsys, monkeypatch):
    from muonkit.pipelines import identify as pipeline

    calls = []
    piece = pipeline.run_piece

    def dying(job, one):
        calls.append(one)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return piece(job, one)

    monkeypatch.setattr(pipeline, "run_piece", dying)
    assert run(capsys, folder / "identify.toml", "-o", folder / "killed.csv")[0] == 3
    assert not (folder / "killed.csv").exists()
    identified(folder, capsys, "killed.csv")
    assert len(calls) == 3 + 3 - 2
    identified(folder, capsys, "whole.csv")
    assert (folder / "killed.csv").read_bytes() == (folder / "whole.csv").read_bytes()


def test_csv_and_root_tables_give_what_parquet_gives(folder, capsys):
    tracks, hits = table_of(*muons(N)[:2])
    for kind in ("csv", "root"):
        write_tables(folder / f"tracks.{kind}", iter([tracks]))
        write_tables(folder / f"hits.{kind}", iter([hits if kind == "root" else worded(hits)]))
    identified(folder, capsys, "parquet.csv")
    for kind in ("csv", "root"):
        write(folder, f"{kind}.toml", tracks=f"tracks.{kind}", hits=f"hits.{kind}")
        identified(folder, capsys, f"from_{kind}.csv", config=f"{kind}.toml")
        assert (folder / f"from_{kind}.csv").read_bytes() == (folder / "parquet.csv").read_bytes()


def test_bad_tracks_have_a_status_and_hurt_no_other(folder, capsys):
    table = pq.read_table(folder / "tracks.parquet").to_pydict()
    px, cov, z = np.array(table["px"]), [list(row) for row in table["cov"]], np.array(table["z"])
    px[3] = np.nan
    cov[5][0] = -1.0
    cov[6][3] = np.inf
    z[8] = 500.0
    py = np.array(table["py"])
    px[9], py[9] = 0.05, 0.05
    write(folder, "bad.toml", tracks=changed(folder, "bad.parquet", px=px, py=py, z=z, cov=cov))
    result = identified(folder, capsys, "bad_out.parquet", config="bad.toml")
    identified(folder, capsys, "good_out.parquet")
    bad, good = (pq.read_table(folder / name).to_pydict() for name in ("bad_out.parquet", "good_out.parquet"))
    assert result["not_started"] == 5
    rows = [3, 5, 6, 8, 9]
    assert all(bad[name][row] is None for row in rows for name in ("outcome", "ndof", "junk", "is_forward"))
    assert all(np.isnan(bad[name][row]) for row in rows for name in ("chi2", "logL_mu", "p_pi"))
    assert bad["status"][9] == LOW_PT
    others = [row for row in range(len(px)) if row not in rows]
    assert [bad["chi2"][row] for row in others] == [good["chi2"][row] for row in others]


def test_bad_hits_are_left_out_and_told(folder, capsys):
    table = pq.read_table(folder / "hits.parquet").to_pydict()
    x, layer = np.array(table["x"]), np.array(table["layer"])
    x[0], layer[1] = np.nan, 77
    pq.write_table(pa.table(table | {"x": x, "layer": layer}), folder / "holes.parquet")
    write(folder, "holes.toml", hits="holes.parquet")
    result = identified(folder, capsys, "holes_out.parquet", config="holes.toml")
    assert result["bad_hits"] == {
        "are not finite": 1,
        "are in a region, section, sector or layer that does not exist": 1,
    }
    pq.write_table(pa.table(table | {"layer": np.full(len(x), 77)}), folder / "wrong.parquet")
    write(folder, "wrong.toml", hits="wrong.parquet")
    code, _, err = run(capsys, folder / "wrong.toml", "-o", folder / "wrong_out.parquet")
    assert code == 2
    assert "more than 1% of the hits are bad" in err[-1]


def test_no_tracks_give_an_empty_table(folder, capsys):
    whole = pq.read_table(folder / "tracks.parquet")
    pq.write_table(whole.slice(0, 0), folder / "none.parquet")
    write(folder, "none.toml", tracks="none.parquet")
    assert identified(folder, capsys, "none_out.parquet", config="none.toml")["tracks"] == 0
    assert pq.read_table(folder / "none_out.parquet").num_rows == 0


def test_tracks_without_hits_are_identified_too(folder, capsys):
    pq.write_table(pq.read_table(folder / "hits.parquet").slice(0, 0), folder / "nohits.parquet")
    write(folder, "nohits.toml", hits="nohits.parquet")
    identified(folder, capsys, "nohits_out.parquet", config="nohits.toml")
    assert set(pq.read_table(folder / "nohits_out.parquet").to_pydict()["ndof"]) == {0}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"event": [5, 4] + [9] * 400}, "row 1 goes back to an earlier event; sort the rows"),
        ({"event": [1] * 402, "track": [1] * 402}, "track 1 of event 1 stands twice"),
        ({"charge": ["plus"] * 402}, "column 'charge' does not hold numbers"),
        ({"event": [0.5] * 402}, "column 'event' is not a whole number"),
        ({"cov": [[1.0] * 36] * 402}, "holds 36 numbers per row, not the 21"),
    ],
)
def test_faults_of_the_table_of_tracks_are_one_line(folder, capsys, change, fault):
    n = pq.read_metadata(folder / "tracks.parquet").num_rows
    name = changed(folder, "fault.parquet", **{key: values[:n] for key, values in change.items()})
    code, _, err = run(capsys, write(folder, "fault.toml", tracks=name), "-o", folder / "fault_out.parquet")
    assert code == 2
    assert len(err) == 1
    assert fault in err[0]
    assert not (folder / "fault_out.parquet").exists()


def test_a_million_tracks_of_one_event_are_refused_in_one_line(folder, capsys):
    n = 1_000_000
    columns = {name: np.zeros(n) for name in ("x", "y", "z", "px", "py", "pz", "charge")}
    columns |= {f"cov_{i}": np.zeros(n) for i in range(21)} | {"event": np.ones(n, int), "track": np.arange(n)}
    pq.write_table(pa.table(columns), folder / "million.parquet")
    code, _, err = run(capsys, write(folder, "million.toml", tracks="million.parquet"), "-o", folder / "x.parquet")
    assert code == 2
    assert len(err) == 1
    assert "event 1 has 1000000 tracks, more than input.max_tracks_per_event = 10000" in err[0]


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"tracks": "nowhere.parquet"}, "there is no such file"),
        (
            {"payload": 'payload = "toy.npz"', "more": '[conditions]\nlocation = "here"\ntag = "t"'},
            "payload: give a file, or a section [conditions], not both",
        ),
        ({"payload": 'payload = "nowhere.npz"'}, "there is no such payload"),
        ({"more": "[muid]\nmax_sigm = 3"}, "muid.max_sigm: unknown key; did you mean 'max_sigma'?"),
        ({"more": '[input.track_columns]\nxx = "x"'}, "input.track_columns: xx: unknown key"),
        ({"hits": "tracks.parquet"}, "has no column 'region'"),
        ({"payload": 'payload = "toy.npz"\ndetector = "telescope"'}, "no layer belongs to a muon detector"),
    ],
)
def test_faults_of_the_configuration_are_one_line(folder, capsys, arguments, fault):
    code, _, err = run(capsys, write(folder, "wrong_config.toml", **arguments), "-o", folder / "x.parquet")
    assert code == 2
    assert len(err) == 1
    assert fault in err[0]


def test_columns_may_have_other_names(folder, capsys):
    table = pq.read_table(folder / "tracks.parquet")
    names = ["trk_" + name for name in table.column_names]
    pq.write_table(table.rename_columns(names), folder / "renamed.parquet")
    mapping = "[input.track_columns]\n" + "\n".join(f'{n.removeprefix("trk_")} = "{n}"' for n in names)
    write(folder, "renamed.toml", tracks="renamed.parquet", more=mapping)
    identified(folder, capsys, "renamed.csv", config="renamed.toml")
    identified(folder, capsys, "plain.csv")
    assert (folder / "renamed.csv").read_bytes() == (folder / "plain.csv").read_bytes()


def doubled(folder):
    """Every track twice in its event."""
    table = pq.read_table(folder / "tracks.parquet").to_pydict()
    twice = {name: [value for value in values for _ in range(2)] for name, values in table.items()}
    twice["track"] = [0, 1] * len(table["event"])
    pq.write_table(pa.table(twice), folder / "twice.parquet")


def test_shared_hits_are_counted_and_on_request_given_to_one_track(folder, capsys):
    doubled(folder)
    write(folder, "shared.toml", tracks="twice.parquet")
    write(folder, "given.toml", tracks="twice.parquet", more="[muid]\narbitrate = true")
    identified(folder, capsys, "shared.parquet", config="shared.toml")
    identified(folder, capsys, "given.parquet", config="given.toml")
    shared, given = (pq.read_table(folder / name).to_pydict() for name in ("shared.parquet", "given.parquet"))
    assert np.array_equal(np.array(shared["shared_hits"]) * 2, np.array(shared["ndof"]))
    assert set(given["shared_hits"]) == {0}
    ndof = np.array(given["ndof"]).reshape(-1, 2)
    assert np.array_equal(ndof[:, 0], np.array(shared["ndof"])[::2])  # of equals the first keeps all
    assert np.mean(ndof[:, 1] == 0) > 0.8  # the other may find second hits in the same layers


def test_shared_hits_of_tracks_apart_are_none():
    candidates, hits, _ = muons(N)
    assert not shared_hits(extrapolate(candidates, hits, YOKE).layers).any()


def test_conditions_give_payload_dead_channels_and_efficiencies_by_run(folder, capsys):
    from muonkit.api import create_store
    from muonkit.conditions.iov import IoV

    place = folder / "conditions"
    shutil.rmtree(place, ignore_errors=True)
    dead = {"region": "barrel", "section": "fwd", "sector": 1, "layer": 0, "plane": 0, "strips": list(range(1, 38))}
    with create_store(place) as store:
        one = store.add("KLMLikelihoodParameters", toy_payload().to_bytes(), "KLMLikelihoodParameters/1")
        two = store.add(
            "KLMChannelStatus",
            json.dumps({"schema": "KLMChannelStatus/1", "dead": [dead]}).encode(),
            "KLMChannelStatus/1",
        )
        store.create_tag("v1")
        store.tag("v1", one.name, one.revision, IoV(1, 0, 1, -1))
        store.tag("v1", two.name, two.revision, IoV(1, 5, 1, 9))
    n = pq.read_metadata(folder / "tracks.parquet").num_rows
    runs = {"experiment": [1] * n, "run": [5] * (n // 2) + [9] * (n - n // 2)}
    changed(folder, "runs.parquet", **runs)
    hits = pq.read_table(folder / "hits.parquet").to_pydict()
    run_of = dict(zip(pq.read_table(folder / "runs.parquet").to_pydict()["event"], runs["run"], strict=True))
    of_hits = {"experiment": [1] * len(hits["event"]), "run": [run_of[event] for event in hits["event"]]}
    pq.write_table(pa.table(hits | of_hits), folder / "run_hits.parquet")
    section = '[conditions]\nlocation = "conditions"\ntag = "v1"\nchannel_status = "KLMChannelStatus"'
    write(folder, "runs.toml", tracks="runs.parquet", hits="run_hits.parquet", payload="", more=section)
    result = identified(folder, capsys, "runs_out.parquet", config="runs.toml")
    assert result["payloads"] == ["KLMChannelStatus revision 1", "KLMLikelihoodParameters revision 1"]
    changed(folder, "runs.parquet", experiment=[1] * n, run=[5] * (n // 2) + [10] * (n - n // 2))
    code, _, err = run(capsys, folder / "runs.toml", "-o", folder / "x.parquet")
    assert code == 2
    assert len(err) == 1
    assert "KLMChannelStatus" in err[0]
    assert "10" in err[0]


def test_explain_tells_every_layer_and_draws(folder, capsys):
    event = muons(N)[0].event[7]
    code, out, _ = run(capsys, folder / "identify.toml", "--explain", f"{event}:0", "-o", folder / "track.png")
    assert code == 0
    assert "predicted [cm]" in out
    assert (folder / "track.png").stat().st_size > 10_000
    code, out, _ = run(capsys, folder / "identify.toml", "--explain", f"{event}:0", "-o", folder / "t.png", "--json")
    layers = json.loads(out)["layers"]
    identified(folder, capsys, "explained.parquet")
    row = pq.read_table(folder / "explained.parquet").to_pydict()
    at = row["event"].index(event)
    assert sum(layer["chi2"] or 0 for layer in layers) == pytest.approx(row["chi2"][at], abs=1e-4)
    assert sum(layer["reason"] == "hit" for layer in layers) * 2 == row["ndof"][at]
    mu_minus_pi = sum(layer["terms"]["mu"] - layer["terms"]["pi"] for layer in layers)
    assert mu_minus_pi != 0


@pytest.mark.parametrize(
    ("which", "out", "fault"),
    [
        ("1:99", "x.png", "has no such tracks"),
        ("0", "x.png", "300 such tracks; give [[EXPERIMENT:]RUN:]EVENT:TRACK"),
        ("a:b", "x.png", "whole numbers"),
        ("1:0", "x.csv", "draws a picture"),
    ],
)
def test_explain_says_what_it_cannot_find(folder, capsys, which, out, fault):
    code, _, err = run(capsys, folder / "identify.toml", "--explain", which, "-o", folder / out)
    assert code == 2
    assert fault in err[0]
