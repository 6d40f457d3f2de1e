"""`muonkit benchmark muid|score`: the same bytes for all, scores compared on the same tracks, nothing in silence."""

import hashlib
import json
import shutil
from dataclasses import replace
from importlib.resources import files
from importlib.util import find_spec

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import muonkit
from muonkit.cli import main
from muonkit.io.klm import event_keys, open_hits, open_tracks
from muonkit.pipelines.benchmark import make
from muonkit.pipelines.benchmark.config import benchmark
from muonkit.pipelines.benchmark.files import read_manifest
from muonkit.pipelines.benchmark.score import reference_for
from muonkit.run.runner import runner

MU, EVENTS = 13, 400
FILES = ("tracks.parquet", "hits.parquet", "truth/truth.parquet", "README.md")


def in_small_pieces(events):
    whole = benchmark(events)
    return whole.model_copy(update={"sample": whole.sample.model_copy(update={"chunk_size": 90})})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("benchmark") / "b"
    assert main(["benchmark", "muid", "-o", str(out), "--events", str(EVENTS)]) == 0
    return out


@pytest.fixture(scope="module")
def truth(folder):
    table = pq.read_table(folder / "truth" / "truth.parquet")
    return {name: table[name].to_numpy() for name in table.column_names}


def scored(folder, path, columns, *more):
    pq.write_table(pa.table(columns), path / "mine.parquet")
    code = main(["benchmark", "score", str(folder), str(path / "mine.parquet"), "-o", str(path / "r.json"), *more])
    return code, json.loads((path / "r.json").read_text()) if code == 0 else None


def keys(truth):
    return {name: truth[name] for name in ("event", "track")}


def rates(report, species="pi", place=0):
    return report["rates"]["scores"][place]["ranges"][0]["species"][species]


def test_the_sample_is_whole_and_says_what_it_is(folder, truth):
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["events"] == EVENTS
    assert manifest["tracks"] == len(truth["event"])
    for name in FILES:
        assert manifest["files"][name]["sha256"] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
    assert manifest["sample"] in (folder / "README.md").read_text()
    tracks, hits = open_tracks(folder / "tracks.parquet", {}), open_hits(folder / "hits.parquet", {})
    assert {tracks.origin, hits.origin} == {manifest["sample"]}
    events = event_keys(tracks).rows[:, -1]
    np.testing.assert_array_equal(events, truth["event"])
    assert set(event_keys(hits).rows[:, -1]) <= set(events)


def test_all_species_are_there_and_numbers_do_not_tell_them(truth):
    code, counts = np.unique(np.abs(truth["pdg_id"]), return_counts=True)
    assert dict(zip(code.tolist(), counts.tolist(), strict=True))[MU] == pytest.approx(0.3 * EVENTS, abs=4)
    assert len(code) == 6
    muons = truth["event"][np.abs(truth["pdg_id"]) == MU]
    assert abs(np.mean(muons) - EVENTS / 2) < 5 * EVENTS / np.sqrt(12 * len(muons))


