"""From a table of hits to tables of tracks and pairs: results, pieces, processes, bad input."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.pipelines.refitting import DETECTOR, EVENTS, sample, write_hits

from muonkit.cli import main
from muonkit.core.kinematics import mass
from muonkit.io.config import Input
from muonkit.io.source import open_dimuons, read
from muonkit.pipelines import refit as pipeline
from muonkit.tracking.refit import FEW, REFIT_STATUS


@pytest.fixture(scope="module")
def columns():
    return sample()


@pytest.fixture
def folder(tmp_path, columns):
    hits, truth = columns
    write_hits(tmp_path, hits)
    pq.write_table(pa.table(truth), tmp_path / "a.truth.parquet")
    configure(tmp_path)
    return tmp_path


GAUSSIAN = 'energy_loss = "ionisation"\nscattering = "highland"'


def configure(path, more="", truth='truth = "a.truth.parquet"', size=500, fit=GAUSSIAN):
    text = f'detector = "{DETECTOR}"\n{more}\n[input]\nhits = "a.hits.parquet"\n{truth}\nchunk_size = {size}\n'
    (path / "refit.toml").write_text(f"{text}[fit]\n{fit}\n")


def run(capsys, folder, *options, out="out.parquet"):
    code = main(["refit", str(folder / "refit.toml"), "-o", str(folder / out), "--json", *options])
    text, err = capsys.readouterr()
    return code, text, err.strip().splitlines()


def faults(capsys, folder):
    code, _, err = run(capsys, folder)
    assert code == 2
    assert not (folder / "out.parquet").exists()
    return err


def test_tracks_and_pairs_are_written(folder, columns, capsys):
    code, text, err = run(capsys, folder)
    assert code == 0, err
    result = json.loads(text)
    assert result["tracks"] == result["fitted"] == 2 * EVENTS
    assert result["pairs"] == EVENTS
    assert result["pairs_without_vertex"] == result["pairs_without_truth"] == result["events_without_pair"] == 0
    tracks = pq.read_table(folder / "out.parquet").to_pydict()
    assert tracks["charge"] == [1, -1] * EVENTS
    assert len(tracks["cov"][0]) == 15
    assert tracks["status"] == [0] * 2 * EVENTS
    true = columns[1]
    gen = np.hypot(true["px"], true["py"])
    plus, minus = (np.array(tracks["pt"])[k::2] / gen[k * EVENTS : (k + 1) * EVENTS] for k in (0, 1))
    assert abs(np.median(plus) - 1) < 0.01
    assert abs(np.median(minus) - 1) < 0.01


def test_the_pairs_are_a_table_of_dimuons(folder, capsys):
    run(capsys, folder)
    opened = open_dimuons([str(folder / "out.pairs.parquet")], Input(data=("x",)), simulation=True)
    table = read(opened.chunks[0]).table
    found = pq.read_table(folder / "out.pairs.parquet").to_pydict()
    assert len(table) == EVENTS
    np.testing.assert_allclose(mass(table.plus, table.minus), found["mass"], rtol=1e-12)
    apart = (np.array(found["mass"]) - mass(table.gen_plus, table.gen_minus)) / found["mass_error"]
    assert 0.7 < apart.std() < 1.3
    assert np.all(np.array(found["plus_pt_error"]) < 0.1 * table.plus.pt)


def test_pieces_and_processes_change_no_bit(folder, capsys):
    run(capsys, folder, out="small.parquet")
    run(capsys, folder, "--jobs", "2", out="two.parquet")
    configure(folder, size=10**6)
    run(capsys, folder, out="whole.parquet")
    for part in ("", ".pairs"):
        first, *others = (pq.read_table(folder / f"{name}{part}.parquet") for name in ("small", "two", "whole"))
        assert all(first.equals(other) for other in others)


def test_the_standard_fit_says_what_it_neglects(folder, capsys):
    configure(folder, fit='model = "standard"')
    result = json.loads(run(capsys, folder)[1])
    assert "wrong mass" in result["neglected"]
    configure(folder, fit='approximations = ["wrong mass"]')
    assert json.loads(run(capsys, folder)[1])["neglected"] == ["wrong mass"]


def test_an_unknown_approximation_is_a_fault_of_the_configuration(folder, capsys):
    configure(folder, fit='approximations = ["flat earth"]')
    assert "fit.approximations" in faults(capsys, folder)[0]


def changed(folder, columns, row, **values):
    hits = {name: column.copy() for name, column in columns[0].items()}
    hits["module"] = hits["module"].astype(object)
    for name, value in values.items():
        hits[name][row] = value
    write_hits(folder, hits)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"module": "PXB/99"}, "row 7 is on module 'PXB/99', which cms_like_layers does not have"),
        ({"module": "beam pipe"}, "row 7 is on a surface of cms_like_layers that measures nothing"),
        ({"u": np.nan}, "row 7 has a u that is no number of cm"),
        ({"u": np.inf}, "row 7 has a u that is no number of cm"),
        ({"sigma_u": 0.0}, "row 7 has an error that is no positive number of cm"),
        ({"u": 1e4}, "row 7 lies outside of its module"),
        ({"sigma_u": 1e4}, "row 7 has an error larger than its module"),
        ({"event": 10_000}, "row 8 goes back to an earlier track"),
    ],
)
def test_bad_rows_are_named(folder, columns, capsys, values, words):
    changed(folder, columns, 7, **values)
    (line,) = faults(capsys, folder)
    assert words in line
    assert "a.hits.parquet" in line


def test_a_hit_that_is_there_twice_is_named(folder, columns, capsys):
    write_hits(folder, {name: np.insert(column, 4, column[3]) for name, column in columns[0].items()})
    assert "row 4 is the hit before again" in faults(capsys, folder)[0]


def test_another_detector_is_refused(folder, columns, capsys):
    write_hits(folder, columns[0], detector="telescope")
    assert "was made with the detector 'telescope'" in faults(capsys, folder)[0]


def test_no_tracks_are_refused(folder, columns, capsys):
    write_hits(folder, {name: column[:0] for name, column in columns[0].items()})
    assert "has no hits" in faults(capsys, folder)[0]


def test_missing_files_and_columns_are_named(folder, columns, capsys):
    write_hits(folder, {name: column for name, column in columns[0].items() if name not in ("u", "sigma_v")})
    assert "has no column u, sigma_v" in faults(capsys, folder)[0]
    (folder / "a.hits.parquet").unlink()
    assert "there is no such file" in faults(capsys, folder)[0]


def test_short_and_disordered_tracks_are_counted(folder, columns, capsys):
    """The first track keeps three hits, the hits of the third come backwards."""
    hits = columns[0]
    number = np.cumsum(np.concatenate(([0], np.diff(2 * hits["event"] + hits["track"]) != 0)))
    rows = [np.flatnonzero(number == 0)[:3], np.flatnonzero(number == 1), np.flatnonzero(number == 2)[::-1]]
    order = np.concatenate((*rows, np.flatnonzero(number > 2)))
    write_hits(folder, {name: column[order] for name, column in hits.items()})
    code, text, _ = run(capsys, folder)
    result = json.loads(text)
    assert code == 0
    tracks = pq.read_table(folder / "out.parquet").to_pydict()
    assert len(tracks["event"]) == 2 * EVENTS
    assert tracks["status"][0] == FEW
    assert np.isnan(tracks["pt"][0])
    assert result["fitted"] == 2 * EVENTS - 2
    assert result["failed"][REFIT_STATUS[FEW]] == 1
    assert result["pairs"] == EVENTS - 2
    assert result["events_without_pair"] == 2


def test_too_many_failures_are_told_by_the_exit_code(folder, columns, capsys):
    hits = columns[0]
    number = np.cumsum(np.concatenate(([0], np.diff(2 * hits["event"] + hits["track"]) != 0)))
    first = np.concatenate([np.flatnonzero(number == k)[:3] for k in range(10)] + [np.flatnonzero(number >= 10)])
    write_hits(folder, {name: column[first] for name, column in hits.items()})
    code, text, _ = run(capsys, folder)
    assert code == 1
    assert json.loads(text)["status"] == "ATTENTION"


def test_tracks_without_truth_are_counted(folder, columns, capsys):
    truth = {name: column[1:] for name, column in columns[1].items()}
    pq.write_table(pa.table(truth), folder / "a.truth.parquet")
    assert json.loads(run(capsys, folder)[1])["pairs_without_truth"] == 1


def test_truth_without_hits_and_truth_of_others_are_told(folder, columns, capsys):
    """Half of the tracks of the truth are those of a later event, and the others have the wrong charge."""
    more = {name: np.concatenate((column, column)) for name, column in columns[1].items()}
    more["event"] = more["event"] + EVENTS * (np.arange(4 * EVENTS) >= 2 * EVENTS)
    pq.write_table(pa.table(more | {"charge": -more["charge"]}), folder / "a.truth.parquet")
    code, text, _ = run(capsys, folder)
    result = json.loads(text)
    assert (code, result["truth"], result["truth_without_hits"]) == (0, 4 * EVENTS, 2 * EVENTS)
    assert result["unlike_truth"] == 2 * EVENTS
    assert "is it the truth of these hits?" in result["text"]


@pytest.mark.parametrize("factor", [1e3, 1e-2])
def test_errors_of_another_unit_are_told_by_the_exit_code(folder, columns, capsys, factor):
    write_hits(folder, columns[0] | {name: factor * columns[0][name] for name in ("sigma_u", "sigma_v")})
    code, text, _ = run(capsys, folder)
    assert code == 1
    assert json.loads(text)["unlikely_chi2"] > EVENTS
    assert "look at the errors of the hits" in json.loads(text)["text"]


def test_few_unlikely_tracks_are_counted(folder, columns, capsys):
    changed(folder, columns, 7, u=columns[0]["u"][7] + 1)
    code, text, _ = run(capsys, folder)
    assert (code, json.loads(text)["unlikely_chi2"]) == (0, 1)


def test_events_without_numbers_make_no_pairs_of_all_tracks(folder, columns, capsys, monkeypatch):
    monkeypatch.setattr(pipeline, "MOST_TRACKS", 100)
    hits = columns[0]
    write_hits(folder, hits | {"event": 0 * hits["event"], "track": 2 * hits["event"] + hits["track"]})
    assert f"event 0 has {2 * EVENTS} tracks" in faults(capsys, folder)[0]
    configure(folder, more="pairs = false")
    assert run(capsys, folder)[0] == 0


def test_equal_charges_make_no_pair_and_three_tracks_make_two(folder, columns, capsys):
    """The negative muons of event 0 and 1 are those of event 1: two in event 1, none in event 0."""
    hits = {name: column.copy() for name, column in columns[0].items()}
    moved = (hits["event"] == 0) & (hits["track"] == 1)
    hits["event"][moved], hits["track"][moved] = 1, 2
    order = np.lexsort((np.arange(len(moved)), hits["track"], hits["event"]))
    write_hits(folder, {name: column[order] for name, column in hits.items()})
    result = json.loads(run(capsys, folder)[1])
    assert (result["pairs"], result["events_without_pair"]) == (EVENTS, 1)


def test_a_stopped_run_goes_on_where_it_stopped(folder, capsys, monkeypatch):
    run(capsys, folder, out="whole.parquet")
    done, real = [], pipeline.run_piece

    def counted(job, rows, stop=3):
        if len(done) == stop:
            raise KeyboardInterrupt
        done.append(rows)
        return real(job, rows)

    monkeypatch.setattr(pipeline, "run_piece", counted)
    assert run(capsys, folder)[0] == 3
    assert not (folder / "out.parquet").exists()
    monkeypatch.setattr(pipeline, "run_piece", lambda job, rows: counted(job, rows, stop=None))
    assert run(capsys, folder)[0] == 0
    assert len(done) == len(set(done)) == 4
    for part in ("", ".pairs"):
        first, second = (pq.read_table(folder / f"{name}{part}.parquet") for name in ("whole", "out"))
        assert first.equals(second)
