"""PASS or ATTENTION, and why: what must hold of a fit, a closure, a validation. Every limit stands here once."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import chi2 as chi2_distribution

from muonkit.calibration.closure import ZeroTest
from muonkit.calibration.diagnostics import Correlation
from muonkit.calibration.drift import Drift
from muonkit.calibration.periods import Period
from muonkit.calibration.quantities import Reference
from muonkit.calibration.summary import CellCounts, ClosureFit, FitSummary, SampleFit
from muonkit.calibration.toys import Coverage
from muonkit.calibration.validate import ScaleLeft
from muonkit.core.result import Status

EXTRACTION_P = 1e-4  # cells against the parameters
DOUBTFUL_P = 0.01  # below, a PASS is commented
SIMULATION_P = 1e-3  # the simulation's own fit against 0
SPLIT_P = 1e-3  # corrections of one half against the other half
SAME_PULL = 0.5  # a closed loop on one sample leaves far less than a standard deviation
DRIFT_P = 1e-3  # scale of slices of runs against a constant
VALIDATION_P = 1e-3  # scale against 1 on another resonance
COVERAGE = 0.05  # spread of toys over the reported error, against 1
CONDITION = 1e4
CORRELATION = 0.95


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold, as a sentence that says what was found."""

    name: str
    passed: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checks say together; notes are worth reading but fail nothing."""

    checks: tuple[Check, ...]
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every check holds."""
        return all(check.passed for check in self.checks)

    @property
    def reasons(self) -> list[str]:
        """What failed, one sentence each; empty if all passed."""
        return [check.sentence for check in self.checks if not check.passed]

    @property
    def word(self) -> Status:
        """PASS or ATTENTION."""
        return "PASS" if self.passed else "ATTENTION"

    @property
    def message(self) -> str:
        """What failed, then what is worth knowing: one line each."""
        return "\n".join([*self.reasons, *(f"Note: {note}" for note in self.notes)])

    def to_json(self) -> dict[str, Any]:
        """The content of report.json, without its key numbers."""
        return {
            "verdict": self.word,
            "passed": self.passed,
            "reasons": self.reasons,
            "notes": list(self.notes),
            "checks": {check.name: check.passed for check in self.checks},
        }


def all_read(unread: int) -> Check:
    """Chunks of files that could not be read."""
    if not unread:
        return Check("all_read", True, "All chunks of the files were read.")
    many = "One chunk" if unread == 1 else f"{unread} chunks"
    sentence = f"{many} could not be read and {'is' if unread == 1 else 'are'} left out (failed.json)."
    return Check("all_read", False, f"{sentence} Mend the files, and run the same command again.")


def failed_cells(cells: CellCounts, limit: float) -> Check:
    """Mass fits that failed, against the allowed share."""
    tried, share = cells.fitted + cells.failed, cells.failed_share
    sentence = f"{cells.failed} of {tried} mass fits failed ({share:.1%}; allowed {limit:.1%})."
    return Check("failed_cells", share <= limit, sentence)


def extraction(fit: FitSummary) -> Check:
    """Cells against the parameters. Without degrees of freedom nothing is tested, and the check does not pass."""
    p = fit.p_value
    if p is None:
        sentence = (
            "The parameters are not tested: there are as many of them as measurements in the cells (ndf = 0). "
            "Fit fewer parameters, use wider eta bins, or lower fit.min_entries."
        )
        return Check("extraction", False, sentence)
    if p >= EXTRACTION_P:
        return Check("extraction", True, f"The parameters describe the cells (p = {p:.2g}).")
    sentence = f"The parameters do not describe the cells (p = {p:.2g} < {EXTRACTION_P:g})."
    return Check("extraction", False, sentence + _which_part(fit))


def _which_part(fit: FitSummary) -> str:
    """Which part of a fit that does not describe its cells fails: the scale, the resolution, or both."""
    if fit.scales is None or fit.widths is None:
        return ""
    scale, width = fit.scales.p_value, fit.widths.p_value
    if scale is None or width is None:
        return ""
    found = f" The scale alone has p = {scale:.2g}, the resolution alone p = {width:.2g}."
    if scale < EXTRACTION_P or width >= EXTRACTION_P:
        return found
    return f"{found} The resolution changes within the bins of eta; use narrower binning.eta_edges."


