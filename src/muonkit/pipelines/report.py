"""The folder of a run -> a page for people, a verdict for scripts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muonkit.calibration import key
from muonkit.calibration.config import Calibrate
from muonkit.calibration.result import CORRECTIONS, CalibrationResult, ValidationResult, require_own_corrections
from muonkit.calibration.verdict import Verdict
from muonkit.core.arrays import AnyArray
from muonkit.core.config import parse, read_text
from muonkit.core.errors import InputError
from muonkit.core.files import check_outputs, write_json, write_text
from muonkit.core.provenance import digest_file
from muonkit.core.result import Result, Status
from muonkit.io.columns import read_columns, read_masses
from muonkit.pipelines import tables
from muonkit.report import labels, page
from muonkit.report.masses import NEEDED, CellTables
from muonkit.report.page import FinishedRun, Outcome

COMMAND = {
    CalibrationResult: "calibrate CONFIG.toml",
    ValidationResult: "validate CONFIG.toml --corrections CORRECTIONS",
}

RESULTS = (CalibrationResult.FILE, ValidationResult.FILE)


@dataclass(frozen=True, slots=True)
class ReportResult(Result):
    """What the page says first: the verdict, the key numbers as they stand in report.json, and as rows of a table."""

    page: Path
    verdict: Verdict
    key: Mapping[str, Any]
    rows: tuple[tuple[str, str], ...]

    @property
    def status(self) -> Status:
        return self.verdict.word

    @property
    def message(self) -> str:
        return self.verdict.message

    def report(self) -> str:
        return "\n".join([self.status, *key.aligned(list(self.rows)), str(self.page)])

    def __str__(self) -> str:
        """Reasons before the numbers, notes after them, the page last."""
        reasons = [f"  {reason}" for reason in self.verdict.reasons]
        notes = [f"Note: {note}" for note in self.verdict.notes]
        return "\n".join([self.status, *reasons, *key.aligned(list(self.rows)), *notes, str(self.page)])

    def to_json(self) -> dict[str, Any]:
        return {
            "text": str(self),
            "exit_code": self.exit_code,
            "report": str(self.page),
            "verdict": self.verdict.to_json(),
            "key": dict(self.key),
        }


def report(out: Path, validation: Path | None = None) -> ReportResult:
    """Write OUT/report.html and OUT/report.json; `validation` (or OUT/validation/) is shown on a calibration's page.

    Raises InputError if a folder is not that of a finished run, or `validation` is one of other corrections."""
    folders = [out, validation or out / "validation"]
    check_outputs((out / "report.html", out / "report.json"), [each for folder in folders for each in _read(folder)])
    if not (out / CalibrationResult.FILE).exists() and (out / ValidationResult.FILE).exists():
        return _validation(out)
    return _calibration(out, validation)


def _read(folder: Path) -> list[Path]:
    """What may be read in the folder of a run."""
    read_names = (*RESULTS, "config.toml", tables.CELLS)
    return [*(folder / name for name in read_names), *folder.glob("masses*.json.gz"), *folder.glob("curves*.json.gz")]


def _calibration(out: Path, validation: Path | None) -> ReportResult:
    require_own_corrections(out / CORRECTIONS)
    run, other = read(out, CalibrationResult), _attached(out, validation)
    result, numbers, rows = run.result, run.result.numbers, run.result.rows
    if other is not None:
        numbers["validation"] = other.result.numbers
        rows += other.result.rows
    verdict = result.judged(other.result if other else None)
    return _finish(out, page.calibration_page(run, verdict, other), verdict, numbers, rows)


def _validation(out: Path) -> ReportResult:
    run = read(out, ValidationResult)
    result, verdict = run.result, run.result.verdict
    numbers = result.numbers | {"fit": key.of_fit(result.fit)}
    rows = [*result.rows, *key.fit_rows(result.fit)]
    return _finish(out, page.validation_page(run, verdict), verdict, numbers, rows)


def _attached(out: Path, validation: Path | None) -> FinishedRun[ValidationResult] | None:
    folder = validation or out / "validation"
    if validation is None and not (folder / ValidationResult.FILE).exists():
        return None
    run = read(folder, ValidationResult)
    corrections = out / CORRECTIONS
    if corrections.exists() and run.result.corrections_sha256 != digest_file(corrections):
        raise InputError(
            f"{folder}: validates other corrections than {corrections}. Validate these, or remove the folder."
        )
    return run


def read(out: Path, kind: type[Outcome]) -> FinishedRun[Outcome]:
    """A finished run. Raises InputError if anything is missing or damaged."""
    _require_files(out, (kind.FILE, "config.toml"), COMMAND[kind])
    text = read_text(out / "config.toml")
    config = parse(text, Calibrate, str(out / "config.toml"))
    names = {each.label: each.resonance.name for each in config.samples}
    histograms: list[str] = [each for pair in tables.masses_and_curves(tuple(names)).values() for each in pair]
    _require_files(out, (tables.CELLS, *histograms), COMMAND[kind])
    result = kind.open(out)
    sample = labels.sample(result.provenance.sample, config.samples[0].input.format)
    return FinishedRun(result, _tables(out, names), text, sample, names)


def _require_files(out: Path, needed: tuple[str, ...], command: str) -> None:
    way_out = f"Run: muonkit {command} -o {out}"
    if not out.is_dir():
        raise InputError(f"{out}: there is no such folder. {way_out}")
    missing = [file for file in needed if not (out / file).is_file()]
    if missing:
        raise InputError(f"{out}: is not the folder of a finished run ({', '.join(missing)} missing). {way_out}")


def _tables(out: Path, samples: Iterable[str]) -> dict[str, CellTables]:
    files = tables.masses_and_curves(tuple(samples))
    try:
        cells = read_columns(out / tables.CELLS)
        _require_columns(cells)
        parts = {name: _rows(cells, cells["sample"] == name) for name in files} if len(files) > 1 else {}
        return {name: _of_sample(out, name, parts.get(name, cells), *each) for name, each in files.items()}
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{out}: its tables cannot be read ({error}). Run the same command again.") from error


def _rows(cells: Mapping[str, AnyArray], rows: AnyArray) -> dict[str, AnyArray]:
    return {column: values[rows] for column, values in cells.items()}


def _require_columns(cells: Mapping[str, AnyArray]) -> None:
    if missing := [name for name in NEEDED if name not in cells]:
        raise ValueError(f"{tables.CELLS}: no column {', '.join(missing)}")


def _of_sample(out: Path, name: str, cells: Mapping[str, AnyArray], masses: str, curves: str) -> CellTables:
    counts, variances, edges = read_masses(out / masses)
    fitted, _, _ = read_masses(out / curves)
    if len(cells["cell"]) != len(counts) or counts.shape != fitted.shape:
        raise InputError(
            f"{out}: {tables.CELLS} holds {len(cells['cell'])} cells of {name}, {masses} {len(counts)}, "
            f"{curves} {len(fitted)}. They are of different runs; run the same command again in an empty folder."
        )
    return CellTables(cells, counts, variances, fitted, edges)


def _finish(out: Path, html: str, verdict: Verdict, numbers: dict[str, Any], rows: key.Rows) -> ReportResult:
    path = out / "report.html"
    write_text(path, html)
    write_json(out / "report.json", verdict.to_json() | {"key": numbers})
    return ReportResult(path, verdict, numbers, tuple(rows))
