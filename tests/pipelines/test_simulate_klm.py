"""`muonkit simulate klm`: tables that `identify` reads, the truth apart, the same whatever the cut and the jobs."""

import json
from importlib.util import find_spec

import numpy as np
import pytest

from muonkit.cli import main
from muonkit.detector.detector import load_detector
from muonkit.io.klm import read_hits, read_tracks, read_truth
from muonkit.io.samples import open_sample
from muonkit.muid.swim.extrapolate import extrapolate
from muonkit.muid.swim.hits import usable
from muonkit.muid.swim.yoke import build_yoke

CONFIG = """
[generate]
events = {events}
seed = 3
engine = "{engine}"
chunk_size = {chunk}
[gun]
particle = "{particle}"
p = [0.7, 4.0]
theta = [0.4, 2.5]
{more}
"""


def simulated(folder, name="s", jobs=1, ending="parquet", **changes):
    values = {"events": 300, "engine": "fast", "chunk": 100, "particle": "pi", "more": ""} | changes
    (folder / f"{name}.toml").write_text(CONFIG.format(**values))
    code = main(
        ["simulate", "klm", str(folder / f"{name}.toml"), "-o", str(folder / f"{name}.{ending}"), "--jobs", str(jobs)]
    )
    return code, folder / f"{name}.{ending}"


def tables(path):
    sample = open_sample(path)
    readers = (read_tracks, sample.tracks), (read_hits, sample.hits), (read_truth, sample.truth)
    return [read(file, 0, file.rows) for read, file in readers], sample.about


def same(one, other):
    for a, b in zip(one, other, strict=True):
        for name in a.__slots__:
            x, y = getattr(a, name), getattr(b, name)
            if name == "states":
                x, y = x.momentum, y.momentum
            np.testing.assert_array_equal(x, y, name)


def test_the_sample_is_the_same_whatever_the_jobs_and_the_pieces(tmp_path, capsys):
    pieces = [simulated(tmp_path, "a"), simulated(tmp_path, "b", jobs=2), simulated(tmp_path, "c", chunk=77)]
    assert [code for code, _ in pieces] == [0, 0, 0]
    one, *others = [tables(path)[0] for _, path in pieces]
    for other in others:
        same(one, other)
    assert "300 tracks of 300 events" in capsys.readouterr().out


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "root"])
def test_the_sample_is_the_same_in_every_kind_of_file(tmp_path, capsys, ending):
    codes_and_paths = [simulated(tmp_path, "a"), simulated(tmp_path, "b", ending=ending)]
    assert [code for code, _ in codes_and_paths] == [0, 0]
    one, other = (tables(path)[0] for _, path in codes_and_paths)
    same(one, other)
    np.testing.assert_array_equal(one[0].states.covariance, other[0].states.covariance)
    capsys.readouterr()


def test_identification_takes_what_comes_out(tmp_path, capsys):
    _, path = simulated(tmp_path, particle="mu")
    (tracks, hits, truth), about = tables(path)
    yoke = build_yoke(load_detector("belle2"))
    assert usable(hits, yoke.layout)[1] == {}
    found = extrapolate(tracks, hits, yoke).tracks
    assert np.mean(found.outcome > 0) > 0.9
    reached = found.ndof > 10
    assert np.median(found.chi2[reached] / found.ndof[reached]) == pytest.approx(1, abs=0.1)
    assert set(np.abs(truth.pdg_id).tolist()) == {13}
    assert about["engine"] == "fast"
    assert "stand-in data" in about["interactions"]
    capsys.readouterr()


def test_truth_stands_in_a_table_of_its_own(tmp_path, capsys):
    _, path = simulated(tmp_path)
    sample = open_sample(path)
    known = {name for name, _ in (*sample.tracks.columns, *sample.hits.columns)}
    assert not known & {"pdg_id", "fate", "soft_p", "end_x"}
    capsys.readouterr()


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"engine": "magic"}, "generate.engine"),
        ({"events": 0}, "generate.events"),
        ({"particle": "tau"}, "gun.particle"),
        ({"more": "[readout]\nrpc_efficiency = 1.5"}, "readout.rpc_efficiency"),
        ({"more": "[readout]\nefficiency = 1.0"}, "readout.efficiency"),
    ],
)
def test_faults_of_the_configuration_are_one_line_each(tmp_path, capsys, changes, fault):
    code, _ = simulated(tmp_path, **changes)
    assert code == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert any(fault in line for line in error)
    assert not list(tmp_path.glob("s.*.parquet"))


def test_a_detector_without_volumes_around_its_sensors_is_told(tmp_path, capsys):
    (tmp_path / "t.toml").write_text('detector = "telescope"\n' + CONFIG.format(
        events=1, engine="fast", chunk=1, particle="mu", more=""))  # fmt: skip
    assert main(["simulate", "klm", str(tmp_path / "t.toml"), "-o", str(tmp_path / "t.parquet")]) == 2
    assert "lies in no volume" in capsys.readouterr().err


def test_geant4_without_data_says_what_to_do(tmp_path, capsys, monkeypatch):
    from muonkit.simulation.geant4 import engine

    for name in (*engine.SETS, engine.WHOLE):
        monkeypatch.delenv(name, raising=False)
    code, _ = simulated(tmp_path, engine="geant4")
    assert code == 2
    error = capsys.readouterr().err
    assert "geant4 is not installed" in error if find_spec("geant4_pybind") is None else "Geant4 has no data" in error


@pytest.mark.slow
@pytest.mark.skipif(find_spec("geant4_pybind") is None, reason="geant4_pybind is not installed")
def test_geant4_writes_the_same_tables_and_says_that_its_data_are_stand_ins(tmp_path, capsys):
    from tests.oracles.geant4_iron import MissingError, environment

    try:
        _, what = environment(tmp_path / "data")
    except MissingError as error:
        pytest.skip(str(error))
    more = f'[geant4]\ndata = "{tmp_path / "data"}"'
    code, path = simulated(tmp_path, engine="geant4", events=60, chunk=30, jobs=2, more=more)
    assert code == 0
    (tracks, hits, truth), about = tables(path)
    assert len(tracks) == len(truth) == 60
    assert len(hits) > 60
    assert ("stand-in" in about["data sets"]) == ("stand-in" in what)
    capsys.readouterr()
    _, again = simulated(tmp_path, "again", engine="geant4", events=60, chunk=30, more=more)
    same(tables(path)[0], tables(again)[0])


def test_a_note_tells_the_configuration(tmp_path, capsys):
    _, path = simulated(tmp_path)
    note = json.loads((tmp_path / "s.json").read_text())
    assert note["config"]["gun"]["particle"] == "pi"
    capsys.readouterr()
    assert path.with_name("s.truth.parquet").is_file()
