"""Names and patterns of [input] -> files, each once, in the order of the patterns and then of the names."""

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from muonkit.core.errors import InputError
from muonkit.io.places import Place, check_url, is_url, place

SHOWN = 3  # names in one message


@dataclass
class Found:
    """Files by the name that messages use; names of files that were named before; one line for each fault."""

    files: dict[str, Place] = field(default_factory=dict)
    again: list[tuple[str, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def notes(self) -> list[str]:
        """One line about files that are named more than once."""
        if not self.again:
            return []
        pairs = [name if name == first else f"{name} is {first}" for name, first in self.again[:SHOWN]]
        more = ", ..." if len(self.again) > SHOWN else ""
        count = len({first for _, first in self.again})
        files = "1 file is" if count == 1 else f"{count} files are"
        return [f"{files} named more than once in [input] ({', '.join(pairs)}{more}); each is read once"]


def find(patterns: Sequence[str], base: Path) -> Found:
    """The files that fit `patterns` (names, globs, URLs; relative to `base`). Two spellings of one file, and links to
    it, are one file."""
    found = Found()
    known: dict[object, str] = {}
    for pattern in patterns:
        for name in _names(pattern, base, found.faults):
            key = _key(place(name, base))
            if key in known:
                found.again.append((name, known[key]))
            else:
                known[key] = name
                found.files[name] = place(name, base)
    return found


def _key(where: Place) -> object:
    """Equal for two names of one file."""
    if isinstance(where, str):
        return where
    try:
        state = where.stat()
    except OSError:
        return where
    return state.st_dev, state.st_ino


def _names(pattern: str, base: Path, faults: list[str]) -> list[str]:
    if "\0" in pattern:
        faults.append(f"{pattern!r}: is no name of a file. Correct the path in [input].")
        return []
    if is_url(pattern) or (base / pattern).exists():
        return [pattern]
    matches = sorted(glob.glob(pattern, root_dir=base, recursive=True))  # noqa: PTH207 (may be absolute)
    if not matches:
        faults.append(_nothing_there(pattern, base))
    return matches


def _nothing_there(pattern: str, base: Path) -> str:
    if glob.has_magic(pattern):
        return f"{pattern}: no file matches. Correct the pattern in [input]."
    folder = (base / pattern).parent
    near = get_close_matches(Path(pattern).name, [path.name for path in folder.glob("*")], n=1, cutoff=0.8)
    way_out = f"; did you mean '{near[0]}'?" if near else ". Correct the path in [input]."
    return f"{pattern}: there is no such file{way_out}"


def has_no_bytes(where: Place) -> bool:
    """Whether it is a file on this machine with 0 bytes."""
    return isinstance(where, Path) and where.is_file() and where.stat().st_size == 0


def check_file(where: Place, name: str) -> None:
    """Raises InputError if there is no such file, if it is a folder or empty, or if it cannot be read."""
    if isinstance(where, str):
        check_url(where)
        return
    if where.is_dir():
        raise InputError(f"{name}: is a directory. Give files, such as '{name}/*.parquet'.")
    if not where.exists():
        raise InputError(f"{name}: there is no such file. Correct the path.")
    if not os.access(where, os.R_OK):
        raise InputError(f"{name}: cannot be read: you have no permission. Change its permissions.")
    if has_no_bytes(where):
        raise InputError(f"{name}: is empty (0 bytes). Leave it out, or write it again.")