def sample_fit(name: str, chi2: float, measurements: int) -> Check:
    """The cells of one sample of a joint fit against the parameters of all."""
    p = float(chi2_distribution.sf(chi2, measurements)) if measurements else 1.0
    found = f"χ² = {chi2:.1f} of {measurements} measurements, p = {p:.2g}"
    if p >= EXTRACTION_P:
        return Check(f"sample_{name}", True, f"The joint parameters describe the cells of {name} ({found}).")
    sentence = (
        f"The joint parameters do not describe the cells of {name} ({found}, below {EXTRACTION_P:g}). Its masses and "
        "those of the other samples do not agree; look at its template, background and window."
    )
    return Check(f"sample_{name}", False, sentence)


def simulation_fit(fit: ClosureFit, reference: Reference) -> Check:
    """The fit to simulation, the one sample whose truth is known, against 0, and its cells against its parameters.

    A bias that is subtracted from data fails nothing, see `notes_on_simulation`."""
    found = _found_in_simulation(fit)
    if fit.p_value is not None and fit.p_value < EXTRACTION_P:
        sentence = f"The parameters do not describe the simulation (p = {fit.p_value:.2g} < {EXTRACTION_P:g}; {found})."
        unlike = " That cancels in the difference only where data fill the cells alike."
        sentence += _which_part(fit)
        return Check("simulation", False, sentence + (unlike if reference == "simulation" else ""))
    if fit.test.p_value >= SIMULATION_P:
        return Check("simulation", True, f"The fit finds no bias in the simulation ({found}).")
    if reference == "simulation":
        return Check("simulation", True, f"What the fit finds in the simulation is subtracted ({found}).")
    sentence = (
        f"The fit finds a bias in the simulation ({found}). Either its muons are biased, or the method is: "
        "corrections of data are wrong by as much in the second case."
    )
    return Check("simulation", False, sentence)


def _found_in_simulation(fit: ClosureFit) -> str:
    size = ", ".join(f"{1e5 * off.value:+.1f} ± {1e5 * off.error:.1f} at {off.pt:g} GeV" for off in fit.scale)
    return f"scale off by [10⁻⁵]: {size}; p = {fit.test.p_value:.2g}, worst {fit.test.worst}"


def notes_on_simulation(fit: ClosureFit, reference: Reference) -> list[str]:
    """A bias of the simulation that fails nothing, because it is subtracted from data."""
    if reference == "truth" or fit.test.p_value >= SIMULATION_P:
        return []
    return [
        f"The fit finds a bias in the simulation ({_found_in_simulation(fit)}). It is subtracted. A bias of the "
        "method cancels as far as data and simulation have the same resolution and background. If the simulated muons "
        "are biased, the corrections do not give the true scale."
    ]


def same_closure(test: ZeroTest) -> Check:
    """Corrections on the pairs they were made of: a test of the procedure."""
    passed = abs(test.worst_pull) <= SAME_PULL
    found = f"largest pull {test.worst_pull:+.2f} at {test.worst}, allowed ±{SAME_PULL:g}"
    return Check(
        "same_closure", passed, f"The loop {'closes' if passed else 'does not close'} on its sample ({found})."
    )


def split_closure(test: ZeroTest) -> Check:
    """Corrections of one half of the pairs on the other."""
    p = test.p_value
    if p >= SPLIT_P:
        return Check("split_closure", True, f"Corrections of one half hold on the other (p = {p:.2g}).")
    sentence = f"Corrections of one half do not hold on the other (p = {p:.2g} < {SPLIT_P:g}; worst {test.worst})."
    return Check("split_closure", False, sentence)


def all_periods(periods: Iterable[Period]) -> Check:
    """Whether every run period has its corrections."""
    without = [each for each in periods if each.reason]
    if not without:
        return Check("periods", True, "Every run period has its corrections.")
    which = "; ".join(f"runs {each.first} to {each.last}: {each.reason}" for each in without)
    return Check("periods", False, f"Run periods without corrections: {len(without)} ({which}).")


