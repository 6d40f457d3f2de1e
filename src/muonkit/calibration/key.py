"""The numbers a reader looks for first: as content of report.json, and as rows of a table."""

from typing import Any

import numpy as np

from muonkit.calibration.binning import MuonBins
from muonkit.calibration.diagnostics import Diagnostics
from muonkit.calibration.drift import Drift
from muonkit.calibration.periods import Period
from muonkit.calibration.quantities import QUANTITIES, REFERENCES, Reference, shown
from muonkit.calibration.reach import ReachCounts
from muonkit.calibration.summary import ClosureFit, FitSummary, RowCounts, SampleFit
from muonkit.calibration.toys import Coverage
from muonkit.calibration.validate import ScaleLeft
from muonkit.core.arrays import FloatArray

Content = dict[str, Any]
Rows = list[tuple[str, str]]


def of_fit(fit: SampleFit) -> Content:
    """Key numbers of one fit."""
    key: Content = {f"cells_{name}": getattr(fit.cells, name) for name in ("fitted", "failed", "skipped")}
    key |= {f"pairs_{name}": getattr(fit.pairs, name) for name in ("read", "selected")}
    key |= {name: getattr(fit, name) for name in ("chi2", "ndf", "p_value")}
    key |= {f"typical_error_{name}": error for name, error in typical_errors(fit).items()}
    diagnostics = fit.diagnostics
    return key | {name: getattr(diagnostics, name) for name in ("condition_number", "condition_number_at_mean_k")}


def of_closure(name: str, closed: ClosureFit) -> Content:
    """Key numbers of the closure `name`."""
    test = closed.test
    return {f"closure_{name}_p_value": test.p_value, f"closure_{name}_worst_pull": test.worst_pull}


def of_scale(when: str, left: ScaleLeft) -> Content:
    """Key numbers of the scale left `when`: before or after the corrections."""
    return {f"{name}_{when}": getattr(left, name) for name in ("mean", "mean_error", "chi2", "ndf", "p_value")}


def typical_errors(fit: FitSummary) -> dict[str, float]:
    """Median over the bins of the error of every parameter."""
    return {name: float(np.median(errors)) for name, errors in fit.errors.items()}


def fit_rows(fit: SampleFit, closures: Rows | None = None) -> Rows:
    """Key numbers of a fit as text, for the page and for the terminal."""
    cells, pairs = fit.cells, fit.pairs
    errors = typical_errors(fit)
    return [
        ("Pairs read, selected", spaced(pairs.read, pairs.selected)),
        ("Pairs outside mass window, cuts, eta", spaced(pairs.outside_window, pairs.outside_cuts, pairs.outside_eta)),
        *([("Pairs with a weight below 0", spaced(pairs.negative))] if pairs.negative else []),
        ("Cells fitted, failed, skipped", f"{cells.fitted}, {cells.failed}, {cells.skipped}"),
        ("χ²/ndf of the extraction", _chi2(fit)),
        *(closures or []),
        *((f"Typical error of {name}", shown(name, errors[name])) for name in QUANTITIES if name in errors),
        ("Condition number, with A - e⟨k⟩ for A", _conditions(fit.diagnostics)),
    ]


def _conditions(found: Diagnostics) -> str:
    return f"{found.condition_number:.3g}, {found.condition_number_at_mean_k:.3g}"


def reference_row(reference: Reference) -> tuple[str, str]:
    """What the scale is compared with, in words."""
    return "Reference of the scale", REFERENCES[reference]


def row_rows(rows: RowCounts) -> Rows:
    """What was read from the files, and what was found in it."""
    found = [("Rows read, bad", spaced(rows.read, rows.bad))]
    pairs = {"same-sign": rows.same_sign, "without generator muon": rows.unmatched, "repeated": rows.repeated}
    found += [(f"Pairs {what}", spaced(number)) for what, number in pairs.items() if number]
    if rows.fell_back:
        found.append(("Muons with standard columns, pairs with one", spaced(rows.fell_back, rows.mixed)))
    return found


def drift_rows(drifts: tuple[Drift, ...]) -> Rows:
    """How far the scale of every sample is from a constant over runs."""
    return [(f"Drift over runs{f' of {each.sample}' if len(drifts) > 1 else ''}", _drift(each)) for each in drifts]


def _drift(found: Drift) -> str:
    if not found.slices:
        return f"not checked: {found.not_checked}"
    far = found.farthest
    size = f"{1e5 * far.scale:+.1f} ± {1e5 * far.error:.1f} · 10⁻⁵"
    return f"χ²/ndf = {found.chi2:.1f}/{found.ndf}, p = {found.p_value:.2g}; {size} in runs {far.first} to {far.last}"


