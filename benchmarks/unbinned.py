"""The likelihood of every pair: muonkit against iminuit, both on two cores, on the same pairs and regions.

The other side is what a user would write: the likelihood and its gradient compiled by numba in a parallel loop, with
erfc and exp, minimised by MIGRAD, errors from HESSE. Both have A, e, M, a, c in every eta bin, and fraction and slope
of every background. The result is first compared with that of the cells.

With 300 000 pairs and 260 parameters the other side takes an hour: --alone leaves it out."""

import argparse
import json
import math
import time
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from iminuit import Minuit
from numba import njit, prange, set_num_threads

from muonkit.calibration import unbinned
from muonkit.calibration.accumulate import CellMasses, CountSettings, accumulate
from muonkit.calibration.binning import Binning
from muonkit.calibration.config import BinningChoice, Fit
from muonkit.calibration.derive import FitPlan, fit_sample, plan_cells
from muonkit.calibration.extract import Extraction, extract
from muonkit.calibration.pair_likelihood import PairLikelihood
from muonkit.calibration.response import accumulate_truth
from muonkit.core.particles import WINDOW, resonance
from muonkit.simulation.dimuons.config import SimulateDimuons
from muonkit.simulation.dimuons.generate import generate

CORES = 2
LETTERS = ("A", "e", "M")
DIFFERENT = 0.02  # standard deviations between both sides
APART = 1.0  # rms between pairs and cells, in standard deviations of the cells


@dataclass(frozen=True)
class Sample:
    """Pairs of data, and the plan of their fits."""

    pairs: CellMasses
    plan: FitPlan


def configuration(events: int, seed: int, bins: int, data: bool) -> SimulateDimuons:
    """J/psi; data have biases and 5 % background."""
    edges, rng = np.linspace(-2.4, 2.4, bins + 1), np.random.default_rng(seed)
    a = 0.006 + 0.0035 * np.abs(edges[1:] + edges[:-1]) / 2
    content: dict[str, Any] = {
        "generate": {"events": events, "seed": seed},
        "spectrum": {"pt_min": 6.0, "pt_power": 2.8},
        "resolution": {"eta_edges": tuple(edges), "a": tuple(a), "c": (1.2e-4,)},
    }
    if data:
        bias = {"A": rng.normal(0, 5e-4, bins), "e": rng.normal(1e-3, 1.5e-3, bins), "M": rng.normal(0, 2e-5, bins)}
        content["bias"] = {"eta_edges": tuple(edges)} | {name: tuple(values) for name, values in bias.items()}
        content["background"] = {"fraction": 0.05, "slope": -1.5}
    return SimulateDimuons.model_validate(content)


def make_sample(events: int, bins: int) -> Sample:
    """Data and twice as much simulation, counted. The response is Gaussian, as the other side can write it."""
    simulation = configuration(2 * events, 12, bins, data=False)
    first = next(iter(generate(simulation)))
    choice = BinningChoice(eta_edges=tuple(np.linspace(-2.4, 2.4, bins + 1)))
    binning = Binning.from_choice(choice, first.plus, first.minus)
    settings = CountSettings(binning, WINDOW["jpsi"], 100, resonance("jpsi").mass, (4.0, 1e9), keeps_pairs=True)
    data = reduce(add, (accumulate(table, settings) for table in generate(configuration(events, 11, bins, data=True))))
    truth = reduce(add, (accumulate_truth(table, settings) for table in generate(simulation)))
    merging = plan_cells(data, truth.masses, settings, 400)
    return Sample(data, FitPlan(settings, Fit(kernel="curvature"), truth, merging))


def fit_cells(sample: Sample) -> unbinned.BinnedFit:
    """Mass fits of all cells, and the parameters."""
    plan = sample.plan
    cells, data, fits = fit_sample(plan, sample.pairs)
    found = extract(cells, fits, plan.counting.binning.muons, LETTERS, plan.rules(template_errors=False))
    return unbinned.BinnedFit(cells, data, fits, found)


