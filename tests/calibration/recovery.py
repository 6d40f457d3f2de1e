"""`python -m tests.calibration.recovery`: injected A, e, M against the fitted ones in many samples; docs/results.md.

Each sample draws its own biases: A of 5e-4, e of (1 +- 1.5) MeV, M of 2e-5 /GeV; 5 % background. The simulation has
none, so the truth of its own fit is 0. sigma_k/k = 0.6 % + 0.35 % |eta| (+) 1.2e-4 pT; tails: 12 % of the muons are 2.2
times as wide, and an exponential loss of 7.2 MeV has its mean taken off."""

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np
from tests.calibration import samples

from muonkit.calibration.closure import scale_off
from muonkit.calibration.extract import Extraction
from muonkit.simulation.dimuons.generate import generate

LETTERS = ("A", "e", "M")
SCALE_PT = (4.0, 6.0, 20.0)
WIDE = {"tail_share": (0.12,), "tail_factor": (2.2,)}
TAILS = {"none": {}, "wide": WIDE, "both": WIDE | {"straggling": (7.2e-3,)}}
FITS = ("data", "simulation", "data - simulation")


@dataclass(frozen=True)
class Found:
    """One fit against its truth: chi2 of the parameters, their pulls (3, bins), the scale off at SCALE_PT with its
    error (momenta, 2), chi2/ndf of the extraction."""

    chi2: float
    pulls: np.ndarray
    scale: np.ndarray
    quality: float

    @classmethod
    def of(cls, fit: Extraction, quality: float) -> "Found":
        chi2 = float(fit.vector @ np.linalg.solve(fit.covariance, fit.vector))
        scale = np.array([(off.value, off.error) for off in scale_off(fit, momenta=SCALE_PT)])
        return cls(chi2, (fit.vector / fit.errors).reshape(3, -1), scale, quality)


def against(fit: Extraction, truth: np.ndarray) -> Extraction:
    """The scale parameters less their truth."""
    return replace(fit, vector=fit.vector - truth)


def recover(seed: int, events: int, bins: int, tails: str, kernel: str, method: str) -> tuple[Found, ...]:
    """What is found in data, in simulation, and, by cells, in their difference."""
    data, simulation = configurations(seed, events, bins, tails)
    edges = data.bias.eta_edges
    settings = samples.settings_for(next(iter(generate(data))), edges)
    counts = samples.count(data, simulation, edges, settings=replace(settings, keeps_pairs=method == "unbinned"))
    truth = samples.truth(data, LETTERS, bins)
    both = samples.fit_both(counts, LETTERS, kernel=kernel, method=method)
    fit, own, less = (each.extraction for each in both)
    found = Found.of(against(fit, truth), fit.chi2 / fit.ndf), Found.of(own, own.chi2 / own.ndf)
    if method == "unbinned":  # the difference is that of fits to cells
        return found
    return (*found, Found.of(against(less, truth), np.nan))


def configurations(seed: int, events: int, bins: int, tails: str) -> Iterator[Any]:
    """Data with biases of their own, and simulation."""
    rng = np.random.default_rng(seed)
    edges = np.linspace(-2.4, 2.4, bins + 1)
    bias = {
        "eta_edges": tuple(edges),
        "A": tuple(rng.normal(0, 5e-4, bins)),
        "e": tuple(rng.normal(1e-3, 1.5e-3, bins)),
        "M": tuple(rng.normal(0, 2e-5, bins)),
    }
    a = 0.006 + 0.0035 * np.abs(edges[1:] + edges[:-1]) / 2
    resolution = {"eta_edges": tuple(edges), "a": tuple(a), "c": (1.2e-4,)} | TAILS[tails]
    background = {"fraction": 0.05, "slope": -1.5}
    yield samples.sample(events, 10 * seed, bias=bias, resolution=resolution, background=background)
    yield samples.sample(events, 10 * seed + 1, resolution=resolution)


def mean(values: np.ndarray) -> str:
    """Mean over samples and its error, from the spread."""
    return f"{values.mean():+.2f} +- {values.std(ddof=1) / np.sqrt(len(values)):.2f}"


def report(name: str, found: list[Found]) -> None:
    """Averages over the samples."""
    pulls = np.array([each.pulls for each in found])
    scale = 1e5 * np.array([each.scale for each in found])
    print(f"{name}: chi2 {mean(np.array([each.chi2 for each in found]))} for {pulls[0].size} parameters;", end=" ")
    print(f"extraction chi2/ndf {np.mean([each.quality for each in found]):.3f}")
    for i, pt in enumerate(SCALE_PT):
        value, error = scale[:, i].T
        typical = f"one sample +- {error.mean():.2f}"
        print(f"  scale at {pt:g} GeV [1e-5]: {mean(value)}, pulls {mean(value / error)}; {typical}")
    for letter, part in zip(LETTERS, np.moveaxis(pulls, 1, 0), strict=True):
        print(f"  pulls of {letter}: mean {mean(part.mean(axis=1))}, width {part.std():.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--toys", type=int, default=20)
    parser.add_argument("--first", type=int, default=100, help="seed of the first sample")
    parser.add_argument("--events", type=int, default=4_000_000)
    parser.add_argument("--bins", type=int, default=12, help="in eta")
    parser.add_argument("--tails", choices=TAILS, default="none")
    parser.add_argument("--kernel", choices=("response", "curvature"), default="response")
    parser.add_argument("--method", choices=("cells", "unbinned"), default="cells")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    choices = {name: getattr(options, name) for name in ("events", "bins", "tails", "kernel", "method")}
    work = partial(recover, **choices)
    results = []
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        for found in pool.map(work, range(options.first, options.first + options.toys)):
            results.append(found)
            at_6_gev = ", ".join(f"{1e5 * each.scale[1, 0]:+.2f} +- {1e5 * each.scale[1, 1]:.2f}" for each in found)
            print(f"sample {len(results)}: scale at 6 GeV of {', '.join(FITS)} [1e-5]: {at_6_gev}", flush=True)
    print(f"{options.toys} samples of {options.events} pairs of data and of simulation")
    for name, same in zip(FITS, zip(*results, strict=True), strict=False):
        report(name, list(same))


if __name__ == "__main__":
    main()
