"""The response of single muons in simulation, and the shape that it gives to the mass of a cell.

k_reco/k_gen - 1 is counted in bins of eta and of the generated pT, all of phi together. Only the shape is used: its
mean is taken off, its width is a parameter of the fit. So a bias of the simulation shows in its own fit, and is not
hidden in the kernel.

Pairs near the cut in pT/m are left out: a muon that fluctuates below it is not in the sample."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import ndtr

from muonkit.calibration.accumulate import CountSettings, GenMasses, accumulate_generator, generated_muons, merged
from muonkit.calibration.binning import runs
from muonkit.calibration.cells import Cells
from muonkit.calibration.kernels import counting, shape, sparse
from muonkit.calibration.kernels.records import END as TABLE_END
from muonkit.calibration.kernels.records import INTERVALS
from muonkit.calibration.lineshape import normal_density
from muonkit.calibration.weights import effective_entries
from muonkit.core.arrays import BoolArray, FloatArray, IntArray, sums
from muonkit.data.dimuons import Dimuons

PT_EDGES = np.geomspace(1, 300, 21)
PT_BINS = len(PT_EDGES) - 1
END, BINS = 0.4, 2000  # of k_reco/k_gen - 1
STEP = 2 * END / BINS
SAFE = 1.08  # of the cut in pT/m: five standard deviations of the mass
TAIL = 10.0  # standard deviations: farther responses belong to no peak
U = 640  # bins of a shape from -TAIL to TAIL
U_STEP = 2 * TAIL / U
LEAST = 50_000  # entries of a shape: its skewness is known to 0.01, and moves the scale by 1e-5
KNOWN = 300  # entries that know a sigma_k/k
FARTHER = 0.3  # in pT: the step that measures how the resolution grows


@dataclass(frozen=True, slots=True)
class Responses:
    """Histograms of k_reco/k_gen - 1, sparse: key = (eta bin x pT bins + pT bin) x BINS + bin, ascending; sums of
    weights; and per (eta bin, pT bin) sums of w, w^2, w pT^2 (bins, 3)."""

    key: IntArray
    weight: FloatArray
    rows: FloatArray

    def __add__(self, other: Self) -> Self:
        key, (weight,) = merged(self.key, other.key, (self.weight,), (other.weight,))
        return type(self)(key, weight, self.rows + other.rows)

    @property
    def counts(self) -> FloatArray:
        """The histograms (eta bins x pT bins, BINS)."""
        return sums(self.key, self.weight, len(self.rows) * BINS).reshape(len(self.rows), BINS)


def accumulate_responses(table: Dimuons, settings: CountSettings) -> Responses:
    """Responses of the muons of one chunk. Raises ValueError if it has no generator muons."""
    if table.gen_plus is None or table.gen_minus is None:
        raise ValueError("responses need generator muons")
    rows, both = (len(settings.binning.muons.eta_edges) - 1) * PT_BINS, 2 * len(table)
    row, place = np.empty(both, dtype=np.int64), np.empty(both, dtype=np.int64)
    weight, of_rows, found = np.empty((both, 1)), np.zeros((2, rows, 3)), 0
    safe, weights = _safe(table, settings), np.ascontiguousarray(table.weight)
    binning = counting.ResponseGrid(PT_EDGES, END, STEP, BINS)
    for charge, (reco, gen) in enumerate(((table.plus, table.gen_plus), (table.minus, table.gen_minus))):
        measured, true = tuple(map(np.ascontiguousarray, (reco.pt, reco.eta))), np.ascontiguousarray(gen.pt)
        free = (row[found:], place[found:], weight[found:])
        edges = settings.binning.muons.eta_edges
        found += counting.responses(measured, true, safe, weights, edges, binning, *free, of_rows[charge])
    key, summed = sparse.gathered(row[:found], place[:found], weight[:found], rows, BINS)
    return Responses(key, summed[:, 0].copy(), of_rows[0] + of_rows[1])


def _safe(table: Dimuons, settings: CountSettings) -> BoolArray:
    """Which pairs (n,) are not near the cut in generated pT/m."""
    low, high = settings.scaled_pt
    safe = np.empty(len(table), dtype=np.bool_)
    counting.safe_pairs(generated_muons(table), settings.pole, (SAFE * low, high / SAFE), safe)
    return safe


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
    """The responses of single muons, ready to be folded. Of every (eta bin, pT bin): the cumulative shape (rows, U + 1)
    in standard deviations from -TAIL to TAIL, its mean and rms (rows,); entries, sigma_k/k and <pT^2> (rows,)."""

    cumulative: FloatArray
    mean: FloatArray
    rms: FloatArray
    entries: FloatArray
    sigma: FloatArray
    pt2: FloatArray

    @classmethod
    def of(cls, responses: Responses) -> Self:
        """Shapes of at least LEAST entries: neighbours in pT are pooled, and all muons where an eta bin has fewer."""
        standard, sigma, entries = standardised(responses)
        standard = pooled(standard.reshape(-1, PT_BINS, U), entries.reshape(-1, PT_BINS))
        u = np.linspace(-TAIL + U_STEP / 2, TAIL - U_STEP / 2, U)
        cumulative = np.zeros((len(standard), U + 1))
        np.cumsum(standard, axis=1, out=cumulative[:, 1:])
        cumulative /= np.maximum(cumulative[:, -1:], 1e-300)
        w, _, wpt2 = responses.rows.T
        pt2 = np.divide(wpt2, w, out=np.ones_like(w), where=w > 0)
        return cls(cumulative, *moments(standard, u), entries, sigma, pt2)

    def row(self, eta: IntArray, pt2: FloatArray) -> IntArray:
        """The row (n,) of an eta bin and a pT^2 [GeV^2]."""
        pt = np.clip(np.searchsorted(PT_EDGES, np.sqrt(pt2)) - 1, 0, PT_BINS - 1)
        return eta * PT_BINS + pt

    def variance(self, eta: IntArray, pt2: FloatArray) -> FloatArray:
        """(sigma_k/k)^2 (n,), linear in pT^2 between the rows of an eta bin; of all rows where there are none."""
        known = self.entries >= KNOWN
        result = np.full(len(eta), np.average(self.sigma**2, weights=np.maximum(self.entries, 1e-300)))
        for one in np.unique(eta):
            rows = one * PT_BINS + np.flatnonzero(known[one * PT_BINS : (one + 1) * PT_BINS])
            if len(rows):
                chosen = eta == one
                result[chosen] = np.interp(pt2[chosen], self.pt2[rows], self.sigma[rows] ** 2)
        return result


def standardised(responses: Responses) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Of every (eta bin, pT bin): the histogram (rows, U) in standard deviations from the mean; sigma and effective
    entries (rows,)."""
    counts, x = responses.counts, np.linspace(-END + STEP / 2, END - STEP / 2, BINS)
    mean, sigma = _core(counts, x)
    w, w2, _ = responses.rows.T
    return standardise(counts, mean, sigma), sigma, effective_entries(w, w2)


