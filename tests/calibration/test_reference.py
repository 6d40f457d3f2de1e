"""Data minus simulation: right where the kernel is wrong, with errors that are those of the entries of both."""

from dataclasses import replace
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
import pytest
from tests.calibration import samples

from muonkit.calibration import budget
from muonkit.calibration.accumulate import accumulate
from muonkit.calibration.binning import MuonBins
from muonkit.calibration.closure import BiasCorrector, against_zero, scale_off
from muonkit.calibration.derive import Derived, derive, derive_jointly
from muonkit.calibration.extract import Extraction
from muonkit.calibration.likelihood import OF_PARAMETER, Likelihood
from muonkit.calibration.reference import difference, of_entries, without_simulation
from muonkit.calibration.summary import ClosureFit
from muonkit.calibration.verdict import same_closure, split_closure

ETA = (-2.4, 0.0, 2.4)
LETTERS = ("A", "e", "M")
# an exponential loss so large that few pairs see what it does to a Gaussian kernel
TAILS = {"a": (0.01,), "c": (0.0,), "straggling": (0.04,)}
BIAS = {"eta_edges": ETA, "A": (5e-4, -5e-4), "e": (2e-3, 1e-3), "M": (3e-5, -2e-5)}
DATA = samples.sample(200_000, 71, bias=BIAS, resolution=TAILS)


@pytest.fixture(scope="module")
def counts() -> samples.Counts:
    return samples.count(DATA, samples.sample(200_000, 72, resolution=TAILS), ETA)


@pytest.fixture(scope="module")
def fits(counts: samples.Counts) -> tuple[Derived, Derived, Derived]:
    return samples.fit_both(counts, LETTERS, kernel="curvature")


def off(found: Extraction) -> float:
    """The scale at 6 GeV against the truth, in standard deviations."""
    (at,) = scale_off(replace(found, vector=found.vector - samples.truth(DATA, LETTERS, 2)), momenta=(6.0,))
    return at.value / at.error


def test_the_difference_is_right_where_the_kernel_is_wrong(fits: tuple[Derived, Derived, Derived]) -> None:
    data, simulation, less = (each.extraction for each in fits)
    assert abs(off(data)) > 5
    assert abs(off(less)) < 3
    assert against_zero(simulation).p_value < 1e-6
    assert against_zero(replace(less, vector=less.vector - samples.truth(DATA, LETTERS, 2))).p_value > 1e-3


def test_covariances_of_the_entries_add(counts: samples.Counts, fits: tuple[Derived, Derived, Derived]) -> None:
    rules = samples.plan(counts, LETTERS).rules()
    data, simulation = (of_entries([each], rules) for each in fits[:2])
    np.testing.assert_array_equal(fits[2].extraction.covariance, data.covariance + simulation.covariance)
    np.testing.assert_array_equal(fits[2].extraction.vector, data.vector - simulation.vector)


def test_what_moves_the_template_cancels(counts: samples.Counts, fits: tuple[Derived, Derived, Derived]) -> None:
    """So its chance, too, is no part of the error."""
    moved = replace(counts, truth=replace(counts.truth, masses=counts.generator.scaled(1 + 1e-4)))
    data, _, less = samples.fit_both(moved, LETTERS, kernel="curvature")
    shifts = [budget.moved(then.extraction, now.extraction)[0] for then, now in ((fits[0], data), (fits[2], less))]
    assert shifts[0] == pytest.approx(-1e-4, rel=0.02)
    assert abs(shifts[1]) < 1e-6


def test_widths_are_those_of_data(counts: samples.Counts) -> None:
    data, _, less = (each.extraction for each in samples.fit_both(counts, (*LETTERS, "a"), kernel="curvature"))
    rows = data.layout.scale_rows
    assert rows.tolist() == list(range(6))
    np.testing.assert_array_equal(less.vector[6:], data.vector[6:])
    np.testing.assert_array_equal(less.covariance[6:], data.covariance[6:])
    assert np.linalg.eigvalsh(less.covariance / np.outer(less.errors, less.errors)).min() > 0


