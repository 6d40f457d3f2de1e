"""Chunks of files that cannot be read: tried again, then listed, and the rest is used."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.pipelines.conftest import CALIBRATE, Run

from muonkit.cli import main
from muonkit.core.errors import UnreadableError
from muonkit.io import source
from muonkit.io.chunks import Checked, Chunk
from muonkit.pipelines import counting

ONE_BIN = CALIBRATE.replace("-2.4, -1.2, 0.0, 1.2, 2.4", "-2.4, 2.4").replace('"A", "e", "M"', '"A"')


@pytest.fixture
def folder(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration, its files, and no pauses between the tries."""
    for name in ("data.parquet", "simulation.parquet"):
        shutil.copy(run.folder / name, tmp_path / name)
    (tmp_path / "config.toml").write_text(ONE_BIN)
    monkeypatch.setattr(counting, "PAUSES", (0.0, 0.0))
    return tmp_path


def calibrated(folder: Path, out: str) -> int:
    return main(["calibrate", str(folder / "config.toml"), "-o", str(folder / out)])


def damage(path: Path, group: int = 0) -> bytes:
    """Write zeros over the head of the first page of a row group; returns what was there."""
    start = pq.read_metadata(path).row_group(group).column(0).data_page_offset
    whole = path.read_bytes()
    path.write_bytes(whole[:start] + bytes(64) + whole[start + 64 :])
    return whole


def test_a_damaged_part_of_a_file_is_listed_and_the_rest_is_used(folder, capsys):
    whole = damage(folder / "data.parquet")
    assert calibrated(folder, "out") == 1
    unread = json.loads((folder / "out" / "failed.json").read_text())["unread"]
    assert {each["file"] for each in unread} == {"data.parquet"}
    assert all(each["start"] < each["stop"] and "cannot be read" in each["reason"] for each in unread)
    result = json.loads((folder / "out" / "calibration.json").read_text())
    assert 0 < result["pairs"]["read"] < 200_000
    assert result["unread"] == unread
    assert "could not be read and" in capsys.readouterr().out

    (folder / "data.parquet").write_bytes(whole)
    assert calibrated(folder, "out") == 0
    assert not (folder / "out" / "failed.json").exists()
    assert json.loads((folder / "out" / "calibration.json").read_text())["pairs"]["read"] == 200_000


def test_a_chunk_that_cannot_be_read_for_a_moment_costs_nothing(folder, monkeypatch, capsys):
    assert calibrated(folder, "quiet") == 0
    tries: dict[Chunk, int] = {}
    read = source.read

    def unsteady(chunk: Chunk) -> Checked:
        tries[chunk] = tries.get(chunk, 0) + 1
        if tries[chunk] < 3:
            raise UnreadableError(f"{chunk.name}: cannot be read.")
        return read(chunk)

    monkeypatch.setattr(source, "read", unsteady)
    assert calibrated(folder, "unsteady") == 0
    assert "It is read again in" in capsys.readouterr().err
    assert (folder / "quiet/cells.parquet").read_bytes() == (folder / "unsteady/cells.parquet").read_bytes()


def test_files_of_which_nothing_can_be_read_are_refused(folder, monkeypatch, capsys):
    def unreadable(chunk: Chunk) -> Checked:
        raise UnreadableError(f"{chunk.name}: cannot be read.")

    monkeypatch.setattr(source, "read", unreadable)
    assert calibrated(folder, "out") == 2
    assert not (folder / "out" / "calibration.json").exists()
    assert "simulation.parquet: cannot be read." in capsys.readouterr().err
