"""The bias budget: effects of known size appear with their size, and what changes nothing shifts nothing."""

from dataclasses import replace

import numpy as np
import pytest
from tests.calibration import samples

from muonkit.calibration.budget import Budget, BudgetLine, budget, moved
from muonkit.calibration.config import Fit
from muonkit.calibration.derive import FitPlan, derive, plan_cells
from muonkit.calibration.extract import Extraction
from muonkit.calibration.reference import of_entries

pytestmark = pytest.mark.slow
ETA = (-2.4, 0.0, 2.4)


@pytest.fixture(scope="module")
def found() -> Budget:
    flat = {"resolution": {"a": [0.012], "c": [0.0]}}  # sigma_m/m = 0.85 %
    counts = samples.count(samples.sample(600_000, 51, **flat), samples.sample(600_000, 52, **flat), ETA)
    choice = Fit(parameters=("A", "e", "M"))
    merging = plan_cells(counts.data, counts.generator, counts.settings, choice.min_entries)
    plan = FitPlan(counts.settings, choice, counts.truth, merging, counts.simulation)

    def refit(_: str, varied: tuple[FitPlan, ...], _both: bool) -> Extraction:
        return derive(varied[0], counts.data).extraction

    fitted = derive(plan, counts.data)
    nominal = fitted.extraction
    assert moved(nominal, replace(nominal)) == (0.0, 0.0, 0.0)
    return budget((plan,), nominal, nominal, of_entries([fitted], plan.rules()), refit)


@pytest.fixture(scope="module")
def lines(found: Budget) -> dict[str, BudgetLine]:
    return {f"{line.effect}: {line.change}": line for line in found.lines}


def shift(lines: dict[str, BudgetLine], start: str) -> float:
    (value,) = [line.shift[0] for name, line in lines.items() if name.startswith(start) and line.shift is not None]
    return value


def test_traps_of_known_size_are_in_the_budget(lines: dict[str, BudgetLine]) -> None:
    """Jensen's bias of a Gaussian in mass at 0.85 %, and a template without radiation; see test_traps."""
    assert shift(lines, "kernel: Gaussian in mass") == pytest.approx(11e-5, abs=3e-5)
    assert shift(lines, "radiation") == pytest.approx(-75e-5, abs=20e-5)


def test_what_is_right_moves_the_scale_by_little(lines: dict[str, BudgetLine]) -> None:
    assert abs(shift(lines, "kernel: Gaussian in curvature")) < 1e-5
    assert abs(shift(lines, "width of the kernel")) < 1e-5
    assert shift(lines, "window") == 0, "the same fit was given"


def test_parts_of_the_error(lines: dict[str, BudgetLine]) -> None:
    assert 1e-6 < shift(lines, "template statistics") < 1e-4
    assert shift(lines, "resonance mass") == pytest.approx(-0.006e-3 / 3.0969, rel=0.05)


def test_shifts_of_all_parameters_are_named_and_none_is_zero(found: Budget) -> None:
    """The window was the same fit again, and the template's statistics are no shift."""
    effects = {"kernel_curvature", "kernel_mass", "kernel_width", "radiation", "migration", "background", "selection"}
    assert set(found.shifts) == effects | {"resonance_mass"}
    assert all(shift.any() for shift in found.shifts.values())
    np.testing.assert_allclose(found.shifts["resonance_mass"][:2], -0.006e-3 / 3.0969, rtol=0.3)
