"""Files appear whole or not at all: written beside their place, then renamed."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from muonkit.core.errors import InputError


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` if the block succeeds, remove it if not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def check_output(out: Path, inputs: Iterable[Path] = ()) -> None:
    """Raises InputError if `out` is a folder, or one of the files that are read."""
    if out.is_dir():
        raise InputError(f"{out}: is a folder; give the name of a file")
    if out.exists() and any(out.samefile(path) for path in inputs):
        raise InputError(f"{out}: would overwrite its own input. Give another name.")


def write_text(path: Path, text: str) -> None:
    """Write `text` atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text)


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically; NaN is refused, so that every reader can read it."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")