def period_rows(periods: tuple[Period, ...]) -> Rows:
    """Where the corrections of every run period are, and their verdict."""
    return [
        (
            f"Runs {each.first} to {each.last}",
            each.reason or f"{each.verdict}, {spaced(each.pairs)} pairs, {each.folder}",
        )
        for each in periods
    ]


def reach_rows(muons: ReachCounts) -> Rows:
    """How many muons are in the range of the corrections, and how many are not."""
    inside = spaced(muons.calibrated, muons.extrapolated)
    held = [("Muons beyond the model, corrections held", spaced(muons.held))] if muons.held else []
    return [("Muons in calibrated range, extrapolated", inside), *held]


def spaced(*numbers: int) -> str:
    """Numbers with a space between thousands."""
    return ", ".join(f"{number:_}".replace("_", " ") for number in numbers)


def closure_row(where: str, closed: ClosureFit) -> tuple[str, str]:
    """p-value and largest pull of a closure on the sample that is named."""
    return f"Closure on the {where}", f"p = {closed.test.p_value:.2g}, largest pull {closed.test.worst_pull:+.2f}"


def scale_row(when: str, left: ScaleLeft) -> tuple[str, str]:
    """Mean scale and chi2 against 1."""
    mean = f"1 + ({(left.mean - 1) * 1e3:.3f} ± {left.mean_error * 1e3:.3f}) · 10⁻³"
    return f"Scale left, {when}", f"{mean}, χ²/ndf = {_chi2(left)}"


def coverage_rows(found: Coverage) -> Rows:
    """Spread of the toys over the reported errors."""
    lost = f", {found.failed} failed" if found.failed else ""
    rows = [(f"Spread over error, {row.name}", f"{row.ratio:.3f} ± {row.error:.3f}") for row in found.rows]
    return [("Toys", f"{found.toys}{lost}"), *rows]


def _chi2(tested: FitSummary | ScaleLeft) -> str:
    p = "no p-value (ndf is 0)" if tested.p_value is None else f"p = {tested.p_value:.2g}"
    return f"{tested.chi2:.1f}/{tested.ndf}, {p}"


def parameter_lines(fit: FitSummary) -> list[str]:
    """One line per bin of muons: values and errors of all parameters, in the units they are read in."""
    names = [name for name in QUANTITIES if name in fit.values]
    return table(fit.bins, [_column(_head(name), *_values(fit, name)) for name in names])


def error_column(name: str, errors: FloatArray) -> list[str]:
    """Head and errors (bins,) of one parameter, in the unit it is read in. A parameter at its limit has none."""
    scaled = (QUANTITIES[name].factor * errors).tolist()
    digits = _digits([error for error in scaled if error > 0] or [1.0])
    return [_head(name), *(f"± {error:.{digits}f}" if error > 0 else "at its limit" for error in scaled)]


def table(bins: MuonBins, columns: list[list[str]]) -> list[str]:
    """One line for the heads of the columns, and one for every bin of muons."""
    where = ([axis, *labels] for axis, labels in bins.labels.items())
    padded = [_padded(column) for column in (*where, *columns)]
    return ["  ".join(row).rstrip() for row in zip(*padded, strict=True)]


def _head(name: str) -> str:
    return f"{name} [{QUANTITIES[name].text_unit}]"


def _values(fit: FitSummary, name: str) -> tuple[list[float], list[float]]:
    factor = QUANTITIES[name].factor
    return (fit.values[name] * factor).tolist(), (fit.errors[name] * factor).tolist()


def _column(head: str, values: list[float], errors: list[float]) -> list[str]:
    digits = _digits(errors)
    return [head, *(f"{v:.{digits}f} ± {e:.{digits}f}" for v, e in zip(values, errors, strict=True))]


def _digits(errors: list[float]) -> int:
    """Decimals that show two digits of a typical error."""
    return max(0, 1 - int(np.floor(np.log10(max(np.median(errors), 1e-9)))))


def _padded(cells: list[str]) -> list[str]:
    width = max(map(len, cells))
    return [cells[0].ljust(width), *(cell.rjust(width) for cell in cells[1:])]


def aligned(rows: Rows) -> list[str]:
    """Rows as lines with the values below each other."""
    width = max(len(name) for name, _ in rows)
    return [f"{name:<{width}}  {value}" for name, value in rows]
