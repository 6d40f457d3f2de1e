"""One self-contained page per result: verdict first, then numbers, then figures, then where it all came from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from muonkit.calibration import key
from muonkit.calibration.binning import MuonBins
from muonkit.calibration.budget import BudgetLine
from muonkit.calibration.closure import SCALE_PT
from muonkit.calibration.quantities import QUANTITIES, subscripted
from muonkit.calibration.result import CalibrationResult, ValidationResult
from muonkit.calibration.summary import FitSummary, SampleFit
from muonkit.calibration.validate import ScaleLeft
from muonkit.calibration.verdict import Verdict
from muonkit.report import figures, labels, masses, runs
from muonkit.report.figures import Series
from muonkit.report.masses import CellTables
from muonkit.report.style import png, svg

SCALE, RESOLUTION = ("A", "e", "M"), ("a", "c", "g", "d")
Outcome = TypeVar("Outcome", CalibrationResult, ValidationResult)


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure on the page: its data URI, and what it shows for those who cannot see it."""

    source: str
    caption: str


@dataclass(frozen=True, slots=True)
class FinishedRun(Generic[Outcome]):
    """The folder of a run as the page needs it: result, cells of every sample by its name, text of the configuration,
    label of the figures, and the resonance of every sample."""

    result: Outcome
    tables: Mapping[str, CellTables]
    config_text: str
    sample: str
    resonances: Mapping[str, str]

    @property
    def decay(self) -> str:
        """The decays, in mathtext."""
        return labels.decays(dict.fromkeys(self.resonances.values()))

    def decay_of(self, name: str) -> str:
        """The decay of one sample, in mathtext."""
        return labels.decay(self.resonances[name])

    def titled(self, name: str, caption: str) -> str:
        """A caption, with the name of the sample where there are several."""
        return f"{name}: {caption}" if len(self.resonances) > 1 else caption


def calibration_page(
    run: FinishedRun[CalibrationResult], verdict: Verdict, validation: FinishedRun[ValidationResult] | None = None
) -> str:
    """The page of a calibration as HTML, with that of a validation in it where there is one."""
    result = run.result
    return _render(
        run,
        verdict,
        kind="Calibration",
        fit=result,
        key_rows=result.rows,
        parameters=_parameters(run, SCALE),
        resolution=_parameters(run, RESOLUTION),
        at_mean=_at_mean(run) if "e" in result.values else None,
        closure=_closure(run),
        budget=budget_rows(result.budget),
        drift=_drift(run),
        periods=_periods(run),
        tests={"same": result.closure.same.test, "split": result.closure.split.test},
        validation=_validation(validation) if validation else None,
    )


def validation_page(run: FinishedRun[ValidationResult], verdict: Verdict) -> str:
    """The shorter page of a validation as HTML."""
    fit = run.result.fit
    rows = [*run.result.rows, *key.fit_rows(fit)]
    return _render(run, verdict, kind="Validation", fit=fit, key_rows=rows, validation=_validation(run))


