"""Damaged tables of identification: one line and exit code 2, never a traceback."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.pipelines.identifying import changed, prepared, run, write

from muonkit.io.tables import write_tables


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = prepared(tmp_path_factory.mktemp("identify_damaged"))
    for name in ("tracks", "hits"):
        table = pq.read_table(folder / f"{name}.parquet").to_pydict()
        columns = {key: np.array(values) for key, values in table.items() if not isinstance(values[0], str)}
        columns |= {key: np.zeros(len(table["event"]), int) for key in ("region", "section") if name == "hits"}
        for kind in ("csv", "root"):
            write_tables(folder / f"{name}.{kind}", iter([columns]))
    return folder


def refused(folder, capsys, **names):
    code, _, err = run(capsys, write(folder, "bad.toml", **names), "-o", folder / "bad_out.parquet")
    assert code == 2, err
    assert len([line for line in err if not line.startswith("identify ")]) == 1, err
    assert not (folder / "bad_out.parquet").exists()
    return err[-1]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("kind", ["parquet", "root"])
@pytest.mark.parametrize("which", ["tracks", "hits"])
def test_a_truncated_table_is_one_line(folder, capsys, which, kind, share):
    whole = (folder / f"{which}.{kind}").read_bytes()
    (folder / f"short.{kind}").write_bytes(whole[: int(share * len(whole))])
    assert "short." in refused(folder, capsys, **{which: f"short.{kind}"})


@pytest.mark.parametrize("row", ["1,2,3\n", '"1,2\n', "x," * 40 + "\n", "\0\0\n"])
@pytest.mark.parametrize("which", ["tracks", "hits"])
def test_a_damaged_row_of_csv_is_one_line(folder, capsys, which, row):
    text = (folder / f"{which}.csv").read_text().splitlines(keepends=True)
    (folder / "short.csv").write_text("".join([*text[:9], row, *text[9:]]))
    assert "row 8" in refused(folder, capsys, **{which: "short.csv"})


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        (lambda n: {"px": ["1.5"] * n}, "column 'px' does not hold numbers (found string)"),
        (lambda n: {"px": [[1.5]] * n}, "column 'px' does not hold numbers (found list)"),
        (lambda n: {"x": [{"a": 1.0}] * n}, "column 'x' does not hold numbers (found struct"),
        (lambda n: {"z": pa.nulls(n)}, "column 'z' does not hold numbers (found null)"),
        (lambda n: {"cov": [1.0] * n}, "column 'cov' holds 1 number per row, not 21"),
        (lambda n: {"cov": [[1.0] * 20] * n}, "holds 20 numbers per row, not the 21"),
        (lambda n: {"cov": [None] + [[1.0] * 21] * (n - 1)}, "does not hold 21 numbers in every row"),
        (lambda n: {"cov": [["a"] * 21] * n}, "does not hold 21 numbers in every row"),
        (lambda n: {"px": [None] * (n - 5) + [1.0] * 5}, "position, momentum or covariance is not finite"),
    ],
)
def test_columns_of_another_kind_are_one_line(folder, capsys, columns, fault):
    n = pq.read_metadata(folder / "tracks.parquet").num_rows
    assert fault in refused(folder, capsys, tracks=changed(folder, "kind.parquet", **columns(n)))