def standardise(counts: FloatArray, mean: FloatArray, sigma: FloatArray) -> FloatArray:
    """Histograms (rows, BINS) of x as histograms (rows, U) of (x - mean)/sigma, within TAIL; mean, sigma (rows,)."""
    edges = np.linspace(-END, END, BINS + 1)
    u = np.linspace(-TAIL, TAIL, U + 1)
    below = np.concatenate([np.zeros((len(counts), 1)), np.cumsum(counts, axis=1)], axis=1)
    rows = [np.interp(m + u * s, edges, each) for m, s, each in zip(mean, sigma, below, strict=True)]
    return np.diff(np.array(rows), axis=1)


def pooled(standard: FloatArray, entries: FloatArray) -> FloatArray:
    """Sums (rows, U) of neighbours in pT until each has LEAST entries; `standard`: (eta bins, pT bins, U), `entries`:
    (eta bins, pT bins)."""
    result = np.broadcast_to(standard.sum(axis=(0, 1)), standard.shape).copy()
    for eta, rows in enumerate(standard):
        for run in runs(entries[eta], LEAST):
            result[eta, run] = rows[run].sum(axis=0)
    return result.reshape(-1, U)


def moments(counts: FloatArray, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and rms (rows,) of histograms (rows, bins) at x (bins,)."""
    total = np.maximum(counts.sum(axis=1), 1e-300)
    mean = counts @ x / total
    return mean, np.sqrt(np.maximum(counts @ x**2 / total - mean**2, (x[1] - x[0]) ** 2))


def _core(counts: FloatArray, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and rms (rows,) of what lies within TAIL rms of the mean."""
    mean, rms = moments(counts, x)
    return moments(np.where(np.abs(x - mean[:, None]) < TAIL * rms[:, None], counts, 0), x)


def shapes_of(cells: Cells, responses: Responses, kernel: str) -> Shapes:
    """The shapes of `cells`, whose muons are in eta bins, for a kernel, a key of `lineshape.KINDS`."""
    return response_shapes(responses, cells) if kernel == "response" else gaussian_shapes(len(cells))


def response_shapes(responses: Responses, cells: Cells) -> Shapes:
    """The shapes of `cells`: the responses of their two muons, folded; width growing with the mass as with pT."""
    single = SingleMuon.of(responses)
    columns = ((cells.bin_plus, cells.pt2_plus), (cells.bin_minus, cells.pt2_minus))
    pair = np.stack([single.row(eta, pt2) for eta, pt2 in columns], axis=1)
    variance = np.stack([single.variance(eta, pt2) for eta, pt2 in columns], axis=1)
    power = np.stack([cells.response_plus, cells.response_minus], axis=1)
    tables, kappa = np.empty((len(cells), INTERVALS, 4)), np.empty(len(cells))
    curves = (single.cumulative, -TAIL, U_STEP, single.mean, single.rms)
    shape.tables_of_cells(*curves, pair, np.sqrt(variance), power, tables, kappa)
    return Shapes(tables, kappa, np.arange(len(cells)), growth(single, columns, power, variance))


def growth(
    single: SingleMuon, columns: tuple[tuple[IntArray, FloatArray], ...], power: FloatArray, variance: FloatArray
) -> FloatArray:
    """d ln sigma / d ln m (cells,) of the relative width: in a cell pT grows with the mass, and the variance with pT.

    `columns`: eta bin and pT^2 of either muon; `power`, `variance`: (cells, 2)."""
    wider = np.stack([single.variance(eta, pt2 * (1 + FARTHER) ** 2) for eta, pt2 in columns], axis=1)
    total = (power**2 * variance).sum(axis=1)
    slope: FloatArray = (power**2 * (wider - variance)).sum(axis=1) / (2 * np.log1p(FARTHER) * total)
    return slope
