"""CSV files: no row is lost, whatever stands in them."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from tests.io.pairs import choice, columns, dimuons, write
from tests.io.test_source import assert_same, everything

from muonkit.core.errors import InputError
from muonkit.io import csvfile
from muonkit.io.corrected import rewrite


def refused(path: Path, **settings: object) -> str:
    with pytest.raises(InputError) as caught:
        everything(path, **settings)
    (line,) = caught.value.faults
    assert line.startswith(f"{path}: ")
    return line.removeprefix(f"{path}: ")


@pytest.mark.parametrize("separator", [";", "\t"])
def test_semicolons_and_tabs_separate_too(separator: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", columns())
    path.write_text(path.read_text().replace(",", separator))
    assert_same(everything(path, True, chunk_size=10), dimuons(columns()))


@pytest.mark.parametrize("separator", [";", "\t"])
def test_decimal_commas_are_read_and_written_back(separator: str, tmp_path: Path) -> None:
    path, out = write(tmp_path / "a.csv", columns()), tmp_path / "b.csv"
    path.write_text(path.read_text().replace(",", separator).replace(".", ","))
    assert_same(everything(path, True, chunk_size=10), dimuons(columns()))
    rewrite(path, out, choice(chunk_size=10), lambda muons: 2 * muons.pt)
    assert "." not in out.read_text()
    np.testing.assert_array_equal(everything(out).minus.pt, 2 * columns()["minus_pt"])


def test_commas_and_points_in_one_file_are_not_guessed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", columns(20))
    lines = path.read_text().replace(",", ";").splitlines()
    lines[3] = lines[3].replace(".", ",", 1)
    path.write_text("\n".join(lines))
    assert refused(path).startswith("column 'plus_pt' is not a number in row 2, counted from 0 (found '")


@pytest.mark.parametrize("row", [0, 1400, 1998])
@pytest.mark.parametrize("chunk_size", [150, 10_000])
def test_a_quotation_mark_that_is_not_closed_is_located(row: int, chunk_size: int, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", columns(2000) | {"note": np.arange(2000)})
    lines = path.read_text().splitlines()
    lines[row + 1] = lines[row + 1].rsplit(",", 1)[0] + ',"x'
    path.write_text("\n".join(lines) + "\n")
    line = f"row {row}, counted from 0, has a quotation mark that is not closed. Mend the file."
    assert refused(path, chunk_size=chunk_size) == line


def test_two_quotation_marks_in_different_rows_lose_no_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", columns(100) | {"note": np.arange(100)})
    lines = path.read_text().splitlines()
    for row in (40, 60):
        lines[row + 1] = lines[row + 1].rsplit(",", 1)[0] + ',"x'
    path.write_text("\n".join(lines))
    assert refused(path).startswith("row 40, counted from 0, has a quotation mark")


def test_quoted_text_with_separators_is_no_fault(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", columns(20))
    lines = path.read_text().splitlines()
    path.write_text("\n".join([f'"no, te",{lines[0]}', *(f'"a, ""b"";",{line}' for line in lines[1:])]))
    assert_same(everything(path, True, chunk_size=7), dimuons(columns(20)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda text: text.replace(b"\n", b"\r"), "lines end with CR alone"),
        (lambda text: text.replace(b"plus_pt", b"plus\0pt", 1), "the first line holds bytes of value 0"),
        (lambda text: text[:3000] + b"\0" + text[3000:], "row 11, counted from 0, holds bytes of value 0"),
        (lambda text: b"x" * 2_000_000 + b"," + text, "the first line is longer than 1 MB"),
        (lambda text: text + b"1" * 2_000_000, "row 57, counted from 0, is longer than 1 MB"),
        (lambda text: b"weight," + text.replace(b"\n", b"\n1,")[:-2], "column 'weight' stands twice"),
        (lambda text: text.replace(b",", b"\r", 40), "lines end with CR alone"),
    ],
)
def test_files_that_are_no_tables_are_one_line(content: object, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", columns())
    path.write_bytes(content(path.read_bytes()))  # type: ignore[operator]
    assert message in refused(path)


def test_a_cr_within_a_row_is_located(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", columns(30))
    lines = path.read_bytes().splitlines()
    lines[12] = lines[12].replace(b",", b"\r", 1)
    path.write_bytes(b"\n".join(lines))
    assert "row 11, counted from 0, has a CR within it" in refused(path)


def test_a_small_gzipped_file_of_one_endless_line_is_not_unpacked(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv.gz", columns())
    text = gzip.decompress(path.read_bytes())
    with gzip.open(path, "wb") as stream:
        stream.write(text)
        for _ in range(200):
            stream.write(bytes([49]) * 1_000_000)
    assert path.stat().st_size < 1_000_000
    assert "row 57, counted from 0, is longer than 1 MB" in refused(path)


def test_a_file_that_shrinks_after_it_was_opened_is_one_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", columns())
    layout = csvfile.describe(path, "a.csv", 1000)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(InputError, match="shorter than when it was opened"):
        csvfile.read(path, "a.csv", {"plus_pt": "plus_pt"}, 0, layout.pieces[0].span or (0, 0))


def test_the_choice_of_chunks_does_not_change_what_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", columns())
    path.write_text(path.read_text().replace("\n", "\n\n"))
    for size in (1, 5, 100):
        assert_same(everything(path, True, chunk_size=size), dimuons(columns()))
    assert choice().chunk_size > 100
