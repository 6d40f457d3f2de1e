"""Templates with few simulated pairs: a broad resonance takes them from all cells, a narrow one keeps its own."""

from dataclasses import replace

import numpy as np
import pytest
from tests import thresholds

from muonkit.calibration import lineshape, massfit, pooling
from muonkit.calibration.binning import MuonBins
from muonkit.calibration.cells import Cells
from muonkit.calibration.extract import extract
from muonkit.calibration.massfit import CellData, FitOptions
from muonkit.calibration.response import gaussian_shapes
from muonkit.core.particles import WINDOW, resonance
from muonkit.simulation.dimuons.decays import BreitWigner, sample_photon_share

CELLS, ENTRIES, SIMULATED, SIGMA = 150, 2000, 2000, 0.011
KERNEL = lineshape.GAUSSIAN["curvature"]
OPTIONS = FitOptions("curvature", background=False, start=(1.0, SIGMA, 0.0, 0.0))
TRUE = np.array([1.0, SIGMA, 0.0, 0.0])


def spectrum(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Masses on the grid [GeV] and their probabilities, after radiation."""
    rng, window = np.random.default_rng(6), WINDOW[name]
    masses = BreitWigner(resonance(name)).sample(1_000_000, rng)
    masses = masses * np.sqrt(1 - sample_photon_share(masses, rng))
    masses = masses[(masses > 0.88 * window[0]) & (masses < 1.12 * window[1])]
    _, inverse = np.unique(np.floor(np.log(masses) / 1e-3), return_inverse=True)
    weight = np.bincount(inverse)
    return np.bincount(inverse, masses) / weight, weight / weight.sum()


def simulated(name: str, rng: np.random.Generator) -> CellData:
    """Cells whose spectra differ by a power of the mass, -3 to 3; template and data are drawn from them."""
    node, weight = spectrum(name)
    edges = np.linspace(*WINDOW[name], 101)
    tilted = weight * (node / node.mean()) ** np.linspace(-3, 3, CELLS)[:, None]
    tilted /= tilted.sum(axis=1, keepdims=True)
    templates = np.array([rng.multinomial(SIMULATED, each) for each in tilted]).astype(float)
    expected = [lineshape.probabilities(TRUE, edges, node, each, KERNEL)[0] for each in tilted]
    counts = np.array([rng.multinomial(ENTRIES, each) for each in expected]).astype(float)
    kept = templates > 0
    first = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    nodes = (np.tile(node, (CELLS, 1))[kept], templates[kept], templates[kept])
    return CellData(counts, 0 * counts, edges, first, *nodes, gaussian_shapes(CELLS))


def pulls(cells: CellData) -> np.ndarray:
    """Of mu and sigma in every cell (cells, 2)."""
    fits = massfit.fit_cells(cells, OPTIONS)
    covariance = (fits.expected_covariance + fits.template_covariance)[:, :2, :2]
    errors = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    return np.asarray((fits.theta - TRUE)[:, :2] / errors)


def test_thin_templates_of_the_z_make_sigma_too_large_and_pooled_ones_do_not() -> None:
    cells = simulated("z", np.random.default_rng(11))
    better, shared = pooling.pooled(cells, OPTIONS)
    assert np.all(shared > 0)
    assert pooling.notes(shared)[0].startswith(f"{CELLS} of {CELLS} cells have too few simulated pairs")
    own, pooled = massfit.fit_cells(cells, OPTIONS), massfit.fit_cells(better, OPTIONS)
    biases = [fits.theta[:, 1].mean() / SIGMA - 1 for fits in (own, pooled)]
    error = pooled.theta[:, 1].std() / SIGMA / np.sqrt(CELLS)
    assert biases[0] > 4 * error, "the test would not notice the bias"
    assert abs(biases[1]) < 3 * np.hypot(error, shared[0])
    for found in pulls(better).T:
        assert abs(found.mean()) < 3.5 / np.sqrt(CELLS)
        assert found.std() == pytest.approx(1, abs=thresholds.POOLED_PULLS)


def test_a_narrow_resonance_keeps_its_own_templates_and_would_not_suffer_from_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cells = simulated("jpsi", np.random.default_rng(12))
    same, shared = pooling.pooled(cells, OPTIONS)
    assert same is cells
    assert pooling.notes(shared) == []
    monkeypatch.setattr(pooling, "BIAS", 1e-9)
    others, _ = pooling.pooled(cells, OPTIONS)
    moved = (massfit.fit_cells(others, OPTIONS).theta - massfit.fit_cells(cells, OPTIONS).theta)[:, :2]
    errors = massfit.fit_cells(cells, OPTIONS).errors[:, :2]
    assert np.all(np.abs((moved / errors).mean(axis=0)) < 0.1)


def test_a_tilted_template_has_the_mean_mass_of_its_cell_and_all_have_the_sum_of_all() -> None:
    cells = simulated("z", np.random.default_rng(13))
    better, _ = pooling.pooled(cells, OPTIONS)
    for c in (0, CELLS - 1):
        own, tilted = (np.average(np.log(node), weights=w) for node, w in (cells.template(c), better.template(c)))
        assert own == pytest.approx(tilted, abs=2e-5), (
            "masses of own nodes are not those of the pool: 1e-3/sqrt(12 x 2000)"
        )
    before, after = massfit.merged_to_one(cells), massfit.merged_to_one(better)
    assert np.abs(after.weight / before.weight - 1)[before.weight > 1000].max() < 0.01


def test_the_bias_that_decides_has_the_size_of_that_of_toys() -> None:
    node, weight = spectrum("z")
    edges, toys, rng = np.linspace(*WINDOW["z"], 101), 200, np.random.default_rng(14)
    p, _ = lineshape.probabilities(TRUE, edges, node, weight, KERNEL)
    counts = 1e6 * p[None]
    size = SIMULATED * weight
    whole = CellData(counts, 0 * counts, edges, np.array([0, len(node)]), node, size, size, gaussian_shapes(1))
    needed = pooling.entries_needed(whole, massfit.fit_cells(whole, OPTIONS), OPTIONS)
    drawn = rng.multinomial(SIMULATED, weight, size=toys).astype(float) + 1e-9
    first = np.arange(toys + 1) * len(node)
    nodes = (np.tile(node, toys), drawn.ravel(), drawn.ravel())
    fits = massfit.fit_cells(
        replace(whole, counts=np.repeat(counts, toys, axis=0), known=np.zeros((toys, 100)), first=first,
                node=nodes[0], weight=nodes[1], variance=nodes[2], shapes=gaussian_shapes(toys)),
        OPTIONS,
    )  # fmt: skip
    bias = fits.theta[:, 1].mean() / SIGMA - 1
    assert 0.5 < needed * pooling.BIAS / SIMULATED / bias < 2


def test_chance_in_a_shared_spectrum_is_an_error_common_to_all_cells() -> None:
    """Of a^2, which moves with sigma^2 of all cells: twice the relative error of sigma."""
    n, common = 40, 0.01
    zero, one = np.zeros(n, dtype=np.int64), np.ones(n)
    means = (one / 10, one / 10, 10 * one, 10 * one, 100 * one, 100 * one, one / 2, one / 2)
    own = Cells(zero, zero, 1000 * one, *means, *np.zeros((5, n)))
    theta = np.tile([1.0, SIGMA, 0.0, 0.0], (n, 1))
    covariance = np.tile(np.diag([1.0, 0.5, 1.0, 1.0]) * SIGMA**2 / 1000, (n, 1, 1))
    fits = massfit.CellFits(theta, covariance, covariance, 0 * covariance, zero, one, one, np.zeros((n, 0)))
    errors = [
        extract(cells, fits, MuonBins.of_edges([-2.4, 2.4]), ("A", "a")).errors
        for cells in (own, replace(own, shared=common * one))
    ]
    relative = errors / np.array([1.0, np.sqrt(2) * SIGMA])
    assert relative[1, 0] == pytest.approx(relative[0, 0], rel=1e-6)
    assert np.sqrt(relative[1, 1] ** 2 - relative[0, 1] ** 2) == pytest.approx(common, rel=0.01)


def test_radiation_that_depends_on_the_place_of_a_cell_does_not_shift_the_mass() -> None:
    """Every other cell has no photons in a range of energies, as cells of small |L| back to back. Without chance."""
    node, weight = spectrum("z")
    edges, place = np.linspace(*WINDOW["z"], 101), np.arange(CELLS) % 2
    bare = np.where((node > 80) & (node < 86), 0.5 * weight, weight)
    kinds = np.array([weight / weight.sum(), bare / bare.sum()])
    counts = 1e6 * np.array([lineshape.probabilities(TRUE, edges, node, each, KERNEL)[0] for each in kinds])[place]
    size = SIMULATED * kinds[place].ravel()
    first = np.arange(CELLS + 1) * len(node)
    nodes = (np.tile(node, CELLS), size, size)
    cells = CellData(counts, 0 * counts, edges, first, *nodes, gaussian_shapes(CELLS))
    one, two = (
        massfit.fit_cells(pooling.pooled(cells, OPTIONS, of)[0], OPTIONS).theta[:, 0] - 1 for of in (None, place)
    )
    assert np.abs(one).max() > 1e-4, "the test would not notice it"
    assert np.abs(two).max() < 1e-5


def test_a_cell_whose_masses_no_tilt_can_have_keeps_its_own_template() -> None:
    cells = simulated("z", np.random.default_rng(15))
    weight = cells.weight.copy()
    weight[: cells.first[1]] = 1e-9
    weight[0] = SIMULATED  # all pairs at the lightest mass
    better, shared = pooling.pooled(replace(cells, weight=weight), OPTIONS)
    assert shared[0] == 0
    assert np.all(shared[1:] > 0)
    assert np.array_equal(better.template(0)[1], weight[: cells.first[1]])