def validated(after: ScaleLeft, reference: Reference) -> Check:
    """The scale left after the corrections, against that of the reference."""
    p, right = after.p_value, "1" if reference == "truth" else "that of its simulation"
    if p >= VALIDATION_P:
        sentence = f"The scale left on the validation sample is compatible with {right} (p = {p:.2g})."
        return Check("validation", True, sentence)
    sentence = f"The scale left on the validation sample differs from {right} (p = {p:.2g} < {VALIDATION_P:g})."
    return Check("validation", False, sentence)


def covers(found: Coverage | None) -> Check:
    """The errors against the spread of toys: beyond COVERAGE by more than two standard deviations is wrong."""
    if found is None:
        return Check("coverage", False, "The errors are not tested: the parameters of the toys could not be extracted.")
    worst = max(found.rows, key=lambda row: abs(row.ratio - 1) - 2 * row.error)
    size = f"spread of {found.toys} toys over error at worst {worst.ratio:.3f} ± {worst.error:.3f}, {worst.name}"
    if abs(worst.ratio - 1) - 2 * worst.error <= COVERAGE:
        return Check("coverage", True, f"The errors cover the spread of toys within {COVERAGE:.0%} ({size}).")
    return Check("coverage", False, f"The errors do not cover the spread of toys within {COVERAGE:.0%} ({size}).")


def notes_on_fit(fit: SampleFit) -> list[str]:
    """What is worth knowing of a fit: condition, correlations, parameters at a limit."""
    diagnostics, notes = fit.diagnostics, []
    if fit.p_value is not None and EXTRACTION_P <= fit.p_value < DOUBTFUL_P:
        notes.append(f"The parameters describe the cells poorly (p = {fit.p_value:.2g} < {DOUBTFUL_P:g}).")
    if abs(diagnostics.condition_number) > CONDITION:
        notes.append(
            f"The fit is ill-conditioned (condition number {diagnostics.condition_number:.2g}); "
            "use fewer parameters or wider eta bins, or give a prior."
        )
    if strong := strong_correlations(fit):
        many = f"{len(strong)} pairs of parameters are" if len(strong) > 1 else "One pair of parameters is"
        pair = f"{strong[0].first} and {strong[0].second}, {strong[0].value:+.3f}"
        notes.append(f"{many} correlated by more than {CORRELATION:g}; strongest {pair}.")
    notes += diagnostics.unknown
    if diagnostics.at_limit:
        notes.append(f"At a limit, without an error: {', '.join(diagnostics.at_limit)}.")
    return notes


def notes_on_drift(drifts: Iterable[Drift]) -> list[str]:
    """A warning for every sample whose scale is not the same in all runs."""
    notes = []
    for each in drifts:
        if each.slices and each.p_value < DRIFT_P:
            far = each.farthest
            notes.append(
                f"WARN: the scale of {each.sample} drifts over runs (p = {each.p_value:.2g} < {DRIFT_P:g}); runs "
                f"{far.first} to {far.last} are off by {1e5 * far.scale:+.1f} ± {1e5 * far.error:.1f} [10⁻⁵]. "
                "Corrections of all runs are wrong by as much in them; binning.run_edges gives each period its own."
            )
    return notes


def notes_on_periods(periods: Iterable[Period]) -> list[str]:
    """Run periods whose own verdict is not PASS."""
    doubtful = [each for each in periods if not each.reason and each.verdict != "PASS"]
    return [
        f"WARN: runs {each.first} to {each.last}: {each.verdict}; `muonkit report` on {each.folder} says why."
        for each in doubtful
    ]


def strong_correlations(fit: FitSummary) -> list[Correlation]:
    """Pairs beyond CORRELATION, strongest first."""
    matrix, names = fit.correlation, fit.parameter_names
    rows, columns = np.triu_indices(len(names), 1)
    values = matrix[rows, columns]
    order = [i for i in np.argsort(-np.abs(values)) if abs(values[i]) > CORRELATION]
    return [Correlation(names[rows[i]], names[columns[i]], float(values[i])) for i in order]
