"""Folders for what can be made again: machine code, lists of fonts.

They are in NUMBA_CACHE_DIR, in XDG_CACHE_HOME or in ~/.cache. Batch systems and containers often have no home, or one
that cannot be written. Then a folder of this user under the system's temporary folder takes their place, and one line
on stderr says so. Processes that are started later find it in the environment."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from muonkit.core.streams import say


def machine_code_folder(given: str = "") -> Path | None:
    """The folder for compiled kernels: `given`, or one of muonkit in the user's caches, or a temporary one.
    None if there is no place at all."""
    chosen = next((folder for folder in _wanted(given) if can_be_written(folder)), None)
    if chosen is None and (chosen := temporary_folder()) is not None:
        os.environ["NUMBA_CACHE_DIR"] = str(chosen)
    return chosen


def _wanted(given: str) -> Iterator[Path]:
    if given:
        yield Path(given)
    else:
        with suppress(RuntimeError):  # no home
            yield _base("XDG_CACHE_HOME", ".cache") / "muonkit"


def prepare_matplotlib() -> None:
    """Give matplotlib a temporary folder where it cannot write its own; it would use another one at each start."""
    wanted = list(_wanted_by_matplotlib(os.environ.get("MPLCONFIGDIR", "")))
    if wanted and all(map(can_be_written, wanted)):
        return
    if (folder := temporary_folder()) is not None and can_be_written(folder / "matplotlib"):
        os.environ["MPLCONFIGDIR"] = str(folder / "matplotlib")


def _wanted_by_matplotlib(given: str) -> Iterator[Path]:
    if given:
        yield Path(given)
    else:
        with suppress(RuntimeError):
            yield _base("XDG_CONFIG_HOME", ".config") / "matplotlib"
            yield _base("XDG_CACHE_HOME", ".cache") / "matplotlib"


def _base(variable: str, at_home: str) -> Path:
    """Raises RuntimeError if the variable is not set and there is no home."""
    given = os.environ.get(variable, "")
    return Path(given) if os.path.isabs(given) else Path.home() / at_home  # noqa: PTH117


def can_be_written(folder: Path) -> bool:
    """Whether files can be made in a folder, which is made if it is absent."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except (OSError, ValueError):
        return False


@cache
def temporary_folder() -> Path | None:
    """A folder of this user under the system's temporary folder; says so on stderr. None if there is no such place."""
    way_out = "Set XDG_CACHE_HOME to a folder that can be written."
    try:
        folder = _private(Path(tempfile.gettempdir()) / f"muonkit-{os.getuid()}")
    except OSError:
        say(f"no folder for caches can be written: kernels are compiled at each start. {way_out}")
        return None
    say(f"the usual folder for caches cannot be written: {folder} is used. {way_out}")
    return folder


def _private(folder: Path) -> Path:
    """The folder, if nobody else can have put anything into it; else a new one. Raises OSError."""
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    return folder if mine and can_be_written(folder) else Path(tempfile.mkdtemp(prefix="muonkit-"))