def test_samples_of_a_joint_fit_are_subtracted_together(
    counts: samples.Counts, fits: tuple[Derived, Derived, Derived]
) -> None:
    """The same sample twice: the same parameters, with half of the variance."""
    plans = (samples.plan(counts, LETTERS, kernel="curvature"),) * 2
    data = derive_jointly(plans, [counts.data] * 2)
    simulation = derive_jointly(plans, [counts.simulation] * 2, template_errors=False)
    first, second = (each.extraction for each in difference(data, simulation, plans[0].rules()))
    less = fits[2].extraction
    assert first.vector == pytest.approx(less.vector, rel=1e-4)
    assert first.covariance == pytest.approx(less.covariance / 2, rel=1e-4)
    np.testing.assert_array_equal(first.vector, second.vector)


def refitted(counts: samples.Counts, corrections: Extraction, part: slice = slice(None)) -> Derived:
    """Data, or part of them, with corrections, less the simulation, in the cells of all data."""
    corrector = BiasCorrector(MuonBins.of_edges(ETA), corrections.values.bias)
    corrected = (accumulate(corrector(table[part]), counts.settings) for table in samples.generate(DATA))
    plan = samples.plan(counts, LETTERS, kernel="curvature")
    data, simulation = derive(plan, reduce(add, corrected)), derive(plan, counts.simulation, template_errors=False)
    return difference([data], [simulation], plan.rules())[0]


def test_the_loop_closes_on_the_simulation_and_only_with_the_difference(
    counts: samples.Counts, fits: tuple[Derived, Derived, Derived]
) -> None:
    data, _, less = (each.extraction for each in fits)
    assert same_closure(against_zero(refitted(counts, less).extraction)).passed
    assert not same_closure(against_zero(refitted(counts, data).extraction)).passed


def test_halves_have_the_errors_of_data_alone(counts: samples.Counts) -> None:
    """The simulation cancels between them: what is left of one half is the difference of both, to first order."""
    rules, none = samples.plan(counts, LETTERS).rules(), samples.fit(counts, LETTERS).extraction
    nothing = replace(none, vector=0 * none.vector)
    half, other = (refitted(counts, nothing, slice(i, None, 2)) for i in (0, 1))
    crossed = refitted(counts, half.extraction, slice(1, None, 2))
    tested, applied = (without_simulation([each], rules) for each in (crossed, half))
    expected = (other.extraction.vector - half.extraction.vector) / tested.errors
    # pairs that the corrections move over the edges of window and cells; a bias that is left would be 3
    assert tested.vector / tested.errors == pytest.approx(expected, abs=0.25)
    assert tested.errors / crossed.extraction.errors == pytest.approx(np.full(6, np.sqrt(2 / 3)), rel=0.02)
    found = ClosureFit.against(tested, applied=applied).test
    assert split_closure(found).passed
    wrong = replace(tested, vector=tested.vector + 1e-3)
    assert not split_closure(ClosureFit.against(wrong, applied=applied).test).passed


def test_likelihood_of_a_difference_is_the_parabola_of_its_covariance(
    fits: tuple[Derived, Derived, Derived], tmp_path: Path
) -> None:
    less = fits[2].extraction
    Likelihood.of_covariance(less).write(tmp_path / "likelihood.npz")
    found = Likelihood.read(tmp_path / "likelihood.npz")
    shift = less.errors * np.random.default_rng(1).normal(size=6)
    assert found(less.vector + shift) == pytest.approx(shift @ np.linalg.solve(less.covariance, shift) / 2, rel=1e-8)
    assert found.kinds.tolist() == [OF_PARAMETER] * 6


def test_a_parameter_at_a_limit_is_held_in_the_likelihood(fits: tuple[Derived, Derived, Derived]) -> None:
    less = fits[2].extraction
    covariance = less.covariance.copy()
    covariance[1] = covariance[:, 1] = 0
    found = Likelihood.of_covariance(replace(less, covariance=covariance))
    assert found.jacobian.shape == (5, 6)
    assert found(less.vector + np.eye(6)[1]) == 0
