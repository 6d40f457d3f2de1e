"""Where a result came from: version, configuration, inputs, machine."""

import hashlib
import platform
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

DEPENDENCIES = ("numpy", "scipy", "numba", "iminuit", "correctionlib", "uproot", "pyarrow")


def digest(text: str) -> str:
    """SHA-256 of a text, as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256 of the content of a file, as 64 hexadecimal digits. Raises OSError if it cannot be read."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def state_of(config_text: str, inputs: Iterable[Path], *more: str) -> str:
    """A digest that changes with whatever a result depends on: this version, the configuration, size and time of the
    input files, and `more`. Raises FileNotFoundError if an input is absent."""
    files = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in inputs]
    return digest(repr((version("muonkit"), config_text, files, more)))


def describe(config_text: str, inputs: Iterable[Path] = ()) -> dict[str, Any]:
    """What a reader needs to make a result again: versions, platform, time, digest of the configuration, input files.
    Raises FileNotFoundError if an input is absent."""
    return {
        "muonkit": version("muonkit"),
        "python": platform.python_version(),
        "platform": sys.platform,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "config_sha256": digest(config_text),
        "inputs": [{"file": path.name, "bytes": path.stat().st_size} for path in inputs],
        "packages": {name: version(name) for name in DEPENDENCIES},
    }
