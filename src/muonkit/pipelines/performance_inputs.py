"""What `performance` reads: identified tables with their truth, and a payload. All faults are found before the work."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muonkit.core.errors import InputError
from muonkit.io.identified import Joined, join
from muonkit.muid.likelihood.payload import LikelihoodParameters
from muonkit.muid.performance.config import Performance, PerformanceInput
from muonkit.muid.performance.known import needed
from muonkit.muid.shipped import DEFAULT, payload_of


@dataclass(frozen=True)
class Inputs:
    """Tables with their truth, the payload to test, and all files."""

    joined: list[Joined]
    payload: LikelihoodParameters | None
    files: list[Path]

    def describe(self) -> list[dict[str, Any]]:
        """The samples, for the result."""
        return [
            {
                "identified": one.table.path.name,
                "truth": one.truth.path.name,
                "tracks": len(one.rows),
                "truth_without_track": one.unused,
            }
            for one in self.joined
        ]


def open_inputs(config: Performance, base: Path) -> Inputs:
    """Open, join and check all files. Raises InputError with a line for every fault."""
    faults: list[str] = []
    joined: list[Joined] = []
    for number, choice in enumerate(config.input):
        for pair in _pairs(choice, f"input.{number}", base, faults):
            try:
                joined.append(join(*pair, needed(config)))
            except InputError as error:
                faults += error.faults
    tables = [one.table.path.resolve() for one in joined]
    faults += [
        f"{path}: is named twice in [[input]]; keep one" for path in sorted({p for p in tables if tables.count(p) > 1})
    ]
    payload, files = None, [file.path for one in joined for file in (one.table, one.truth)]
    if config.payload is not None:
        name = config.payload.file
        files += [] if name == DEFAULT else [base / name]
        try:
            payload = payload_of(name, base)
        except InputError as error:
            faults += error.faults
    if faults:
        raise InputError(faults)
    return Inputs(joined, payload, files)


def _pairs(choice: PerformanceInput, key: str, base: Path, faults: list[str]) -> list[tuple[Path, Path]]:
    """Files of both patterns, in the order of their names; what is wrong is added to the faults."""
    tables, truths = (_matching(base, pattern) for pattern in (choice.identified, choice.truth))
    for pattern, files in ((choice.identified, tables), (choice.truth, truths)):
        if not files:
            faults.append(f"{base / pattern}: there is no such file. Correct the path in [[input]].")
    if tables and truths and len(tables) != len(truths):
        faults.append(f"{key}: {len(tables)} identified tables, but {len(truths)} of truth; name as many of both")
        return []
    return list(zip(tables, truths, strict=False))


def _matching(base: Path, pattern: str) -> list[Path]:
    """Files that a path or a pattern, absolute or relative to `base`, stands for."""
    path = base / pattern
    if path.is_file():
        return [path]
    anchor = Path(path.anchor) if path.anchor else Path()
    relative = path.relative_to(anchor) if path.anchor else path
    return sorted(found for found in anchor.glob(str(relative)) if found.is_file())
