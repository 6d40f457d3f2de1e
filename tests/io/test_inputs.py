"""What a person names in [input]: files, columns, and what is missing in some of them."""

import os
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import awkward as ak
import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.io import nano
from tests.io.pairs import choice, columns, dimuons, write
from tests.io.test_source import assert_same, everything

from muonkit.core.errors import InputError
from muonkit.io.corrected import MuonRows, rewrite
from muonkit.io.source import Opened, open_dimuons, read, recognised


def opened(base: Path, *patterns: str, simulation: bool = False, **settings: object) -> Opened:
    return open_dimuons(patterns, choice(**settings), simulation=simulation, base=base)


def faults(base: Path, *patterns: str, simulation: bool = False, **settings: object) -> list[str]:
    with pytest.raises(InputError) as caught:
        opened(base, *patterns, simulation=simulation, **settings)
    return caught.value.faults


def test_one_file_by_several_names_is_read_once(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", columns())
    (tmp_path / "link.parquet").symlink_to(tmp_path / "a.parquet")
    os.link(tmp_path / "a.parquet", tmp_path / "other.parquet")
    found = opened(tmp_path, "a.parquet", "./a.parquet", str(tmp_path / "a.parquet"), "link.parquet", "*.parquet")
    assert [chunk.name for chunk in found.chunks] == ["a.parquet"]
    (note,) = found.notes
    assert note.startswith("1 file is named more than once in [input] (./a.parquet is a.parquet, ")
    assert note.endswith(", ...); each is read once")
    assert opened(tmp_path, "a.parquet").notes == ()


def test_a_file_without_rows_among_others_is_left_out_with_a_note(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", columns())
    write(tmp_path / "b.csv", columns(0))
    found = opened(tmp_path, "*.*")
    assert [chunk.name for chunk in found.chunks] == ["a.parquet"]
    assert found.notes == ("b.csv: has no rows; left out",)
    assert faults(tmp_path, "b.csv") == ["b.csv: has no rows. Leave it out, or write it again."]


def test_a_file_of_0_bytes_among_full_ones_is_left_out_with_a_note(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", columns(3))
    for name in ("b.parquet", "c.root", "d.csv"):
        (tmp_path / name).touch()
    found = open_dimuons(["*.*"], choice(), simulation=False, base=tmp_path)
    assert [chunk.name for chunk in found.chunks] == ["a.parquet"]
    assert found.notes == tuple(f"{name}: is empty (0 bytes); left out" for name in ("b.parquet", "c.root", "d.csv"))
    assert faults(tmp_path, "c.root") == ["c.root: is empty (0 bytes). Leave it out, or write it again."]


@pytest.mark.parametrize("key", ["weight", "run", "luminosityBlock", "event"])
def test_a_named_column_must_be_in_every_file(key: str, tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", columns() | {"mine": columns()[key]})
    write(tmp_path / "b.parquet", columns())
    (line,) = faults(tmp_path, "*.parquet", columns={key: "mine"})
    assert line.startswith("b.parquet: column 'mine' is missing")


def test_a_mistyped_weight_is_a_fault_in_data_too(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", columns() | {"sWeight": columns()["weight"]})
    (line,) = faults(tmp_path, "a.parquet", columns={"weight": "sWeigth"})
    assert line.startswith("a.parquet: column 'sWeigth' is missing")
    assert "Did you mean 'sWeight'?" in line


@pytest.mark.parametrize("key", ["weight", "run", "luminosityBlock", "event"])
def test_a_column_that_some_files_lack_is_a_fault_with_both_names(key: str, tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", columns())
    write(tmp_path / "b.parquet", {name: column for name, column in columns().items() if name != key})
    assert faults(tmp_path, "*.parquet") == [
        f"b.parquet: has no column '{key}', but a.parquet has '{key}'. Give it to all files, or to none."
    ]
    assert len(opened(tmp_path, "b.parquet").chunks) == 1


def test_simulation_may_have_its_own_format_columns_and_tree(tmp_path: Path) -> None:
    write(tmp_path / "data.csv", {f"{name}{i}": np.ones(2) for i in (1, 2) for name in ("pt", "eta", "phi", "Q")})
    content = columns()
    content["w"] = content.pop("weight")
    write(tmp_path / "mc.root", content, tree="pairs")
    settings = {
        "format": "cms-csv",
        "columns": {"pt1": "pt2"},
        "simulation_format": "dimuon",
        "simulation_tree": "pairs",
        "simulation_columns": {"weight": "w"},
    }
    (chunk,) = opened(tmp_path, "mc.root", simulation=True, **settings).chunks
    assert (chunk.format, chunk.tree, chunk.names["weight"]) == ("dimuon", "pairs", "w")
    (chunk,) = opened(tmp_path, "data.csv", **settings).chunks
    assert (chunk.format, chunk.names["pt1"]) == ("cms-csv", "pt2")
    assert faults(tmp_path, "mc.root", simulation=True, **(settings | {"simulation_columns": {"pt1": "x"}})) == [
        "input.simulation_columns: pt1: unknown key; known are plus_pt, plus_eta, plus_phi, minus_pt, minus_eta, "
        "minus_phi, plus_gen_pt, plus_gen_eta, plus_gen_phi, minus_gen_pt, minus_gen_eta, minus_gen_phi, run, "
        "luminosityBlock, event, weight"
    ]


def test_columns_of_data_hold_for_a_simulation_of_the_same_format(tmp_path: Path) -> None:
    content = columns()
    content["p"] = content.pop("plus_pt")
    write(tmp_path / "mc.parquet", content)
    (chunk,) = opened(tmp_path, "mc.parquet", simulation=True, columns={"plus_pt": "p"}).chunks
    assert chunk.names["plus_pt"] == "p"


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int64, np.float32, np.bool_])
@pytest.mark.parametrize("index", [True, False])
def test_charges_of_any_kind_of_number_are_matched(kind: type, index: bool, tmp_path: Path) -> None:
    content = nano.content(index)
    del content["Muon_tightId"]
    expected = everything(nano.write(tmp_path / "a.root", content), True, format="nanoaod")
    signed = np.issubdtype(kind, np.signedinteger) or kind is np.float32
    positive = ak.values_astype(ak.where(content["Muon_charge"] > 0, 1, -1 if signed else 1), kind)
    content["Muon_charge"] = positive
    path = nano.write(tmp_path / "b.root", content)
    (chunk,) = open_dimuons([str(path)], choice(format="nanoaod"), simulation=True).chunks
    checked = read(chunk)
    if signed:
        assert_same(checked.table, expected)
    else:  # all are positive: only same-sign pairs, no fault
        assert (len(checked.table), checked.same_sign) == (0, 9)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32])
@pytest.mark.parametrize("form", ["nanoaod", "cms-csv"])
def test_minus_one_as_an_unsigned_number_is_refused(kind: type, form: str, tmp_path: Path) -> None:
    largest = np.iinfo(kind).max
    if form == "nanoaod":
        content = nano.content()
        content["Muon_charge"] = ak.values_astype(ak.where(content["Muon_charge"] > 0, 1, largest), kind)
        path = nano.write(tmp_path / "a.root", content)
    else:
        cms = {f"{name}{i}": np.ones(4) for i in (1, 2) for name in ("pt", "eta", "phi", "Q")}
        path = write(tmp_path / "a.parquet", cms | {"Q1": np.full(4, largest, kind)})
    with pytest.raises(
        InputError, match=f"is {largest} in . entries: -1 as an unsigned number. Store charges as signed"
    ):
        everything(path, format=form)


def records(content: dict[str, ak.Array]) -> dict[str, ak.Array]:
    """NanoAOD with `Muon` and `GenPart` as lists of records."""
    found = {name: array for name, array in content.items() if "_" not in name}
    for record in ("Muon", "GenPart"):
        members = {name.split("_")[1]: array for name, array in content.items() if name.startswith(f"{record}_")}
        found[record] = ak.zip(members)
    return found


def to_parquet(path: Path, content: dict[str, ak.Array]) -> Path:
    ak.to_parquet(ak.zip(content, depth_limit=1), path)
    return path


@pytest.mark.parametrize("form", ["lists.parquet", "records.parquet", "records.root"])
def test_nanoaod_is_read_from_parquet_and_from_lists_of_records(form: str, tmp_path: Path) -> None:
    content = nano.content(index=True)
    expected = everything(nano.write(tmp_path / "a.root", content), True, format="nanoaod")
    path = tmp_path / form
    whole = content if form.startswith("lists") else records(content)
    to_parquet(path, whole) if path.suffix == ".parquet" else nano.write(path, whole, "RNTuple")
    assert recognised(path) == "nanoaod"
    assert_same(everything(path, True, format="nanoaod", chunk_size=3), expected)


@pytest.mark.parametrize("form", ["lists.parquet", "records.parquet", "records.root"])
@pytest.mark.parametrize("slim", [True, False])
def test_lists_and_records_are_corrected(form: str, slim: bool, tmp_path: Path) -> None:
    def by_charge(muons: MuonRows) -> np.ndarray:
        return muons.pt * (1 + 0.01 * muons.charge)

    content = nano.content()
    path, out = tmp_path / form, tmp_path / f"new-{form}"
    whole = content if form.startswith("lists") else records(content)
    to_parquet(path, whole) if path.suffix == ".parquet" else nano.write(path, whole, "RNTuple")
    rewrite(path, out, choice(format="nanoaod", chunk_size=3), by_charge, slim)
    before = everything(path, format="nanoaod")
    after = everything(out, format="nanoaod")
    np.testing.assert_allclose(after.plus.pt, before.plus.pt * 1.01, rtol=1e-6)
    np.testing.assert_allclose(after.minus.pt, before.minus.pt * 0.99, rtol=1e-6)
    old = "Muon_pt_original" if form.startswith("lists") else "Muon.pt_original"
    original = everything(out, format="nanoaod", columns={"Muon_pt": old})
    assert_same(original, before)
    with pytest.raises(InputError, match="is already corrected"):
        rewrite(out, tmp_path / f"third-{form}", choice(format="nanoaod"), by_charge)
    if out.suffix == ".parquet":
        names = pq.read_schema(out).names
        assert ("genWeight" in names) == (not slim)


def test_a_url_whose_reader_is_not_installed_says_which_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert faults(tmp_path, "root://eospublic.cern.ch//eos/a.root", "https://x.org/a.parquet?version=2") == [
        "root://eospublic.cern.ch//eos/a.root: reading it needs the package fsspec-xrootd; "
        "run `pip install fsspec fsspec-xrootd`",
        "https://x.org/a.parquet?version=2: reading it needs the package aiohttp; run `pip install fsspec aiohttp`",
    ]


def test_a_name_with_a_zero_byte_is_no_file(tmp_path: Path) -> None:
    assert faults(tmp_path, "a\0.parquet") == ["'a\\x00.parquet': is no name of a file. Correct the path in [input]."]


@pytest.mark.parametrize("ending", [".parquet", ".root", ".csv.gz"])
def test_files_are_read_from_a_server(ending: str, tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    path = write(tmp_path / f"a{ending}", columns(40))
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/a{ending}"
        (chunk,) = opened(tmp_path, url).chunks
        np.testing.assert_array_equal(read(chunk).table.plus.pt, dimuons(columns(40)).plus.pt)
        out = tmp_path / f"b{ending}"
        assert rewrite(url, out, choice(), lambda muons: 2 * muons.pt).muons == 80
        with pytest.raises(InputError) as caught:
            opened(tmp_path, url.replace("/a", "/none"))
        server.shutdown()
    assert len(caught.value.faults) == 1
    np.testing.assert_array_equal(everything(out).plus.pt, 2 * everything(path).plus.pt)
