"""Dimuons -> corrections of the momentum scale and resolution, with proof that they close."""

from dataclasses import replace
from pathlib import Path

from muonkit.calibration import export
from muonkit.calibration.budget import budget
from muonkit.calibration.closure import BiasCorrector
from muonkit.calibration.derive import FitPlan, resolution
from muonkit.calibration.extract import Extraction
from muonkit.calibration.likelihood import Likelihood
from muonkit.calibration.reach import common_range
from muonkit.calibration.result import CORRECTIONS, LIKELIHOOD, CalibrationResult, Closure, SampleOutcome
from muonkit.calibration.schema import Content
from muonkit.calibration.summary import ClosureFit, FittedSample, added
from muonkit.core.files import write_json
from muonkit.core.provenance import digest_file
from muonkit.pipelines.counting import Count
from muonkit.pipelines.study import Study
from muonkit.pipelines.tables import names, write_cells
from muonkit.run.runner import Runner


def calibrate(config_path: Path, out: Path, runner: Runner) -> CalibrationResult:
    """Run the configuration into OUT/. Raises InputError for a configuration or files that cannot be used."""
    with Study.open(config_path, out, runner) as study:
        done = study.workspace.finished(CalibrationResult.FILE)
        return CalibrationResult.open(out) if done else derive(study, out)


def derive(study: Study, out: Path) -> CalibrationResult:
    """Count, fit, close, and write OUT/."""
    # the waist of the hourglass: from here on only sums, of each sample
    templates = study.count_template()
    data = study.count_data("count data", Count(half=0), Count(half=1), look=True)
    first_half, second_half = zip(*(each.masses for each in data), strict=True)
    pairs = [one + other for one, other in zip(first_half, second_half, strict=True)]
    simulated_pairs = [each.masses[0] for each in templates]
    fit = study.fitter(templates, pairs)

    nominal = fit("fit data", pairs)
    simulated = fit.simulation(simulated_pairs)
    half = fit("fit half of data", first_half)
    narrow = fit.narrower("fit narrower window", pairs)

    # closure: corrected muons from the start; and, independent of them, corrections of one half on the other
    found = nominal[0].extraction
    of_all, of_half = (BiasCorrector(found.eta_edges, each[0].extraction.values.bias) for each in (nominal, half))
    corrected = study.count_data("count corrected data", Count(of_all), Count(of_half, half=1))
    corrected_pairs, other_half = zip(*(each.masses for each in corrected), strict=True)
    closed = fit("fit corrected data", corrected_pairs)
    crossed = fit("fit other half", other_half)

    def refit(change: str, plans: tuple[FitPlan, ...]) -> Extraction:
        return replace(fit, plans=plans)(f"budget: {change}", pairs)[0].extraction

    systematics = {"window": narrow[0].extraction.vector - found.vector}
    write_cells(out, dict(zip(study.names, nominal, strict=True)))
    terms = simulated[0].extraction.layout.resolution_terms
    varied = export.variations(found, resolution(nominal, terms), systematics)
    reached = common_range([each.sample for each in data])
    export.write(out / CORRECTIONS, Content(varied, simulated[0].extraction.values, found.eta_edges, reached))
    Likelihood.of([each.extraction for each in nominal]).write(out / LIKELIHOOD)
    samples = [FittedSample(*each) for each in zip(study.names, nominal, pairs, pairs, corrected_pairs, strict=True)]
    result = CalibrationResult.of_samples(
        samples,
        simulation=ClosureFit.against(simulated[0].extraction),
        systematics=systematics,
        budget=budget(fit.plans, found, narrow[0].extraction, refit),
        closure=Closure(
            same=ClosureFit.against(closed[0].extraction),
            split=ClosureFit.against(crossed[0].extraction, applied=half[0].extraction),
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
            *study.reduced_resolution(simulated),
            *study.unused_pairs(nominal, pairs),
        ),
        provenance=study.provenance(),
        corrections_sha256=digest_file(out / CORRECTIONS),
        max_failed_share=study.config.fit.max_failed_share,
    )
    write_json(out / CalibrationResult.FILE, result.to_json())
    study.workspace.finish((CalibrationResult.FILE, CORRECTIONS, LIKELIHOOD, *names(study.names)))
    return result
