"""Text files of Rochester corrections: what is wrong in a line is one line, with its number."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from tests.calibration import rochester_files as files

from muonkit.cli import main
from muonkit.core.errors import InputError
from muonkit.io.rochester import parse_rochester, read_rochester

TEXT = files.text()
LINES = TEXT.splitlines()
SCALE = next(i for i, line in enumerate(LINES) if " C " in line)
FACTOR = next(i for i, line in enumerate(LINES) if " F " in line)


def changed(number: int, line: str | None) -> str:
    """The file with another line at a place; without it if None."""
    return "\n".join([*LINES[:number], *([] if line is None else [line]), *LINES[number + 1 :]])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "has no line NSET, NMEM, TVAR, CPHI, CETA"),
        ("hello", "line 1: begins with 'hello'"),
        ("R 0 0 0 0 0 0 1.5", "line 1: begins with 'R'"),
        (changed(0, "NSET x"), "line 1: NSET has 'x' in place of a whole number"),
        (changed(0, "NSET 99999999999"), "line 1: NSET has '99999999999'"),
        (changed(0, "NSET 4"), "line 2: NMEM has 3 numbers in place of 4"),
        (changed(0, "CPHI 3"), "line 7: CPHI once more, see line 1"),
        (changed(3, None), "has no line RMIN"),
        (changed(5, "RETA 2 0.0 0.9"), "line 6: RETA has 2 values in place of 3"),
        (changed(5, "RETA 2 0.0 2.4 0.9"), "line 6: RETA has edges that do not rise"),
        (changed(6, "CPHI 10000"), " values in place of 10000"),
        (changed(SCALE, None), "lacks 1 of 60 lines C, the first are '0 0 C 0 0 0'"),
        (changed(SCALE, LINES[SCALE] + " 0.1"), f"line {SCALE + 1}: has 6 values in place of 5"),
        (changed(SCALE, "0 0 C 0 0 0 0.1 nan 0.1 0.1 0.1"), f"line {SCALE + 1}: has 'nan' in place of a number"),
        (changed(SCALE, "0 0 C 0 0 0 0.1 1_0 0.1 0.1 0.1"), f"line {SCALE + 1}: has '1_0' in place of a number"),
        (changed(SCALE, "0 0 C 0 0 0 0.1 -100 0.1 0.1 0.1"), "M - 1 is -100 per cent; it must be above -100"),
        (changed(SCALE, "0 7 C 0 0 0 0 0 0 0 0"), f"line {SCALE + 1}: member has '7' in place of a whole number"),
        (changed(SCALE, "0 0 C 0 0 9 0 0 0 0 0"), f"line {SCALE + 1}: bin of eta has '9' in place of"),
        (changed(SCALE, "0 0 X 0"), f"line {SCALE + 1}: has 'X' in place of R, T, F or C"),
        (changed(SCALE, "0"), f"line {SCALE + 1}: has '' in place of R, T, F or C"),
        (changed(SCALE, "0 0 C 1"), "C needs type, variable, bin of eta and then 5 values"),
        (changed(SCALE, LINES[SCALE + 1]), f"line {SCALE + 2}: repeats line {SCALE + 1}"),
        (changed(FACTOR, "0 0 F 0 1.0 0.0"), f"line {FACTOR + 1}: the factor on the width is 0; it must be above 0"),
        (changed(FACTOR, None), "lacks 1 of 10 lines F, the first are '0 0 F 0'"),
    ],
)
def test_a_fault_is_one_line_with_its_number(text: str, fault: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_rochester(text, "in.txt")
    assert any(fault in line for line in caught.value.faults), caught.value.faults
    assert all(line.startswith("in.txt: ") and "\n" not in line for line in caught.value.faults)


def test_a_thousand_faults_are_not_a_thousand_lines() -> None:
    with pytest.raises(InputError) as caught:
        parse_rochester(TEXT + "0 0 X\n" * 1000, "in.txt")
    assert len(caught.value.faults) == 51
    assert caught.value.faults[-1] == "in.txt: 950 more faults"


def faults(text: str) -> list[str]:
    try:
        parse_rochester(text, "in.txt")
    except InputError as error:
        return error.faults
    return []


def test_no_change_of_one_byte_ends_with_a_traceback() -> None:
    rng = np.random.default_rng(4)
    for _ in range(300):
        place, letter = rng.integers(len(TEXT)), chr(rng.choice([0, 10, 32, 45, 46, 48, 57, 67, 101, 160, 0x661]))
        assert all("\n" not in line for line in faults(TEXT[:place] + letter + TEXT[place + 1 :]))


def test_comments_empty_lines_and_gzip_are_read(tmp_path: Path) -> None:
    path = tmp_path / "in.txt.gz"
    path.write_bytes(gzip.compress(f"# from a colleague\n\n{TEXT}".encode()))
    assert np.array_equal(read_rochester(path).M, parse_rochester(TEXT, "in.txt").M)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"\x1f\x8b damaged", b"\x00" * 100])
def test_the_command_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    for name in ("in.txt", "in.txt.gz"):
        (tmp_path / name).write_bytes(content)
        assert main(["convert", str(tmp_path / name), "-o", str(tmp_path / "out.json.gz")]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "out.json.gz").exists()


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["-o", "out.txt"], "give a name that ends with .json or .json.gz"),
        (["-o", "out.json", "--sets", "a b", "c"], "'a b' is not a name"),
        (["-o", "out.json", "--sets", "a", "a_1"], "two members would have the same name"),
        (["-o", "no.json/out.json"], "Not a directory"),
    ],
)
def test_a_name_that_cannot_be_used_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, options: list[str], fault: str
) -> None:
    monkeypatch.chdir(tmp_path)
    files.write(Path("in.txt"))
    Path("no.json").touch()
    assert main(["convert", "in.txt", *options]) == 2
    assert fault in capsys.readouterr().err
