"""Mass fits of cells: the batch kernel against iminuit, both on two cores, on the same cells.

The other side is the best that can be written with iminuit: the likelihood and its gradient compiled by numba in one
loop, node by node over the edges that it reaches, one call of erfc and exp per edge, both kept for the next call.

Cells are of 1500 J/psi with 4 % background, 100 mass bins, and radiative templates of 200 masses."""

import argparse
import json
import math
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context

import numpy as np
from iminuit import Minuit
from numba import njit

from muonkit.calibration import lineshape, massfit, referee
from muonkit.calibration.massfit import CellData, CellFits, FitOptions
from muonkit.calibration.response import gaussian_shapes
from muonkit.core.particles import resonance
from muonkit.simulation.dimuons.decays import BreitWigner, sample_photon_share

ENTRIES, BINS, NODES, WINDOW = 1500, 100, 200, (2.92, 3.28)
CORES = 2
REACH = 6.0  # sigma, beyond which the other side takes a Gaussian as 0 or 1


@cache
def make_cells(count: int, seed: int) -> CellData:
    """Cells with resolutions of 0.7 to 2 %, scales of 1 +- 1e-3, each with its own weights of 200 masses."""
    rng = np.random.default_rng(seed)
    edges = np.linspace(*WINDOW, BINS + 1)
    node, expected = template()
    weights, counts = rng.gamma(expected, size=(count, len(node))), []
    for weight in weights:
        theta = np.array([1 + 1e-3 * rng.standard_normal(), rng.uniform(0.007, 0.02), 0.04, -1.5])
        p, _ = lineshape.probabilities(theta, edges, node, weight, lineshape.GAUSSIAN["curvature"])
        counts.append(rng.multinomial(ENTRIES, p))
    entries, first = np.array(counts, dtype=float), np.arange(count + 1) * len(node)
    flat = weights.ravel()
    return CellData(entries, 0 * entries, edges, first, np.tile(node, count), flat, flat, gaussian_shapes(count))


def template() -> tuple[np.ndarray, np.ndarray]:
    """200 masses [GeV] after radiation, and how many of 20 000 entries each has."""
    rng = np.random.default_rng(2026)
    masses = BreitWigner(resonance("jpsi")).sample(2_000_000, rng)
    masses = masses * np.sqrt(1 - sample_photon_share(masses, rng))
    masses = masses[masses > 0.9 * WINDOW[0]]
    place = (masses - masses.min()) / np.ptp(masses) * NODES
    key = np.minimum(place.astype(int), NODES - 1)
    entries = np.bincount(key, minlength=NODES)
    filled = entries > 0
    return np.bincount(key, masses)[filled] / entries[filled], entries[filled] * 20_000 / len(masses)


@njit(cache=False, fastmath=True, error_model="numpy")
def negative_log_likelihood(theta, counts, edges, node, weight, prior, gradient):  # type: ignore[no-untyped-def]
    """-ln L, and its gradient (4,), of one cell."""
    mu, sigma, f, slope = theta
    size = edges.size
    cdf, by_mu, by_sigma = np.zeros(size), np.zeros(size), np.zeros(size)
    for j in range(node.size):
        constant, factor, w = 1 / sigma - sigma / 2, -mu * node[j] / sigma, weight[j]
        for i in range(size):
            z = constant + factor / edges[i]
            if z >= REACH:
                cdf[i:] += w
                break
            if z > -REACH:
                density = w * math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
                cdf[i] += 0.5 * w * math.erfc(-z / math.sqrt(2))
                by_mu[i] -= density * node[j] / (edges[i] * sigma)
                by_sigma[i] -= density * (z / sigma + 1)
    total = cdf[-1] - cdf[0]
    total_mu, total_sigma = (by_mu[-1] - by_mu[0]) / total, (by_sigma[-1] - by_sigma[0]) / total
    width = edges[-1] - edges[0]
    whole = math.expm1(slope * width)
    value, below, below_slope = 0.5 * ((slope - prior[0]) / prior[1]) ** 2, 0.0, 0.0
    gradient[:3], gradient[3] = 0.0, (slope - prior[0]) / prior[1] ** 2
    for i in range(size - 1):
        x = edges[i + 1] - edges[0]
        grown = math.exp(slope * x)
        above = (grown - 1) / whole
        above_slope = (x * grown - above * width * (whole + 1)) / whole
        b, s = above - below, (cdf[i + 1] - cdf[i]) / total
        p = max(f * b + (1 - f) * s, 1e-14)
        over = counts[i] / p
        value -= counts[i] * math.log(p)
        gradient[0] -= over * (1 - f) * ((by_mu[i + 1] - by_mu[i]) / total - s * total_mu)
        gradient[1] -= over * (1 - f) * ((by_sigma[i + 1] - by_sigma[i]) / total - s * total_sigma)
        gradient[2] -= over * (b - s)
        gradient[3] -= over * f * (above_slope - below_slope)
        below, below_slope = above, above_slope
    return value


