"""Every table of a sample says of which sample it is, in every kind of file; the values stay as they were."""

from pathlib import Path

import numpy as np
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from tests.io.test_samples import NUMBERS, written

from muonkit.core.errors import InputError
from muonkit.io import samples
from muonkit.io.klm import describe
from muonkit.io.origin import KEY, known, origin_of
from muonkit.io.samples import open_sample, sample_files
from muonkit.io.tables import write_tables

ORIGIN, OTHER = "s0123456789abcde", "sfedcba987654321"
TABLE = {"event": NUMBERS, "x": np.array([0.5, -1.0])}


@pytest.mark.parametrize("ending", ["parquet", "csv", "csv.gz", "root"])
def test_the_origin_comes_back_from_every_kind_of_file(tmp_path: Path, ending: str) -> None:
    for origin in (ORIGIN, None):
        assert write_tables(tmp_path / f"t.{ending}", iter([TABLE, TABLE]), origin) == 4
        assert describe(tmp_path / f"t.{ending}").origin == origin


def test_only_csv_has_a_column_for_it(tmp_path: Path) -> None:
    for ending in ("parquet", "csv"):
        write_tables(tmp_path / f"t.{ending}", iter([TABLE]), ORIGIN)
    assert pq.read_table(tmp_path / "t.parquet").column_names == ["event", "x"]
    table = pc.read_csv(tmp_path / "t.csv")
    assert table.column_names == ["event", "x", KEY]
    assert table["x"].to_pylist() == TABLE["x"].tolist()


def test_the_origin_is_that_of_the_content_however_it_is_cut() -> None:
    pieces = [{name: values[rows] for name, values in TABLE.items()} for rows in (slice(1), slice(1, None))]
    origin = origin_of([TABLE], [TABLE])
    assert known(origin) == origin
    assert origin_of(pieces, [TABLE]) == origin
    assert origin_of([TABLE | {"x": np.array([0.5, -1.1])}], [TABLE]) != origin


@pytest.mark.parametrize("text", ["", "s1", "data", b"x", None, 3, ORIGIN + "0"])
def test_what_is_no_origin_is_not_taken_for_one(text: object) -> None:
    assert known(text) is None


@pytest.mark.parametrize("ending", ["parquet", "csv", "root"])
@pytest.mark.parametrize("changed", ["tracks", "hits", "truth", "about"])
def test_a_part_of_another_sample_is_one_line(tmp_path: Path, ending: str, changed: str) -> None:
    path = tmp_path / f"pions.{ending}"
    origins = dict.fromkeys(samples.SampleFiles._fields, ORIGIN)
    written(path, origins=origins)
    assert open_sample(path).notes == ()
    written(path, origins=origins | {changed: OTHER})
    with pytest.raises(InputError, match="of another sample than") as caught:
        open_sample(path)
    assert len(caught.value.faults) == 1


def test_parts_that_say_nothing_are_taken_on_trust(tmp_path: Path) -> None:
    path = tmp_path / "pions.parquet"
    written(path)
    (note,) = open_sample(path).notes
    assert note.endswith("that pions.tracks.parquet, pions.hits.parquet, pions.truth.parquet, pions.json belong to it "
                         "is taken on trust")  # fmt: skip
    written(path, origins={"tracks": ORIGIN, "truth": ORIGIN, "about": ORIGIN})
    (note,) = open_sample(path).notes
    assert "that pions.hits.parquet belong" in note
    sample_files(path).about.write_text("[]")
    with pytest.raises(InputError, match="is not the note of a sample"):
        open_sample(path)
