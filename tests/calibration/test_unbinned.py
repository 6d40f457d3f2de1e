"""The likelihood of every pair: its derivatives, its agreement with the cells, what it gains."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from tests.calibration import recovery, samples

from muonkit.calibration import unbinned
from muonkit.calibration.config import Fit
from muonkit.calibration.derive import FitPlan, fit_sample, plan_cells
from muonkit.calibration.extract import extract_jointly
from muonkit.calibration.pair_likelihood import PairLikelihood
from muonkit.simulation.dimuons.generate import generate

SIGMAS_OF_CELLS = 0.1  # between a fit of A to cells and to pairs
BINS = 2


@cache
def counts(events: int = 100_000, bins: int = BINS, seed: int = 7, simulated: int = 200_000) -> samples.Counts:
    """Data with biases and 5 % background, and simulation, with their pairs."""
    data, _ = recovery.configurations(seed, events, bins, "none")
    _, simulation = recovery.configurations(seed, simulated, bins, "none")
    edges = data.bias.eta_edges
    settings = replace(samples.settings_for(next(iter(generate(data))), edges), keeps_pairs=True)
    return samples.count(data, simulation, edges, settings=settings)


def start_of(made: samples.Counts, parameters: tuple[str, ...] = ("A", "e", "M")) -> tuple[Any, FitPlan]:
    """The fit of the cells, and its plan."""
    choice = Fit.model_validate({"parameters": parameters})
    merging = plan_cells(made.data, made.generator, made.settings, choice.min_entries)
    plan = FitPlan(made.settings, choice, made.truth, merging, made.simulation)
    parts = fit_sample(plan, made.data)
    found = extract_jointly([(parts[0], parts[2])], made.settings.binning.eta_edges, parameters, plan.rules())
    return unbinned.BinnedFit(*parts, found[0]), plan


@cache
def prepared() -> tuple[PairLikelihood, np.ndarray]:
    start, plan = start_of(counts())
    return unbinned.prepare(start, counts().data.kept, plan.merging, unbinned.Options(plan.rules()))


def off_the_start(seed: int = 3) -> np.ndarray:
    """Parameters that are far from the minimum, with slopes that are steep and slopes that are flat."""
    _, start = prepared()
    rng = np.random.default_rng(seed)
    vector = start * (1 + 0.1 * rng.standard_normal(len(start)))
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
    for i, step in enumerate(0.02 * errors):
        slope = numerical(lambda x: likelihood(x).value, at, i, step)
        assert slope * errors[i] == pytest.approx(exact.gradient[i] * errors[i], abs=2e-3, rel=1e-5)
        second = numerical(lambda x: likelihood(x).gradient, at, i, step)
        np.testing.assert_allclose(second * errors * errors[i], exact.hessian[i] * errors * errors[i], atol=3e-3)
