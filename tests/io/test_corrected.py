"""Corrected muons go back into the format they came from."""

from pathlib import Path

import awkward as ak
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot
from tests.conftest import shared_data
from tests.io import nano
from tests.io.pairs import choice, columns, dimuons, write
from tests.io.test_source import everything

from muonkit.core.arrays import FloatArray
from muonkit.core.errors import InputError
from muonkit.io.corrected import MuonRows, rewrite

ENDINGS = [".parquet", ".root", ".ntuple.root", ".csv", ".csv.gz"]


def by_charge(muons: MuonRows) -> FloatArray:
    return muons.pt * (1 + 0.01 * muons.charge)


@pytest.mark.parametrize("ending", ENDINGS)
def test_only_pt_changes_and_the_old_one_is_kept(ending: str, tmp_path: Path) -> None:
    path, out = tmp_path / f"in{ending}", tmp_path / f"out{ending}"
    before = dimuons(columns())
    summary = rewrite(write(path, columns()), out, choice(chunk_size=20), by_charge)
    assert (summary.rows, summary.muons, summary.unchanged, summary.dropped) == (57, 114, 0, ())
    after = everything(out, simulation=True)
    np.testing.assert_allclose(after.plus.pt, before.plus.pt * 1.01, rtol=1e-15)
    np.testing.assert_allclose(after.minus.pt, before.minus.pt * 0.99, rtol=1e-15)
    old = {"plus_pt": "plus_pt_original", "minus_pt": "minus_pt_original"}
    np.testing.assert_array_equal(everything(out, columns=old).minus.pt, before.minus.pt)
    for name in ("eta", "phi"):
        np.testing.assert_array_equal(getattr(after.plus, name), getattr(before.plus, name))
    assert after.gen_minus is not None
    assert before.gen_minus is not None
    np.testing.assert_array_equal(after.gen_minus.pt, before.gen_minus.pt)
    assert after.identity is not None
    assert before.identity is not None
    np.testing.assert_array_equal(after.identity.event, before.identity.event)


def test_the_tree_stays_what_it_was(tmp_path: Path) -> None:
    for ending, kind in ((".root", "TTree"), (".ntuple.root", "ROOT::RNTuple")):
        rewrite(write(tmp_path / f"a{ending}", columns()), tmp_path / f"b{ending}", choice(), by_charge)
        with uproot.open(tmp_path / f"b{ending}") as file:
            assert file.classnames(cycle=False) == {"Events": kind}


def test_a_muon_comes_with_its_event_and_its_charge(tmp_path: Path) -> None:
    content, seen = columns(5), []

    def look(muons: MuonRows) -> FloatArray:
        seen.append(muons)
        return muons.pt

    summary = rewrite(write(tmp_path / "a.csv", content), tmp_path / "b.csv", choice(), look)
    (muons,) = seen
    assert summary.has_identity
    np.testing.assert_array_equal(muons.event, [*content["event"], *content["event"]])
    np.testing.assert_array_equal(muons.charge, [1] * 5 + [-1] * 5)


@pytest.mark.parametrize("ending", [".parquet", ".root", ".csv"])
def test_bad_rows_keep_what_they_had(ending: str, tmp_path: Path) -> None:
    content = columns(20)
    content["plus_pt"][[1, 2, 3]] = np.nan, -1.0, 0.0
    content["minus_eta"][4] = np.inf
    out = tmp_path / f"out{ending}"
    path = write(tmp_path / f"in{ending}", content)
    summary = rewrite(path, out, choice(max_bad_share=0.1), by_charge)
    assert (summary.muons, summary.unchanged) == (40, 4)
    assert summary.warnings == (
        f"{path}: column 'plus_pt' is not finite in 1 row (1, counted from 0); not corrected",
        f"{path}: column 'plus_pt' is not positive in 2 rows (2, 3, counted from 0); not corrected",
        f"{path}: column 'minus_eta' is not finite in 1 row (4, counted from 0); not corrected",
    )
    if ending == ".parquet":
        after = pq.read_table(out)
        np.testing.assert_array_equal(after["plus_pt"].to_numpy()[:4], [content["plus_pt"][0] * 1.01, np.nan, -1, 0])
        assert after["minus_pt"][4].as_py() == content["minus_pt"][4]


def test_float32_stays_float32_and_null_stays_null(tmp_path: Path) -> None:
    content = {name: column.astype(np.float32) for name, column in columns(20).items()}
    write(tmp_path / "a.parquet", content)
    table = pq.read_table(tmp_path / "a.parquet")
    values = [None, *table["plus_pt"].to_pylist()[1:]]
    table = table.set_column(0, table.schema.field(0), pa.array(values, pa.float32()))
    pq.write_table(table, tmp_path / "a.parquet")
    rewrite(tmp_path / "a.parquet", tmp_path / "b.parquet", choice(max_bad_share=0.1), by_charge)
    after = pq.read_table(tmp_path / "b.parquet")
    assert str(after.schema.field("plus_pt").type) == "float"
    assert after["plus_pt"].null_count == 1
    assert after.column_names == [*table.column_names, "plus_pt_original", "minus_pt_original"]


