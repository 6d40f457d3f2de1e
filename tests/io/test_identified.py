"""Identified tables joined with their truth."""

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from tests.muid.performance.test_score import config
from tests.muid.performance.toys import write_sample

from muonkit.core.errors import InputError
from muonkit.io.identified import join, pieces
from muonkit.io.tables import write_tables
from muonkit.muid.performance.labelled import needed

COLUMNS = needed(config())
N = 600


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("identified")
    write_sample(path, "mu", N, 1)
    return path


def read(path):
    return pq.read_table(path)


def all_pieces(joined, size):
    tables, truths = zip(*pieces(joined, size), strict=True)
    columns = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    return columns, np.concatenate([truth.pdg_id for truth in truths]), len(tables)


def test_pieces_are_the_table_and_what_was_not_computed_is_nan(folder):
    joined = join(folder / "mu.identified.parquet", folder / "mu.truth.parquet", COLUMNS)
    columns, pdg, number = all_pieces(joined, 250)
    assert number == 3
    np.testing.assert_array_equal(pdg, read(folder / "mu.truth.parquet")["pdg_id"].to_numpy())
    table = read(folder / "mu.identified.parquet")
    for name in ("event", "chi2", "logL_mu", "junk", "outcome", "is_forward"):
        expected = np.array([np.nan if v is None else v for v in table[name].to_pylist()], dtype=float)
        np.testing.assert_array_equal(columns[name], expected)
    assert np.isnan(columns["outcome"]).any()
    assert np.isnan(columns["junk"]).any()


def test_truth_in_another_order_and_with_more_tracks_is_found(folder):
    other = read(folder / "mu.identified.parquet").take(np.random.default_rng(1).permutation(N)[: N - 50])
    pq.write_table(other, folder / "shuffled.parquet")
    joined = join(folder / "shuffled.parquet", folder / "mu.truth.parquet", COLUMNS)
    columns, pdg, _ = all_pieces(joined, 100)
    truth = read(folder / "mu.truth.parquet").to_pydict()
    known = dict(zip(zip(truth["event"], truth["track"], strict=True), truth["pdg_id"], strict=True))
    keys = zip(columns["event"], columns["track"], strict=True)
    assert [known[int(e), int(t)] for e, t in keys] == pdg.tolist()
    assert joined.unused == 50


@pytest.mark.parametrize("kind", ["csv", "root"])
def test_csv_and_root_give_what_parquet_gives(folder, kind):
    table = read(folder / "mu.identified.parquet")
    lists = {
        name: [np.nan if value is None else value for value in table[name].to_pylist()] for name in table.schema.names
    }
    columns = {name: np.ma.masked_invalid(np.array(values, dtype=float)) for name, values in lists.items()}
    columns |= {name: table[name].to_numpy() for name in ("event", "track", "status")}
    if kind == "csv":
        pc.write_csv(table, folder / "mu.csv")
    else:
        write_tables(folder / "mu.root", iter([columns]))
    found = all_pieces(join(folder / f"mu.{kind}", folder / "mu.truth.parquet", COLUMNS), 250)[0]
    expected = all_pieces(join(folder / "mu.identified.parquet", folder / "mu.truth.parquet", COLUMNS), 250)[0]
    for name in COLUMNS:
        np.testing.assert_array_equal(found[name], expected[name])


def with_run(table, run):
    n = table.num_rows
    return table.append_column("experiment", pa.array([1] * n)).append_column("run", pa.array([run] * n))


def test_tables_of_several_runs_are_joined_by_run_where_both_have_it(folder):
    for name, order in (("truth", (1, 2)), ("identified", (2, 1))):
        table = read(folder / f"mu.{name}.parquet")
        pq.write_table(pa.concat_tables([with_run(table, run) for run in order]), folder / f"runs_{name}.parquet")
    joined = join(folder / "runs_identified.parquet", folder / "runs_truth.parquet", COLUMNS)
    np.testing.assert_array_equal(joined.rows, [*range(N, 2 * N), *range(N)])
    (line,) = faults(folder, "runs_identified.parquet")
    assert "stands twice" in line


def faults(folder, table, truth="mu.truth.parquet"):
    with pytest.raises(InputError) as error:
        list(pieces(join(folder / table, folder / truth, COLUMNS), 100))
    return error.value.faults


def test_tracks_without_truth_are_named(folder):
    pq.write_table(read(folder / "mu.truth.parquet").slice(0, N - 3), folder / "short.parquet")
    (line,) = faults(folder, "mu.identified.parquet", "short.parquet")
    assert "3 of 600 tracks are not in" in line
    assert f"track {(N - 3) % 3} of event {(N - 3) // 3}" in line


@pytest.mark.parametrize("which", ["identified", "truth"])
def test_a_track_that_stands_twice_is_named(folder, which):
    table = read(folder / f"mu.{which}.parquet")
    pq.write_table(pa.concat_tables([table, table.slice(4, 1)]), folder / "twice.parquet")
    pair = (
        ("twice.parquet", "mu.truth.parquet") if which == "identified" else ("mu.identified.parquet", "twice.parquet")
    )
    (line,) = faults(folder, *pair)
    assert "track 1 of event 1 stands twice" in line


def test_a_missing_column_and_words_for_numbers_are_named(folder):
    table = read(folder / "mu.identified.parquet")
    pq.write_table(
        table.rename_columns([n.replace("logL_mu", "logl_mu") for n in table.column_names]), folder / "a.parquet"
    )
    (line,) = faults(folder, "a.parquet")
    assert "'logL_mu' (is it 'logl_mu'?)" in line
    place = table.column_names.index("chi2")
    pq.write_table(table.set_column(place, "chi2", pa.array(["x"] * N)), folder / "b.parquet")
    assert faults(folder, "b.parquet") == [
        f"{folder / 'b.parquet'}: column 'chi2' does not hold numbers (found string). Mend the file."
    ]
    pq.write_table(table.set_column(0, "event", pa.array([0.5] * N)), folder / "c.parquet")
    assert "'event' is not a whole number" in faults(folder, "c.parquet")[0]
    (line,) = faults(folder, "none.parquet")
    assert "no such file" in line
