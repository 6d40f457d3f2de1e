"""Corrections, tested on muons that did not make them: the scale left per eta bin, before and after."""

from pathlib import Path
from typing import Any

from muonkit.calibration import result
from muonkit.calibration.closure import against_zero
from muonkit.calibration.derive import Derived, derive, plan_cells
from muonkit.calibration.export import Corrections
from muonkit.calibration.validate import scale_left
from muonkit.core import config as configuration
from muonkit.core.errors import InputError
from muonkit.core.files import write_json
from muonkit.core.particles import resonance
from muonkit.core.provenance import describe
from muonkit.io import columns
from muonkit.pipelines import inputs
from muonkit.pipelines.counting import Task, count
from muonkit.pipelines.workspace import claim
from muonkit.run.checkpoint import remembered
from muonkit.run.runner import Runner


def validate(config_path: Path, corrections_path: Path, out: Path, runner: Runner) -> dict[str, Any]:
    """Run the validation into OUT/ and return the content of validation.json."""
    text = configuration.read_text(config_path)
    config = configuration.parse(text, configuration.Calibrate, str(config_path))
    corrections = Corrections.open(corrections_path)
    base = config_path.resolve().parent
    data_pieces, template_pieces = inputs.data_pieces(config, base), inputs.template_pieces(config, base)
    files = inputs.files(data_pieces, template_pieces, corrections_path)
    workspace = claim(out, text, files)
    settings = inputs.settings(config, data_pieces[0])
    _require_eta_range(corrections, config.binning.eta_edges, corrections_path)

    def counted(what: str, tasks: list[Task]) -> Any:
        return count(
            tasks, remembered(runner.map(what), workspace.parts, what.replace(" ", "-")), config.input.max_bad_share
        )

    template = counted("count simulation", [Task(piece, settings, generator=True) for piece in template_pieces])
    counts = ((None, None), (corrections, None))
    data = counted("count data", [Task(piece, settings, counts) for piece in data_pieces])
    merging = plan_cells(data.masses[0], template.generator, settings, config.fit.min_entries)

    def derived(what: str, sums: Any, fitted: tuple[str, ...]) -> Derived:
        simulation = template.masses[0]
        return derive(sums, template.generator, settings, config.fit, merging, runner.map(what), simulation, fitted)

    before = derived("fit data", data.masses[0], ("A",))
    after = derived("fit corrected data", data.masses[1], ("A",))
    content: dict[str, Any] = {
        "resonance": {
            "name": config.resonance.name,
            "mass": resonance(config.resonance.name).mass,
            "window": settings.window,
        },
        "before": scale_left(before.extraction, before.cells, None).to_json(),
        "after": scale_left(after.extraction, after.cells, corrections).to_json(),
        "fit": result.calibration(after, data.masses[1], settings.binning.size),
        "warnings": [*template.warnings, *data.warnings],
        "provenance": describe(text, files),
    }
    if config.fit.parameters != ("A",):
        full = derived("fit parameters", data.masses[1], config.fit.parameters)
        content["parameters"] = result.summarise(full.extraction) | {"test": against_zero(full.extraction).to_json()}
    columns.write_masses(out / "masses.json.gz", after.data.counts, after.data.edges)
    columns.write_columns(out / "cells.parquet", result.cell_columns(after))
    columns.write_columns(out / "templates.parquet", result.template_columns(after))
    write_json(out / "validation.json", content)
    workspace.finish()
    return content


def _require_eta_range(corrections: Corrections, edges: tuple[float, ...], path: Path) -> None:
    low, high = corrections.eta_range
    if edges[0] < low or edges[-1] > high:
        raise InputError(
            f"binning.eta_edges: {edges[0]:g} to {edges[-1]:g} reaches outside the corrections in {path} "
            f"({low:g} to {high:g}); use edges inside"
        )
