"""Corrections, tested on muons that did not make them: the scale left per eta bin, before and after."""

from pathlib import Path
from typing import Any

from muonkit.calibration import result
from muonkit.calibration.closure import against_zero
from muonkit.calibration.export import Corrections
from muonkit.calibration.validate import scale_left
from muonkit.core.errors import InputError
from muonkit.core.files import write_json
from muonkit.core.provenance import digest_file
from muonkit.pipelines.study import Study
from muonkit.pipelines.tables import write_cells
from muonkit.run.runner import Runner


def validate(config_path: Path, corrections_path: Path, out: Path, runner: Runner) -> dict[str, Any]:
    """Run the validation into OUT/ and return the content of validation.json."""
    corrections = Corrections.open(corrections_path)
    study = Study.open(config_path, out, runner, corrections_path)
    _require_eta_range(corrections, study.config.binning.eta_edges, corrections_path)
    if finished := study.workspace.finished("validation.json"):
        return finished

    template = study.count_template()
    data = study.count_data("count data", ((None, None), (corrections, None)))
    fit = study.fitter(template, study.plan(data.masses[0], template.gen_masses))
    before = fit("fit data", data.masses[0], fitted=("A",))
    after = fit("fit corrected data", data.masses[1], fitted=("A",))

    content: dict[str, Any] = {
        "before": scale_left(before.extraction, before.cells, None).to_json(),
        "after": scale_left(after.extraction, after.cells, corrections).to_json(),
        "fit": result.calibration(after, data.masses[1], study.settings.binning.size, *data.masses),
    }
    if study.config.fit.parameters != ("A",):
        full = fit("fit parameters", data.masses[1])
        content["parameters"] = result.summarise(full.extraction) | {"test": against_zero(full.extraction).to_json()}
    content |= study.heading(template, data)
    content["corrections_sha256"] = digest_file(corrections_path)
    write_cells(out, after)
    write_json(out / "validation.json", content)
    study.workspace.finish()
    return content


def _require_eta_range(corrections: Corrections, edges: tuple[float, ...], path: Path) -> None:
    low, high = corrections.eta_range
    if edges[0] < low or edges[-1] > high:
        raise InputError(
            f"binning.eta_edges: {edges[0]:g} to {edges[-1]:g} reaches outside the corrections in {path} "
            f"({low:g} to {high:g}); use edges inside"
        )