@njit(parallel=True, cache=False, fastmath=True, error_model="numpy")
def negative_log_likelihood(muons, backgrounds, pairs, regions, window, value, gradient):  # type: ignore[no-untyped-def]
    """Fill -ln L (regions,) and its gradient (regions, 12) by A, e, M, a, c of both muons, fraction and slope."""
    width = window[1] - window[0]
    for r in prange(value.size):
        value[r], gradient[r] = 0.0, 0.0
        f, t = backgrounds[regions.background[r]]
        norm = math.expm1(t) / t
        norm_slope = math.exp(t) / math.expm1(t) - 1 / t
        for i in range(pairs.first[r], pairs.first[r + 1]):
            m, log_mu, variance = pairs.mass[i], pairs.shift[i], regions.angular[r]
            for q, b, k, w in (
                (1.0, regions.eta_plus[r], pairs.k_plus[i], pairs.response_plus[i]),
                (-1.0, regions.eta_minus[r], pairs.k_minus[i], pairs.response_minus[i]),
            ):
                log_mu += w * math.log(1 + muons[0, b] - muons[1, b] * k + q * muons[2, b] / k)
                variance += w * w * (muons[3, b] ** 2 + (muons[4, b] / k) ** 2)
            mu, sigma = math.exp(log_mu), math.sqrt(variance)
            s = s_mu = s_sigma = n = n_mu = n_sigma = 0.0
            for j in range(regions.first[r], regions.first[r + 1]):
                own, weight = sigma * regions.width[j], regions.weight[j]
                for edge in range(3):
                    x = m if edge == 0 else window[edge - 1]
                    moved = mu * regions.mass[j] / (x * own)
                    z = 1 / own - 0.5 * own - moved
                    if z < -8:
                        continue
                    sign = 2.0 * edge - 3
                    if z > 8:
                        n += 0.0 if edge == 0 else sign * weight
                        continue
                    g = weight * math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
                    if edge == 0:
                        s += g * moved
                        s_mu += g * moved * (1 + z * moved)
                        s_sigma += g * moved * (z * (z + own) - 1)
                    else:
                        n += sign * weight * 0.5 * math.erfc(-z / math.sqrt(2))
                        n_mu -= sign * g * moved
                        n_sigma -= sign * g * (z + own)
            signal, place = s / (m * n), (m - window[0]) / width
            noise = math.exp(t * place) / (norm * width)
            p = max(f * noise + (1 - f) * signal, 1e-12 / width)
            value[r] -= math.log(p)
            by_mu = -(1 - f) * (s_mu / (m * n) - signal * n_mu / n) / p
            by_sigma = -(1 - f) * (s_sigma / (m * n) - signal * n_sigma / n) / p
            gradient[r, 10] -= (noise - signal) / p
            gradient[r, 11] -= f * noise * (place - norm_slope) / p
            for place_of, q, b, k, w in (
                (0, 1.0, regions.eta_plus[r], pairs.k_plus[i], pairs.response_plus[i]),
                (5, -1.0, regions.eta_minus[r], pairs.k_minus[i], pairs.response_minus[i]),
            ):
                scaled = by_mu * w / (1 + muons[0, b] - muons[1, b] * k + q * muons[2, b] / k)
                gradient[r, place_of] += scaled
                gradient[r, place_of + 1] -= scaled * k
                gradient[r, place_of + 2] += scaled * q / k
                gradient[r, place_of + 3] += by_sigma * w * w * muons[3, b] / variance
                gradient[r, place_of + 4] += by_sigma * w * w * muons[4, b] / (k * k * variance)


class Cost:
    """-ln L and its gradient at a vector, computed together and kept for the next call."""

    def __init__(self, likelihood: PairLikelihood) -> None:
        self.likelihood, self.muons = likelihood, 5 * likelihood.layout.bins
        regions = likelihood.regions
        both = (regions.eta_plus, regions.eta_minus)
        eta = [letter * likelihood.layout.bins + bins for bins in both for letter in range(5)]
        tail = [self.muons + regions.background, self.muons + likelihood.backgrounds + regions.background]
        self.index = np.stack([*eta, *tail], axis=1)
        self.at, self.value, self.slope = np.zeros(0), np.nan, np.empty(0)

    def __call__(self, vector: np.ndarray) -> float:
        if not np.array_equal(vector, self.at):
            self.at = vector.copy()
            self._evaluate(vector)
        return self.value

    def gradient(self, vector: np.ndarray) -> np.ndarray:
        """The gradient (p,)."""
        self(vector)
        return self.slope

    def _evaluate(self, vector: np.ndarray) -> None:
        ours, regions = self.likelihood, len(self.index)
        muons, backgrounds = vector[: self.muons].reshape(5, -1), vector[self.muons :].reshape(2, -1).T.copy()
        value, gradient = np.empty(regions), np.empty((regions, 12))
        negative_log_likelihood(muons, backgrounds, ours.pairs, ours.regions, ours.window, value, gradient)
        pull = vector[self.muons + ours.backgrounds :] - ours.slope
        slope = np.bincount(self.index.ravel(), gradient.ravel(), len(vector))
        slope[self.muons + ours.backgrounds :] += pull
        self.value = float(value.sum() + pull @ pull / 2)
        for letter, (centre, width) in ours.priors.items():
            part = slice(ours.layout.fitted.index(letter) * ours.layout.bins, None)
            off = (vector[part][: ours.layout.bins] - centre) / width
            self.value += float(off @ off / 2)
            slope[part][: ours.layout.bins] += off / width
        self.slope = slope


