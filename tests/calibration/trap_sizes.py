"""`python -m tests.calibration.trap_sizes`: how large the traps of the method are, and what is left of them here.

Mean of mu - 1 over all cells, in 1e-5, of samples without bias; the table of docs/results.md."""

import argparse
from collections.abc import Callable

import numpy as np

from muonkit.calibration import extract
from muonkit.calibration.cells import Cells
from muonkit.data.dimuons import Dimuons
from tests.calibration import samples

ETA = (-2.4, -1.2, 0.0, 1.2, 2.4)
TWO = (-2.4, 0.0, 2.4)


def mean_scale(counts: samples.Counts, kernel: str = "curvature") -> str:
    """Weighted mean of mu - 1 and its error [1e-5]."""
    fits = samples.fit(counts, ("A",), kernel=kernel).fits
    good = fits.good
    weight = 1 / (fits.expected_covariance[good, 0, 0] + fits.template_covariance[good, 0, 0])
    mean = (weight * (fits.theta[good, 0] - 1)).sum() / weight.sum()
    return f"{1e5 * mean:+7.2f} +- {1e5 / np.sqrt(weight.sum()):.2f}"


def count(events: int, seed: int, a: float, change: Callable[[Dimuons], Dimuons] = lambda t: t) -> samples.Counts:
    resolution = {"resolution": {"a": [a], "c": [0.0]}}
    data, simulation = (samples.sample(events, seed + i, **resolution) for i in (0, 1))
    return samples.count(data, simulation, ETA, change)


def unequal(events: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A, M of the better and the worse eta half [1e-5, 1e-7] with and without the correction, and the errors."""
    resolution = {"resolution": {"eta_edges": TWO, "a": (0.007, 0.021), "c": (0.0,)}}
    data, simulation = (samples.sample(events, seed + i, **resolution) for i in (0, 1))
    counts = samples.count(data, simulation, TWO)
    corrected = samples.fit(counts).extraction
    original = extract.migration
    extract.migration = lambda cells, plus, minus: np.zeros(len(cells))  # noqa: ARG005
    plain = samples.fit(counts).extraction
    extract.migration = original
    return plain.vector, corrected.vector, corrected.errors


def largest_migration(events: int, seed: int) -> float:
    """Largest shift of ln m in a cell of the unequal sample."""
    resolution = {"resolution": {"eta_edges": TWO, "a": (0.007, 0.021), "c": (0.0,)}}
    data, simulation = (samples.sample(events, seed + i, **resolution) for i in (0, 1))
    derived = samples.fit(samples.count(data, simulation, TWO))
    rough = extract.rough_resolution(derived.cells, derived.fits, 2)
    cells: Cells = derived.cells
    return float(np.abs(extract.migration(cells, rough.at(cells.eta_plus), rough.at(cells.eta_minus))).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=4_000_000)
    events = parser.parse_args().events
    for a in (0.007, 0.012, 0.020):
        counts = count(events, 70, a)
        sigma = f"sigma_m/m = {100 * a / np.sqrt(2):.2f} %"
        print(f"{sigma}: Gaussian in mass {mean_scale(counts, 'mass')}, in curvature {mean_scale(counts)}")
    cut = count(events, 80, 0.012, lambda t: t[(t.plus.pt > 4.5) & (t.minus.pt > 4.5)])
    print(f"cut in reconstructed pT > 4.5 GeV: {mean_scale(cut)}")
    plain, corrected, errors = unequal(events, 90)
    scale = np.array([1e5] * 2 + [1e5] * 2 + [1e7] * 2)
    print("resolutions 0.7 % and 2.1 %: A [1e-5], e [1e-5 GeV], M [1e-7/GeV] of both eta halves")
    for name, values in (("  without the correction", plain), ("  with it", corrected), ("  errors", errors)):
        print(name, np.round(values * scale, 2))
    print(f"  largest shift of a cell: {1e5 * largest_migration(events, 90):.1f}e-5")


if __name__ == "__main__":
    main()