def test_jobs_change_no_byte_and_pieces_are_all_there(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(make, "benchmark", in_small_pieces)
    for name, jobs in (("a", 1), ("b", 2)):
        with runner(jobs) as work:
            assert make.make_benchmark(tmp_path / name, work, events=200).made
    for name in (*FILES, "manifest.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert not list(tmp_path.glob("a/.manifest*"))
    assert len(set(pq.read_table(tmp_path / "a" / "tracks.parquet")["event"].to_pylist())) > 190
    capsys.readouterr()


def test_it_is_not_made_twice_and_no_other_one_takes_its_place(folder, capsys):
    assert main(["benchmark", "muid", "-o", str(folder), "--events", str(EVENTS)]) == 0
    assert "was there already" in capsys.readouterr().out
    assert main(["benchmark", "muid", "-o", str(folder), "--events", "77"]) == 2
    assert "holds another benchmark" in capsys.readouterr().err
    assert main(["benchmark", "muid", "-o", str(folder / "new"), "--events", "0"]) == 2
    assert "--events 0" in capsys.readouterr().err


def test_a_run_that_was_stopped_goes_on_and_what_was_changed_is_made_again(tmp_path, monkeypatch, capsys):
    command = ["benchmark", "muid", "-o", str(tmp_path / "b"), "--events", "50"]

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(make, "described", stop)
        assert main(command) == 3
    assert list((tmp_path / "b").glob(".manifest.json.*/piece-00000.npz"))
    with monkeypatch.context() as patched:
        patched.setattr(make, "run_piece", stop)  # nothing is made anew
        assert main(command) == 0
    first = (tmp_path / "b" / "manifest.json").read_bytes()
    (tmp_path / "b" / "hits.parquet").write_bytes(b"changed")
    (tmp_path / "b" / "README.md").unlink()
    assert main(command) == 0
    assert (tmp_path / "b" / "manifest.json").read_bytes() == first
    assert "was there already" not in capsys.readouterr().out
    assert main(["benchmark", "score", str(tmp_path / "b"), str(tmp_path / "no.csv"), "-o", str(tmp_path / "r")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_verbs_of_python_do_the_same(folder, truth, tmp_path):
    assert not muonkit.make_benchmark(folder, EVENTS).made
    pq.write_table(pa.table(keys(truth) | {"score": truth["pdg_id"] * 1.0}), tmp_path / "mine.parquet")
    found = muonkit.score_benchmark(folder, [tmp_path / "mine.parquet"], tmp_path / "r.json")
    assert [one.name for one in found.rates.scores] == ["mine"]


def test_a_score_that_is_the_truth_has_no_fakes_and_one_that_knows_nothing_has_all(folder, truth, tmp_path, capsys):
    muon = (np.abs(truth["pdg_id"]) == MU).astype(float)
    code, report = scored(folder, tmp_path, keys(truth) | {"score": muon, "none": 0 * muon}, "--column", "none")
    assert code == 0
    assert rates(report)["auc"] == 1
    assert [one["fake_rate"] for one in rates(report)["fakes"]] == [0, 0, 0]
    assert [one["fake_rate"] for one in rates(report, place=1)["fakes"]] == pytest.approx([0.8, 0.9, 0.95])
    said = capsys.readouterr().out
    assert "taken on trust" in said
    assert "WARNING" not in said


def test_six_likelihoods_are_compared_pair_by_pair(folder, truth, tmp_path, capsys):
    muon = np.abs(truth["pdg_id"]) == MU
    table = {f"logL_{name}": np.zeros(len(muon)) for name in ("e", "mu", "pi", "K", "p", "d")}
    table["logL_pi"] = np.where(muon, -5.0, 5.0)
    _, report = scored(folder, tmp_path, keys(truth) | table)
    assert (rates(report, "pi")["auc"], rates(report, "K")["auc"]) == (1, 0.5)
    capsys.readouterr()


def test_six_probabilities_are_compared_pair_by_pair(folder, truth, tmp_path, capsys):
    muon = np.abs(truth["pdg_id"]) == MU
    table = {f"net_{name}": np.full(len(muon), 0.2) for name in ("e", "mu", "pi", "K", "p", "d")}
    table["net_pi"] = np.where(muon, 0.0, 0.6)
    code, report = scored(folder, tmp_path, keys(truth) | table, "--column", "net")
    assert code == 0
    assert report["rates"]["scores"][0]["name"] == "mine.net"
    assert (rates(report, "pi")["auc"], rates(report, "K")["auc"]) == (1, 0.5)
    capsys.readouterr()


def test_what_muonkit_identifies_is_a_table_of_scores(folder, tmp_path, capsys):
    config = f'[input]\ntracks = "{folder}/tracks.parquet"\nhits = "{folder}/hits.parquet"\n'
    (tmp_path / "likelihood.toml").write_text(f'classifier = "default"\n{config}')
    out = tmp_path / "likelihood.parquet"
    assert main(["identify", str(tmp_path / "likelihood.toml"), "-o", str(out)]) == 0
    report = tmp_path / "r.json"
    more = ["--column", "classifier_mu", "-o", str(report)]
    assert main(["benchmark", "score", str(folder), str(out), *more]) == 0
    content = json.loads(report.read_text())
    assert [one["name"] for one in content["rates"]["scores"]] == ["likelihood", "likelihood.classifier_mu"]
    assert rates(content)["auc"] > 0.9
    assert "taken on trust" not in capsys.readouterr().out


def test_missing_doubled_foreign_and_empty_rows_are_counted(folder, truth, tmp_path, capsys):
    table = {name: np.concatenate((values[5:], values[7:8])) for name, values in keys(truth).items()}
    table["event"][0] += 10**6
    values = np.linspace(0, 1, len(table["event"]))
    reached = np.flatnonzero(truth["reached"][6:-1])[:3]
    values[1 + reached] = np.nan
    code, report = scored(folder, tmp_path, table | {"score": values})
    assert code == 0
    assert report["tables"][0]["counted"] == {"rows": len(values), "twice": 1, "unknown": 1, "missing": 6}
    said = capsys.readouterr().out
    for line in ("6 tracks of the sample are missing", "1 rows are of a track that stood before", "not in the sample"):
        assert line in said
    assert report["rates"]["scores"][0]["without"] == int(truth["reached"][:6].sum()) + 3


def test_tables_that_cannot_be_compared_are_refused(folder, truth, tmp_path, capsys):
    score = {"score": np.zeros(len(truth["event"]))}
    assert scored(folder, tmp_path, keys(truth))[0] == 2
    assert "has no column 'score'" in capsys.readouterr().err
    assert scored(folder, tmp_path, keys(truth) | score, "--column", "other")[0] == 2
    assert "--column other: no table has it" in capsys.readouterr().err
    assert scored(folder, tmp_path, {"event": truth["event"] + 10**7, "track": truth["track"]} | score)[0] == 2
    assert "is in the sample" in capsys.readouterr().err
    nothing = {name: values[:0] for name, values in (keys(truth) | score).items()}
    assert scored(folder, tmp_path, nothing)[0] == 2
    assert "none of its 0 tracks" in capsys.readouterr().err
    empty = pa.array([None] * len(truth["event"]), pa.float64())
    code, report = scored(folder, tmp_path, keys(truth) | {"score": empty})
    assert (code, report["rates"]["scores"][0]["without"]) == (0, int(truth["reached"].sum()))
    assert "have no score" in capsys.readouterr().out
    foreign = pa.table(keys(truth) | score).replace_schema_metadata({"muonkit_sample": "s" + 15 * "0"})
    pq.write_table(foreign, tmp_path / "f.parquet")
    assert main(["benchmark", "score", str(folder), str(tmp_path / "f.parquet"), "-o", str(tmp_path / "r.json")]) == 2
    assert "is of sample s000" in capsys.readouterr().err


def changed(folder, path):
    shutil.copytree(folder, path)
    return path


def test_a_benchmark_that_was_changed_is_refused(folder, truth, tmp_path, capsys):
    score = keys(truth) | {"score": np.zeros(len(truth["event"]))}
    one = changed(folder, tmp_path / "one")
    table = pq.read_table(one / "truth" / "truth.parquet")
    pq.write_table(table, one / "truth" / "truth.parquet", compression="gzip")
    assert scored(one, tmp_path, score)[0] == 2
    assert "truth.parquet: is not the file of this benchmark" in capsys.readouterr().err
    other = changed(folder, tmp_path / "other")
    text = (other / "manifest.json").read_text()
    (other / "manifest.json").write_text(text.replace('"muid 1"', '"muid 0"'))
    assert scored(other, tmp_path, score)[0] == 2
    assert "is benchmark muid 0" in capsys.readouterr().err
    for content in ("{}", "[1]", "nothing", text.replace('"files"', '"file"')):
        (other / "manifest.json").write_text(content)
        assert scored(other, tmp_path, score)[0] == 2
        assert "manifest.json" in capsys.readouterr().err


def test_the_truth_alone_is_enough_and_what_is_not_there_is_told(folder, truth, tmp_path, capsys):
    one = changed(folder, tmp_path / "one")
    (one / "hits.parquet").unlink()
    assert scored(one, tmp_path, keys(truth) | {"score": np.zeros(len(truth["event"]))})[0] == 0
    assert "hits.parquet: is not there, and was not looked at" in capsys.readouterr().out
    (one / "truth" / "truth.parquet").unlink()
    assert scored(one, tmp_path, keys(truth) | {"score": np.zeros(len(truth["event"]))})[0] == 2
    assert "without the truth" in capsys.readouterr().err


@pytest.mark.parametrize("events", [EVENTS, None])
def test_scores_of_muonkit_stand_beside_those_of_the_same_recipe_only(folder, events):
    stored = json.loads((files("muonkit.pipelines.benchmark") / "reference" / "fast.json").read_text())["rates"]
    manifest = replace(read_manifest(folder), recipe=stored["recipe"], events=events or stored["events"])
    found, note = reference_for(manifest)
    if events is None:  # as many events, but other ones
        assert found is None
        assert "another version" in note
    else:
        assert [one.name for one in found.scores][:1] == ["likelihood"]
        assert f"{stored['events']} events" in note
    assert reference_for(replace(manifest, recipe="other"))[0] is None


@pytest.mark.slow
@pytest.mark.skipif(find_spec("geant4_pybind") is None, reason="geant4_pybind is not installed")
def test_geant4_makes_the_same_kind_of_sample(tmp_path, capsys):
    from tests.oracles.geant4_iron import MissingError, environment

    try:
        environment(tmp_path / "data")
    except MissingError as error:
        pytest.skip(str(error))
    out = tmp_path / "b"
    how = ["--events", "40", "--engine", "geant4", "--data", str(tmp_path / "data")]
    assert main(["benchmark", "muid", "-o", str(out), *how]) == 0
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["engine"] == "geant4"
    assert "data sets" in manifest["making"]
    assert 30 < manifest["tracks"] <= 40
    assert "engine geant4" in capsys.readouterr().out
