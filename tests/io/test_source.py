"""Reading tables with one row per pair."""

import pickle
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import shared_data
from tests.io.pairs import choice, columns, dimuons, write

from muonkit.core.kinematics import mass
from muonkit.data.dimuons import Dimuons, concatenate
from muonkit.io.source import open_dimuons, read, refuse

ENDINGS = [".parquet", ".root", ".ntuple.root", ".csv", ".csv.gz"]


def everything(path: Path, simulation: bool = False, **settings: object) -> Dimuons:
    chosen = choice(**settings)
    return concatenate([read(chunk).table for chunk in open_dimuons([str(path)], chosen, simulation=simulation).chunks])


def assert_same(one: Dimuons, other: Dimuons) -> None:
    for a, b in zip(astuple(one), astuple(other), strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("chunk_size", [1, 10, 17, 56, 1000])
def test_every_kind_of_file_and_every_chunk_size_give_the_same_table(
    ending: str, chunk_size: int, tmp_path: Path
) -> None:
    content = columns()
    path = write(tmp_path / f"muons{ending}", content)
    assert_same(everything(path, True, chunk_size=chunk_size), dimuons(content))


def test_all_columns_are_float64_and_all_numbers_int64(tmp_path: Path) -> None:
    content = {name: column.astype(np.float32) for name, column in columns().items()}
    table = everything(write(tmp_path / "muons.parquet", content))
    assert {column.dtype for column in table.plus} == {np.dtype(np.float64)}
    assert table.weight.dtype == np.float64
    assert table.identity is not None
    assert table.identity.event.dtype == np.int64


def test_generator_columns_are_left_alone_in_data_and_weight_is_one_without_a_column(tmp_path: Path) -> None:
    content = columns()
    del content["weight"], content["run"]
    table = everything(write(tmp_path / "muons.parquet", content))
    assert table.gen_plus is None
    assert table.identity is None
    assert np.all(table.weight == 1)


def test_columns_are_found_under_the_names_given_to_them(tmp_path: Path) -> None:
    content = columns()
    renamed = {"mu1_pt" if name == "plus_pt" else name: column for name, column in content.items()}
    table = everything(write(tmp_path / "muons.csv", renamed), columns={"plus_pt": "mu1_pt"})
    np.testing.assert_array_equal(table.plus.pt, content["plus_pt"])


def test_a_chunk_can_travel_to_another_process(tmp_path: Path) -> None:
    chunks = open_dimuons(
        [str(write(tmp_path / "muons.csv", columns()))], choice(chunk_size=20), simulation=True
    ).chunks
    assert pickle.loads(pickle.dumps(chunks)) == chunks
    assert [(chunk.start, chunk.stop) for chunk in chunks] == [(0, 20), (20, 40), (40, 57)]


def test_files_come_in_the_order_of_patterns_then_names_and_each_once(tmp_path: Path) -> None:
    for name in ("b2.parquet", "b1.parquet", "a.parquet"):
        write(tmp_path / name, columns())
    chunks = open_dimuons(["b*.parquet", "*.parquet"], choice(), simulation=False, base=tmp_path).chunks
    assert [chunk.name for chunk in chunks] == ["b1.parquet", "b2.parquet", "a.parquet"]
    assert chunks[0].path == tmp_path / "b1.parquet"


def test_a_glob_may_be_absolute(tmp_path: Path) -> None:
    write(tmp_path / "muons.parquet", columns())
    assert len(open_dimuons([f"{tmp_path}/*.parquet"], choice(), simulation=False).chunks) == 1


def test_the_only_tree_is_read_whatever_its_name_and_Events_before_others(tmp_path: Path) -> None:
    content = columns()
    path = write(tmp_path / "muons.root", content, tree="pairs")
    assert_same(everything(path, True), dimuons(content))
    assert_same(everything(path, True, tree="pairs"), dimuons(content))


@pytest.mark.parametrize("ending", [".parquet", ".csv"])
def test_cms_pairs_are_sorted_by_charge_and_same_sign_pairs_counted(ending: str, tmp_path: Path) -> None:
    content = {
        "Run": np.array([1, 1, 2]),
        " Event": np.array([7, 8, 9]),
        "E1": np.full(3, np.nan),
        "pt1 ": np.array([5.0, 6.0, 7.0]),
        "eta1": np.zeros(3),
        "phi1": np.zeros(3),
        "Q1": np.array([-1, 1, 1]),
        "pt2": np.array([15.0, 16.0, 17.0]),
        "eta2": np.ones(3),
        "phi2": np.ones(3),
        "Q2": np.array([1, 1, -1]),
    }
    path = write(tmp_path / f"cms{ending}", content)
    (chunk,) = open_dimuons([str(path)], choice(format="cms-csv"), simulation=False).chunks
    checked = read(chunk)
    assert (checked.rows, checked.same_sign, checked.bad) == (3, 1, ())
    np.testing.assert_array_equal(checked.table.plus.pt, [15, 7])
    np.testing.assert_array_equal(checked.table.minus.pt, [5, 17])
    assert checked.table.identity is not None
    np.testing.assert_array_equal(checked.table.identity.event, [7, 9])
    np.testing.assert_array_equal(checked.table.identity.luminosity_block, [0, 0])


def test_bad_rows_are_dropped_counted_and_numbered_as_in_the_file(tmp_path: Path) -> None:
    content = columns()
    content["plus_pt"][[3, 40]] = np.nan, np.inf
    content["minus_pt"][[3, 5]] = 0.0, -2.0
    content["minus_eta"][50] = 30.0
    path = write(tmp_path / "muons.parquet", content)
    checked = [read(chunk) for chunk in open_dimuons([str(path)], choice(chunk_size=20), simulation=False).chunks]
    assert sum(len(part.table) for part in checked) == 57 - 4
    name = str(path)
    assert refuse([part.summary for part in checked], 0.1) == [
        f"{name}: column 'plus_pt' is not finite in 2 rows (3, 40, counted from 0); dropped",
        f"{name}: column 'minus_pt' is not positive in 2 rows (3, 5, counted from 0); dropped",
        f"{name}: column 'minus_eta' is not between -20 and 20 in 1 row (50, counted from 0); dropped",
    ]


def test_sums_of_summaries_name_only_the_first_rows(tmp_path: Path) -> None:
    content = columns()
    content["plus_pt"][:] = -1
    path = write(tmp_path / "muons.csv", content)
    parts = [read(chunk).summary for chunk in open_dimuons([str(path)], choice(chunk_size=4), simulation=False).chunks]
    total = parts[0] + parts[1]
    assert (total.rows, total.dropped, total.bad[0].count, total.bad[0].first_rows) == (8, 8, 8, (0, 1, 2, 3, 4))


def test_the_2010_sample_has_its_published_numbers() -> None:
    path = shared_data("cms-open-data/cms2010_murun2010b_100k.parquet")
    chunks = open_dimuons([str(path)], choice(format="cms-csv", chunk_size=30_000), simulation=False).chunks
    checked = [read(chunk) for chunk in chunks]
    table = concatenate([part.table for part in checked])
    masses = mass(table.plus, table.minus)
    assert sum(part.rows for part in checked) == 100_000
    assert len(table) == 63_946
    assert ((masses > 2.9) & (masses < 3.3)).sum() == 10_801
    assert refuse(checked, 0.0) == []


def test_the_published_csv_is_the_first_tenth_of_the_2010_sample() -> None:
    ours = everything(shared_data("cms-open-data/MuRun2010B_0.csv"), format="cms-csv", chunk_size=3000)
    sample = everything(shared_data("cms-open-data/cms2010_murun2010b_100k.parquet"), format="cms-csv")
    assert ours.identity is not None
    assert ours.identity.run[0] == 146436
    np.testing.assert_allclose(ours.plus.pt, sample.plus.pt[: len(ours)], rtol=1e-5)  # 6 digits


def test_the_z_sample_is_the_same_from_csv_and_parquet() -> None:
    ours = everything(shared_data("cms-open-data/Zmumu_Run2011A.csv"), format="cms-csv")
    assert_same(ours, everything(shared_data("cms-open-data/cms2011_zmumu_10583.parquet"), format="cms-csv"))
