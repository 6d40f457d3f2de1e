"""The folder of a run -> a page for people, a verdict for scripts."""

import json
from pathlib import Path
from typing import Any

from muonkit.calibration.config import Calibrate
from muonkit.core.config import parse, read_text
from muonkit.core.errors import InputError
from muonkit.core.files import write_json, write_text
from muonkit.core.provenance import digest_file
from muonkit.io.columns import read_columns, read_masses
from muonkit.report import key, labels, page, verdict
from muonkit.report.masses import CellTables
from muonkit.report.page import Run
from muonkit.report.verdict import Verdict

CALIBRATION, VALIDATION = "calibration.json", "validation.json"
COMMAND = {CALIBRATION: "calibrate CONFIG.toml", VALIDATION: "validate CONFIG.toml --corrections CORRECTIONS"}
REQUIRED = {
    CALIBRATION: ("eta_edges", "A", "errors", "cells", "pairs", "diagnostics", "resonance", "simulation", "closure",
                  "warnings", "provenance"),
    VALIDATION: ("resonance", "before", "after", "fit", "warnings", "provenance"),
}  # fmt: skip


def report(out: Path, validation: Path | None = None) -> dict[str, Any]:
    """Write OUT/report.html and OUT/report.json; `validation` (or OUT/validation/) is shown on a calibration's page."""
    if not (out / CALIBRATION).exists() and (out / VALIDATION).exists():
        return _validation(out)
    return _calibration(out, validation)


def _calibration(out: Path, validation: Path | None) -> dict[str, Any]:
    run, limit = read(out, CALIBRATION)
    other = _attached(out, validation)
    found = verdict.of_calibration(run.content, limit, other.content if other else None)
    numbers = key.of_calibration(run.content)
    lines = key.rows(numbers)
    if other is not None:
        numbers["validation"] = key.of_validation(other.content)
        lines += key.validation_rows(numbers["validation"])
    return _finish(out, page.calibration_page(run, found, other), found, numbers, lines)


def _validation(out: Path) -> dict[str, Any]:
    run, limit = read(out, VALIDATION)
    found = verdict.of_validation(run.content, limit)
    numbers = key.of_validation(run.content) | {"fit": key.of_fit(run.content["fit"])}
    lines = [*key.validation_rows(numbers), *key.rows(numbers["fit"])]
    return _finish(out, page.validation_page(run, found), found, numbers, lines)


def _attached(out: Path, validation: Path | None) -> Run | None:
    folder = validation or out / "validation"
    if validation is None and not (folder / VALIDATION).exists():
        return None
    run = read(folder, VALIDATION)[0]
    corrections = out / "corrections.json.gz"
    if corrections.exists() and run.content.get("corrections_sha256") not in (None, digest_file(corrections)):
        raise InputError(
            f"{folder}: validates other corrections than {corrections}. Validate these, or remove the folder."
        )
    return run


def read(out: Path, name: str) -> tuple[Run, float]:
    """A finished run and its allowed share of failed fits. Raises InputError if anything is missing."""
    _require_files(out, name)
    text = read_text(out / "config.toml")
    config = parse(text, Calibrate, str(out / "config.toml"))
    content = _content(out / name)
    sample = labels.sample(content["provenance"], config.input.format)
    return Run(content, _tables(out, config.fit.kernel), text, sample), config.fit.max_failed_share


def _require_files(out: Path, name: str) -> None:
    way_out = f"Run: muonkit {COMMAND[name]} -o {out}"
    if not out.is_dir():
        raise InputError(f"{out}: there is no such folder. {way_out}")
    needed = (name, "config.toml", "cells.parquet", "masses.json.gz", "templates.parquet")
    missing = [file for file in needed if not (out / file).is_file()]
    if missing:
        raise InputError(f"{out}: is not the folder of a finished run ({', '.join(missing)} missing). {way_out}")


def _content(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text())
        missing = [name for name in REQUIRED[path.name] if name not in content]
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path}: cannot be read ({error}). Remove it and run the same command again.") from error
    if missing:
        raise InputError(f"{path}: {', '.join(missing)} missing. Remove it and run the same command again.")
    return content


def _tables(out: Path, kernel: str) -> CellTables:
    try:
        cells, templates = read_columns(out / "cells.parquet"), read_columns(out / "templates.parquet")
        counts, edges = read_masses(out / "masses.json.gz")
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{out}: its tables cannot be read ({error}). Run the same command again.") from error
    if len(cells["cell"]) != len(counts):
        raise InputError(
            f"{out}: cells.parquet holds {len(cells['cell'])} cells, masses.json.gz {len(counts)}. "
            "They are of different runs; run the same command again in an empty folder."
        )
    return CellTables(cells, counts, edges, templates, kernel)


def _finish(out: Path, html: str, found: Verdict, numbers: dict[str, Any], lines: key.Rows) -> dict[str, Any]:
    path = out / "report.html"
    write_text(path, html)
    content = found.to_json() | {"key": numbers}
    write_json(out / "report.json", content)
    return {
        "text": _text(found, lines, path),
        "exit_code": found.exit_code,
        "report": str(path),
        "verdict": found.to_json(),
        "key": numbers,
    }


def _text(found: Verdict, lines: key.Rows, path: Path) -> str:
    width = max(len(name) for name, _ in lines)
    return "\n".join(
        [
            found.word,
            *(f"  {reason}" for reason in found.reasons),
            *(f"{name:<{width}}  {value}" for name, value in lines),
            *(f"Note: {note}" for note in found.notes),
            str(path),
        ]
    )
