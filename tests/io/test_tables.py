"""Dimuon tables written and read back."""

from dataclasses import replace
from pathlib import Path

import pytest
import uproot
from tests.io.pairs import columns, dimuons
from tests.io.test_source import assert_same, everything

from muonkit.core.errors import InputError
from muonkit.io.tables import write_dimuons

ENDINGS = [".parquet", ".root", ".csv", ".csv.gz"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_written_table_by_table_is_read_back_to_the_last_digit(ending: str, tmp_path: Path) -> None:
    table = dimuons(columns())
    path = tmp_path / "new" / f"muons{ending}"
    assert write_dimuons(path, iter([table[:20], table[20:20], table[20:]])) == 57
    assert_same(everything(path, simulation=True), table)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("ending", ENDINGS)
def test_data_have_no_generator_columns(ending: str, tmp_path: Path) -> None:
    table = replace(dimuons(columns()), gen_plus=None, gen_minus=None, identity=None)
    path = tmp_path / f"muons{ending}"
    write_dimuons(path, iter([table]))
    assert_same(everything(path), table)
    with pytest.raises(InputError, match=r"columns .* are missing"):
        everything(path, simulation=True)


def test_root_files_hold_a_ttree(tmp_path: Path) -> None:
    write_dimuons(tmp_path / "muons.root", iter([dimuons(columns())]))
    with uproot.open(tmp_path / "muons.root") as file:
        assert file.classnames(cycle=False) == {"Events": "TTree"}


def test_a_file_that_could_not_be_finished_is_not_there(tmp_path: Path) -> None:
    table = dimuons(columns())
    other = replace(table, gen_plus=None, gen_minus=None)
    with pytest.raises(InputError, match=r"tables differ in their columns"):
        write_dimuons(tmp_path / "muons.csv", iter([table, other]))
    with pytest.raises(InputError, match="there is nothing to write"):
        write_dimuons(tmp_path / "muons.csv", iter([]))
    with pytest.raises(InputError, match="unknown kind of file; give one that ends in"):
        write_dimuons(tmp_path / "muons.h5", iter([table]))
    assert list(tmp_path.iterdir()) == []
