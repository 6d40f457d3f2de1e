"""Weights below 0: sPlot and next-to-leading order give unbiased fits with right errors, and no cell ends a run."""

from dataclasses import replace

import numpy as np
import pytest
from tests import thresholds
from tests.calibration import samples
from tests.calibration.test_massfit import EDGES, NODE, THETA, WEIGHT

from muonkit.calibration import lineshape, massfit, weights
from muonkit.calibration.accumulate import CellMasses
from muonkit.calibration.massfit import CellData, FitOptions, FitStatus
from muonkit.calibration.response import gaussian_shapes
from muonkit.core.arrays import AnyArray, FloatArray

CELLS = 800
SIGNAL = np.array([*THETA[:2], 0.0, 0.0])
Toys = tuple[AnyArray, AnyArray, FloatArray]  # cell, mass bin and weight of every pair


def drawn(rng: np.random.Generator, theta: FloatArray, mean: float) -> tuple[AnyArray, AnyArray]:
    """Cell and mass bin of pairs, on average `mean` in every cell."""
    p, _ = lineshape.probabilities(theta, EDGES, NODE, WEIGHT, lineshape.GAUSSIAN["curvature"])
    entries = rng.poisson(mean * p, (CELLS, len(p)))
    cell, position = np.nonzero(entries)
    number = entries[cell, position]
    return np.repeat(cell, number), np.repeat(position, number)


def next_to_leading_order(rng: np.random.Generator, negative: float) -> Toys:
    cell, position = drawn(rng, SIGNAL, 1500)
    return cell, position, np.where(rng.random(len(cell)) < negative, -1.0, 1.0)


def splot(rng: np.random.Generator, background: float) -> Toys:
    """Signal and `background` times as many pairs of background, told apart by a variable: normal against flat."""
    signal, other = drawn(rng, SIGNAL, 1500), drawn(rng, np.array([1.0, 0.01, 1.0, -1.5]), 1500 * background)
    n, m = len(signal[0]), len(other[0])
    y = np.concatenate([rng.standard_normal(n), rng.uniform(-5, 5, m)])
    p = np.stack([np.exp(-(y**2) / 2) / np.sqrt(2 * np.pi), np.full(n + m, 0.1)])
    total = np.array([n, m]) @ p
    covariance = np.linalg.inv((p / total) @ (p / total).T)  # of the two yields
    return *map(np.concatenate, zip(signal, other, strict=True)), covariance[0] @ p / total


def masses_of(toys: Toys) -> CellMasses:
    cell, position, weight = toys
    content = np.bincount(cell * 100 + position, weight, CELLS * 100).reshape(CELLS, 100)
    weight2, spread = np.bincount(cell, weight**2, CELLS), np.bincount(position, weight**2, 100)
    pairs = np.array([len(cell), len(cell), 0, 0, 0, (weight < 0).sum()], dtype=float)
    zero = np.zeros((CELLS, 8))
    return CellMasses(content, weight2, spread, zero, zero, zero, zero, pairs)


def fitted(toys: Toys) -> massfit.CellFits:
    sums = masses_of(toys)
    counts, known = weights.counts(sums.masses, sums.weight2, sums)
    first = np.arange(CELLS + 1) * len(NODE)
    node, weight = np.tile(NODE, CELLS), np.tile(WEIGHT, CELLS)
    cells = CellData(counts, known, EDGES, first, node, weight, 0 * weight, gaussian_shapes(len(counts)))
    return massfit.fit_all(cells, FitOptions("curvature"))


@pytest.mark.parametrize(
    ("kind", "size"), [(next_to_leading_order, 0.013), (next_to_leading_order, 0.3), (splot, 1.0), (splot, 4.0)]
)
def test_fits_with_weights_below_0_are_unbiased_with_right_errors(kind, size) -> None:
    toys = kind(np.random.default_rng(5), size)
    assert (toys[2] < 0).any()
    fits = fitted(toys)
    assert fits.good.mean() > 0.99
    errors = np.sqrt(np.diagonal(fits.expected_covariance, axis1=1, axis2=2))[:, :2]
    errors *= (SIGNAL[1] / fits.theta[:, 1])[:, None]  # as the extraction does
    pulls = ((fits.theta[:, :2] - SIGNAL[:2]) / errors)[fits.good]
    assert np.all(np.abs(pulls.std(axis=0) - 1) < thresholds.WEIGHTED_PULL_WIDTH)
    assert abs(pulls[:, 0].mean()) < thresholds.WEIGHTED_PULL_BIAS


def test_weights_of_any_size_give_the_same_fit() -> None:
    cell, position, weight = next_to_leading_order(np.random.default_rng(6), 0.1)
    one, small = fitted((cell, position, weight)), fitted((cell, position, 1e-3 * weight))
    assert np.allclose(one.theta, small.theta, rtol=1e-6, atol=1e-9)
    assert np.allclose(one.covariance, small.covariance, rtol=1e-5, atol=1e-12)


def test_cell_whose_weights_do_not_add_up_is_told_by_its_status() -> None:
    cell, position, weight = next_to_leading_order(np.random.default_rng(7), 0.2)
    fits = fitted((cell, position, np.where(cell == 3, -1.0, weight)))
    assert fits.status[3] == FitStatus.NO_ENTRIES
    assert fits.good.sum() >= CELLS - 2


def test_groups_of_nodes_weigh_more_than_nothing_and_lose_nothing() -> None:
    rng = np.random.default_rng(8)
    cell = np.repeat(np.arange(40), 30)
    weight = rng.normal(0.3, 1.0, len(cell))
    weight[cell == 7] = -1.0
    group, last = weights.node_groups(cell, weight)
    kept = group >= 0
    total = np.bincount(group[kept], weight[kept])
    assert np.all(total > 0)
    assert len(total) == last.sum()
    positive = np.bincount(cell, weight) > 0
    assert set(cell[kept]) == set(np.flatnonzero(positive))
    sums = np.bincount(cell[last], total, 40)
    assert np.allclose(sums[positive], np.bincount(cell, weight)[positive])


def weighted(factor: float, negative: float) -> samples.Counts:
    """Data and simulation with weights of this size, and this share of them below 0."""
    rng = np.random.default_rng(9)

    def change(table):
        return replace(table, weight=factor * np.where(rng.random(len(table)) < negative, -1.0, 1.0))

    data, simulation = samples.sample(60_000, 21), samples.sample(60_000, 22)
    return samples.count(data, simulation, (-2.4, 0.0, 2.4), change, change_simulation=change)


def test_a_sample_of_small_weights_gives_the_parameters_of_one_without() -> None:
    """Sums of weights below 1 were taken as numbers of entries: sigma^2 was too large by 1/(sum of weights)."""
    plain, small = (samples.fit(weighted(factor, 0.0), ("A", "a", "c")).extraction for factor in (1.0, 1e-4))
    assert np.allclose(small.vector, plain.vector, rtol=1e-6, atol=1e-9)
    assert np.allclose(small.covariance, plain.covariance, rtol=1e-5)


@pytest.mark.parametrize("negative", [0.013, 0.2])
def test_parameters_are_recovered_with_weights_below_0_in_data_and_simulation(negative: float) -> None:
    derived = samples.fit(weighted(1.0, negative), ("A", "e"))
    pulls = derived.extraction.vector / derived.extraction.errors
    assert derived.fits.good.mean() > 0.95
    assert np.all(np.abs(pulls) < 4)
    assert derived.extraction.chi2 / derived.extraction.ndf < 2
