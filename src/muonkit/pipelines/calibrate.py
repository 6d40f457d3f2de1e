"""Dimuons -> corrections of the momentum scale and resolution, with proof that they close."""

from pathlib import Path
from typing import Any

from muonkit.calibration import export, result
from muonkit.calibration.accumulate import narrowed
from muonkit.calibration.closure import BiasCorrector, against_zero
from muonkit.calibration.derive import Derived
from muonkit.core.files import write_json
from muonkit.pipelines.study import Study
from muonkit.pipelines.tables import write_cells
from muonkit.run.runner import Runner


def calibrate(config_path: Path, out: Path, runner: Runner) -> dict[str, Any]:
    """Run the configuration into OUT/ and return the content of calibration.json."""
    study = Study.open(config_path, out, runner)
    if finished := study.workspace.finished("calibration.json"):
        return finished

    # the waist of the hourglass: from here on only sums
    template = study.count_template()
    data = study.count_data("count data", ((None, None), (None, 0)))
    fit = study.fitter(template, study.plan(data.masses[0], template.gen_masses))

    nominal = fit("fit data", data.masses[0])
    fitted = result.with_resolution(study.config.fit.parameters)
    simulated = fit("fit simulation", template.masses[0], template_errors=False, fitted=fitted)
    half = fit("fit half of data", data.masses[1])

    narrow = fit("fit narrower window", *narrowed(data.masses[0], study.settings, study.config.binning.mass_bins // 10))

    # closure: corrected muons from the start; and, independent of them, corrections of one half on the other
    edges = study.settings.binning.eta_edges
    of_all, of_half = (BiasCorrector(edges, each.extraction.values.bias) for each in (nominal, half))
    corrected = study.count_data("count corrected data", ((of_all, None), (of_half, 1)))
    closed = fit("fit corrected data", corrected.masses[0])
    crossed = fit("fit other half", corrected.masses[1])

    counted, size = data.masses[0], study.settings.binning.size
    content = result.calibration(nominal, counted, size, counted, corrected.masses[0])
    content["simulation"] = result.summarise(simulated.extraction)
    systematics = {"window": narrow.extraction.vector - nominal.extraction.vector}
    content["systematics"] = {name: shift.tolist() for name, shift in systematics.items()}
    content["closure"] = {"same": _closure(closed), "split": _closure(crossed, half)}
    content |= study.heading(template, data)
    write_cells(out, nominal)
    ours, theirs = result.resolution_of(nominal), result.resolution_of(simulated)
    export.write(out / "corrections.json.gz", export.variations(nominal.extraction, systematics), ours, theirs, edges)
    write_json(out / "calibration.json", content)
    study.workspace.finish()
    return content


def _closure(closed: Derived, applied: Derived | None = None) -> dict[str, Any]:
    """Parameters left, tested against 0; `applied`: independent corrections, whose errors count too."""
    extra = None if applied is None else applied.extraction.covariance
    return result.summarise(closed.extraction) | {"test": against_zero(closed.extraction, extra).to_json()}