def test_the_published_csv_keeps_the_text_of_all_other_columns(tmp_path: Path) -> None:
    path = shared_data("cms-open-data/MuRun2010B_0.csv")
    rewrite(path, tmp_path / "out.csv", choice(format="cms-csv", chunk_size=3000), by_charge)
    before, after = (file.read_text().splitlines() for file in (path, tmp_path / "out.csv"))
    assert len(before) == len(after)
    header = before[0].split(",")
    assert after[0].split(",") == [*header, "pt1_original", "pt2_original"]
    pt = [header.index("pt1"), header.index("pt2")]
    for old, new in zip(before, after, strict=True):
        fields, corrected = old.split(","), new.split(",")
        assert corrected[-2:] == [fields[i] for i in pt] or old == before[0]
        assert [x for i, x in enumerate(fields) if i not in pt] == [
            x for i, x in enumerate(corrected[:-2]) if i not in pt
        ]
    first, charge = after[1].split(","), float(before[1].split(",")[header.index("Q1")])
    assert float(first[pt[0]]) == pytest.approx(9.81583 * (1 + 0.01 * charge))


@pytest.mark.parametrize("kind", ["TTree", "RNTuple"])
def test_nanoaod_muons_of_any_multiplicity_are_corrected(kind: str, tmp_path: Path) -> None:
    seen = []

    def look(muons: MuonRows) -> FloatArray:
        seen.append(muons)
        return by_charge(muons)

    path = nano.write(tmp_path / "a.root", nano.content(), kind)
    summary = rewrite(path, tmp_path / "b.root", choice(format="nanoaod", chunk_size=3), look)
    assert (summary.rows, summary.muons) == (4, 8)
    assert summary.dropped == (("note",) if kind == "TTree" else ())
    np.testing.assert_array_equal(np.concatenate([muons.event for muons in seen])[[0, 3, 4]], [10, 12, 2**40])
    with uproot.open(tmp_path / "b.root") as file:
        after = file["Events"]
        for name, old in nano.content().items():
            assert after[name].array().type == old.type
            new = after["Muon_pt_original" if name == "Muon_pt" else name].array()
            assert ak.to_list(new) == ak.to_list(old)
        expected = ak.Array(nano.MUONS["Muon_pt"]) * (1 + 0.01 * ak.Array(nano.CHARGES))
        assert ak.all(abs(after["Muon_pt"].array() - expected) < 1e-5)
        if kind == "TTree":
            assert after["Muon_pt_original"].count_branch.name == "nMuon"
            assert file["Runs"]["genEventCount"].array().to_list() == [4]


@pytest.mark.parametrize("slim", [False, True])
def test_muons_come_with_their_generated_muon(slim: bool, tmp_path: Path) -> None:
    seen = []

    def look(muons: MuonRows) -> FloatArray:
        seen.append(muons)
        return by_charge(muons)

    path = nano.write(tmp_path / "a.root", nano.content())
    rewrite(path, tmp_path / "b.root", choice(format="nanoaod", chunk_size=3), look, slim, generated=True)
    found = np.concatenate([muons.gen_pt for muons in seen])
    near = np.isfinite(found)
    assert near.sum() > 0
    pt = np.concatenate([muons.pt for muons in seen])
    assert np.all(np.abs(found[near] / pt[near] - 1) < 0.3)


def test_real_rntuple_is_rewritten_with_all_its_fields(tmp_path: Path) -> None:
    path = shared_data("cms-open-data/Run2012BC_DoubleMuParked_Muons_rntuple_1000evts.root")
    rewrite(path, tmp_path / "b.root", choice(format="nanoaod", chunk_size=300), by_charge)
    with uproot.open(path) as before, uproot.open(tmp_path / "b.root") as after:
        fields = {name for name in before["Events"].keys(recursive=False) if not name.startswith("_")}
        assert set(after["Events"].keys(recursive=False)) == fields | {"Muon_pt_original"}
        old, new = before["Events"]["Muon_pt"].array(), after["Events"]["Muon_pt_original"].array()
        assert ak.to_list(old) == ak.to_list(new)


@pytest.mark.slow
def test_all_branches_of_real_nanoaod_come_through(tmp_path: Path) -> None:
    path = shared_data("cms-open-data/NanoAODv5_sample.root")
    summary = rewrite(path, tmp_path / "b.root", choice(format="nanoaod", chunk_size=600), by_charge)
    assert summary.dropped == ("untagged",)
    with uproot.open(path) as before, uproot.open(tmp_path / "b.root") as after:
        assert set(after["Events"].keys()) == set(before["Events"].keys()) | {"Muon_pt_original"}
        for name in before["Events"].keys():  # noqa: SIM118 (iterating a tree gives no names)
            kept = "Muon_pt_original" if name == "Muon_pt" else name
            old, new = before["Events"][name].array(), after["Events"][kept].array()
            np.testing.assert_array_equal(*(ak.to_numpy(ak.flatten(array, axis=None)) for array in (old, new)))


