"""Files appear whole or not at all: they are written beside their place, synchronised with the disk, then renamed.

Without the synchronisation a power cut after the rename leaves a file of 0 bytes on ext4 and XFS: the name is on the
disk before the content. So the content is synchronised before the rename, and the folder after it."""

import errno
import gzip
import json
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from muonkit.core.errors import FULL, InputError
from muonkit.core.stopping import undone_at_stop

HOST = re.sub(r"\W", "-", socket.gethostname())
PLAIN_NAME = re.compile(r"[^\x00-\x1f/\\]{1,200}")


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`. Rename it to `path` if the block succeeds, remove it if not.

    Temporary files that killed processes of this machine left for the same `path` are removed.
    Raises OSError if the folder cannot be written."""
    make_folder(path.parent)
    remove_abandoned(path)
    temporary = path.with_name(f".{HOST}.{os.getpid()}.{path.name}")
    remove = partial(temporary.unlink, missing_ok=True)
    try:
        with undone_at_stop(remove):
            yield temporary
            settle(temporary, path)
    except OSError as error:
        if error.errno in FULL:  # a write does not say where
            error.filename, error.strerror = str(path), os.strerror(error.errno)
        raise
    finally:
        remove()


def settle(temporary: Path, path: Path) -> None:
    """Rename a file that is whole, so that a power cut leaves the old content or the new. Raises OSError if the folder
    cannot be written."""
    synchronise(temporary)
    temporary.replace(path)
    synchronise(path.parent)


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for temporary files, removed after the block. Those that killed processes of this machine left are
    removed too."""
    prefix, home = f"muonkit.{HOST}.", Path(tempfile.gettempdir())
    for entry in os.scandir(home):
        found = re.fullmatch(re.escape(prefix) + r"(\d+)\..*", entry.name)
        if found and not _is_running(int(found[1])):
            shutil.rmtree(entry.path, ignore_errors=True)
    own = tempfile.TemporaryDirectory(prefix=f"{prefix}{os.getpid()}.")
    with own as name, undone_at_stop(partial(shutil.rmtree, name, ignore_errors=True)):
        yield Path(name)


def synchronise(path: Path) -> None:
    """Wait until the content of a file, or the names in a folder, are on the disk. Raises OSError if it cannot be
    opened."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder, with those above it, so that a power cut does not take it away. Raises OSError if it cannot be
    made."""
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    if not folder.exists():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        synchronise(folder.parent)


def remove_abandoned(path: Path) -> None:
    """Remove temporary files of `path` whose process, on this machine, has ended."""
    pattern = re.compile(re.escape(f".{HOST}.") + r"(\d+)" + re.escape(f".{path.name}"))
    for entry in os.scandir(path.parent):
        found = pattern.fullmatch(entry.name)
        if found and not _is_running(int(found[1])):
            with suppress(OSError):
                Path(entry.path).unlink()


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        return True
    return True


def check_output(out: Path, inputs: Iterable[Path] = ()) -> None:
    """As `check_outputs`, for one."""
    check_outputs([out], inputs)


def check_outputs(outputs: Iterable[Path], inputs: Iterable[Path] = ()) -> None:
    """Raises InputError, a line for each, if an output is a folder, the same as another output, one of the `inputs`, or
    in an input that is a folder. Links and other spellings of a path are the same file."""
    read, faults = list(inputs), []
    places: dict[str, Path] = {}
    for out in outputs:
        other = places.setdefault(os.path.realpath(out), out)
        if out.is_dir():
            faults.append(f"{out}: is a folder; give the name of a file")
        elif other is not out:
            faults.append(f"{out}: is the name of two outputs; give another name")
        elif any(_is_part(out, path) for path in read):
            faults.append(f"{out}: would overwrite its own input. Give another name.")
    if faults:
        raise InputError(faults)


def _is_part(out: Path, path: Path) -> bool:
    """Whether both are one file, or `out` is in the folder `path`."""
    here, there = os.path.realpath(out), os.path.realpath(path)
    return (
        here == there
        or (out.exists() and path.exists() and out.samefile(path))
        or (path.is_dir() and Path(here).is_relative_to(there))
    )


def check_folder(out: Path) -> None:
    """Raises InputError if `out` is a file."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; give a folder with -o")


def plain_name(name: str, what: str) -> str:
    """`name`, if it can be a part of the name of a file in the folder it is meant for.

    Raises InputError for names with slashes, control characters or more than 200 characters, and for names of folders
    (`.` and `..`). `what` says whose name it is."""
    if not PLAIN_NAME.fullmatch(name) or name.strip(". ") == "":
        raise InputError(f"{what}: {name[:60]!r} cannot be the name of a file; use letters, digits, '-', '_' and '.'")
    return name


def write_text(path: Path, text: str) -> None:
    """Write `text` atomically, as UTF-8. Bytes of file names that are no text become escapes. Raises OSError if the
    folder cannot be written."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path, content: Any) -> None:
    """Write `content` as JSON, atomically.
    Raises ValueError for NaN and infinity, which not every JSON reader accepts."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def write_gzip(path: Path, content: bytes) -> None:
    """Write compressed bytes atomically. The same content always gives the same bytes: no name and no time are in them.
    Raises OSError if the folder cannot be written."""
    with (
        atomic(path) as temporary,
        temporary.open("wb") as stream,
        gzip.GzipFile("", "wb", fileobj=stream, mtime=0) as compressed,
    ):
        compressed.write(content)
