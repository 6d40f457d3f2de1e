"""Wrong input is named in one line: what, where, the way out."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import uproot
from tests.io.pairs import choice, columns, write

from muonkit.core.errors import InputError
from muonkit.io.config import Input
from muonkit.io.source import open_dimuons, read, refuse


def faults(base: Path, *patterns: str, chosen: Input | None = None, simulation: bool = False) -> list[str]:
    def read_all() -> None:
        for chunk in open_dimuons(patterns, chosen or choice(), simulation=simulation, base=base).chunks:
            read(chunk)

    with pytest.raises(InputError) as caught:
        read_all()
    return caught.value.faults


def assert_damaged(lines: list[str], name: str, kind: str) -> None:
    (line,) = lines
    assert line.startswith(f"{name}: cannot be read (")
    assert line.endswith(f"); it is damaged or not a {kind} file. Make it again, or correct the path.")
    assert "\n" not in line


def test_a_missing_column_is_named_with_what_was_found_and_what_was_probably_meant(tmp_path: Path) -> None:
    content = columns()
    content["plus_pT"] = content.pop("plus_pt")
    write(tmp_path / "a.parquet", {name: content[name] for name in ("plus_pT", "plus_eta")})
    write(tmp_path / "b.csv", {name: content[name] for name in list(content)[1:5]} | {"pT_plus": content["plus_pT"]})
    kept = {name: column for name, column in content.items() if "gen" not in name}
    write(tmp_path / "c.root", kept)
    assert faults(tmp_path, "a.parquet", "c.root") == [
        "a.parquet: columns 'plus_pt', 'plus_phi', 'minus_pt', 'minus_eta', 'minus_phi' are missing "
        "(found plus_pT, plus_eta). Did you mean 'plus_pT' for 'plus_pt'? Name the columns in [input.columns].",
        "c.root: column 'plus_pt' is missing (found plus_eta, plus_phi, minus_pt, minus_eta, minus_phi, weight, run, "
        "luminosityBlock, ...). Did you mean 'plus_pT'? Name the columns in [input.columns].",
    ]


def test_the_format_that_would_fit_is_proposed(tmp_path: Path) -> None:
    cms = {f"{name}{i}": np.ones(2) for i in (1, 2) for name in ("pt", "eta", "phi", "Q")}
    write(tmp_path / "muons.parquet", cms)
    (line,) = faults(tmp_path, "muons.parquet")
    assert line.endswith(
        "(found pt1, eta1, phi1, Q1, pt2, eta2, phi2, Q2). "
        'Name the columns in [input.columns], or use format = "cms-csv".'
    )


def test_simulation_needs_generator_columns(tmp_path: Path) -> None:
    content = columns()
    del content["minus_gen_phi"]
    write(tmp_path / "muons.csv", content)
    (line,) = faults(tmp_path, "muons.csv", simulation=True)
    assert line.startswith("muons.csv: column 'minus_gen_phi' is missing (found ")


def test_a_key_of_columns_that_no_format_has_is_a_fault(tmp_path: Path) -> None:
    write(tmp_path / "muons.csv", columns())
    assert faults(tmp_path, "muons.csv", chosen=choice(columns={"plus_ptt": "x"})) == [
        "input.columns: plus_ptt: unknown key; did you mean 'plus_pt'?"
    ]


def test_a_named_column_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    write(tmp_path / "muons.csv", columns(2))
    (line,) = faults(tmp_path, "muons.csv", chosen=choice(columns={"run": "Lauf"}))
    assert line.startswith("muons.csv: column 'Lauf' is missing")


def test_all_faults_of_all_files_come_together(tmp_path: Path) -> None:
    write(tmp_path / "muons.parquet", columns())
    write(tmp_path / "none.parquet", columns(0))
    write(tmp_path / "none.csv", columns(0))
    (tmp_path / "empty.root").touch()
    (tmp_path / "notes.txt").write_text("muons")
    (tmp_path / "folder").mkdir()
    patterns = ["muon.parquet", "*.parq", "none.*", "empty.root", "notes.txt", "folder", "far/away.csv"]
    assert faults(tmp_path, *patterns) == [
        "muon.parquet: there is no such file; did you mean 'muons.parquet'?",
        "*.parq: no file matches. Correct the pattern in [input].",
        "far/away.csv: there is no such file. Correct the path in [input].",
        "notes.txt: unknown kind of file; give one that ends in .parquet, .root, .csv or .csv.gz",
        "folder: is a directory. Give files, such as 'folder/*.parquet'.",
        "none.csv: has no rows. Leave it out, or write it again.",
        "none.parquet: has no rows. Leave it out, or write it again.",
        "empty.root: is empty (0 bytes). Leave it out, or write it again.",
    ]


@pytest.mark.parametrize(("name", "kind"), [("a.parquet", "Parquet"), ("a.root", "ROOT"), ("a.ntuple.root", "ROOT")])
@pytest.mark.parametrize("size", [3, 100, 1000, 5000])
def test_a_truncated_file_is_called_damaged(name: str, kind: str, size: int, tmp_path: Path) -> None:
    path = write(tmp_path / name, columns(2000))
    path.write_bytes(path.read_bytes()[:size])
    assert_damaged(faults(tmp_path, name), name, kind)


@pytest.mark.parametrize(("name", "kind"), [("a.parquet", "Parquet"), ("a.root", "ROOT"), ("a.csv", "CSV")])
def test_a_file_that_is_not_what_its_ending_says_is_called_so(name: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(1000))
    assert_damaged(faults(tmp_path, name), name, kind)


def test_a_page_of_parquet_that_is_spoilt_is_found_while_reading(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", columns(2000))
    content = bytearray(path.read_bytes())
    content[4:400] = bytes(396)
    path.write_bytes(content)
    assert_damaged(faults(tmp_path, "a.parquet"), "a.parquet", "Parquet")


def test_a_truncated_gzip_is_called_damaged(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv.gz", columns(2000))
    path.write_bytes(path.read_bytes()[:5000])
    assert_damaged(faults(tmp_path, "a.csv.gz"), "a.csv.gz", "CSV")


def test_text_in_a_csv_is_located(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", columns())
    lines = path.read_text().splitlines()
    lines[31] = "many," + lines[31].split(",", 1)[1]
    path.write_text("\n".join(lines))
    line = "a.csv: column 'plus_pt' is not a number in row 30, counted from 0 (found 'many'). Mend the file."
    assert faults(tmp_path, "a.csv", chosen=choice(chunk_size=20)) == [line]
    lines[31] = "1,2,3"
    path.write_text("\n".join(lines))
    line = "a.csv: row 30, counted from 0, has 3 fields instead of 16. Mend the file."
    assert faults(tmp_path, "a.csv", chosen=choice(chunk_size=20)) == [line]


def test_blank_lines_and_windows_line_ends_are_no_fault(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", columns())
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n\r\n")
    chunks = open_dimuons([str(path)], choice(chunk_size=57), simulation=True).chunks
    assert [len(read(chunk).table) for chunk in chunks] == [57]
    with gzip.open(tmp_path / "b.csv.gz", "wb") as stream:
        stream.write(path.read_bytes())
    assert len(open_dimuons(["b.csv.gz"], choice(), simulation=True, base=tmp_path).chunks) == 1


def test_columns_of_text_or_lists_are_no_muons(tmp_path: Path) -> None:
    content = columns(3)
    content["plus_pt"] = np.array(["a", "b", "c"])
    write(tmp_path / "a.parquet", content)
    assert faults(tmp_path, "a.parquet") == [
        "a.parquet: column 'plus_pt' holds string, but format = \"dimuon\" needs one number per row"
    ]


def test_one_tree_of_several_must_be_chosen(tmp_path: Path) -> None:
    content = columns(3)
    types = {name: column.dtype for name, column in content.items()}
    with uproot.recreate(tmp_path / "a.root") as file:
        for name in ("data", "control"):
            file.mktree(name, types).extend(content)
    with uproot.recreate(tmp_path / "b.root") as file:
        file["note"] = "no table here"
    assert faults(tmp_path, "a.root", "b.root") == [
        "a.root: there are several trees (data, control). Choose one with input.tree.",
        "b.root: there is no TTree or RNTuple in it. Give a file with a table of muons.",
    ]
    assert faults(tmp_path, "a.root", chosen=choice(tree="Data")) == [
        "a.root: there is no tree 'Data' (found data, control). Correct input.tree."
    ]


def test_nanoaod_is_not_read_from_csv(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", columns(3))
    assert faults(tmp_path, "a.csv", chosen=choice(format="nanoaod")) == [
        'a.csv: format = "nanoaod" is read from .root and .parquet files. Choose another format.'
    ]


def test_mev_and_degrees_are_refused(tmp_path: Path) -> None:
    content = columns(101)
    for sign in ("plus", "minus"):
        content[f"{sign}_pt"] *= 1000
        content[f"{sign}_phi"] *= 180 / np.pi
    content["minus_phi"][0] = -179.96
    median = np.median(content["plus_pt"])
    write(tmp_path / "x.parquet", content)
    assert faults(tmp_path, "x.parquet") == [
        "x.parquet: columns 'plus_phi', 'minus_phi' look like degrees (largest 180); give radians",
        f"x.parquet: columns 'plus_pt', 'minus_pt' look like MeV (median {median:.4g}); give GeV",
    ]


def test_a_few_hard_muons_are_not_taken_for_mev(tmp_path: Path) -> None:
    content = columns(3)
    content["plus_pt"] *= 100
    content["minus_pt"] *= 100
    (chunk,) = open_dimuons([str(write(tmp_path / "a.csv", content))], choice(), simulation=False).chunks
    assert len(read(chunk).table) == 3


def test_too_many_bad_rows_stop_the_run(tmp_path: Path) -> None:
    content = columns(100)
    content["plus_pt"][10:17] = np.nan
    write(tmp_path / "muons.parquet", content)
    (chunk,) = open_dimuons(["muons.parquet"], choice(), simulation=False, base=tmp_path).chunks
    with pytest.raises(InputError) as caught:
        refuse([read(chunk)], 0.01)
    assert caught.value.faults == [
        "muons.parquet: column 'plus_pt' is not finite in 7 rows (10, 11, 12, 13, 14, ..., counted from 0). "
        "7.00% of all rows are bad, 1.00% is allowed: mend the files or raise input.max_bad_share"
    ]


def test_a_charge_of_two_is_a_bad_row(tmp_path: Path) -> None:
    cms = {f"{name}{i}": np.ones(4) for i in (1, 2) for name in ("pt", "eta", "phi", "Q")}
    cms["Q1"] = np.array([1, 1, 0, 1])
    cms["Q2"] = np.array([-1, -2, -1, np.nan])
    write(tmp_path / "muons.csv", cms)
    (chunk,) = open_dimuons(["muons.csv"], choice(format="cms-csv"), simulation=False, base=tmp_path).chunks
    assert refuse([read(chunk)], 1.0) == [
        "muons.csv: column 'Q1' is 0 instead of +1 or -1 in 1 row (2, counted from 0); dropped",
        "muons.csv: column 'Q2' is not finite in 1 row (3, counted from 0); dropped",
        "muons.csv: column 'Q2' is not +1 or -1 in 1 row (1, counted from 0); dropped",
    ]