def fit_theirs(likelihood: PairLikelihood, start: np.ndarray) -> tuple[np.ndarray, np.ndarray, int, bool]:
    """Values and errors of all parameters, number of evaluations, and whether the minimum is valid."""
    first, cost = start.copy(), Cost(likelihood)
    muons, backgrounds = 5 * likelihood.layout.bins, likelihood.backgrounds
    first[muons : muons + backgrounds] **= 2  # the other side fits the fraction itself
    cost(first)
    minuit = Minuit(cost, first, grad=cost.gradient)
    minuit.errordef, minuit.tol = Minuit.LIKELIHOOD, 0.01
    typical = {"A": 1e-4, "e": 1e-3, "M": 1e-5, "a": 3e-4, "c": 5e-5}
    minuit.errors = (*np.repeat([typical[name] for name in likelihood.layout.fitted], likelihood.layout.bins),
                     *np.repeat([5e-3, 0.5], backgrounds))  # fmt: skip
    minuit.limits = [(None, None)] * 3 * likelihood.layout.bins + [(0, None)] * 2 * likelihood.layout.bins + [
        (0, 0.9)] * backgrounds + [(None, None)] * backgrounds  # fmt: skip
    minuit.strategy = 1
    minuit.migrad(ncall=20_000)
    minuit.hesse()
    return np.array(minuit.values), np.array(minuit.errors), minuit.nfcn + minuit.ngrad, bool(minuit.valid)


def compare_with_cells(cells: Extraction, pairs: Extraction) -> None:
    """Say how far the fit of pairs is from that of cells, and how much smaller its errors are."""
    off = (pairs.vector - cells.vector) / cells.errors
    ratios = pairs.errors / cells.errors
    for letter, each, ratio in zip(LETTERS, off.reshape(3, -1), ratios.reshape(3, -1), strict=True):
        rms = math.sqrt(float(np.mean(each**2)))
        print(f"{letter}: pairs - cells {each.mean():+.2f} sigma, rms {rms:.2f}; errors {ratio.mean():.3f} of cells")
    if math.sqrt(float(np.mean(off**2))) > APART:
        raise SystemExit("pairs and cells do not agree: no speed is printed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a seventh of the pairs, in four eta bins")
    parser.add_argument("--alone", action="store_true", help="without the other side")
    options = parser.parse_args()
    events, bins = (66_000, 4) if options.quick else (460_000, 12)
    sample = make_sample(events, bins)
    binned = fit_cells(sample)
    choice = unbinned.Options(sample.plan.rules(template_errors=False), threads=CORES)
    kept, merging = sample.pairs.kept, sample.plan.merging
    unbinned.extract(binned, kept[: len(kept) // 10], merging, choice)  # compile
    begin, cpu = time.perf_counter(), time.process_time()
    ours = unbinned.extract(binned, kept, merging, choice)
    fast, cpu = time.perf_counter() - begin, time.process_time() - cpu
    likelihood, start = unbinned.prepare(binned, kept, merging, choice)
    others = len(start) - len(ours.vector)
    print(f"{len(likelihood.pairs.mass)} pairs, {len(ours.vector)} parameters and {others} others")
    compare_with_cells(binned.extraction, ours)
    print(f"muonkit: {fast:.2f} s on {CORES} cores, {cpu:.2f} s of CPU time")
    if options.alone:
        return

    set_num_threads(CORES)
    Cost(likelihood)(start)  # compile
    begin = time.perf_counter()
    values, errors, calls, valid = fit_theirs(likelihood, start)
    slow = time.perf_counter() - begin
    value = float(np.max(np.abs(values[: len(ours.vector)] - ours.vector) / ours.errors))
    width = float(np.max(np.abs(errors[: len(ours.vector)] / np.maximum(ours.errors, 1e-300) - 1)))
    print(f"iminuit: {slow:.1f} s, {calls} calls; values agree to {value:.4f} sigma, errors to {width:.1%}")
    if not valid or value > DIFFERENT:
        raise SystemExit("the results do not agree: no speed is printed")
    result = {"name": "unbinned", "ours": fast, "theirs": slow, "ratio": slow / fast, "unit": f"s on {CORES} cores"}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
