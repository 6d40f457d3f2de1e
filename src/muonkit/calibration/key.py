"""The numbers a reader looks for first, as JSON content and as rows of a table."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from muonkit.report.labels import AXIS, QUANTITIES, parameter

Content = dict[str, Any]
Rows = list[tuple[str, str]]


def of_calibration(content: Content) -> Content:
    """Key numbers of calibration.json."""
    closure = {name: content["closure"][name]["test"] for name in ("same", "split")}
    return of_fit(content) | {
        "closure_same_p_value": closure["same"]["p_value"],
        "closure_same_worst_pull": closure["same"]["worst_pull"],
        "closure_split_p_value": closure["split"]["p_value"],
        "closure_split_worst_pull": closure["split"]["worst_pull"],
    }


def of_fit(content: Content) -> Content:
    """Key numbers of one fit."""
    key = {f"cells_{name}": content["cells"][name] for name in ("fitted", "failed", "skipped")}
    key |= {f"pairs_{name}": content["pairs"][name] for name in ("read", "selected")}
    key |= {name: content[name] for name in ("chi2", "ndf", "p_value")}
    key |= {f"typical_error_{name}": float(np.median(values)) for name, values in content["errors"].items()}
    return key | {"condition_number": content["diagnostics"]["condition_number"]}


def of_validation(content: Content) -> Content:
    """Key numbers of validation.json, besides those of its fit."""
    key: Content = {"resonance": content["resonance"]["name"]}
    for when in ("before", "after"):
        key |= {f"{name}_{when}": content[when][name] for name in ("mean", "mean_error", "chi2", "ndf", "p_value")}
    return key


def rows(key: Content) -> Rows:
    """Key numbers of a fit as text, for the table and for the terminal."""
    result = [
        ("Pairs read, selected", f"{key['pairs_read']:_}, {key['pairs_selected']:_}".replace("_", " ")),
        ("Cells fitted, failed, skipped", ", ".join(str(key[f"cells_{n}"]) for n in ("fitted", "failed", "skipped"))),
        ("χ²/ndf of the extraction", _chi2(key["chi2"], key["ndf"], key["p_value"])),
    ]
    if "closure_same_p_value" in key:
        result += [
            ("Closure on the same sample", _closure(key, "same")),
            ("Closure on the other half", _closure(key, "split")),
        ]
    result += _errors(key)
    return [*result, ("Condition number", f"{key['condition_number']:.3g}")]


def validation_rows(key: Content) -> Rows:
    """Mean scale and chi2 against 1, before and after."""
    return [
        (
            f"Scale left, {when}",
            f"1 + ({(key[f'mean_{when}'] - 1) * 1e3:.3f} ± {key[f'mean_error_{when}'] * 1e3:.3f}) · 10⁻³, "
            f"χ²/ndf = {_chi2(key[f'chi2_{when}'], key[f'ndf_{when}'], key[f'p_value_{when}'])}",
        )
        for when in ("before", "after")
    ]


def _chi2(chi2: float, ndf: int, p_value: float) -> str:
    return f"{chi2:.1f}/{ndf}, p = {p_value:.2g}"


def _closure(key: Content, which: str) -> str:
    return f"p = {key[f'closure_{which}_p_value']:.2g}, largest pull {key[f'closure_{which}_worst_pull']:+.2f}"


def _errors(key: Content) -> Rows:
    names = [name for name in QUANTITIES if f"typical_error_{name}" in key]
    return [(f"Typical error of {name}", quantity(name, key[f"typical_error_{name}"])) for name in names]


def quantity(name: str, value: float) -> str:
    """A value in the unit it is read in."""
    shown = QUANTITIES[name]
    unit = f"· {shown.text_unit}" if shown.text_unit.startswith("10") else shown.text_unit
    return f"{value * shown.factor:.3g} {unit}"


def correlation_rows(content: Content) -> Rows:
    """The largest correlations."""
    largest = content["diagnostics"]["largest_correlations"]
    return [(f"{parameter(row['first'])}, {parameter(row['second'])}", f"{row['value']:+.3f}") for row in largest]


def direction_rows(content: Content) -> Rows:
    """Combinations of parameters that the data fix worst: variance, and the leading parts."""
    return [
        (
            f"{direction['variance']:.3g}",
            " ".join(f"{value:+.2f} {parameter(name)}" for name, value in direction["parameters"].items()),
        )
        for direction in content["diagnostics"]["weak_directions"]
    ]


def residual_rows(content: Content) -> list[tuple[str, str, str]]:
    """Correlation of every binning variable with the mass residual (standard deviations), before and after."""
    root = np.sqrt(max(content["pairs"]["selected"], 1))
    before: Mapping[str, float] = content["diagnostics"]["residual_correlations"]
    after: Mapping[str, float] = content["diagnostics"]["residual_correlations_corrected"]

    def shown(value: float) -> str:
        return f"{value:+.5f} ({value * root:+.1f})"

    return [(AXIS.get(name, name), shown(before[name]), shown(after[name])) for name in before]
