"""Every condition fails alone, at its limit and not before; notes never fail."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.report import folders

from muonkit.calibration import verdict
from muonkit.calibration.result import CalibrationResult, ValidationResult

Content = dict[str, Any]


def judged(change: Callable[[Content], object], validation: Content | None = None) -> verdict.Verdict:
    content = folders.calibration()
    change(content)
    checked = None if validation is None else ValidationResult.from_json(validation)
    return CalibrationResult.from_json(content, 0.05).judged(checked)


def test_nothing_wrong_passes_without_reasons_or_notes() -> None:
    found = judged(lambda _: None, folders.validation())
    assert (found.passed, found.reasons, found.notes, found.word) == (True, [], (), "PASS")
    assert len(found.checks) == 7


FAULTS: dict[str, Callable[[Content], object]] = {
    "failed_cells": lambda c: c["cells"].update(fitted=94, failed=6),
    "extraction": lambda c: c.update(p_value=0.99e-4),
    "simulation": lambda c: c["simulation"]["test"].update(p_value=0.99e-3),
    "same_closure": lambda c: c["closure"]["same"]["test"].update(worst_pull=-0.51),
    "split_closure": lambda c: c["closure"]["split"]["test"].update(p_value=0.99e-3),
}
NEAR: dict[str, Callable[[Content], object]] = {
    "failed_cells": lambda c: c["cells"].update(fitted=95, failed=5),
    "extraction": lambda c: c.update(p_value=1.01e-4),
    "simulation": lambda c: c["simulation"]["test"].update(p_value=1.01e-3),
    "same_closure": lambda c: c["closure"]["same"]["test"].update(worst_pull=-0.49),
    "split_closure": lambda c: c["closure"]["split"]["test"].update(p_value=1.01e-3),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_alone_fails_with_one_sentence(name: str) -> None:
    found = judged(FAULTS[name])
    assert found.word == "ATTENTION"
    assert [check.name for check in found.checks if not check.passed] == [name]
    assert len(found.reasons) == 1
    assert found.reasons[0].endswith(".")


@pytest.mark.parametrize("name", NEAR)
def test_just_inside_a_limit_passes(name: str) -> None:
    assert judged(NEAR[name]).passed


def test_scale_off_on_the_validation_fails_both_pages() -> None:
    content = folders.validation()
    content["after"]["p_value"] = 0.99e-3
    alone = ValidationResult.from_json(content)
    assert judged(lambda _: None, content).reasons == alone.verdict.reasons
    assert alone.exit_code == 1


def test_failed_cells_fail_a_validation() -> None:
    content = folders.validation()
    content["fit"]["cells"].update(fitted=9, failed=1)
    assert ValidationResult.from_json(content, 0.05).status == "ATTENTION"
    assert ValidationResult.from_json(content, 0.2).status == "PASS"


def relative(content: Content, own: float, p_value: float = 0.5) -> None:
    """A difference to a simulation whose fit has the p-value `own` against 0, and `p_value` of its cells."""
    content.update(reference="simulation")
    content["simulation"]["test"].update(p_value=own)
    content["simulation"].update(p_value=p_value)


def test_a_bias_of_the_simulation_that_is_subtracted_is_a_note() -> None:
    found = judged(lambda c: relative(c, 0.99e-3))
    assert found.passed
    (note,) = found.notes
    assert "scale off by [10⁻⁵]: +0.1 ± 1.0 at 6 GeV" in note
    assert judged(lambda c: relative(c, 1.01e-3)).notes == ()


def test_a_simulation_that_the_parameters_do_not_describe_fails_the_difference_too() -> None:
    found = judged(lambda c: relative(c, 0.5, 0.99e-4))
    assert [check.name for check in found.checks if not check.passed] == ["simulation"]


def correlate(content: Content) -> None:
    rows = content["covariance"]
    rows[0][3] = rows[3][0] = -0.97 * (rows[0][0] * rows[3][3]) ** 0.5


NOTED: dict[str, Callable[[Content], object]] = {
    "cut at reconstructed pT": lambda c: c["warnings"].append("cut at reconstructed pT"),
    "condition number 2e+04": lambda c: c["diagnostics"].update(condition_number=2e4),
    "A_0 and e_0, -0.970": correlate,
    "At a limit, without an error: a_1": lambda c: c["diagnostics"].update(at_limit=["a_1"]),
}


@pytest.mark.parametrize("words", NOTED)
def test_notes_are_told_and_fail_nothing(words: str) -> None:
    found = judged(NOTED[words])
    assert found.passed
    assert len(found.notes) == 1
    assert words in found.notes[0]


def test_parameter_at_a_limit_has_no_correlations() -> None:
    content = folders.calibration()
    for i in range(12):
        content["covariance"][11][i] = content["covariance"][i][11] = 0.0
    matrix = CalibrationResult.from_json(content).correlation
    assert matrix[11, 11] == 1
    assert abs(matrix[11, :11]).max() == 0