class Cost:
    """-ln L of one cell and its gradient, computed together and kept for the next call."""

    def __init__(self, cells: CellData, cell: int, prior: tuple[float, float]) -> None:
        self.inputs = (cells.counts[cell], cells.edges, *cells.template(cell), np.array(prior))
        self.at, self.value, self.slope = np.full(4, np.nan), np.nan, np.empty(4)

    def __call__(self, theta: np.ndarray) -> float:
        if not np.array_equal(theta, self.at):
            self.at, self.slope = theta.copy(), np.empty(4)
            self.value = negative_log_likelihood(theta, *self.inputs, self.slope)
        return self.value

    def gradient(self, theta: np.ndarray) -> np.ndarray:
        """The gradient (4,)."""
        self(theta)
        return self.slope


def minimise(cells: CellData, cell: int, options: FitOptions) -> tuple[np.ndarray, np.ndarray, bool]:
    """Values (4,), errors (4,) and whether the minimum is valid."""
    cost = Cost(cells, cell, options.slope_prior)
    minuit = Minuit(cost, np.array(options.start), grad=cost.gradient)
    minuit.errordef, minuit.tol = Minuit.LIKELIHOOD, 0.001
    minuit.errors = (1e-4, 1e-4, 1e-2, 0.1)
    minuit.limits = referee.LIMITS
    minuit.strategy = 1  # at 0 the errors of cells with little background differ by 4 %
    minuit.migrad()
    minuit.hesse()
    return np.array(minuit.values), np.array(minuit.errors), bool(minuit.valid)


def fit_ours(cells: CellData, options: FitOptions, _: int) -> CellFits:
    """All cells, in one call."""
    return massfit.fit_cells(cells, options)


def fit_theirs(cells: CellData, options: FitOptions, count: int) -> tuple[np.ndarray, ...]:
    """The first `count` cells, one after the other."""
    return tuple(np.array(part) for part in zip(*(minimise(cells, i, options) for i in range(count)), strict=True))


Fits = Callable[[CellData, FitOptions, int], object]


def timed(seed: int, fit: Fits, cells_of_core: int, count: int) -> tuple[object, float]:
    """What one core finds in its share of the cells, and the seconds it takes."""
    cells = make_cells(cells_of_core, seed)
    options = massfit.prepare_options(cells, FitOptions("curvature"))
    fit(cells[:2], options, 2)  # compile
    start = time.perf_counter()
    return fit(cells, options, count), time.perf_counter() - start


def difference(fits: CellFits, theirs: tuple[np.ndarray, ...]) -> tuple[float, float, int]:
    """Largest difference of mu and sigma in standard deviations, that of their errors, number of compared fits."""
    values, errors, valid = theirs
    good = np.flatnonzero((fits.status[: len(valid)] == massfit.FitStatus.CONVERGED) & valid)
    values = np.abs(fits.theta[good] - values[good]) / errors[good]
    widths = np.abs(fits.errors[good] / errors[good] - 1)
    return float(values[:, :2].max()), float(widths[:, :2].max()), len(good)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cells")
    quick = parser.parse_args().quick
    cells, sample = (600, 40) if quick else (12_000, 400)
    with ProcessPoolExecutor(CORES, get_context("spawn")) as pool:
        run = partial(timed, cells_of_core=cells // CORES, count=sample // CORES)
        ours = list(pool.map(partial(run, fit=fit_ours), range(CORES)))
        theirs = list(pool.map(partial(run, fit=fit_theirs), range(CORES)))
    found = [difference(a, b) for (a, _), (b, _) in zip(ours, theirs, strict=True)]  # type: ignore[arg-type]
    value, width, compared = max(f[0] for f in found), max(f[1] for f in found), sum(f[2] for f in found)
    print(f"{cells} cells, {ENTRIES} entries, {BINS} bins, {NODES} template masses; {CORES} cores each")
    print(f"compared with iminuit: {compared} of {sample}; mu, sigma agree to {value:.4f} sigma, errors to {width:.2%}")
    if compared < 0.8 * sample or value > 0.02 or width > 0.02:
        raise SystemExit("the results do not agree: no speed is printed")
    fast, slow = 1000 * max(t for _, t in ours) / cells, 1000 * max(t for _, t in theirs) / sample
    print(f"per 1000 cells: muonkit {fast:.3f} s, iminuit (numba, analytic gradient) {slow:.2f} s")
    result = {"name": "massfit", "ours": fast, "theirs": slow, "ratio": slow / fast}
    print(json.dumps(result | {"unit": "s per 1000 cells on 2 cores"}))


if __name__ == "__main__":
    main()
