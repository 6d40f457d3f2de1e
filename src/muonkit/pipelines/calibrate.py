"""Dimuons -> corrections of the momentum scale and resolution, with proof that they close."""

from pathlib import Path
from typing import Any

from muonkit.calibration import export, result
from muonkit.calibration.closure import BiasCorrector, against_zero
from muonkit.calibration.derive import Derived, derive, plan_cells
from muonkit.core import config as configuration
from muonkit.core.files import write_json
from muonkit.core.particles import resonance
from muonkit.core.provenance import describe
from muonkit.io import columns
from muonkit.pipelines import inputs
from muonkit.pipelines.counting import Counted, Task, count, load
from muonkit.pipelines.workspace import Workspace, claim
from muonkit.run.checkpoint import remembered
from muonkit.run.runner import Runner


def calibrate(config_path: Path, out: Path, runner: Runner) -> dict[str, Any]:
    """Run the configuration into OUT/ and return the content of calibration.json."""
    text = configuration.read_text(config_path)
    config = configuration.parse(text, configuration.Calibrate, str(config_path))
    base = config_path.resolve().parent
    data_pieces, template_pieces = inputs.data_pieces(config, base), inputs.template_pieces(config, base)
    files = inputs.files(data_pieces, template_pieces)
    workspace = claim(out, text, files)
    settings = inputs.settings(config, data_pieces[0])

    def counted(what: str, tasks: list[Task]) -> Counted:
        return count(
            tasks, remembered(runner.map(what), workspace.parts, what.replace(" ", "-")), config.input.max_bad_share
        )

    # the waist of the hourglass: from here on only sums
    template = counted("count simulation", [Task(piece, settings, generator=True) for piece in template_pieces])
    halves = ((None, None), (None, 0))
    data = counted("count data", [Task(piece, settings, halves) for piece in data_pieces])
    assert template.generator is not None
    merging = plan_cells(data.masses[0], template.generator, settings, config.fit.min_entries)

    def derived(what: str, sums: Any, **options: Any) -> Derived:
        options = {"simulation": template.masses[0]} | options
        return derive(sums, template.generator, settings, config.fit, merging, runner.map(what), **options)  # type: ignore[arg-type]

    nominal = derived("fit data", data.masses[0])
    simulated = derived(
        "fit simulation",
        template.masses[0],
        template_errors=False,
        fitted=result.with_resolution(config.fit.parameters),
    )
    half = derived("fit half of data", data.masses[1])

    # closure: corrected muons from the start; and, independent, corrections of one half on the other
    edges = settings.binning.eta_edges
    correctors = [BiasCorrector(edges, each.extraction.values.bias) for each in (nominal, half)]
    counts = ((correctors[0], None), (correctors[1], 1))
    corrected = counted("count corrected data", [Task(piece, settings, counts) for piece in data_pieces])
    closed = derived("fit corrected data", corrected.masses[0])
    crossed = derived("fit other half", corrected.masses[1])

    content = result.calibration(nominal, data.masses[0], settings.binning.size)
    content["resonance"] = {
        "name": config.resonance.name,
        "mass": resonance(config.resonance.name).mass,
        "window": settings.window,
    }
    content["simulation"] = result.summarise(simulated.extraction)
    content["closure"] = {
        "same": result.summarise(closed.extraction) | {"test": against_zero(closed.extraction).to_json()},
        "split": result.summarise(crossed.extraction)
        | {"test": against_zero(crossed.extraction, half.extraction.covariance).to_json()},
    }
    warning = inputs.reconstructed_cut(load(data_pieces[0])[0], settings)
    content["warnings"] = [*template.warnings, *data.warnings, *([warning] if warning else [])]
    content["provenance"] = describe(text, files)
    _write(workspace, content, nominal, simulated)
    return content


def _write(workspace: Workspace, content: dict[str, Any], nominal: Derived, simulated: Derived) -> None:
    out, extraction = workspace.out, nominal.extraction
    columns.write_masses(out / "masses.json.gz", nominal.data.counts, nominal.data.edges)
    columns.write_columns(out / "cells.parquet", result.cell_columns(nominal))
    columns.write_columns(out / "templates.parquet", result.template_columns(nominal))
    ours, theirs = result.resolution_of(nominal), result.resolution_of(simulated)
    export.write(out / "corrections.json.gz", export.variations(extraction), ours, theirs, extraction.eta_edges)
    write_json(out / "calibration.json", content)
    workspace.finish()
