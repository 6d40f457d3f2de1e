"""Dimuons -> corrections of the momentum scale and resolution, with proof that they close."""

from dataclasses import replace
from pathlib import Path

from muonkit.calibration import export
from muonkit.calibration.budget import budget
from muonkit.calibration.closure import BiasCorrector
from muonkit.calibration.derive import Derived, FitPlan, resolution
from muonkit.calibration.drift import Drift, Slicing, drift
from muonkit.calibration.extract import Extraction
from muonkit.calibration.likelihood import Likelihood
from muonkit.calibration.reach import common_range
from muonkit.calibration.records import Closure, SampleOutcome
from muonkit.calibration.result import CORRECTIONS, LIKELIHOOD, CalibrationResult
from muonkit.calibration.schema import Content
from muonkit.calibration.summary import ClosureFit, FittedSample, added
from muonkit.calibration.tails import tails_of
from muonkit.core.files import write_json
from muonkit.core.provenance import digest_file
from muonkit.pipelines.counting import Count, Counted
from muonkit.pipelines.periods import calibrate_periods, check_periods, files_of
from muonkit.pipelines.study import Study
from muonkit.pipelines.tables import write_cells
from muonkit.run.runner import Runner


def calibrate(config_path: Path, out: Path, runner: Runner) -> CalibrationResult:
    """Run the configuration into OUT/. Raises InputError for a configuration or files that cannot be used."""
    with Study.open(config_path, out, runner) as study:
        done = study.workspace.finished(CalibrationResult.FILE)
        return CalibrationResult.open(out) if done else derive(study, out)


def derive(study: Study, out: Path) -> CalibrationResult:
    """Count, fit, close, and write OUT/; the same for every run period."""
    templates = study.count_template()
    data = _count(study)
    outside = check_periods(study.config, data)
    found = measure(study, templates, data, out)
    periods = calibrate_periods(study, data, lambda part, folder: measure(part, templates, _count(part), folder))
    result = replace(found, periods=periods, warnings=(*found.warnings, *outside))
    write_json(out / CalibrationResult.FILE, result.to_json())
    of_periods = [name for each in periods if not each.reason for name in files_of(each, study.names)]
    study.finish(out, (CalibrationResult.FILE, CORRECTIONS, LIKELIHOOD, *of_periods), result.unread)
    return result


def _count(study: Study) -> list[Counted]:
    """The pairs of every sample, in two halves."""
    return study.count_data("count data", Count(half=0), Count(half=1), look=True)


def measure(study: Study, templates: list[Counted], data: list[Counted], out: Path) -> CalibrationResult:
    """Fit and close, and write tables and corrections into `out`; `data`: the pairs in two halves."""
    # the waist of the hourglass: from here on only sums, of each sample
    first_half, second_half = zip(*(each.masses for each in data), strict=True)
    pairs = [one + other for one, other in zip(first_half, second_half, strict=True)]
    fit = study.fitter(templates, pairs)

    nominal = fit("fit data", pairs)
    simulated = fit.simulated
    half = fit("fit half of data", first_half)
    narrow = fit.narrower("fit narrower window", pairs)

    # closure: corrected muons from the start; and, independent of them, corrections of one half on the other
    found = nominal[0].extraction
    of_all, of_half = (BiasCorrector(found.bins, each[0].extraction.values.bias) for each in (nominal, half))
    slicings = [
        Slicing.of(each.all_runs, part) if len(each.all_runs.run) > 1 else None
        for each, part in zip(data, nominal, strict=True)
    ]
    counts = Count(of_all), Count(of_half, half=1)
    corrected = study.count_data("count corrected data", *counts, slicings=slicings)
    corrected_pairs, other_half = zip(*(each.masses for each in corrected), strict=True)
    closed = fit("fit corrected data", corrected_pairs)
    crossed = fit("fit other half", other_half)

    unread = [chunk for each in (*templates, *data, *corrected) for chunk in each.unread]

    def refit(change: str, plans: tuple[FitPlan, ...], both: bool) -> Extraction:
        return fit.varied(f"budget: {change}", pairs, plans, both)

    moved = budget(fit.plans, found, narrow[0].extraction, fit.of_entries(nominal, pairs), refit)
    write_cells(out, dict(zip(study.names, nominal, strict=True)))
    terms = simulated[0].extraction.layout.resolution_terms
    varied = export.variations(found, resolution(nominal, terms), moved.shifts)
    reached = common_range([each.sample for each in data])
    values, shape = simulated[0].extraction.values, tails_of(fit.plans)
    content = Content(varied, values, found.bins, reached, study.config.fit.reference, shape)
    export.write(out / CORRECTIONS, content)
    likelihood = Likelihood.of_covariance(found) if fit.subtracts else Likelihood.of([d.extraction for d in nominal])
    likelihood.write(out / LIKELIHOOD)
    samples = [FittedSample(*each) for each in zip(study.names, nominal, pairs, pairs, corrected_pairs, strict=True)]
    return CalibrationResult.of_samples(
        samples,
        simulation=ClosureFit.against(simulated[0].extraction),
        systematics=moved.shifts,
        drift=tuple(map(_drift, study.names, data, slicings, corrected, closed)),
        budget=moved.lines,
        reference=study.config.fit.reference,
        closure=Closure(
            same=ClosureFit.against(closed[0].extraction),
            split=fit.split(crossed, half),
        ),
        rows_read=added(each.rows for each in data),
        resonance=study.samples[0].peak,
        samples=tuple(
            SampleOutcome.of(study_part.peak, sample, counted.rows, in_simulation, after)
            for study_part, sample, counted, in_simulation, after in zip(
                study.samples, samples, data, simulated, closed, strict=True
            )
        ),
        warnings=(
            *study.warnings(templates, data),
            *study.pooled(nominal),
            *study.reduced_resolution(simulated),
            *study.unused_pairs(nominal, pairs),
        ),
        provenance=study.provenance(),
        corrections_sha256=digest_file(out / CORRECTIONS),
        unread=tuple(unread),
        max_failed_share=study.config.fit.max_failed_share,
    )


def _drift(name: str, data: Counted, slicing: Slicing | None, corrected: Counted, closed: Derived) -> Drift:
    """Whether the scale of one sample is the same in all of its runs."""
    if slicing is None or corrected.slices is None:
        return Drift.unknown(name, "all pairs are of one run" if len(data.all_runs.run) else "no run and event numbers")
    return drift(name, slicing, corrected.slices, closed)
