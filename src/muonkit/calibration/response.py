"""The response of single muons in simulation, and the shape that it gives to the mass of a cell.

k_reco/k_gen - 1 is counted in bins of eta and of the generated pT. Only the shape is used: its mean is taken off, its
width is a parameter of the fit. So a bias of the simulation shows in its own fit, and is not hidden in the kernel.

Pairs near the cut in pT/m are left out: a muon that fluctuates below it is not in the sample."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import ndtr

from muonkit.calibration.accumulate import CountSettings, GenMasses, accumulate_generator
from muonkit.calibration.binning import find_bin, scaled_pt_range
from muonkit.calibration.cells import Cells
from muonkit.calibration.kernels import shape
from muonkit.calibration.kernels.records import END as TABLE_END
from muonkit.calibration.kernels.records import INTERVALS
from muonkit.calibration.lineshape import normal_density
from muonkit.core.arrays import FloatArray, IntArray, sums
from muonkit.core.kinematics import mass
from muonkit.data.dimuons import Dimuons

PT_EDGES = np.geomspace(1, 300, 21)
END, BINS = 0.4, 2000  # of k_reco/k_gen - 1
STEP = 2 * END / BINS
SAFE = 1.08  # of the cut in pT/m: five standard deviations of the mass
TAIL = 10.0  # standard deviations: farther responses belong to no peak
LEAST = 1000  # entries of a shape


@dataclass(frozen=True, slots=True)
class Responses:
    """Histograms of k_reco/k_gen - 1, sparse: key = (eta bin x pT bins + pT bin) x BINS + bin, ascending; sums of
    weights; and per (eta bin, pT bin) sums of w, w pT^2 (bins, 2)."""

    key: IntArray
    weight: FloatArray
    pt2: FloatArray

    def __add__(self, other: Self) -> Self:
        key, inverse = np.unique(np.concatenate([self.key, other.key]), return_inverse=True)
        weight = sums(inverse, np.concatenate([self.weight, other.weight]), len(key))
        return type(self)(key, weight, self.pt2 + other.pt2)

    @property
    def counts(self) -> FloatArray:
        """The histograms (eta bins x pT bins, BINS)."""
        return sums(self.key, self.weight, len(self.pt2) * BINS).reshape(len(self.pt2), BINS)


def accumulate_responses(table: Dimuons, settings: CountSettings) -> Responses:
    """Responses of the muons of one chunk. Raises ValueError if it has no generator muons."""
    if table.gen_plus is None or table.gen_minus is None:
        raise ValueError("responses need generator muons")
    low, high = scaled_pt_range(table.gen_plus, table.gen_minus, mass(table.gen_plus, table.gen_minus), settings.pole)
    safe = (low > SAFE * settings.scaled_pt[0]) & (high < settings.scaled_pt[1] / SAFE)
    edges = settings.binning.eta_edges
    rows = (len(edges) - 1) * (len(PT_EDGES) - 1)
    key, weight, pt2 = [], [], []
    for reco, gen in ((table.plus, table.gen_plus), (table.minus, table.gen_minus)):
        eta, pt = find_bin(reco.eta, edges), find_bin(gen.pt, PT_EDGES)
        x = np.floor((gen.pt / reco.pt - 1 + END) / STEP).astype(np.int64)
        chosen = safe & (eta >= 0) & (pt >= 0) & (x >= 0) & (x < BINS)
        row = (eta * (len(PT_EDGES) - 1) + pt)[chosen]
        key.append(row * BINS + x[chosen])
        weight.append(table.weight[chosen])
        pt2.append(np.stack([sums(row, w, rows) for w in (weight[-1], weight[-1] * gen.pt[chosen] ** 2)], axis=1))
    unique, inverse = np.unique(np.concatenate(key), return_inverse=True)
    return Responses(unique, sums(inverse, np.concatenate(weight), len(unique)), pt2[0] + pt2[1])


@dataclass(frozen=True, slots=True)
class Truth:
    """What is counted of generated muons: their masses per cell, and the responses."""

    masses: GenMasses
    responses: Responses

    def __add__(self, other: Self) -> Self:
        return type(self)(self.masses + other.masses, self.responses + other.responses)


def accumulate_truth(table: Dimuons, settings: CountSettings) -> Truth:
    """Sums over the generated muons of one chunk. Raises ValueError if it has none."""
    return Truth(accumulate_generator(table, settings), accumulate_responses(table, settings))


@dataclass(frozen=True, slots=True)
class Shapes:
    """The response of cells: tables (tables, intervals, 4) of F, kappa (tables,); table and growth of every cell
    (cells,), see `kernels.records.Spectra`."""

    tables: FloatArray
    kappa: FloatArray
    table: IntArray
    growth: FloatArray

    def __getitem__(self, cells: slice) -> Self:
        table = self.table[cells]
        used, inverse = np.unique(table, return_inverse=True)
        return type(self)(self.tables[used], self.kappa[used], inverse, self.growth[cells])


def gaussian_shapes(cells: int) -> Shapes:
    """A Gaussian response of the curvature for all cells: kappa = 1/2."""
    z = np.linspace(-TABLE_END, TABLE_END, INTERVALS + 1)
    table = np.empty((1, INTERVALS, 4))
    shape.fill_polynomials(ndtr(z), normal_density(z), table[0])
    return Shapes(table, np.array([0.5]), np.zeros(cells, dtype=np.int64), np.zeros(cells))


@dataclass(frozen=True, slots=True)
class SingleMuon:
    """The responses of single muons, ready to be folded: cumulative (rows, BINS + 1), mean and rms (rows,), whether
    there are enough entries (rows,); (sigma_k/k)^2 against pT^2, one row per eta bin."""

    cumulative: FloatArray
    mean: FloatArray
    rms: FloatArray
    filled: np.typing.NDArray[np.bool_]
    pt2: FloatArray

    @classmethod
    def of(cls, responses: Responses) -> Self:
        """Without what lies TAIL standard deviations away."""
        counts = responses.counts
        x = np.linspace(-END + STEP / 2, END - STEP / 2, BINS)
        mean, rms = _core(counts, x)
        kept = np.where(np.abs(x - mean[:, None]) < TAIL * rms[:, None], counts, 0)
        mean, rms = _core(kept, x)
        total = kept.sum(axis=1)
        cumulative = np.zeros((len(kept), BINS + 1))
        np.cumsum(kept, axis=1, out=cumulative[:, 1:])
        w, wpt2 = responses.pt2.T
        return cls(cumulative / np.maximum(total, 1e-300)[:, None], mean, rms, total >= LEAST,
                   wpt2 / np.maximum(w, 1e-300))  # fmt: skip

    def row(self, eta: IntArray, pt2: FloatArray) -> IntArray:
        """The filled row of the same eta bin (n,) with the nearest pT."""
        n = len(PT_EDGES) - 1
        log_pt2 = np.log(np.maximum(self.pt2.reshape(-1, n), 1e-9))
        filled = self.filled.reshape(-1, n)
        distance = np.where(filled[eta], np.abs(log_pt2[eta] - np.log(pt2)[:, None]), np.inf)
        return eta * n + np.argmin(distance, axis=1)

    def variance(self, eta: IntArray, pt2: FloatArray) -> FloatArray:
        """(sigma_k/k)^2 (n,) between the filled rows of an eta bin, linear in pT^2."""
        n = len(PT_EDGES) - 1
        result = np.empty(len(eta))
        for bin_ in np.unique(eta):
            rows = np.arange(bin_ * n, (bin_ + 1) * n)
            rows = rows[self.filled[rows]]
            chosen = eta == bin_
            result[chosen] = np.interp(pt2[chosen], self.pt2[rows], self.rms[rows] ** 2)
        return result


def _core(counts: FloatArray, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    total = np.maximum(counts.sum(axis=1), 1e-300)
    mean = counts @ x / total
    variance = counts @ x**2 / total - mean**2
    return mean, np.sqrt(np.maximum(variance, STEP**2))


def shapes_of(cells: Cells, responses: Responses, kernel: str) -> Shapes:
    """The shapes of `cells` for a kernel, a key of `lineshape.KINDS`."""
    return response_shapes(responses, cells) if kernel == "response" else gaussian_shapes(len(cells))


def response_shapes(responses: Responses, cells: Cells) -> Shapes:
    """The shapes of `cells`: the responses of their two muons, folded."""
    single = SingleMuon.of(responses)
    columns = ((cells.eta_plus, cells.pt2_plus), (cells.eta_minus, cells.pt2_minus))
    pair = np.stack([single.row(eta, pt2) for eta, pt2 in columns], axis=1)
    sigma = np.sqrt(np.stack([single.variance(eta, pt2) for eta, pt2 in columns], axis=1))
    power = np.stack([cells.response_plus, cells.response_minus], axis=1)
    n = len(cells)
    tables, kappa = np.empty((n, INTERVALS, 4)), np.empty(n)
    shape.tables_of_cells(single.cumulative, -END, STEP, single.mean, single.rms, pair, sigma, power, tables, kappa)
    return Shapes(tables, kappa, np.arange(n), np.zeros(n))