def many_types(path: Path) -> Path:
    """A tree with branches of every type that uproot writes, with titles, and counters without sign."""
    counts = np.array([2, 0, 3])
    content: dict[str, ak.Array] = {}
    for kind in (
        "bool",
        "int8",
        "uint8",
        "int16",
        "uint16",
        "int32",
        "uint32",
        "int64",
        "uint64",
        "float32",
        "float64",
    ):
        content[f"x_{kind}"] = np.array([0, 1, 1]).astype(kind)
        content[f"Muon_{kind}"] = ak.unflatten(np.arange(5).astype(kind), counts)
    for name, values in (("pt", [9, 8, 7, 6, 5]), ("eta", [0, 1, 2, 1, 0]), ("phi", [0, 1, 2, 3, -1])):
        content[f"Muon_{name}"] = ak.unflatten(np.array(values, dtype=np.float32), counts)
    content["Muon_charge"] = ak.unflatten(np.array([1, -1, 1, 1, -1], dtype=np.int32), counts)
    content["Jet_pt"] = ak.unflatten(np.ones(2, dtype=np.float32), [0, 2, 0])
    content |= {"three": np.ones((3, 3), dtype=np.float32), "name": ak.Array(["a", "bc", ""])}
    content |= {"run": np.ones(3, dtype=np.uint32), "event": np.arange(3, dtype=np.uint64)}
    types = {
        name: values.type.content if isinstance(values, ak.Array) else np.dtype((values.dtype, values.shape[1:]))
        for name, values in content.items()
    }
    with uproot.recreate(path) as file:
        tree = file.mktree("pairs", types, "my events", counter_name=lambda name: "n" + name.split("_")[0])
        for branch in tree._cascading._branch_data:
            branch["fTitle"] = "" if branch["fName"] == "run" else f"what {branch['fName']} is"
            if branch["kind"] == "counter":
                branch["dtype"] = np.dtype(">u4")
        tree._cascading.write_anew(file.file.sink)
        tree.extend(content)
    return path


def test_branches_keep_their_types_and_titles(tmp_path: Path) -> None:
    path = many_types(tmp_path / "a.root")
    assert rewrite(path, tmp_path / "b.root", choice(format="nanoaod"), by_charge).dropped == ()
    with uproot.open(path) as first, uproot.open(tmp_path / "b.root") as second:
        before, after = first["pairs"], second["pairs"]
        assert before["nMuon"].typename == "uint32_t"
        assert (after.title, after["run"].title) == ("my events", "")
        assert set(after.keys()) == set(before.keys()) | {"Muon_pt_original"}
        assert after["Muon_pt_original"].title == "what Muon_pt is before correction"
        for name in before.keys():  # noqa: SIM118 (iterating a tree gives no names)
            old, new = before[name], after[name]
            assert (new.typename, new.title) == (old.typename, old.title)
            kept = after["Muon_pt_original"] if name == "Muon_pt" else new
            assert kept.array().to_list() == old.array().to_list()
        slim = tmp_path / "slim.root"
        rewrite(path, slim, choice(format="nanoaod"), by_charge, slim=True)
        with uproot.open(slim) as file:
            kept = {"nMuon", "run", "event", *(f"Muon_{x}" for x in ("pt", "eta", "phi", "charge", "pt_original"))}
            assert set(file["pairs"].keys()) == kept


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_corrected_is_not_corrected_again(ending: str, tmp_path: Path) -> None:
    first, second = tmp_path / f"b{ending}", tmp_path / f"c{ending}"
    rewrite(write(tmp_path / f"a{ending}", columns()), first, choice(), by_charge)
    with pytest.raises(InputError) as caught:
        rewrite(first, second, choice(), by_charge)
    line = f"{first}: is already corrected (has 'plus_pt_original'). Give the file it was made from."
    assert caught.value.faults == [line]
    assert not second.exists()


def test_output_of_another_kind_or_over_the_input_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", columns())
    for out, line in (
        (tmp_path / "b.root", f"{tmp_path}/b.root: a.csv is a CSV file. Give the output the same ending."),
        (path, f"{path}: would overwrite its own input. Give another name."),
    ):
        with pytest.raises(InputError) as caught:
            rewrite(path, out, choice(), by_charge)
        assert caught.value.faults == [line]


def test_faulty_input_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    content = columns(50)
    content["plus_pt"] *= 1000
    content["minus_pt"] *= 1000
    write(tmp_path / "mev.parquet", content)
    (tmp_path / "broken.root").write_bytes(b"root" + bytes(50))
    for name, message in (
        ("mev.parquet", "look like MeV"),
        ("broken.root", "it is damaged or not a ROOT file"),
        ("none.csv", "there is no such file"),
    ):
        with pytest.raises(InputError, match=message):
            rewrite(tmp_path / name, tmp_path / f"out-{name}", choice(), by_charge)
        assert not (tmp_path / f"out-{name}").exists()


def test_a_fault_in_the_correction_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    def broken(muons: MuonRows) -> FloatArray:
        raise OSError(f"{len(muons.pt)}")

    for ending in ENDINGS:
        path = write(tmp_path / f"a{ending}", columns(3))
        with pytest.raises(OSError, match=r"^6$"):
            rewrite(path, tmp_path / f"b{ending}", choice(), broken)
