"""The likelihood of every pair: its derivatives, its agreement with the cells, what it gains."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.integrate import simpson
from scipy.stats import chi2 as chi2_distribution
from tests.calibration import recovery, samples
from tests.thresholds import FIT_DERIVATIVES, REGIONS_P, SAME_INFORMATION, WEIGHTED_ERRORS

from muonkit.calibration import accumulate, unbinned
from muonkit.calibration.accumulate import KeptPairs
from muonkit.calibration.config import Fit
from muonkit.calibration.derive import FitPlan, fit_sample, plan_cells
from muonkit.calibration.extract import Extraction, extract_jointly
from muonkit.calibration.likelihood import OF_PARAMETER, Likelihood
from muonkit.calibration.pair_likelihood import PairLikelihood
from muonkit.core.errors import InputError
from muonkit.simulation.dimuons.generate import generate

LETTERS = ("A", "e", "M")
Start = tuple[unbinned.BinnedFit, FitPlan]


@cache
def counts(events: int = 70_000, bins: int = 2, seed: int = 7) -> samples.Counts:
    """Data with biases and 5 % background, and twice as much simulation, with their pairs."""
    data, _ = recovery.configurations(seed, events, bins, "none")
    _, simulation = recovery.configurations(seed, 2 * events, bins, "none")
    edges = data.bias.eta_edges
    settings = replace(samples.settings_for(next(iter(generate(data))), edges), keeps_pairs=True)
    return samples.count(data, simulation, edges, settings=settings)


def start_of(made: samples.Counts) -> Start:
    """The fit of the cells, and its plan."""
    choice = Fit.model_validate({"parameters": LETTERS})
    merging = plan_cells(made.data, made.generator, made.settings, choice.min_entries)
    plan = FitPlan(made.settings, choice, made.truth, merging, made.simulation)
    cells, data, fits = fit_sample(plan, made.data)
    found = extract_jointly([(cells, fits)], made.settings.binning.muons, LETTERS, plan.rules())[0]
    return unbinned.BinnedFit(cells, data, fits, found), plan


@cache
def start() -> Start:
    return start_of(counts())


def fit(kept: KeptPairs, threads: int = 1) -> Extraction:
    binned, plan = start()
    return unbinned.extract(binned, kept, plan.merging, unbinned.Options(plan.rules(), threads=threads))


@cache
def prepared() -> tuple[PairLikelihood, np.ndarray]:
    """The likelihood of every eighth pair."""
    binned, plan = start()
    return unbinned.prepare(binned, counts().data.kept[::8], plan.merging, unbinned.Options(plan.rules()))


@cache
def found() -> Extraction:
    return fit(counts().data.kept)


def off_the_start(seed: int = 3) -> np.ndarray:
    """Parameters that are far from the minimum, with slopes that are steep and slopes that are flat."""
    _, first = prepared()
    vector = first * (1 + 0.1 * np.random.default_rng(seed).standard_normal(len(first)))
    vector[-1] = 1e-3
    return vector


def numerical(function: Callable[[np.ndarray], np.ndarray], at: np.ndarray, i: int, step: float) -> np.ndarray:
    """Central difference of the fourth order along one parameter."""
    shifts = [(-2, 1 / 12), (-1, -8 / 12), (1, 8 / 12), (2, -1 / 12)]
    unit = np.eye(len(at))[i] * step
    return sum(weight * np.asarray(function(at + shift * unit)) for shift, weight in shifts) / step


def test_gradient_and_hessian_are_those_of_the_likelihood() -> None:
    likelihood, _ = prepared()
    at = off_the_start()
    exact = likelihood(at)
    errors = 1 / np.sqrt(np.abs(np.diagonal(exact.hessian)))
    units = np.append(1, errors)

    def value_and_gradient(vector: np.ndarray) -> np.ndarray:
        here = likelihood(vector)
        return np.append(here.value, here.gradient) * units

    for i, step in enumerate(0.02 * errors):
        expected = np.append(exact.gradient[i], exact.hessian[i]) * units * errors[i]
        slopes = numerical(value_and_gradient, at, i, step) * errors[i]
        np.testing.assert_allclose(slopes, expected, atol=FIT_DERIVATIVES)


def test_density_of_a_pair_is_normalised_in_the_window() -> None:
    binned, _ = start()
    likelihood, vector = prepared()
    cell, edges = 5, binned.data.edges
    pairs, masses = likelihood.pairs, np.linspace(edges[0], edges[-1], 2001)
    rows = np.full(len(masses), pairs.first[cell])
    columns = {name: getattr(pairs, name)[rows] for name in pairs._fields[2:-1]}
    first = np.where(np.arange(len(pairs.first)) > cell, 1, 0)
    density = []
    for i, mass in enumerate(masses):
        one = {name: values[i : i + 1] for name, values in columns.items()}
        alone = pairs._replace(first=first, mass=np.array([mass]), weight=np.ones(1), **one)
        density.append(np.exp(replace(likelihood, pairs=alone).by_region(vector).value[cell]))
    assert simpson(density, masses) == pytest.approx(edges[-1] - edges[0], rel=1e-6)


def test_swapped_charges_change_only_the_sign_of_M() -> None:
    likelihood, _ = prepared()
    pairs, regions, at = likelihood.pairs, likelihood.regions, off_the_start()
    swapped = replace(
        likelihood,
        pairs=pairs._replace(
            k_plus=pairs.k_minus,
            k_minus=pairs.k_plus,
            response_plus=pairs.response_minus,
            response_minus=pairs.response_plus,
        ),
        regions=regions._replace(eta_plus=regions.eta_minus, eta_minus=regions.eta_plus),
    )
    sign = np.ones(len(at))
    likelihood.layout.of(sign, "M")[:] = -1
    here, there = likelihood(at), swapped(at * sign)
    assert there.value == pytest.approx(here.value, rel=1e-12)
    np.testing.assert_allclose(there.gradient * sign, here.gradient, rtol=1e-9, atol=1e-9 * np.abs(here.gradient).max())


def test_injected_parameters_are_found_within_errors_that_are_smaller_than_those_of_the_cells() -> None:
    (binned, _), result = start(), found()
    data, _ = recovery.configurations(7, 70_000, 2, "none")
    off = result.vector - samples.truth(data, LETTERS, 2)
    assert chi2_distribution.sf(off @ np.linalg.solve(result.covariance, off), len(off)) > REGIONS_P
    assert np.all(result.errors < binned.extraction.errors)
    assert chi2_distribution.sf(result.chi2, result.ndf) > REGIONS_P


def test_a_region_that_is_shifted_shows_in_the_chi2_of_the_regions() -> None:
    _, plan = start()
    kept = counts().data.kept
    region = plan.merging.group[kept.cell]
    odd = int(np.bincount(region[region >= 0]).argmax())
    wrong = fit(replace(kept, mass=np.where(region == odd, kept.mass * 1.004, kept.mass)).within((2.92, 3.28)))
    assert wrong.chi2 - found().chi2 > 25
    assert np.argmax(np.abs(wrong.pulls)) == odd


def test_result_does_not_depend_on_the_number_of_threads() -> None:
    twice = fit(counts().data.kept, threads=2)
    np.testing.assert_array_equal(twice.vector, found().vector)
    np.testing.assert_array_equal(twice.covariance, found().covariance)


def test_weights_that_are_all_the_same_change_nothing() -> None:
    kept = counts().data.kept
    heavy = fit(replace(kept, weight=3.0 * kept.weight))
    np.testing.assert_allclose(heavy.vector, found().vector, atol=1e-9)
    np.testing.assert_allclose(heavy.errors, found().errors, rtol=1e-6)


def test_errors_grow_with_random_weights_as_those_of_sums() -> None:
    kept = counts().data.kept
    weight = np.random.default_rng(5).exponential(size=len(kept))
    binned, plan = start()
    rules = replace(plan.rules(), template_errors=False)
    alone, weighted = (
        unbinned.extract(binned, each, plan.merging, unbinned.Options(rules))
        for each in (kept, replace(kept, weight=weight))
    )
    wanted = np.sqrt(len(kept) * (weight @ weight)) / weight.sum()
    assert np.mean(weighted.errors / alone.errors) == pytest.approx(wanted, rel=WEIGHTED_ERRORS)


def test_weights_below_0_are_one_line() -> None:
    kept = counts().data.kept
    with pytest.raises(InputError, match="takes no weights below 0"):
        fit(replace(kept, weight=np.where(np.arange(len(kept)) == 10, -1.0, 1.0)))


def test_more_pairs_than_fit_in_memory_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = counts().data.kept
    monkeypatch.setattr(accumulate, "MOST_PAIRS", len(kept))
    with pytest.raises(InputError, match="keeps at most"):
        _ = kept + kept[:1]


def test_the_likelihood_for_users_is_the_parabola_of_the_covariance() -> None:
    result = found()
    kept = Likelihood.of([result])
    unit = np.outer(result.errors, result.errors)
    np.testing.assert_allclose(np.linalg.inv(kept.hessian * unit), result.covariance / unit, atol=1e-8)
    assert kept(result.vector) == 0
    assert set(kept.kinds) == {OF_PARAMETER}


def as_in_cells(likelihood: PairLikelihood, binned: unbinned.BinnedFit) -> PairLikelihood:
    """The same pairs, whose muons have the mean k and the mean d ln m/d ln pT of their cell."""
    pairs, cells = likelihood.pairs, binned.cells
    region = np.repeat(np.arange(len(cells)), np.diff(pairs.first))
    shift = np.bincount(region, pairs.shift) / np.diff(pairs.first)
    means = {name: getattr(cells, name)[region] for name in ("k_plus", "k_minus", "response_plus", "response_minus")}
    return replace(likelihood, pairs=pairs._replace(shift=shift[region], **means))


def same_information(events: int, bins: int, seed: int) -> np.ndarray:
    """Unbinned less binned fit, in standard deviations, where pairs know no more than their cells."""
    made = counts(events, bins, seed)
    begin, plan = start_of(made)
    harmonic = replace(begin.cells, pt_plus=1 / begin.cells.k_plus, pt_minus=1 / begin.cells.k_minus)
    harmonic = replace(harmonic, pt2_plus=harmonic.pt_plus**2, pt2_minus=harmonic.pt_minus**2)
    edges = made.settings.binning.muons
    binned = extract_jointly([(harmonic, begin.fits)], edges, LETTERS, plan.rules())[0]
    likelihood, first = unbinned.prepare(begin, made.data.kept, plan.merging, unbinned.Options(plan.rules()))
    vector = unbinned.minimised(as_in_cells(likelihood, begin), first)
    return (vector[: len(binned.vector)] - binned.vector) / binned.errors


def test_pairs_that_know_no_more_than_their_cells_agree_with_them() -> None:
    assert np.sqrt(np.mean(same_information(70_000, 2, 7) ** 2)) < SAME_INFORMATION


@pytest.mark.slow
def test_300_000_pairs_that_know_no_more_than_their_cells_agree_with_them() -> None:
    assert np.sqrt(np.mean(same_information(450_000, 12, 101) ** 2)) < SAME_INFORMATION