def _render(run: FinishedRun[Any], verdict: Verdict, fit: SampleFit, **more: Any) -> str:
    environment = Environment(
        loader=PackageLoader("muonkit.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    common: dict[str, Any] = {
        "parameters": [], "resolution": [], "at_mean": None, "closure": [], "budget": [], "tests": None,
        "drift": [], "periods": [], "validation": None,
    }  # fmt: skip
    common |= {
        "run": run,
        "verdict": verdict,
        "resonance": ", ".join(dict.fromkeys(map(labels.resonance, run.resonances.values()))),
        "windows": _windows(run.result),
        "pulls": _pulls(run),
        "matrix": _matrix(run, fit),
        "spectra": list(_spectra(run, fit.bins)),
        "correlation_rows": _correlation_rows(fit),
        "direction_rows": _direction_rows(fit),
        "residual_rows": _residual_rows(fit),
    }
    return environment.get_template("page.html.j2").render(common | more)


def _drift(run: FinishedRun[CalibrationResult]) -> list[Picture]:
    return [
        Picture(
            svg(runs.drift(each, run.sample, run.decay_of(each.sample))),
            run.titled(each.sample, f"Scale of slices of runs against their mean (p = {each.p_value:.2g})"),
        )
        for each in run.result.drift
        if each.slices
    ]


def _periods(run: FinishedRun[CalibrationResult]) -> list[Picture]:
    result = run.result
    return [
        Picture(
            svg(runs.periods(name, result.periods, result.bins, run.sample, run.decay)),
            f"{name} against the run period",
        )
        for name in SCALE
        if any(name in each.values for each in result.periods)
    ]


def budget_rows(budget: tuple[BudgetLine, ...]) -> list[tuple[str, ...]]:
    """Effect, change, and the shifts of the scale in 1e-5."""
    return [
        (line.effect, line.change, *(("-",) * len(SCALE_PT) if line.shift is None else map(in_1e5, line.shift)))
        for line in budget
    ]


def in_1e5(value: float) -> str:
    """A shift of the scale in units of 1e-5."""
    return f"{1e5 * value:+.2f}"


def _windows(result: CalibrationResult | ValidationResult) -> list[tuple[str, tuple[float, float]]]:
    """Mass window of every sample, after its name where there are several."""
    samples = result.samples if isinstance(result, CalibrationResult) else ()
    if len(samples) < 2:
        return [("", result.resonance.window)]
    return [(f"{each.name} ", each.resonance.window) for each in samples]


def _correlation_rows(fit: SampleFit) -> key.Rows:
    largest = fit.diagnostics.largest_correlations
    return [(f"{subscripted(pair.first)}, {subscripted(pair.second)}", f"{pair.value:+.3f}") for pair in largest]


def _direction_rows(fit: SampleFit) -> key.Rows:
    """Combinations of parameters that the data fix worst: variance, and the leading parts."""
    return [
        (
            f"{direction.variance:.3g}",
            " ".join(f"{value:+.2f} {subscripted(name)}" for name, value in direction.parameters.items()),
        )
        for direction in fit.diagnostics.weak_directions
    ]


def _residual_rows(fit: SampleFit) -> list[tuple[str, str, str]]:
    """Correlation of every binning variable with the mass residual (standard deviations), before and after."""
    root = np.sqrt(max(fit.pairs.selected, 1))
    before, after = fit.diagnostics.residual_correlations, fit.diagnostics.residual_correlations_corrected

    def shown(value: float) -> str:
        return f"{value:+.5f} ({value * root:+.1f})"

    return [(labels.AXIS.get(name, name), shown(before[name]), shown(after[name])) for name in before]


def _parameters(run: FinishedRun[CalibrationResult], names: Iterable[str]) -> list[Picture]:
    result, simulation = run.result, run.result.simulation
    pictures = []
    for name in names:
        if name in result.values:
            band = _series("template", simulation, name) if name in simulation.values else None
            series = [_series("sample", result, name)]
            figure = figures.parameter(name, result.bins, series, run.sample, run.decay, band)
            caption = f"{name} against η ({QUANTITIES[name].meaning}){_beside(result.bins)}"
            pictures.append(Picture(svg(figure), caption))
    return pictures


def _series(label: str, fit: FitSummary, name: str, look: str = "fitted") -> Series:
    return Series(label, fit.values[name], fit.errors[name], look=look)


def _at_mean(run: FinishedRun[CalibrationResult]) -> Picture:
    found = run.result.diagnostics.A_at_mean_k
    series = Series("sample", found.value, found.error)
    figure = figures.parameter("A_at_mean_k", run.result.bins, [series], run.sample, run.decay)
    caption = "A - e⟨k⟩ against η: the scale at the mean curvature of each bin"
    return Picture(svg(figure), caption + _beside(run.result.bins))


def _closure(run: FinishedRun[CalibrationResult]) -> list[Picture]:
    result, closure = run.result, run.result.closure
    pictures = []
    for name in SCALE:
        if name in result.values:
            series = [
                _series("before", result, name, "before"),
                _series("same sample", closure.same, name, "after"),
                _series("other half", closure.split, name, "other half"),
            ]
            figure = figures.parameter(name, result.bins, series, run.sample, run.decay)
            pictures.append(Picture(svg(figure), f"{name} before and after the corrections{_beside(result.bins)}"))
    return pictures


def _pulls(run: FinishedRun[Any]) -> list[Picture]:
    return [
        Picture(
            svg(figures.pulls(tables.pulls, run.sample, run.decay_of(name))), run.titled(name, "Pulls of the cells")
        )
        for name, tables in run.tables.items()
    ]


def _matrix(run: FinishedRun[Any], fit: SampleFit) -> Picture:
    figure = figures.correlation(fit.correlation, fit.parameter_names, run.sample, run.decay)
    return Picture(png(figure), "Correlation matrix of the parameters")


def _spectra(run: FinishedRun[Any], bins: MuonBins) -> Iterable[Picture]:
    for name, tables in run.tables.items():
        for why, cell in masses.chosen(tables):
            spectrum = masses.spectrum(tables, cell, bins)
            entries = f"{tables.cells['entries'][cell]:.0f}"
            caption = f"Cell {cell} ({why}): {entries} pairs, χ²/ndf = {tables.chi2_per_ndf[cell]:.2f}"
            yield Picture(svg(figures.mass(spectrum, run.sample, run.decay_of(name))), run.titled(name, caption))


def _validation(run: FinishedRun[ValidationResult]) -> dict[str, Any]:
    result = run.result
    name = labels.resonance(result.resonance.name)
    before, after = _scale(result.before, "before"), _scale(result.after, "after")
    figure = figures.scale(result.before.bins, before, after, run.sample, run.decay)
    return {
        "resonance": name,
        "figure": Picture(svg(figure), f"Momentum scale left on {name}{_beside(result.before.bins)}"),
        "rows": result.rows,
        "reference": result.reference,
        "test": result.parameters.test if result.parameters else None,
        "warnings": result.warnings,
    }


def _beside(bins: MuonBins) -> str:
    """Where the bins of phi are in a figure."""
    if "phi" not in bins.axes:
        return ""
    edges = ", ".join(f"{edge:g}" for edge in bins.phi_edges)
    return f", in each bin of η the bins of φ with edges {edges}"


def _scale(left: ScaleLeft, when: str) -> Series:
    return Series(when, left.scale, left.error, left.total_error, look=when)
