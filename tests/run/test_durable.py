"""What survives a power cut: content is on the disk before its name, and the name before the command ends."""

import os
from pathlib import Path

import numpy as np
import pytest
from tests.calibration.test_export import CONTENT
from tests.pipelines.test_simulate_klm import simulated

from muonkit.calibration import export
from muonkit.cli import main
from muonkit.conditions.store import create_store
from muonkit.core.files import scratch, write_text
from muonkit.pipelines.workspace import claim
from muonkit.run.checkpoint import save

Events = list[tuple[str, str, str]]
IDENTIFY = '[input]\ntracks = "s.tracks.parquet"\nhits = "s.hits.parquet"\n'
PERFORMANCE = '[[input]]\nidentified = "i.parquet"\ntruth = "s.truth.parquet"\n'


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Events:
    """What is synchronised, renamed and made, in order."""
    seen: Events = []
    real = {name: getattr(os, name) for name in ("fsync", "replace", "rename", "mkdir")}

    def fsync(descriptor: int) -> None:
        real["fsync"](descriptor)
        seen.append(("fsync", str(Path(f"/proc/self/fd/{descriptor}").readlink()), ""))

    def renaming(name: str) -> object:
        def rename(source: str, target: str, **more: int) -> None:
            real[name](source, target, **more)
            seen.append(("rename", os.path.realpath(source), os.path.realpath(target)))

        return rename

    def mkdir(path: str, *more: int, **named: int) -> None:
        real["mkdir"](path, *more, **named)
        seen.append(("mkdir", os.path.realpath(path), ""))

    if not Path("/proc/self/fd").exists():
        pytest.skip("this system does not name open files in /proc")
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "mkdir", mkdir)
    for name in ("replace", "rename"):
        monkeypatch.setattr(os, name, renaming(name))
    return seen


def faults(events: Events, below: Path) -> list[str]:
    """Renames without a synchronised source before or folder after them; folders whose name is not synchronised."""
    found = []
    for at, (what, first, second) in enumerate(events):
        before = {path for kind, path, _ in events[:at] if kind == "fsync"}
        after = {path for kind, path, _ in events[at:] if kind == "fsync"}
        if not first.startswith(str(below)):
            continue
        if what == "rename" and first not in before:
            found.append(f"{first}: renamed before its content was on the disk")
        if what != "fsync" and str(Path(second or first).parent) not in after:
            found.append(f"{second or first}: its name never was on the disk")
    return found


def renamed(events: Events) -> set[str]:
    return {Path(target).name for what, _, target in events if what == "rename"}


def test_every_output_of_the_commands_is_synchronised_before_and_after_it_gets_its_name(
    tmp_path: Path, events: Events
) -> None:
    folder, new = tmp_path, tmp_path / "new" / "er"
    assert simulated(folder, "s", events=20, particle="mu")[0] == 0
    texts = {"identify": IDENTIFY, "performance": PERFORMANCE, "dimuons": "[generate]\nevents = 2000\nseed = 1\n"}
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text)
    export.write(folder / "c.json.gz", CONTENT)
    assert main(["identify", str(folder / "identify.toml"), "-o", str(folder / "i.parquet")]) == 0
    expected = {"s.tracks.parquet", "s.hits.parquet", "s.truth.parquet", "s.json", "c.json.gz", "i.parquet"}
    for ending in ("parquet", "csv.gz", "root"):
        assert main(["simulate", "dimuons", str(folder / "dimuons.toml"), "-o", str(new / f"d.{ending}")]) == 0
        applied = ["apply", str(folder / "c.json.gz"), str(new / f"d.{ending}"), "-o", str(new / f"a.{ending}")]
        assert main(applied) == 0
        expected |= {f"d.{ending}", f"a.{ending}"}
    assert expected <= renamed(events)
    assert "piece-00000.npz" in renamed(events)
    assert faults(events, tmp_path) == []


def test_a_run_folder_is_synchronised(tmp_path: Path, events: Events) -> None:
    folder = claim(tmp_path / "new" / "out", "text", [])
    save(folder.parts / "x.npz", {"a": np.zeros(3)})
    folder.finish(())
    assert {"x.npz", "config.toml", ".run.json"} <= renamed(events)
    assert faults(events, tmp_path) == []


def test_a_store_of_conditions_is_synchronised(tmp_path: Path, events: Events) -> None:
    with create_store(tmp_path / "store") as store:
        store.add("name", b"content", "own/1", opaque=True)
    assert len(renamed(events)) == 1
    assert faults(events, tmp_path) == []


def test_a_writer_that_does_not_synchronise_is_seen(tmp_path: Path, events: Events) -> None:
    (tmp_path / "x").write_text("half")
    (tmp_path / "x").replace(tmp_path / "y")
    (tmp_path / "z").mkdir()
    assert len(faults(events, tmp_path)) == 3


def test_scratch_folders_of_killed_runs_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with scratch() as mine:
        write_text(mine / "x", "in work")
        abandoned = tmp_path / mine.name.replace(str(os.getpid()), "4194305")  # above the largest number of a process
        abandoned.mkdir()
        with scratch():
            assert mine.exists()
            assert not abandoned.exists()
    assert list(tmp_path.iterdir()) == []
