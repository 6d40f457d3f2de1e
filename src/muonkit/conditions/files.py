"""Payload files, named by their content: <root>/ab/abcdef... holds the bytes with the SHA-256 abcdef...

A file with the right name has the right content or is damaged, and every read detects damage. Writers cannot disturb
each other: all writers of one name write the same bytes. A file is complete on disk (fsync of file and folder) before
`write` returns, so that a row in the database can point to it."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from muonkit.core.errors import InputError
from muonkit.core.files import make_folder

UNFINISHED = ".unfinished-"  # a writer that is killed leaves a file of this kind
READ_ONLY = 0o444  # mkstemp makes files with 0600, which colleagues cannot read


@dataclass(frozen=True, slots=True)
class PayloadFiles:
    """The payload files below `root`."""

    root: Path

    def make(self) -> None:
        """Make the folder. Raises InputError if that fails."""
        try:
            make_folder(self.root)
        except OSError as error:
            raise InputError(
                f"{self.root}: cannot be made ({error.strerror}). Give a folder you may write to."
            ) from error

    def path(self, checksum: str) -> Path:
        """The path of the content with this checksum, whether or not it exists."""
        return self.root / checksum[:2] / checksum

    def write(self, content: bytes) -> str:
        """Keep `content` and return its checksum. A damaged file of that name is replaced.
        Raises InputError if it cannot be written."""
        checksum = sha256(content).hexdigest()
        path = self.path(checksum)
        try:
            make_folder(path.parent)
            if not self.intact(checksum):
                _write_whole(path, content)
            _sync_folder(path.parent)
            _sync_folder(self.root)
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror}). Correct it, then add again.") from error
        return checksum

    def read(self, checksum: str, what: str) -> bytes:
        """The verified content; `what` names the payload in errors. Raises InputError if it is absent or damaged."""
        path = self.path(checksum)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path}: the file of {what} cannot be read ({error.strerror}). {_WAY_OUT}") from error
        found = sha256(content).hexdigest()
        if found != checksum:
            raise InputError(
                f"{path}: the file of {what} is damaged: expected SHA-256 {checksum}, found {found}. {_WAY_OUT}"
            )
        return content

    def fault(self, checksum: str, what: str) -> list[str]:
        """What is wrong with the file of the payload `what`: no line, or one."""
        try:
            self.read(checksum, what)
        except InputError as error:
            return error.faults
        return []

    def intact(self, checksum: str) -> bool:
        """Whether the file is there and undamaged."""
        return not self.fault(checksum, "")

    def all(self) -> Iterator[Path]:
        """Every file below the root, also unfinished and foreign ones."""
        return (path for path in sorted(self.root.rglob("*")) if path.is_file())


_WAY_OUT = "Restore it from a backup, or add the same content under the same name again."


def age(path: Path) -> float:
    """Time since the last change [s]; 0 for a file that has just been removed."""
    with suppress(FileNotFoundError):
        return time.time() - path.stat().st_mtime
    return 0.0


def _write_whole(path: Path, content: bytes) -> None:
    # core.files.atomic names its file by process id; two machines that share a folder can have the same id
    handle, name = tempfile.mkstemp(prefix=UNFINISHED, dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchmod(stream.fileno(), READ_ONLY)
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
