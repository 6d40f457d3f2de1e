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
    """SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256 of the content of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def state_of(config_text: str, inputs: Iterable[Path], *more: str) -> str:
    """Names what a result depends on: this version, the configuration, input files as they are now, and more."""
    files = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in inputs]
    return digest(repr((version("muonkit"), config_text, files, more)))


def describe(config_text: str, inputs: Iterable[Path] = ()) -> dict[str, Any]:
    """What a reader of a result needs to make it again."""
    return {
        "muonkit": version("muonkit"),
        "python": platform.python_version(),
        "platform": sys.platform,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "config_sha256": digest(config_text),
        "inputs": [{"file": path.name, "bytes": path.stat().st_size} for path in inputs],
        "packages": {name: version(name) for name in DEPENDENCIES},
    }
