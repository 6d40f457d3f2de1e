"""Power cuts: the image of a file system is copied while a command writes to it, and the copy is mounted. Every file
that has its name there is whole, and the same command ends with the bytes of a run that nobody disturbed."""

import filecmp
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.run.killing import COMMANDS, NEEDS, contents, finish, prepare, start

CUTS = 4
TOOLS = ("losetup", "mkfs.ext4", "mount", "umount")


@contextmanager
def mounted(image: Path, place: Path) -> Iterator[Path]:
    """The file system in `image`, at `place`."""
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop", image, place], check=True, capture_output=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True, capture_output=True)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A file with an empty ext4; skips where no loop device can be had."""
    missing = [name for name in TOOLS if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"needs root and {', '.join(missing or TOOLS)}")
    path = tmp_path / "disk"
    with path.open("wb") as stream:
        stream.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", path], check=True)
    try:
        with mounted(path, tmp_path / "try"):
            pass
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no loop device: {error.stderr.decode().strip()}")
    return path


def cut(image: Path, process: subprocess.Popen[str], copy: Path) -> None:
    """Copy the image as it is at one time: the command is stopped meanwhile, and what the kernel still writes is waited
    for. A copy of a file that changes would have old data beside new names."""
    process.send_signal(signal.SIGSTOP)
    try:
        shutil.copyfile(image, copy)
        while not filecmp.cmp(image, copy, shallow=False):
            shutil.copyfile(image, copy)
    finally:
        process.send_signal(signal.SIGCONT)


def half_files(folder: Path) -> list[Path]:
    """Files with a name of their own that are empty or cannot be read."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and not path.name.startswith(".") and path.suffix in (".parquet", ".npz", ".json", ".gz"):
            try:
                whole = path.stat().st_size > 0 and (path.suffix != ".parquet" or pq.read_table(path).num_rows >= 0)
            except (OSError, ValueError):
                whole = False
            found += [] if whole else [path]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["simulate klm", "calibrate"])
def test_nothing_is_half_after_a_power_cut_and_the_run_goes_on(tmp_path: Path, image: Path, name: str) -> None:
    whole = tmp_path / "whole"
    prepare(whole)
    with mounted(image, tmp_path / "live") as live:
        prepare(live / "work")
        for each in (whole, live / "work"):
            for command in NEEDS[name]:
                finish(each, command)
        begin = time.monotonic()
        finish(whole, COMMANDS[name])
        longest, draw = time.monotonic() - begin, random.Random(7)
        os.sync()
        process = start(live / "work", COMMANDS[name])
        begin, cuts = time.monotonic(), sorted(draw.uniform(0.3, 1.1) * longest for _ in range(CUTS))
        for i, when in enumerate(cuts):
            time.sleep(max(0.0, begin + when - time.monotonic()))
            cut(image, process, tmp_path / f"cut{i}")
        process.communicate(timeout=600)
        shutil.copyfile(image, tmp_path / "end")
    expected = contents(whole)
    with mounted(tmp_path / "end", tmp_path / "after") as after:
        ended = contents(after / "work")
        assert [key for key in expected if ended.get(key) != expected[key]] == [], "all is on the disk at the end"
    for i in range(CUTS):
        with mounted(tmp_path / f"cut{i}", tmp_path / "after") as after:
            assert half_files(after / "work") == []
            finish(after / "work", COMMANDS[name])
            assert contents(after / "work") == expected
