"""What `performance` reads: identified tables with their truth, and a payload. All faults are found before the work."""

from dataclasses import dataclass
from pathlib import Path

from muonkit.core.errors import InputError
from muonkit.io.identified import Joined, join
from muonkit.muid.likelihood.evaluate import check_tables
from muonkit.muid.likelihood.payload import LikelihoodParameters
from muonkit.muid.performance.config import Performance, PerformanceInput
from muonkit.muid.performance.labelled import needed
from muonkit.muid.performance.result import SampleNumbers
from muonkit.muid.shipped import DEFAULT, payload_of
from muonkit.pipelines.pieces import matching_files


@dataclass(frozen=True)
class PerformanceInputs:
    """Tables with their truth, the payload to test, and all files."""

    joined: list[Joined]
    payload: LikelihoodParameters | None
    files: list[Path]

    def samples(self) -> list[SampleNumbers]:
        """The tables, for the result."""
        return [
            SampleNumbers(one.table.path.name, one.truth.path.name, len(one.rows), one.unused) for one in self.joined
        ]


def open_inputs(config: Performance, base: Path) -> PerformanceInputs:
    """Open, join and check all files. Raises InputError with a line for every fault."""
    faults: list[str] = []
    joined: list[Joined] = []
    for number, choice in enumerate(config.input):
        for pair in _pairs(choice, f"input.{number}", base, faults):
            try:
                joined.append(join(*pair, needed(config), (choice.format, choice.truth_format)))
            except InputError as error:
                faults += error.faults
    tables = [one.table.path.resolve() for one in joined]
    faults += [
        f"{path}: is named twice in [[input]]; keep one" for path in sorted({p for p in tables if tables.count(p) > 1})
    ]
    payload, files = None, list(dict.fromkeys(file.path for one in joined for file in (one.table, one.truth)))
    if config.payload is not None:
        name = config.payload.file
        files += [] if name == DEFAULT else [base / name]
        try:
            payload = payload_of(name, base)
            check_tables(payload, config.payload.likelihood, name)
        except InputError as error:
            faults += error.faults
    if faults:
        raise InputError(faults)
    return PerformanceInputs(joined, payload, files)


def _pairs(choice: PerformanceInput, key: str, base: Path, faults: list[str]) -> list[tuple[Path, Path]]:
    """Files of both patterns, in the order of their names; what is wrong is added to the faults."""
    tables, truths = (matching_files(base / pattern) for pattern in (choice.identified, choice.truth))
    for pattern, files in ((choice.identified, tables), (choice.truth, truths)):
        if not files:
            faults.append(f"{base / pattern}: there is no such file. Correct the path in [[input]].")
    if tables and truths and len(tables) != len(truths):
        faults.append(f"{key}: {len(tables)} identified tables, but {len(truths)} of truth; name as many of both")
        return []
    return list(zip(tables, truths, strict=False))
