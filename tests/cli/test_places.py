"""Commands where there is no home, no place for caches, no Unicode and no room on the disk."""

import errno
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.stopping import command

from muonkit.core import caches
from muonkit.core.compiled import PACKAGE

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
LATIN = {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
USED = "the usual folder for caches cannot be written: "


def said(words: str, folder: Path, *wrapper: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command in a bare environment: no home but that of the user, no caches."""
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGE.parent), "TMPDIR": str(folder)} | environment
    done = subprocess.run(
        [*wrapper, *command(*words.split())],
        env=given,
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def nowhere(tmp_path: Path) -> str:
    """A path below a file: nobody can make a folder there, not even root."""
    (tmp_path / "file").write_text("")
    return str(tmp_path / "file" / "home")


def test_without_a_home_caches_are_temporary(tmp_path: Path, nowhere: str) -> None:
    """One line says so, and the next command finds the same folder."""
    for _ in range(2):
        done = said("doctor --json", tmp_path, HOME=nowhere)
        assert done.returncode == 0
        assert done.stderr.startswith(USED)
        assert len(done.stderr.splitlines()) == 1
        checks = {check["name"]: check["detail"] for check in json.loads(done.stdout)["checks"]}
        assert checks["numba cache"].startswith(str(tmp_path / f"muonkit-{os.getuid()}"))


@pytest.mark.parametrize("variable", ["HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"])
def test_figures_need_no_home(variable: str, tmp_path: Path, nowhere: str) -> None:
    home = {"HOME": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path)} | {variable: nowhere}
    done = said("detector show telescope -o drawn", tmp_path, **home)
    assert done.returncode == 0
    assert [line for line in done.stderr.splitlines() if not line.startswith(USED)] == []
    assert list((tmp_path / "drawn").glob("*.png"))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become a user without a name")
def test_a_user_without_a_name() -> None:
    """Without HOME, and with a number that has no entry among the users."""
    code = "import os, muonkit.core.caches as caches; os.setgroups([]); os.setgid(4242); os.setuid(4242)"
    code += "; print(caches.machine_code_folder()); caches.prepare_matplotlib(); print(os.environ['MPLCONFIGDIR'])"
    with tempfile.TemporaryDirectory() as place:  # that of pytest is closed to others
        Path(place).chmod(0o777)
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGE.parent), "TMPDIR": place}
        python = [sys.executable, "-c", code]
        done = subprocess.run(python, env=environment, capture_output=True, text=True, cwd=place, check=True)
    assert done.stdout.split() == [f"{place}/muonkit-4242", f"{place}/muonkit-4242/matplotlib"]
    assert done.stderr.startswith(USED)
    assert len(done.stderr.splitlines()) == 1


def test_a_temporary_folder_of_somebody_else_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may write there could put code into it."""
    monkeypatch.setattr(caches.tempfile, "tempdir", str(tmp_path))
    mine = caches._private(tmp_path / "muonkit-1")
    assert mine == tmp_path / "muonkit-1"
    assert mine.stat().st_mode & 0o777 == 0o700
    mine.chmod(0o777)
    (tmp_path / "muonkit-2").symlink_to(tmp_path)
    for name in ("muonkit-1", "muonkit-2"):
        assert caches._private(tmp_path / name).parent == tmp_path
        assert caches._private(tmp_path / name) != tmp_path / name


@pytest.mark.parametrize("environment", [ASCII, LATIN, {"PYTHONIOENCODING": "ascii"}])
@pytest.mark.parametrize("words", ["pdfs show default", "detector show belle2", "--help", "calibrate müßte.toml -o ö"])
def test_a_terminal_without_unicode(words: str, environment: dict[str, str], tmp_path: Path) -> None:
    done = said(
        words, tmp_path, HOME=str(tmp_path), NUMBA_CACHE_DIR=os.environ.get("NUMBA_CACHE_DIR", ""), **environment
    )
    assert done.returncode == (2 if words.startswith("calibrate") else 0)
    assert done.stdout or len(done.stderr.splitlines()) == 1


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 200 kB."""
    disk = tmp_path / "small"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


DIMUONS = '[generate]\nevents = 100000\nseed = 1\nresonance = "jpsi"\n[resolution]\na = [0.011]\nc = [1.3e-4]\n'


@pytest.mark.parametrize("name", ["x.parquet", "x.root", "x.csv"])
def test_a_full_disk_leaves_no_half_file(name: str, small: Path, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(DIMUONS)
    done = said(f"simulate dimuons c.toml -o {small / name}", tmp_path, HOME=str(tmp_path))
    assert done.returncode == 3
    line = f"{small / name}: {os.strerror(errno.ENOSPC)}; make room, then: no half file is left; start it again"
    assert done.stderr.splitlines() == [line]
    assert list(small.iterdir()) == []


def test_a_full_disk_of_conditions(small: Path, tmp_path: Path) -> None:
    (small / "filler").write_bytes(bytes(180_000))
    done = said(f"conditions create {small / 'store'}", tmp_path, HOME=str(tmp_path))
    assert (done.returncode, len(done.stderr.splitlines())) == (3, 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_result_that_cannot_be_printed(tmp_path: Path) -> None:
    line = f"{' '.join(command('detector', 'list'))} >/dev/full"
    environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(
        ["bash", "-c", line], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert done.stderr.startswith("standard output: ")
    assert len(done.stderr.splitlines()) == 1
