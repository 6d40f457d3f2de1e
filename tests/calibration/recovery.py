"""`python -m tests.calibration.recovery`: injected A, e, M against the fitted ones in many samples; docs/results.md.

Each sample draws its own biases: A of 5e-4, e of (1 +- 1.5) MeV, M of 2e-5 /GeV in 12 eta bins, 4 % background."""

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
from tests.calibration import samples

EDGES = tuple(np.linspace(-2.4, 2.4, 13))
CENTRES = (np.array(EDGES)[1:] + np.array(EDGES)[:-1]) / 2
SCALE = ("A", "e", "M")


def recover(seed: int, events: int) -> tuple[float, int, float, np.ndarray]:
    """chi2, ndf of the extraction; chi2 of the 36 parameters against the truth; their pulls."""
    rng = np.random.default_rng(seed)
    injected = {
        "eta_edges": EDGES,
        "A": tuple(rng.normal(0, 5e-4, 12)),
        "e": tuple(rng.normal(1e-3, 1.5e-3, 12)),
        "M": tuple(rng.normal(0, 2e-5, 12)),
    }
    resolution = {"eta_edges": EDGES, "a": tuple(0.008 + 0.003 * CENTRES**2), "c": (1.3e-4,)}
    background = {"fraction": 0.04, "slope": -1.5}
    data = samples.sample(events, 10 * seed, bias=injected, resolution=resolution, background=background)
    simulation = samples.sample(events, 10 * seed + 1, resolution=resolution)
    extraction = samples.fit(samples.count(data, simulation, EDGES)).extraction
    residual = extraction.vector - samples.truth(data, SCALE, 12)
    truth = float(residual @ np.linalg.solve(extraction.covariance, residual))
    return extraction.chi2, extraction.ndf, truth, residual / extraction.errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--toys", type=int, default=10)
    parser.add_argument("--events", type=int, default=4_000_000)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        work = partial(recover, events=options.events)
        results = list(pool.map(work, range(100, 100 + options.toys)))
    ratio = np.array([chi2 / ndf for chi2, ndf, _, _ in results])
    truth = np.array([value for _, _, value, _ in results])
    pulls = np.array([pull for _, _, _, pull in results])
    print(f"{options.toys} samples of {options.events} pairs of data and of simulation")
    print(f"extraction chi2/ndf {ratio.mean():.3f}, from {ratio.min():.3f} to {ratio.max():.3f}")
    print(f"parameters against truth: chi2 {truth.mean():.1f} +- {truth.std() / np.sqrt(len(truth)):.1f} for 36")
    for name, part in zip(SCALE, np.split(pulls, 3, axis=1), strict=True):
        print(f"{name}: mean of all pulls {part.mean():+.2f}, root mean square {np.sqrt((part**2).mean()):.2f}")
    first = pulls[0]
    print(
        "first sample:",
        *(f"{n} {p.mean():+.2f}, {p.std(ddof=1):.2f};" for n, p in zip(SCALE, np.split(first, 3), strict=True)),
    )
    print(f"first sample, all 36: mean {first.mean():+.2f}, standard deviation {first.std(ddof=1):.2f}")


if __name__ == "__main__":
    main()
