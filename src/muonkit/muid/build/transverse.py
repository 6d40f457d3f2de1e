"""Counts -> densities of the reduced chi2 x, by hypothesis, region D and k = ndof/2.

Up to a threshold T the histogram, in which a gamma density counts as `pseudo` tracks; above, and everywhere where there
are few tracks, the gamma density itself, with the same scale:

    f(x) = scale_y (k s x)^(k - 1) exp(-k s x),   s = scale_x                                                (21)

An ideal chi2 has s = 1. s of the tail is fitted to the tracks above T alone (those above 10 are one bin), scale_y holds
as many tracks as there are above T: the density is normalised from 0 to infinity. A bin holds the mean of the density
in it; its value at the centre differs as the gamma density's does (by 20 % in the first bin for k = 3)."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import gammaincc, gammaln
from scipy.stats import gamma

from muonkit.core.arrays import AnyArray, FloatArray, IntArray
from muonkit.muid.build.config import TransverseFit
from muonkit.muid.build.count import MUONS
from muonkit.muid.likelihood.hypotheses import SIGNED
from muonkit.muid.likelihood.payload import ORDERS, REGIONS
from muonkit.muid.likelihood.spline import BINS, WIDTH

EDGES = WIDTH * np.arange(BINS + 1)
CENTRES = EDGES[:-1] + WIDTH / 2
SCALES = (0.01, 5.0)  # of scale_x
MUON_THRESHOLD, OTHER_THRESHOLD = {1: 6.4, 2: 4.6, 3: 4.0, 4: 3.4}, {1: 8.0, 2: 4.6, 3: 4.0, 4: 3.4}
MOST_ORDER = 15  # k above which there is no histogram
TAIL_TRACKS = 30  # fewer above a threshold: it moves down


@dataclass(frozen=True, slots=True)
class Density:
    """threshold, scale_x, scale_y of eq. 21, log_density (BINS,) at the centres of bins."""

    threshold: float
    scale_x: float
    scale_y: float
    log_density: FloatArray


def tables(chi2: IntArray, fit: TransverseFit) -> dict[str, FloatArray]:
    """threshold, scale_x, scale_y (12, REGIONS, ORDERS), log_density (12, REGIONS, ORDERS, BINS) from counts (12,
    REGIONS, ORDERS, BINS + 1)."""
    shape = (SIGNED, REGIONS, ORDERS)
    out = {name: np.zeros(shape) for name in ("threshold", "scale_x", "scale_y")}
    out["log_density"] = np.zeros((*shape, BINS))
    for hypothesis in range(SIGNED):
        for D in range(REGIONS):
            for k, density in enumerate(densities(chi2[hypothesis, D], hypothesis in MUONS, fit)):
                for name, table in out.items():
                    table[hypothesis, D, k] = getattr(density, name)
    return out


def densities(chi2: IntArray, is_muon: bool, fit: TransverseFit) -> list[Density]:
    """For k = 1 to ORDERS; what has few tracks takes its scale from the nearest k that has enough, the smaller of two,
    whatever the order of the fits; without any the scale is 1."""
    entries = chi2.sum(axis=1)
    rich = np.flatnonzero(entries >= fit.entries)
    scale = {int(k): scale_above(chi2[k], int(k) + 1, 0) for k in rich}
    made = []
    for k in range(ORDERS):
        near = min(rich.tolist(), key=lambda other: (abs(other - k), other), default=None)
        s = 1.0 if near is None else scale[near]
        made.append(density(chi2[k], k + 1, s, is_muon, fit))
    return made


def scale_above(n: IntArray, k: int, first: int) -> float:
    """scale_x of a gamma density for the counts from bin `first` on: the most probable one, given their number."""
    edges = np.append(EDGES[first:], np.inf)

    def loss(s: float) -> float:
        share = np.diff(gamma.sf(edges, k, scale=1 / (k * s)))
        return float(np.sum(n[first:] * np.log(np.maximum(-share, 1e-300) / -share.sum())))

    return float(minimize_scalar(lambda s: -loss(s), bounds=SCALES, method="bounded", options={"xatol": 1e-6}).x)


def density(n: IntArray, k: int, s: float, is_muon: bool, fit: TransverseFit) -> Density:
    """The density of one k; s: scale_x of the whole, from this or another k."""
    total = int(n.sum())
    if total < fit.enough or k > MOST_ORDER:
        return whole(k, s)
    first = threshold_bin(n, k, is_muon, fit)
    tail = scale_above(n, k, first)
    share = (n[first:].sum() + 1e-9) / total
    threshold = EDGES[first]
    log_scale_y = np.log(share * k * tail) - gammaln(k) - np.log(gammaincc(k, k * tail * threshold))
    expected = np.diff(gamma.cdf(EDGES, k, scale=1 / (k * s)))
    body = (n[:BINS] + fit.pseudo * expected) / WIDTH
    body *= (1 - share) / (WIDTH * body[:first].sum())
    at_centre = gamma_log(CENTRES, k, s, np.log(k * s) - gammaln(k)) - np.log(np.maximum(expected / WIDTH, 1e-300))
    log_density = np.log(np.maximum(body, 1e-300)) + np.clip(at_centre, -1, 1)
    log_density[first:] = gamma_log(CENTRES[first:], k, tail, log_scale_y)
    return Density(float(threshold), tail, float(np.exp(log_scale_y)), log_density)


def whole(k: int, s: float) -> Density:
    """Eq. 21 for all x."""
    log_scale_y = np.log(k * s) - gammaln(k)
    return Density(0.0, s, float(np.exp(log_scale_y)), gamma_log(CENTRES, k, s, log_scale_y))


def gamma_log(x: AnyArray, k: int, s: float, log_scale_y: float) -> FloatArray:
    """ln of eq. 21."""
    scaled = k * s * x
    return np.asarray(log_scale_y + (k - 1) * np.log(scaled) - scaled)


def threshold_bin(n: IntArray, k: int, is_muon: bool, fit: TransverseFit) -> int:
    """The first bin of the tail: fixed for k up to 4, else two bins before the histogram falls below a share of its
    maximum; lower where too few tracks would be above."""
    fixed = (MUON_THRESHOLD if is_muon else OTHER_THRESHOLD).get(k)
    if fixed is not None:
        first = round(fixed / WIDTH)
    else:
        smooth = np.convolve(n[:BINS], np.ones(5) / 5, mode="same")
        above = np.flatnonzero(smooth >= fit.peak_share * smooth.max())
        first = max(int(above[-1]) - 1, int(np.argmax(smooth)) + 1)
    while first > 1 and n[first:].sum() < TAIL_TRACKS:
        first -= 1
    return first
