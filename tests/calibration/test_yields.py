"""Three Upsilon in one window: yields that differ between data and template do not bias the scale."""

from dataclasses import replace

import numpy as np

from muonkit.calibration import lineshape, massfit, yields
from muonkit.calibration.massfit import CellData, FitOptions
from muonkit.calibration.response import gaussian_shapes
from muonkit.core.particles import resonance

MASSES = tuple(resonance(name).mass for name in ("upsilon1s", "upsilon2s", "upsilon3s"))
EDGES = np.linspace(8.8, 11.0, 101)
TAIL = np.geomspace(1e-3, 0.05, 12)  # radiation
NODE = np.sort(np.concatenate([mass * np.append(1 - TAIL, 1) for mass in MASSES]))
PEAKS = np.isin(NODE, MASSES)
THETA = np.array([1.0004, 0.014, 0.1, -0.4])
CELLS, ENTRIES = 120, 3000


def template(of_peaks: tuple[float, float, float]) -> np.ndarray:
    """Weights of the nodes for these yields."""
    return np.array(of_peaks)[yields.component_of(NODE, MASSES)] * np.where(PEAKS, 0.88, 0.01) * 1e6


def cells(in_data: tuple[float, float, float], in_template: tuple[float, float, float], seed: int) -> CellData:
    kernel = lineshape.GAUSSIAN["curvature"]
    p, _ = lineshape.probabilities(THETA, EDGES, NODE, template(in_data), kernel)
    counts = np.random.default_rng(seed).multinomial(ENTRIES, p, size=CELLS).astype(float)
    first, weight = np.arange(CELLS + 1) * len(NODE), np.tile(template(in_template), CELLS)
    return CellData(counts, 0 * counts, EDGES, first, np.tile(NODE, CELLS), weight, weight, gaussian_shapes(CELLS))


def pulls(fits: massfit.CellFits) -> np.ndarray:
    """Of mu and sigma of the good cells."""
    return ((fits.theta - THETA) / fits.errors)[fits.good, :2]


def test_nodes_belong_to_the_lightest_resonance_above_them() -> None:
    assert yields.component_of(np.array([9.0, 9.4604, 9.4605, 10.0, 10.03, 10.4]), MASSES).tolist() == [
        0,
        0,
        0,
        1,
        2,
        2,
    ]


def test_wrong_yields_of_the_template_bias_neither_mu_nor_sigma() -> None:
    """Yields wrong by a factor of two. Errors of 120 pulls: 0.09 of the mean, 0.065 of the width; four of them."""
    data = cells((1.0, 0.30, 0.15), (1.0, 0.60, 0.10), 3)
    _, fits = yields.fit_all(data, FitOptions("curvature"), MASSES)
    found = pulls(fits)
    assert len(found) > 0.95 * CELLS
    assert np.all(np.abs(found.mean(axis=0)) < 4 / np.sqrt(len(found)))
    assert np.all(np.abs(found.std(axis=0) - 1) < 4 / np.sqrt(2 * len(found)))
    held = pulls(massfit.fit_all(data, FitOptions("curvature")))
    assert np.abs(held.mean(axis=0)).max() > 1, "yields that are held do harm: the test is one"


def test_yields_are_those_of_the_data() -> None:
    data = cells((1.0, 0.30, 0.15), (1.0, 0.60, 0.10), 4)
    fitted, _ = yields.fit_all(data, FitOptions("curvature"), MASSES)
    component = yields.component_of(fitted.node, MASSES)
    weight = np.array([fitted.weight[component == k].reshape(CELLS, -1).sum(axis=1) for k in range(3)])
    ratio = weight[1:] / weight[0]
    for found, true in zip(ratio, (0.30, 0.15), strict=True):
        assert abs(found.mean() - true) < 4 * found.std() / np.sqrt(CELLS)


def test_right_yields_cost_little() -> None:
    """Free yields widen the errors of mu by a few per cent, where peaks overlap."""
    data = cells((1.0, 0.30, 0.15), (1.0, 0.30, 0.15), 5)
    _, free = yields.fit_all(data, FitOptions("curvature"), MASSES)
    held = massfit.fit_all(data, FitOptions("curvature"))
    both = free.good & held.good
    ratio = free.errors[both, 0] / held.errors[both, 0]
    assert 1 <= np.median(ratio) < 1.2


def test_the_kernels_are_those_of_numpy() -> None:
    """Shares of the peaks and fitted yields of a cell, against the same sums in NumPy."""
    data, component = cells((1.0, 0.30, 0.15), (1.0, 0.60, 0.10), 6), yields.component_of(NODE, MASSES)
    for name in ("curvature", "mass"):
        kernel = replace(yields._kernel(data, 0, FitOptions(name)), growth=0.3)
        mixture = yields._Mixture.of(data, 0, THETA, np.tile(component, CELLS), kernel, len(MASSES))
        weight = data.weight[: len(NODE)]
        width = THETA[1] * lineshape.widths(NODE, weight, kernel)
        z = lineshape.standardised(EDGES[:, None], NODE, THETA[0], width, kernel)
        peaks = np.diff(kernel.cdf(z) @ (weight[:, None] * (component[:, None] == np.arange(3))), axis=0).T
        assert np.allclose(mixture.peaks, peaks / peaks.sum(axis=1, keepdims=True), rtol=1e-10, atol=1e-13)
        expected = mixture.yields
        for _ in range(yields.STEPS):
            before = expected
            expected = before * (mixture.peaks @ (mixture.counts / mixture.density(before)))
            expected /= expected.sum()
            if np.abs(expected - before).max() < yields.SETTLED / 100:
                break
        assert np.allclose(mixture.fitted_yields(), expected, rtol=1e-10)
