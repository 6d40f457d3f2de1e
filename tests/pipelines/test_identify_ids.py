"""Numbers of runs, events and tracks in tables of identification: of any type, exact, or refused in one line."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.pipelines.identifying import changed, hits_changed, identified, prepared, run, write

from muonkit.io.ids import exact, halves, joined
from muonkit.io.klm import WORDS
from muonkit.io.tables import write_tables

BIG = np.uint64(2**63)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("identify_ids"))


def events(folder, name):
    return np.array(pq.read_table(folder / f"{name}.parquet")["event"])


def renumbered(folder, of_tracks, of_hits=None, track=None):
    """A configuration of tables whose events are functions of the old ones; `track`: column of numbers of tracks."""
    of_hits = of_hits or of_tracks
    columns = {"event": of_tracks(events(folder, "tracks"))} | ({} if track is None else {"track": track})
    tracks = changed(folder, "ids_tracks.parquet", **columns)
    hits = hits_changed(folder, "ids_hits.parquet", event=of_hits(events(folder, "hits")))
    return write(folder, "ids.toml", tracks=tracks, hits=hits)


def same_but_for_ids(folder, capsys, name="ids_out.parquet"):
    """The identified table, after a check that all but numbers is as it is for the old ones."""
    identified(folder, capsys, name, config="ids.toml")
    identified(folder, capsys, "plain.parquet")
    table, plain = (pq.read_table(folder / one) for one in (name, "plain.parquet"))
    others = [repr(one.drop_columns(["event", "track"]).to_pydict()) for one in (table, plain)]  # NaN is not NaN
    assert others[0] == others[1]
    return table


def to_unsigned(event):
    return event.astype(np.uint64) * np.uint64(10**13 + 7) + (BIG - np.uint64(10**15))  # crosses 2^63


@pytest.mark.parametrize(
    "number",
    [
        to_unsigned,
        lambda event: event.astype(np.uint64) + np.uint64(2**64 - 10**6),
        lambda event: event.astype(np.int64) - 150,
        lambda event: event.astype(np.int64) + (2**63 - 10**6),
        lambda event: event.astype(np.int32),
        lambda event: event.astype(np.uint32) + np.uint32(2**32 - 10**6),
        lambda event: event.astype(np.uint16),
    ],
)
def test_numbers_of_events_come_out_as_they_went_in(folder, capsys, number):
    renumbered(folder, number)
    table = same_but_for_ids(folder, capsys)
    assert table["event"].equals(pq.read_table(folder / "ids_tracks.parquet")["event"])


@pytest.mark.parametrize(
    ("of_tracks", "of_hits"),
    [
        (lambda event: event.astype(np.uint64), lambda event: event.astype(np.int32)),
        (lambda event: event.astype(np.int64) + 2**60, lambda event: event.astype(np.uint64) + np.uint64(2**60)),
        (lambda event: event.astype(np.float64), lambda event: event.astype(np.int64)),
        (lambda event: event.astype(np.int64) + 2**52, lambda event: event.astype(np.float64) + 2**52),
        (lambda event: pa.array(event).dictionary_encode(), lambda event: event),
        (lambda event: pa.array(event, pa.int64()), lambda event: pa.array(event).dictionary_encode()),
    ],
)
def test_types_of_numbers_may_differ_between_tracks_and_hits(folder, capsys, of_tracks, of_hits):
    renumbered(folder, of_tracks, of_hits)
    same_but_for_ids(folder, capsys)


@pytest.mark.parametrize("track", [np.uint64(2**64 - 5), np.int32(-4), np.uint8(255), np.float64(2.0**53)])
def test_numbers_of_tracks_come_out_as_they_went_in(folder, capsys, track):
    n = len(events(folder, "tracks"))
    renumbered(folder, lambda event: event + 2**60, track=np.full(n, track))
    assert set(same_but_for_ids(folder, capsys)["track"].to_pylist()) == {int(track)}


@pytest.mark.parametrize("kind", ["csv", "root"])
def test_large_numbers_pass_through_csv_and_root(folder, capsys, kind):
    renumbered(folder, to_unsigned)
    for name in ("tracks", "hits"):
        table = pq.read_table(folder / f"ids_{name}.parquet").to_pydict()
        columns = {key: np.array(values) for key, values in table.items()}
        for key in WORDS.keys() & columns.keys():
            columns[key] = np.array([WORDS[key].index(word) for word in columns[key]])
        columns["event"] = to_unsigned(events(folder, name))
        write_tables(folder / f"ids_{name}.{kind}", iter([columns]))
    write(folder, "ids.toml", tracks=f"ids_tracks.{kind}", hits=f"ids_hits.{kind}")
    wanted = to_unsigned(events(folder, "tracks"))
    assert np.array_equal(np.array(same_but_for_ids(folder, capsys)["event"]), wanted)
    which = f"{wanted[3]}:0"
    code, out, err = run(capsys, folder / "ids.toml", "--explain", which, "-o", folder / "ids.png")
    assert code == 0, err
    assert f"event {wanted[3]}, track 0" in out


@pytest.mark.parametrize(
    ("column", "values", "fault"),
    [
        ("event", lambda n: np.arange(n) + 2.0**53 + 2, "beyond 9.0072e+15, where float64 is not exact"),
        ("event", lambda n: (np.arange(n) + 2.0**25).astype(np.float32), "beyond 1.67772e+07, where float32"),
        ("event", lambda n: [None, *range(1, n)], "'event' is not a whole number in 1 rows, first in row 0"),
        ("track", lambda n: [0] * (n - 1) + [None], f"'track' is not a whole number in 1 rows, first in row {299}"),
        ("track", lambda n: ["t0"] * n, "'track' does not hold numbers (found string)"),
        ("track", lambda n: ["7"] * n, "'track' does not hold numbers (found string)"),
        ("track", lambda n: pa.array(["t0"] * n).dictionary_encode(), "'track' does not hold numbers (found string)"),
        ("event", lambda n: [[i] for i in range(n)], "'event' does not hold numbers (found list)"),
        ("event", lambda n: pa.array(range(n), pa.timestamp("s")), "'event' does not hold numbers (found timestamp"),
        ("event", lambda n: pa.array([True] * n), "'event' does not hold numbers"),
        ("track", lambda n: pa.nulls(n), "'track' does not hold numbers (found null)"),
    ],
)
def test_numbers_that_are_none_are_refused_in_one_line(folder, capsys, column, values, fault):
    n = len(events(folder, "tracks"))
    config = write(folder, "none.toml", tracks=changed(folder, "none.parquet", **{column: values(n)}))
    code, _, err = run(capsys, config, "-o", folder / "none_out.parquet")
    assert (code, len(err)) == (2, 1)
    assert fault in err[0]


def test_runs_beyond_all_conditions_are_refused(folder, capsys):
    runs = {name: np.full(len(events(folder, name)), 2**63, np.uint64) for name in ("tracks", "hits")}
    tracks, hits = (
        change(folder, f"runs_{name}.parquet", run=runs[name])
        for change, name in ((changed, "tracks"), (hits_changed, "hits"))
    )
    code, _, err = run(capsys, write(folder, "runs.toml", tracks=tracks, hits=hits), "-o", folder / "x.parquet")
    assert (code, len(err)) == (2, 1)
    assert "column 'run' is 2^63 or more" in err[0]


def test_a_large_number_that_stands_twice_is_told_as_it_is(folder, capsys):
    renumbered(folder, lambda event: np.repeat(to_unsigned(event)[::2], 2)[: len(event)], to_unsigned)
    code, _, err = run(capsys, folder / "ids.toml", "-o", folder / "x.parquet")
    assert (code, len(err)) == (2, 1)
    assert f"track 0 of event {to_unsigned(np.array([0]))[0]} stands twice" in err[0]


def test_halves_sort_as_numbers_do_and_give_them_back():
    numbers = np.array([-(2**63), -(2**32) - 1, -1, 0, 5, 2**32, 2**63 - 1])
    large = np.array([0, 2**63 - 1, 2**63, 2**64 - 1], dtype=np.uint64)
    for values in (numbers, large, np.array([-5, 7], np.int8), np.array([255], np.uint8)):
        rows = halves(exact(values, "file", "event"))
        assert [joined(row) for row in rows] == values.tolist()
        assert np.array_equal(np.lexsort(rows.T[::-1]), np.arange(len(values)))
