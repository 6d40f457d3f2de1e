"""All parameters at once from the likelihood of every pair, `fit.method = "unbinned"`.

    ln mu = sum w ln(1 + A - e k + q M/k),   sigma^2 = sum w^2 (a^2 + c^2 pT^2) + angular share

of every pair; the sums are over its two muons, w = d ln m/d ln pT. A region is a fitted cell: it gives the template,
the response and the flux of migration, but no parameter. k is that at the mean mass of the region, k m/<m>: a k that
is not scaled is correlated with the mass. Neighbouring regions share a background (f, slope). a and c are always
fitted. The fit starts from that of the cells.

Regions against parameters: if the parameters describe a region, the scores of its own ln mu and ln sigma are 0 within
their errors (Rao's test). The chi2 of all of them has the meaning of that of the cells."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from muonkit.calibration.accumulate import KeptPairs
from muonkit.calibration.binning import Merging, runs
from muonkit.calibration.cells import Cells
from muonkit.calibration.extract import Extraction, Rules, inverse_information, migration, rough_resolution
from muonkit.calibration.kernels import pairs as kernel
from muonkit.calibration.kernels.records import INTERVALS, TILTS
from muonkit.calibration.massfit import CellData, CellFits
from muonkit.calibration.pair_likelihood import Evaluation, PairLikelihood
from muonkit.calibration.parameters import ParameterLayout
from muonkit.calibration.resolution import Resolution, variance
from muonkit.core.arrays import BoolArray, FloatArray, IntArray, sums
from muonkit.core.errors import InputError

BACKGROUND_ENTRIES = 3000  # of a background, at least
MOST_BACKGROUNDS = 100
WEAK = {"a": 0.05, "c": 1e-3}  # constraint of a resolution that is not asked for: wider than any that is measured
FINER = 0.8  # of the smallest sigma of a region: what its template is compressed for
TOLERANCE = 1e-3  # gradient in standard deviations
MOST_DISTANCE = 1e-2  # to the minimum in ln L, of a fit that is good
LIMIT = 1e-3  # in standard deviations: a resolution parameter that is closer to 0 is 0
TESTED = 20  # pairs of a region whose scores are tested
FEWEST = 1e-3  # background fraction that a fit starts from


@dataclass(frozen=True, slots=True)
class BinnedFit:
    """The fit of the cells, where the unbinned one starts: cells, their mass fits, what they are of, parameters."""

    cells: Cells
    data: CellData
    fits: CellFits
    extraction: Extraction


@dataclass(frozen=True, slots=True)
class Options:
    """rules: of the extraction, as for cells; background: whether there is one; threads that work at a time."""

    rules: Rules
    background: bool = True
    threads: int = 1


def extract(start: BinnedFit, kept: KeptPairs, merging: Merging, options: Options) -> Extraction:
    """Fit the parameters of `start` to the pairs in its cells.

    Raises InputError for weights below 0 and for a fit that does not converge, NotFixedError when the data leave a
    direction open."""
    if np.any(kept.weight < 0):
        raise InputError('fit.method: "unbinned" takes no weights below 0; use "cells", or leave such pairs out')
    likelihood, first = prepare(start, kept[kept.weight > 0], merging, options)
    with threadpool_limits(1, "blas"):
        return _summarised(start, likelihood, minimised(likelihood, first), options.rules)


def prepare(start: BinnedFit, kept: KeptPairs, merging: Merging, options: Options) -> tuple[PairLikelihood, FloatArray]:
    """The likelihood of the pairs, and the vector (p,) at which it starts."""
    found, cells, fits = start.extraction, start.cells, start.fits
    good = fits.good & (cells.entries > 0)
    rough = rough_resolution(cells[good], fits[good], found.layout.bins)
    group = merging.group[kept.cell]
    order = np.argsort(group, kind="stable")[np.count_nonzero(group < 0) :]
    by_migration = migration(cells, rough.at(cells.bin_plus), rough.at(cells.bin_minus))
    pairs = _pairs(kept[order], group[order], cells, by_migration if options.rules.migration else 0 * by_migration)
    background = _backgrounds(cells.entries) if options.background else np.zeros(len(cells), dtype=np.int64)
    layout = _with_resolution(found.layout)
    window = (float(start.data.edges[0]), float(start.data.edges[-1]))
    slope = float(np.average(fits.theta[good, 3], weights=cells.entries[good])) * (window[1] - window[0])
    likelihood = PairLikelihood(
        pairs,
        _regions(start, pairs, rough, background),
        layout,
        int(background.max()) + 1 if options.background else 0,
        slope,
        _priors(layout, found.layout, rough, options.rules),
        window,
        options.threads,
    )
    fraction = _averages(np.where(good, fits.theta[:, 2], 0), cells.entries, background)
    phi = np.sqrt(np.clip(fraction, FEWEST, 0.9))
    tail = np.concatenate([phi, np.full(len(phi), slope)]) if options.background else np.zeros(0)
    return likelihood, np.concatenate([_values(layout, found, rough), tail])


def _with_resolution(layout: ParameterLayout) -> ParameterLayout:
    """The layout with a and c."""
    added = tuple(name for name in ("a", "c") if name not in layout.fitted)
    return ParameterLayout((*layout.fitted, *added), layout.bins)


def _values(layout: ParameterLayout, found: Extraction, rough: Resolution) -> FloatArray:
    """Where the parameters start: at those of the cells, and off the limit of a and c, where their slope is 0."""
    begin = {"a": np.maximum(rough.a, 1e-3), "c": np.maximum(rough.c, 1e-5)}
    return np.concatenate(
        [begin[name] if name in begin else found.layout.of(found.vector, name) for name in layout.fitted]
    )


def _priors(
    layout: ParameterLayout, asked: ParameterLayout, rough: Resolution, rules: Rules
) -> dict[str, tuple[FloatArray, float]]:
    """The constraints: those of the configuration, and weak ones of a resolution that is not asked for."""
    weak = {name: (getattr(rough, name), WEAK[name]) for name in layout.fitted if name not in asked.fitted}
    given = {name: (np.full(layout.bins, value), width) for name, (value, width) in rules.priors.items()}
    return weak | {name: prior for name, prior in given.items() if name in layout.fitted}


def _averages(values: FloatArray, weights: FloatArray, group: IntArray) -> FloatArray:
    """Weighted means (groups,) of values (n,)."""
    count = int(group.max()) + 1
    mean: FloatArray = sums(group, values * weights, count) / np.maximum(sums(group, weights, count), 1e-300)
    return mean


def _backgrounds(entries: FloatArray) -> IntArray:
    """Number of the background of every region (regions,): neighbours share one until it has enough entries."""
    background = np.zeros(len(entries), dtype=np.int64)
    least = max(BACKGROUND_ENTRIES, entries.sum() / MOST_BACKGROUNDS)
    for number, run in enumerate(runs(entries, least)):
        background[run] = number
    return background


def _pairs(kept: KeptPairs, group: IntArray, cells: Cells, shift: FloatArray) -> kernel.Pairs:
    """The pairs of all regions, in the order of their regions `group` (n,), as the kernel sees them; `shift` (regions,)
    of ln m by migration."""
    regions = len(cells)
    first = np.searchsorted(group, np.arange(regions + 1))
    mean = sums(group, kept.weight * kept.mass, regions) / np.maximum(sums(group, kept.weight, regions), 1e-300)
    scaled = mean[group] / kept.mass
    pt = kept.plus_pt * scaled, kept.minus_pt * scaled
    weight = kept.weight * (kept.weight.sum() / (kept.weight @ kept.weight))
    responses = kept.plus_response, kept.minus_response
    return kernel.Pairs(first, kept.mass, 1 / pt[0], 1 / pt[1], *responses, shift[group], weight)


def _regions(start: BinnedFit, pairs: kernel.Pairs, rough: Resolution, background: IntArray) -> kernel.Regions:
    """The regions as the kernel sees them, with templates as fine as their pairs of best resolution need."""
    cells, data = start.cells, start.data
    region = np.repeat(np.arange(len(cells)), np.diff(pairs.first))
    sigma2 = np.full(len(cells), np.inf)
    plus = pairs.response_plus**2 * variance(pairs.k_plus**-2, rough.at(cells.bin_plus[region]))
    minus = pairs.response_minus**2 * variance(pairs.k_minus**-2, rough.at(cells.bin_minus[region]))
    np.minimum.at(sigma2, region, plus + minus + cells.angular[region])
    finest = FINER * np.sqrt(np.where(np.isfinite(sigma2), sigma2, 1e-4))
    template = kernel.Template(data.first, data.node, data.weight, data.variance, np.zeros((0, TILTS)))
    first, room = np.empty(len(cells) + 1, dtype=np.int64), 2 * (len(data.node) + len(cells))
    mass, weight = np.empty(room), np.empty(room)
    kernel.compress_regions(template, finest, first, mass, weight)
    nodes = slice(0, first[-1])
    of_node = np.repeat(np.arange(len(cells)), np.diff(first))
    width = (mass[nodes] / _averages(mass[nodes], weight[nodes], of_node)[of_node]) ** data.shapes.growth[of_node]
    return kernel.Regions(
        first, mass[nodes].copy(), weight[nodes].copy(), width, smooth(data.shapes.tables), data.shapes.table,
        data.shapes.kappa[data.shapes.table], cells.angular, cells.bin_plus, cells.bin_minus, background,
    )  # fmt: skip


def smooth(tables: FloatArray) -> FloatArray:
    """Tables (tables, INTERVALS, 5) of F from those of cubic polynomials (tables, INTERVALS, 4): the density is a cubic
    spline through its values, so that its first two derivatives are continuous."""
    last = tables[:, -1:, 1] + 2 * tables[:, -1:, 2] + 3 * tables[:, -1:, 3]
    density = np.concatenate([tables[:, :, 1], last], axis=1)
    cubic = CubicSpline(np.arange(INTERVALS + 1), density, axis=1, bc_type="clamped").c  # (4, INTERVALS, tables)
    quartic = np.stack([cubic[3 - i].T / (i + 1) for i in range(4)], axis=-1)
    below = np.cumsum(quartic.sum(axis=-1), axis=1)
    begin = np.concatenate([np.zeros((len(tables), 1)), below[:, :-1]], axis=1)
    return np.ascontiguousarray(np.concatenate([begin[:, :, None], quartic], axis=-1))


class _Memory:
    """The likelihood in units of its standard deviations at the start; the last evaluation is kept."""

    def __init__(self, likelihood: PairLikelihood, start: FloatArray) -> None:
        self.likelihood, self.start = likelihood, start
        self.last: tuple[FloatArray, Evaluation] = (start, likelihood(start))
        diagonal = np.abs(np.diagonal(self.last[1].hessian))
        self.unit = 1 / np.sqrt(np.maximum(diagonal, 1e-300))

    def at(self, x: FloatArray) -> Evaluation:
        """The likelihood at start + x unit."""
        vector = self.start + x * self.unit
        if not np.array_equal(vector, self.last[0]):
            self.last = (vector, self.likelihood(vector))
        return self.last[1]


def minimised(likelihood: PairLikelihood, start: FloatArray) -> FloatArray:
    """The vector (p,) at the minimum of -ln L. Raises InputError if it is not found."""
    memory = _Memory(likelihood, start)
    unit = memory.unit
    fit = minimize(
        lambda x: memory.at(x).value_or_infinity,
        np.zeros(len(start)),
        method="trust-exact",
        jac=lambda x: memory.at(x).gradient * unit,
        hess=lambda x: memory.at(x).hessian * np.outer(unit, unit),
        options={"gtol": TOLERANCE, "initial_trust_radius": 10.0, "max_trust_radius": 1000.0, "maxiter": 100},
    )
    last = memory.at(fit.x)
    distance = last.gradient @ np.linalg.solve(last.hessian, last.gradient) / 2
    if not 0 <= distance < MOST_DISTANCE:
        raise InputError(
            f"fit.method: the unbinned fit does not converge ({fit.message} ln L is {distance:.2g} from its maximum); "
            'use "cells", fewer parameters or wider eta bins'
        )
    return start + fit.x * unit


def _summarised(start: BinnedFit, likelihood: PairLikelihood, vector: FloatArray, rules: Rules) -> Extraction:
    """The minimum as an extraction, without residuals of cells."""
    found, last, inner = start.extraction, likelihood(vector), likelihood.layout
    layout = found.layout
    asked = np.array([inner.names.index(name) for name in layout.names])
    limited = _at_limit(inner, vector, last)
    free = np.flatnonzero(~limited)
    to_parameters = _responses(last.hessian, asked, free, layout, limited[asked])
    covariance = _covariance(start, last, likelihood.pairs.weight, to_parameters, rules)
    tested, chi2, pulls, explained = _region_tests(last, likelihood.pairs, free)
    values = np.where(limited, 0.0, vector)
    for name in ("a", "c"):  # their sign has no meaning
        inner.of(values, name)[:] = np.abs(inner.of(values, name))
    return replace(
        found,
        vector=values[asked],
        covariance=covariance,
        chi2=float(chi2.sum()),
        ndf=max(2 * int(tested.sum()) - round(explained), 0),
        pulls=pulls,
        used=tested,
        at_limit=tuple(np.array(layout.names)[limited[asked]]),
        cell_chi2=chi2,
        residuals=np.zeros(0),
        jacobian=csr_array((0, len(asked))),
        unbinned=True,
        widths=None,
    )


def _at_limit(inner: ParameterLayout, vector: FloatArray, last: Evaluation) -> BoolArray:
    """Which elements (p,) of the vector are a resolution parameter that is 0."""
    resolution = np.zeros(len(vector))
    for name in ("a", "c"):
        inner.of(resolution, name)[:] = 1
    return (resolution == 1) & (vector**2 * np.abs(np.diagonal(last.hessian)) < LIMIT**2)


def _responses(
    hessian: FloatArray, asked: IntArray, free: IntArray, layout: ParameterLayout, limited: BoolArray
) -> FloatArray:
    """Rows of the inverse of the second derivatives (p, p): of those parameters that are `asked` for (asked, p)."""
    mine = np.intersect1d(asked, free)
    others = np.setdiff1d(free, mine)
    crossed = np.linalg.solve(hessian[np.ix_(others, others)], hessian[np.ix_(others, mine)])
    information = hessian[np.ix_(mine, mine)] - hessian[np.ix_(mine, others)] @ crossed
    inverse = inverse_information(information, layout, limited)
    rows = np.zeros((len(asked), len(hessian)))
    rows[:, mine] = inverse[:, ~limited]
    rows[:, others] = -inverse[:, ~limited] @ crossed.T
    return rows


def _covariance(
    start: BinnedFit, last: Evaluation, weight: FloatArray, to_parameters: FloatArray, rules: Rules
) -> FloatArray:
    """Covariance (asked, asked): from the second derivatives, with the spread of the scores where weights differ, and
    from the statistics of the template, by what it adds to ln mu and ln sigma of the regions."""
    spread = last.squares if np.ptp(weight) > 1e-9 else last.hessian
    covariance = to_parameters @ spread @ to_parameters.T
    if rules.template_errors:
        theta = start.fits.theta[:, :2]
        of_template = start.fits.template_covariance[:, :2, :2] / (theta[:, :, None] * theta[:, None, :])
        of_template[~start.fits.good] = 0
        moved = last.crossed @ to_parameters.T  # by ln mu and ln sigma of a region (regions, 2, asked)
        covariance = covariance + np.einsum("rip,rij,rjq->pq", moved, of_template, moved, optimize=True)
    return (covariance + covariance.T) / 2


def _region_tests(
    last: Evaluation, pairs: kernel.Pairs, free: IntArray
) -> tuple[BoolArray, FloatArray, FloatArray, float]:
    """Which regions (regions,) are tested, chi2 of their scores and pulls of their ln mu (tested,), and how much of the
    chi2 the parameters are expected to explain."""
    tested = np.diff(pairs.first) >= TESTED
    scores, crossed = last.scores[tested], last.crossed[tested][:, :, free]
    inverse = np.linalg.inv(last.score_squares[tested])
    moved = np.einsum("rij,rj->ri", inverse, scores)
    fitted = np.einsum("rip,rij,rjq->pq", crossed, inverse, crossed, optimize=True)
    explained = float(np.trace(np.linalg.solve(last.hessian[np.ix_(free, free)], fitted)))
    return tested, np.einsum("ri,ri->r", moved, scores), moved[:, 0] / np.sqrt(inverse[:, 0, 0]), explained
