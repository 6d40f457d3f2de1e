"""Mass fits of all cells at once: mu, sigma, background fraction and slope per cell, with status as data.

The likelihood is binned with exact bin integrals (`lineshape`); `kernels` does the work. Weighted entries are scaled to
effective counts (sum w)^2 / sum w^2; where weights are below 0, see `weights`. The covariance is that of the entries
plus that of the template's statistics."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import IntEnum
from typing import Self, TypeVar

import numpy as np

from muonkit.calibration import weights
from muonkit.calibration.accumulate import NODE_SPACING, CellMasses, GenMasses
from muonkit.calibration.binning import Merging
from muonkit.calibration.kernels import fit as kernel
from muonkit.calibration.kernels import records
from muonkit.calibration.lineshape import KINDS
from muonkit.calibration.response import Shapes, gaussian_shapes
from muonkit.core.arrays import AnyArray, BoolArray, FloatArray, IntArray, sums

PARAMETERS = ("mu", "sigma", "f_bkg", "slope")
TOLERANCE = 1e-5  # estimated distance to the maximum in ln L before the last step: 4.5e-3 standard deviations
MAX_STEPS = 60
INTERQUARTILE = 1.349  # of a Gaussian [sigma]
FARTHER = 3.0  # how much larger or smaller than that of all cells the sigma may be that a fit starts from
BATCH = 400


class FitStatus(IntEnum):
    """What became of a cell. The first two are good fits."""

    CONVERGED = records.CONVERGED
    NO_BACKGROUND = records.NO_BACKGROUND
    AT_LIMIT = records.AT_LIMIT
    NOT_CONVERGED = records.NOT_CONVERGED
    BAD_FISHER = records.BAD_FISHER
    NO_ENTRIES = records.NO_ENTRIES


@dataclass(frozen=True, slots=True)
class FitOptions:
    """kernel: a key of `lineshape.KINDS`; background: whether there is one; start values in the order of PARAMETERS;
    Gaussian constraint (mean, width) of the slope [1/GeV]; the three quartiles [GeV] of the masses that the start
    values are of, if known."""

    kernel: str = "response"
    background: bool = True
    start: tuple[float, float, float, float] = (1.0, 0.012, 0.05, -1.0)
    slope_prior: tuple[float, float] = (-1.0, 10.0)
    quartiles: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class CellData:
    """Effective counts (cells, bins) and the part of them whose expectation is known, which is 0 without weights below
    0; mass edges (bins + 1,) [GeV]; `first` (cells + 1,): template nodes of cell c at first[c] : first[c + 1]; of every
    node, in rising order, its mass [GeV], weight and variance of the weight (nodes,); the response of every cell; modes
    (nodes, TILTS), by which the weights of a cell vary together, or (0, TILTS), see `pooling`."""

    counts: FloatArray
    known: FloatArray
    edges: FloatArray
    first: IntArray
    node: FloatArray
    weight: FloatArray
    variance: FloatArray
    shapes: Shapes
    modes: FloatArray = field(default_factory=lambda: np.zeros((0, records.TILTS)))

    def __len__(self) -> int:
        return len(self.counts)

    def __getitem__(self, cells: slice) -> Self:
        start, stop, _ = cells.indices(len(self))
        rows = slice(self.first[start], self.first[stop])
        first = self.first[start : stop + 1] - self.first[start]
        nodes = (self.node[rows], self.weight[rows], self.variance[rows])
        counts = (self.counts[cells], self.known[cells])
        return type(self)(*counts, self.edges, first, *nodes, self.shapes[cells], self.modes[rows])

    def template(self, cell: int) -> tuple[FloatArray, FloatArray]:
        """Generator masses [GeV] and weights of one cell."""
        rows = slice(self.first[cell], self.first[cell + 1])
        return self.node[rows], self.weight[rows]


@dataclass(frozen=True, slots=True)
class CellFits:
    """theta (cells, 4) in the order of PARAMETERS; covariance (cells, 4, 4): from the observed information, which is
    what errors are quoted from, from the expected one, which weights cells, and of the template; status,
    log-likelihood and Pearson chi2 (cells,); share of every mass bin in the fitted curve (cells, bins)."""

    theta: FloatArray
    covariance: FloatArray
    expected_covariance: FloatArray
    template_covariance: FloatArray
    status: IntArray
    log_likelihood: FloatArray
    chi2: FloatArray
    shares: FloatArray

    def __len__(self) -> int:
        return len(self.theta)

    def __getitem__(self, rows: AnyArray) -> Self:
        return type(self)(*(getattr(self, f.name)[rows] for f in fields(self)))

    @classmethod
    def joined(cls, samples: Sequence[Self]) -> Self:
        """The fits of several samples, one after the other. Without `shares`: their mass bins differ."""
        without = [replace(each, shares=np.zeros((len(each), 0))) for each in samples]
        return cls(*(np.concatenate([getattr(each, f.name) for each in without]) for f in fields(cls)))

    @property
    def good(self) -> BoolArray:
        """Which fits (cells,) can be used."""
        return self.status <= FitStatus.NO_BACKGROUND

    @property
    def errors(self) -> FloatArray:
        """Standard deviations (cells, 4) from the entries alone."""
        return np.sqrt(np.diagonal(self.covariance, axis1=1, axis2=2))


def merge_cells(
    masses: CellMasses, generator: GenMasses, merging: Merging, edges: FloatArray, shapes: Shapes
) -> CellData:
    """The fitted cells from the fine ones; `edges`: mass edges (bins + 1,) [GeV]; `shapes`: of the fitted cells.

    Cells without a template must have been dropped before."""
    counts, known = weights.counts(merging.sum(masses.masses), merging.sum(masses.weight2), masses)
    cell = merging.group[generator.key // generator.nodes]
    kept = cell >= 0
    key, inverse = np.unique(cell[kept] * generator.nodes + generator.key[kept] % generator.nodes, return_inverse=True)
    columns = [
        sums(inverse, values[kept], len(key))
        for values in (generator.weight, generator.weight2, generator.size, generator.sized_mass)
    ]
    group, last = weights.node_groups(key // generator.nodes, columns[0])
    key, grouped = key[last], group >= 0
    weight, variance, size, sized_mass = (sums(group[grouped], x[grouped], len(key)) for x in columns)
    first = np.searchsorted(key // generator.nodes, np.arange(merging.count + 1))
    return CellData(counts, known, edges, first, sized_mass / size, weight, variance, shapes)


def merged_to_one(cells: CellData) -> CellData:
    """All cells as one, for start values: counts added, nodes joined on the grid they came from, response Gaussian."""
    place = places(cells.node)
    count = int(place.max()) + 1
    weight, variance, weighted_mass = (
        sums(place, values, count) for values in (cells.weight, cells.variance, cells.weight * cells.node)
    )
    counts, known = (values.sum(axis=0, keepdims=True) for values in (cells.counts, cells.known))
    nodes = (np.array([0, count]), weighted_mass / weight, weight, variance)
    return CellData(counts, known, cells.edges, *nodes, gaussian_shapes(1))


def places(node: FloatArray) -> IntArray:
    """Places (nodes,) of nodes [GeV] on the grid they came from, counted from the lightest, without empty ones."""
    step = np.round(np.log(node) / NODE_SPACING).astype(np.int64)
    step -= step.min()
    return (np.cumsum(np.bincount(step) > 0) - 1)[step]


def fit_cells(cells: CellData, options: FitOptions) -> CellFits:
    """Fit every cell of `cells` in this process."""
    n, four = len(cells), (len(cells), 4, 4)
    result = CellFits(
        theta=np.empty((n, 4)),
        covariance=np.zeros(four),
        expected_covariance=np.zeros(four),
        template_covariance=np.zeros(four),
        status=np.zeros(n, dtype=np.int64),
        log_likelihood=np.empty(n),
        chi2=np.empty(n),
        shares=np.empty(cells.counts.shape),
    )
    nodes, shapes = (cells.first, cells.node, cells.weight, cells.variance, cells.modes), cells.shapes
    response = (shapes.tables, shapes.kappa, shapes.table, shapes.growth)
    spectra = records.Spectra(cells.counts, cells.known, start_values(cells, options), *nodes, *response)
    outputs = records.MassFits(*(getattr(result, f.name) for f in fields(CellFits)))
    kernel.fit_cells(spectra, _plan(cells.edges, options), outputs)
    return result


def start_values(cells: CellData, options: FitOptions) -> FloatArray:
    """Start values (cells, 4): those of the options; mu and sigma moved as the masses of a cell differ from those that
    the options are of."""
    start = np.tile(np.array(options.start) * [1, 1, options.background, 1], (len(cells), 1))
    if options.quartiles is not None:
        middle = (cells.edges[0] + cells.edges[-1]) / 2
        low, median, high = quartiles(cells.counts, cells.edges).T / middle
        of_all = np.array(options.quartiles) / middle
        start[:, 0] += np.clip(median - of_all[1], -start[:, 1], start[:, 1])
        sigma2 = start[:, 1] ** 2
        wider = ((high - low) ** 2 - (of_all[2] - of_all[0]) ** 2) / INTERQUARTILE**2
        start[:, 1] = np.sqrt(np.clip(sigma2 + wider, sigma2 / FARTHER**2, sigma2 * FARTHER**2))
    return start


def quartiles(counts: FloatArray, edges: FloatArray) -> FloatArray:
    """The three quartiles (cells, 3) of histograms (cells, bins), flat within bins; in the unit of the edges."""
    above, rows = np.cumsum(counts, axis=1), np.arange(len(counts))
    places = []
    for share in (0.25, 0.5, 0.75):
        wanted = share * above[:, -1]
        bins = np.minimum((above < wanted[:, None]).sum(axis=1), counts.shape[1] - 1)
        outside = (above[rows, bins] - wanted) / np.maximum(counts[rows, bins], 1e-300)
        places.append(edges[bins + 1] - np.clip(outside, 0, 1) * np.diff(edges)[bins])
    return np.stack(places, axis=1)


def _plan(edges: FloatArray, options: FitOptions) -> records.MassFitPlan:
    steepest = 50 / float(edges[-1] - edges[0])
    return records.MassFitPlan(
        edges,
        KINDS[options.kernel],
        np.array([0.8, 5e-4, 0.0, -steepest]),
        np.array([1.2, 0.3, 1.0, steepest]),
        np.array([True, True, options.background, options.background]),
        np.array(options.slope_prior),
        TOLERANCE,
        MAX_STEPS,
    )


def prepare_options(cells: CellData, options: FitOptions) -> FitOptions:
    """Start values and the constraint of the slope from one fit to all cells together.

    A cell of 400 entries with 3 % background knows nothing of its slope; the constraint, one unit of slope x window
    wide, keeps the Fisher matrix regular and is far wider than slopes differ between cells."""
    whole = merged_to_one(cells)
    theta = fit_cells(whole, options).theta[0]
    plan = _plan(cells.edges, options)
    # without background the slope may run to its limit, where every cell that starts there would be called failed
    slope = float(theta[3]) if plan.low[3] < theta[3] < plan.high[3] else options.start[3]
    start = (float(theta[0]), float(theta[1]), float(min(max(theta[2], 0.01), 0.5)), slope)
    width = float(cells.edges[-1] - cells.edges[0])
    middle = tuple(quartiles(whole.counts, cells.edges)[0].tolist())
    return replace(options, start=start, slope_prior=(slope, 1 / width), quartiles=middle)


Item = TypeVar("Item")
Fitted = TypeVar("Fitted")
Map = Callable[[Callable[[Item], Fitted], Iterable[Item]], Iterable[Fitted]]


@dataclass(frozen=True, slots=True)
class _Batch:
    cells: CellData
    options: FitOptions

    def fit(self) -> CellFits:
        """Fit the cells of the batch."""
        return fit_cells(self.cells, self.options)


def fit_batch(batch: _Batch) -> CellFits:
    """One batch of cells; module-level, so that it can travel to another process."""
    return batch.fit()


def fit_all(cells: CellData, options: FitOptions, run: Map[_Batch, CellFits] = map) -> CellFits:
    """Fit every cell in batches, with `run` in place of `map`. The result does not depend on `run`."""
    options = prepare_options(cells, options)
    batches = [_Batch(cells[start : start + BATCH], options) for start in range(0, len(cells), BATCH)]
    parts = list(run(fit_batch, batches))
    return CellFits(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(CellFits)))
