"""Corrections, tested on muons that did not make them: the scale left per eta bin, before and after."""

from pathlib import Path

from muonkit.calibration.export import Corrections
from muonkit.calibration.result import ValidationResult, require_own_corrections
from muonkit.calibration.summary import ClosureFit, FittedSample, SampleFit
from muonkit.calibration.validate import scale_left
from muonkit.core.errors import InputError
from muonkit.core.files import write_json
from muonkit.core.provenance import digest_file
from muonkit.pipelines.counting import Count
from muonkit.pipelines.study import Study
from muonkit.pipelines.tables import write_cells
from muonkit.run.runner import Runner


def validate(config_path: Path, corrections_path: Path, out: Path, runner: Runner, toys: int = 0) -> ValidationResult:
    """Run the validation into OUT/; `toys`: how many are drawn to test the errors.

    Raises InputError for a configuration, files or corrections that cannot be used."""
    corrections = Corrections.open(corrections_path)
    require_own_corrections(corrections_path)
    with Study.open(config_path, out, runner, corrections_path) as study:
        if len(study.samples) > 1:
            raise InputError(f"{config_path}: sample: a validation takes one sample; validate them one after the other")
        if study.config.binning.run_edges:
            raise InputError(f"{config_path}: binning.run_edges: a validation has no periods; leave it out")
        if toys and study.config.fit.method == "unbinned":
            raise InputError(f'{config_path}: fit.method: --toys tests the errors of a fit to cells; use "cells"')
        _require_eta_range(corrections, study.config.binning.eta_edges, corrections_path)
        if study.workspace.finished(ValidationResult.FILE):
            kept = ValidationResult.open(out)
            if toys in (0, kept.toys):
                return kept
        return examine(study.relative_to(corrections), corrections, out, toys)


def examine(study: Study, corrections: Corrections, out: Path, toys: int = 0) -> ValidationResult:
    """Count and fit before and after the corrections, and write OUT/."""
    templates = study.count_template()
    (data,) = counted = study.count_data("count data", Count(), Count(corrections), look=True)
    pairs, corrected = data.masses
    fit = study.fitter(templates, [pairs])
    (before,) = fit("fit data", [pairs], ("A",))
    (after,) = fit("fit corrected data", [corrected], ("A",))
    more = study.config.fit.parameters != ("A",)
    full = fit("fit parameters", [corrected])[0] if more else None
    (name,) = study.names
    unread = [chunk for each in (*templates, data) for chunk in each.unread]

    result = ValidationResult(
        before=scale_left(before.extraction, before.cells, None),
        after=scale_left(after.extraction, after.cells, corrections),
        fit=SampleFit.of_samples([FittedSample(name, after, corrected, pairs, corrected)]),
        parameters=ClosureFit.against(full.extraction) if full else None,
        toys=toys,
        coverage=fit.coverage(full or after, toys) if toys else None,
        rows_read=data.rows,
        muons=data.reach,
        resonance=study.samples[0].peak,
        reference=corrections.reference,
        warnings=(*study.warnings(templates, counted), *study.pooled([after])),
        provenance=study.provenance(),
        corrections_sha256=digest_file(corrections.path),
        unread=tuple(unread),
        max_failed_share=study.config.fit.max_failed_share,
    )
    write_cells(out, {name: after})
    write_json(out / ValidationResult.FILE, result.to_json())
    study.finish(out, (ValidationResult.FILE,), unread)
    return result


def _require_eta_range(corrections: Corrections, edges: tuple[float, ...], path: Path) -> None:
    low, high = corrections.eta_range
    if edges[0] < low or edges[-1] > high:
        raise InputError(
            f"binning.eta_edges: {edges[0]:g} to {edges[-1]:g} reaches outside the corrections in {path} "
            f"({low:g} to {high:g}); use edges inside"
        )
