"""Dimuons -> corrections of the momentum scale and resolution, with proof that they close."""

from dataclasses import replace
from pathlib import Path

from muonkit.calibration import export
from muonkit.calibration.accumulate import narrowed
from muonkit.calibration.budget import budget
from muonkit.calibration.closure import BiasCorrector
from muonkit.calibration.derive import FitPlan
from muonkit.calibration.extract import Extraction
from muonkit.calibration.result import CORRECTIONS, CalibrationResult, Closure
from muonkit.calibration.summary import ClosureFit
from muonkit.core.files import write_json
from muonkit.core.provenance import digest_file
from muonkit.pipelines.counting import Count
from muonkit.pipelines.study import Study
from muonkit.pipelines.tables import NAMES, write_cells
from muonkit.run.runner import Runner


def calibrate(config_path: Path, out: Path, runner: Runner) -> CalibrationResult:
    """Run the configuration into OUT/. Raises InputError for a configuration or files that cannot be used."""
    with Study.open(config_path, out, runner) as study:
        done = study.workspace.finished(CalibrationResult.FILE)
        return CalibrationResult.open(out) if done else derive(study, out)


def derive(study: Study, out: Path) -> CalibrationResult:
    """Count, fit, close, and write OUT/."""
    # the waist of the hourglass: from here on only sums
    template = study.count_template()
    data = study.count_data("count data", Count(), Count(half=0), look=True)
    pairs, first_half = data.masses
    fit = study.fitter(template, pairs)

    nominal = fit("fit data", pairs)
    simulated = fit.simulation(template.masses[0])
    half = fit("fit half of data", first_half)
    narrow_by = study.config.binning.mass_bins // 10
    narrow_masses, narrow_settings = narrowed(pairs, study.settings, narrow_by, fit.plan.merging)
    narrow = fit.counted_by(narrow_settings)("fit narrower window", narrow_masses)

    # closure: corrected muons from the start; and, independent of them, corrections of one half on the other
    edges = study.settings.binning.eta_edges
    of_all, of_half = (BiasCorrector(edges, each.extraction.values.bias) for each in (nominal, half))
    corrected = study.count_data("count corrected data", Count(of_all), Count(of_half, half=1))
    corrected_pairs, other_half = corrected.masses
    closed = fit("fit corrected data", corrected_pairs)
    crossed = fit("fit other half", other_half)

    def refit(change: str, plan: FitPlan) -> Extraction:
        return replace(fit, plan=plan)(f"budget: {change}", pairs).extraction

    systematics = {"window": narrow.extraction.vector - nominal.extraction.vector}
    write_cells(out, nominal)
    biases = export.variations(nominal.extraction, systematics)
    terms = simulated.extraction.layout.resolution_terms
    resolutions = (nominal.resolution(terms), simulated.resolution(terms))
    export.write(out / CORRECTIONS, export.Content(biases, *resolutions, edges, data.sample))
    result = CalibrationResult.of_sample(
        nominal,
        pairs,
        before=pairs,
        after=corrected_pairs,
        simulation=ClosureFit.against(simulated.extraction),
        systematics=systematics,
        budget=budget(fit.plan, nominal.extraction, narrow.extraction, study.peak.name, refit),
        closure=Closure(
            same=ClosureFit.against(closed.extraction),
            split=ClosureFit.against(crossed.extraction, applied=half.extraction),
        ),
        rows_read=data.rows,
        resonance=study.peak,
        warnings=(*study.warnings(template, data), *study.reduced_resolution(simulated)),
        provenance=study.provenance(),
        corrections_sha256=digest_file(out / CORRECTIONS),
        max_failed_share=study.config.fit.max_failed_share,
    )
    write_json(out / CalibrationResult.FILE, result.to_json())
    study.workspace.finish((CalibrationResult.FILE, CORRECTIONS, *NAMES))
    return result
