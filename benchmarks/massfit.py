"""Mass fits of cells: the batch kernel against iminuit on the same cells, model, binning and analytic gradient.

Cells are of 1500 J/psi with 4 % background, 100 mass bins, and the generator's radiative template."""

import argparse
import json
import time

import numpy as np

from muonkit.calibration import lineshape, massfit, referee
from muonkit.calibration.massfit import CellData, CellFits, FitOptions
from muonkit.calibration.response import gaussian_shapes
from muonkit.core.particles import resonance
from muonkit.simulation.dimuons.decays import BreitWigner, sample_photon_share

ENTRIES, BINS, WINDOW = 1500, 100, (2.92, 3.28)


def make_cells(count: int) -> CellData:
    """Cells with resolutions of 0.7 to 2 %, scales of 1 +- 1e-3, each with its own template of 3000 masses."""
    rng = np.random.default_rng(2026)
    edges = np.linspace(*WINDOW, BINS + 1)
    templates, counts = [], []
    for _ in range(count):
        masses = BreitWigner(resonance("jpsi")).sample(3000, rng)
        masses = masses * np.sqrt(1 - sample_photon_share(masses, rng))
        node, weight = compress(masses[masses > WINDOW[0] * 0.9])
        theta = np.array([1 + 1e-3 * rng.standard_normal(), rng.uniform(0.007, 0.02), 0.04, -1.5])
        counts.append(
            rng.multinomial(
                ENTRIES, lineshape.probabilities(theta, edges, node, weight, lineshape.GAUSSIAN["curvature"])[0]
            )
        )
        templates.append((node, weight))
    first = np.concatenate([[0], np.cumsum([len(node) for node, _ in templates])])
    node, weight = (np.concatenate([template[i] for template in templates]) for i in (0, 1))
    entries = np.array(counts, dtype=float)
    return CellData(entries, 0 * entries, edges, first, node, weight, weight, gaussian_shapes(count))


def compress(masses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nodes 1e-3 apart in ln m at the mean of their entries, as the calibration makes them."""
    key, inverse = np.unique(np.floor(np.log(masses) / 1e-3), return_inverse=True)
    weight = np.bincount(inverse, minlength=len(key)).astype(float)
    return np.bincount(inverse, masses) / weight, weight


def time_ours(cells: CellData, options: FitOptions) -> tuple[CellFits, float]:
    massfit.fit_cells(cells[:2], options)  # compile
    start = time.perf_counter()
    fits = massfit.fit_cells(cells, options)
    return fits, (time.perf_counter() - start) / len(cells)


def time_theirs(cells: CellData, options: FitOptions, count: int) -> tuple[list[referee.RefereeFit], float]:
    start = time.perf_counter()
    fits = [referee.fit_binned(cells.counts[i], cells.edges, *cells.template(i), options) for i in range(count)]
    return fits, (time.perf_counter() - start) / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cells")
    quick = parser.parse_args().quick
    cells = make_cells(200 if quick else 2000)
    options = massfit.prepare_options(cells, FitOptions("curvature"))
    fits, ours = time_ours(cells, options)
    sample = 20 if quick else 100
    refits, theirs = time_theirs(cells, options, sample)
    good = [i for i in range(sample) if fits.status[i] == massfit.FitStatus.CONVERGED and refits[i].valid]
    errors = np.array([np.sqrt(np.diagonal(refits[i].covariance)) for i in good])
    values = np.abs(fits.theta[good] - [refits[i].theta for i in good]) / errors
    widths = np.abs(fits.errors[good] / errors - 1)
    print(f"{len(cells)} cells, {ENTRIES} entries, {BINS} bins, {np.diff(cells.first).mean():.0f} nodes; one core")
    print(f"good fits: {fits.good.sum()} of {len(cells)}; compared with iminuit: {len(good)}")
    print(
        f"largest difference of mu, sigma: {values[:, :2].max():.4f} sigma; of their errors: {widths[:, :2].max():.2%}"
    )
    if values[:, :2].max() > 0.02 or widths[:, :2].max() > 0.02:
        raise SystemExit("the results do not agree: no speed is printed")
    print(
        f"per 1000 cells: muonkit {1000 * ours:.2f} s, iminuit (NumPy model, analytic gradient) {1000 * theirs:.1f} s"
    )
    result = {"name": "massfit", "ours": 1000 * ours, "theirs": 1000 * theirs, "ratio": theirs / ours}
    print(json.dumps(result | {"unit": "s per 1000 cells"}))


if __name__ == "__main__":
    main()
