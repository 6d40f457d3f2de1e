"""PASS or ATTENTION, and why: pure functions of the JSON content. Every limit stands here once."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from muonkit.core.arrays import FloatArray

EXTRACTION_P = 1e-4  # cells against the parameters
SPLIT_P = 1e-3  # corrections of one half against the other half
SAME_PULL = 0.5  # a closed loop on one sample leaves far less than a standard deviation
VALIDATION_P = 1e-3  # scale against 1 on another resonance
CONDITION = 1e4
CORRELATION = 0.95

Content = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold, as a sentence that says what was found."""

    name: str
    passed: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checks say together; notes are worth reading but fail nothing."""

    checks: list[Check]
    notes: list[str]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def reasons(self) -> list[str]:
        """What failed, one sentence each; empty if all passed."""
        return [check.sentence for check in self.checks if not check.passed]

    @property
    def word(self) -> str:
        return "PASS" if self.passed else "ATTENTION"

    @property
    def exit_code(self) -> int:
        return 0 if self.passed else 1

    def to_json(self) -> Content:
        return {
            "verdict": self.word,
            "passed": self.passed,
            "reasons": self.reasons,
            "notes": self.notes,
            "checks": {check.name: check.passed for check in self.checks},
        }


def of_calibration(content: Content, max_failed_share: float, validation: Content | None = None) -> Verdict:
    """The verdict on calibration.json, and on a validation of it where there is one."""
    closure = content["closure"]
    checks = [
        failed_cells(content["cells"], max_failed_share),
        extraction(content),
        same_closure(closure["same"]["test"]),
        split_closure(closure["split"]["test"]),
    ]
    notes = [*content["warnings"], *notes_on_fit(content)]
    if validation is not None:
        checks.append(validated(validation["after"]))
        notes += [f"Validation: {warning}" for warning in validation["warnings"]]
    return Verdict(checks, notes)


def of_validation(content: Content, max_failed_share: float) -> Verdict:
    """The verdict on validation.json."""
    checks = [failed_cells(content["fit"]["cells"], max_failed_share), validated(content["after"])]
    return Verdict(checks, [*content["warnings"], *notes_on_fit(content["fit"])])


def failed_share(cells: Content) -> float:
    """Failed fits among the fitted cells."""
    return float(cells["failed"] / max(cells["fitted"] + cells["failed"], 1))


def failed_cells(cells: Content, limit: float) -> Check:
    tried = cells["fitted"] + cells["failed"]
    sentence = f"{cells['failed']} of {tried} mass fits failed ({failed_share(cells):.1%}; allowed {limit:.1%})."
    return Check("failed_cells", failed_share(cells) <= limit, sentence)


def extraction(content: Content) -> Check:
    p = content["p_value"]
    if p >= EXTRACTION_P:
        return Check("extraction", True, f"The parameters describe the cells (p = {p:.2g}).")
    return Check("extraction", False, f"The parameters do not describe the cells (p = {p:.2g} < {EXTRACTION_P:g}).")


def same_closure(test: Content) -> Check:
    passed = abs(test["worst_pull"]) <= SAME_PULL
    found = f"largest pull {test['worst_pull']:+.2f} at {test['worst']}, allowed ±{SAME_PULL:g}"
    return Check(
        "same_closure", passed, f"The loop {'closes' if passed else 'does not close'} on its sample ({found})."
    )


def split_closure(test: Content) -> Check:
    p = test["p_value"]
    if p >= SPLIT_P:
        return Check("split_closure", True, f"Corrections of one half hold on the other (p = {p:.2g}).")
    sentence = f"Corrections of one half do not hold on the other (p = {p:.2g} < {SPLIT_P:g}; worst {test['worst']})."
    return Check("split_closure", False, sentence)


def validated(after: Content) -> Check:
    p = after["p_value"]
    if p >= VALIDATION_P:
        return Check("validation", True, f"The scale left on the validation sample is compatible with 1 (p = {p:.2g}).")
    sentence = f"The scale left on the validation sample differs from 1 (p = {p:.2g} < {VALIDATION_P:g})."
    return Check("validation", False, sentence)


def notes_on_fit(content: Content) -> list[str]:
    """What is worth knowing of a fit: condition, correlations, parameters at a limit."""
    diagnostics, notes = content["diagnostics"], []
    if abs(diagnostics["condition_number"]) > CONDITION:
        notes.append(
            f"The fit is ill-conditioned (condition number {diagnostics['condition_number']:.2g}); "
            "use fewer parameters or wider eta bins, or give a prior."
        )
    if strong := strong_correlations(content):
        first, second, value = strong[0]
        many = f"{len(strong)} pairs of parameters are" if len(strong) > 1 else "One pair of parameters is"
        notes.append(f"{many} correlated by more than {CORRELATION:g}; strongest {first} and {second}, {value:+.3f}.")
    if limited := diagnostics["at_limit"]:
        notes.append(f"At a limit, without an error: {', '.join(limited)}.")
    return notes


def correlation_matrix(content: Content) -> FloatArray:
    """From the covariance; parameters at a limit have zeros, and ones on the diagonal."""
    covariance = np.array(content["covariance"], dtype=float)
    errors = np.sqrt(np.diagonal(covariance))
    safe = np.where(errors > 0, errors, 1.0)
    matrix = covariance / np.outer(safe, safe)
    np.fill_diagonal(matrix, 1.0)
    return matrix


def strong_correlations(content: Content) -> list[tuple[str, str, float]]:
    """Pairs beyond CORRELATION, strongest first."""
    matrix, names = correlation_matrix(content), content["parameter_names"]
    rows, columns = np.triu_indices(len(names), 1)
    values = matrix[rows, columns]
    order = [i for i in np.argsort(-np.abs(values)) if abs(values[i]) > CORRELATION]
    return [(names[rows[i]], names[columns[i]], float(values[i])) for i in order]
