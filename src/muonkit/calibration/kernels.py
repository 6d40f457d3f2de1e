"""All cells at once: binned maximum likelihood by Fisher scoring, the numba twin of `lineshape`.

Each cell has four parameters theta = (mu, sigma, f, slope). The step is F^-1 g with the expected Fisher matrix F and
the analytic gradient g, halved until the likelihood rises; a background fraction that wants below 0 is held there
together with its slope. Counts may have a part whose expectation is known (`weights`); it is 0 where no weight is below
0."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from muonkit.core.compiled import compiled, leaf, part

MASS, CURVATURE = 0, 1
SERIES_BELOW = 1e-2  # |slope x window|: below, the exponential and its derivative are summed as a series
CONVERGED, NO_BACKGROUND, AT_LIMIT, NOT_CONVERGED, BAD_FISHER, NO_ENTRIES = range(6)
PATIENCE = 12  # steps
STEP = 1e-3  # of a standard deviation
INV_SQRT2 = 0.7071067811865476
INV_SQRT2PI = 0.3989422804014327
FLOOR = 1e-14  # of a bin's probability: where a sum of normal integrals has no digits left
ROOM = 0.5  # of the known part of a bin, down to which a negative background may reach


class MassFitPlan(NamedTuple):
    """What is common to all cells: mass edges, kernel, start, limits, which of the four parameters are fitted,
    constraint (mean, width) of the slope, tolerance in ln L, most steps."""

    edges: npt.NDArray[np.float64]
    kind: int
    start: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    fitted: npt.NDArray[np.bool_]
    prior: npt.NDArray[np.float64]
    tolerance: float
    max_steps: int


class Spectra(NamedTuple):
    """All cells: counts (cells, bins), and the part of them whose expectation is known; masses (nodes,) of the template
    [GeV], their weights and variances; the nodes of cell c are first[c] : first[c + 1]."""

    counts: npt.NDArray[np.float64]
    known: npt.NDArray[np.float64]
    first: npt.NDArray[np.int64]
    nodes: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]
    variances: npt.NDArray[np.float64]


class MassFits(NamedTuple):
    """What is written: theta (cells, 4), its covariance (cells, 4, 4) from the observed and from the expected
    information and that of the finite template; status, ln L and Pearson's chi2 (cells,)."""

    theta: npt.NDArray[np.float64]
    observed: npt.NDArray[np.float64]
    expected: npt.NDArray[np.float64]
    template: npt.NDArray[np.float64]
    status: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]
    chi2: npt.NDArray[np.float64]


class Cell(NamedTuple):
    """One cell: counts (bins,) and their known part (bins,); node, weight, variance (nodes,)."""

    counts: npt.NDArray[np.float64]
    known: npt.NDArray[np.float64]
    node: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    variance: npt.NDArray[np.float64]


class Density(NamedTuple):
    """Probability of every bin (bins,) and its derivatives by theta (bins, 4)."""

    p: npt.NDArray[np.float64]
    dp: npt.NDArray[np.float64]


class EdgeSums(NamedTuple):
    """Sums over nodes at every edge (bins + 1,): of weight x Phi, and of its derivatives by mu and sigma."""

    cdf: npt.NDArray[np.float64]
    d_mu: npt.NDArray[np.float64]
    d_sigma: npt.NDArray[np.float64]


@leaf
def add_node(edges, node, weight, mu, sigma, kind, sums):
    """Add weight x Phi(z) of one node, and its derivatives, at every edge."""
    for i in range(edges.size):
        if kind == MASS:
            z = (edges[i] / node - mu) / sigma
            z_mu, z_sigma = -1 / sigma, -z / sigma
        else:
            ratio = node / edges[i]
            z = (1 - 0.5 * sigma * sigma - mu * ratio) / sigma
            z_mu, z_sigma = -ratio / sigma, -1 - z / sigma
        if z < -9.0:
            continue
        if z > 9.0:
            sums.cdf[i] += weight
            continue
        sums.cdf[i] += weight * 0.5 * math.erfc(-z * INV_SQRT2)
        phi = weight * INV_SQRT2PI * math.exp(-0.5 * z * z)
        sums.d_mu[i] += phi * z_mu
        sums.d_sigma[i] += phi * z_sigma


@leaf
def exponential(x, t):
    """(e^(t x) - 1)/(e^t - 1) and its derivative with respect to t."""
    if abs(t) < SERIES_BELOW:
        y = x * (x - 1)
        value = x + t * y / 2 + t * t * y * (2 * x - 1) / 12 + t**3 * y * y / 24
        return value, y / 2 + t * y * (2 * x - 1) / 6 + t * t * y * y / 8
    ex, e1 = math.exp(t * x), math.exp(t)
    value = (ex - 1) / (e1 - 1)
    return value, (x * ex - value * e1) / (e1 - 1)


@part
def probabilities(theta, edges, node, weight, kind, p, dp):
    """Fill p (bins,) and dp (bins, 4); returns the signal's share of the window."""
    bins = edges.size - 1
    cdf, d_mu, d_sigma = np.zeros(bins + 1), np.zeros(bins + 1), np.zeros(bins + 1)
    sums = EdgeSums(cdf, d_mu, d_sigma)
    for j in range(node.size):
        add_node(edges, node[j], weight[j], theta[0], theta[1], kind, sums)
    total = cdf[bins] - cdf[0]
    t_mu, t_sigma = d_mu[bins] - d_mu[0], d_sigma[bins] - d_sigma[0]
    width = edges[bins] - edges[0]
    f, t = theta[2], theta[3] * width
    below, d_below = 0.0, 0.0
    for i in range(bins):
        signal = (cdf[i + 1] - cdf[i]) / total
        value, derivative = exponential((edges[i + 1] - edges[0]) / width, t)
        background, d_background = value - below, derivative - d_below
        below, d_below = value, derivative
        p[i] = f * background + (1 - f) * signal
        dp[i, 0] = (1 - f) * (d_mu[i + 1] - d_mu[i] - signal * t_mu) / total
        dp[i, 1] = (1 - f) * (d_sigma[i + 1] - d_sigma[i] - signal * t_sigma) / total
        dp[i, 2] = background - signal
        dp[i, 3] = f * width * d_background
    return total


@leaf
def add_known(cell, p, dp):
    """From the probabilities of the fitted part to those of all counts."""
    total, known = cell.counts.sum(), cell.known.sum()
    share = 1 - known / total
    for i in range(p.size):
        p[i] = share * p[i] + cell.known[i] / total
        for a in range(4):
            dp[i, a] *= share


@part
def evaluate(cell, plan, theta, density):
    """Fill the probability of every bin of a cell, and its derivatives."""
    probabilities(theta, plan.edges, cell.node, cell.weight, plan.kind, density.p, density.dp)
    add_known(cell, density.p, density.dp)


@leaf
def log_likelihood(count, p, theta, prior):
    """Sum of n ln p with the Gaussian constraint of the slope: prior = (mean, width)."""
    value = -0.5 * ((theta[3] - prior[0]) / prior[1]) ** 2
    for i in range(count.size):
        if count[i] != 0:
            value += count[i] * math.log(max(p[i], FLOOR))
    return value


@leaf
def score_and_fisher(count, p, dp, theta, prior, empirical, score, fisher):
    """Gradient of the log-likelihood and Fisher matrix, expected or (empirical) summed over the entries.

    A bin that expects less than half an entry in the whole cell does not count fully in the Fisher matrix: with f at 0
    the empty side bands would claim to know f without error, and steps in f would shrink with it."""
    total = count.sum()
    least = 0.5 / (total * count.size)
    score[:] = 0.0
    fisher[:, :] = 0.0
    for i in range(count.size):
        q = max(p[i], FLOOR)
        weight = max(count[i], 0.0) / (q * q) if empirical else total / max(q, least)
        for a in range(4):
            score[a] += count[i] / q * dp[i, a]
            for b in range(a + 1):
                fisher[a, b] += weight * dp[i, a] * dp[i, b]
    score[3] -= (theta[3] - prior[0]) / prior[1] ** 2
    fisher[3, 3] += 1 / prior[1] ** 2
    for a in range(4):
        for b in range(a):
            fisher[b, a] = fisher[a, b]


@part
def invert_free(matrix, free, inverse):
    """Inverse of the rows and columns that are free (Gauss-Jordan after scaling to a unit diagonal); 0 elsewhere."""
    n = 4
    work = np.zeros((n, n))
    root = np.ones(n)
    for a in range(n):
        if free[a]:
            if not matrix[a, a] > 0:
                return False
            root[a] = math.sqrt(matrix[a, a])
    for a in range(n):
        for b in range(n):
            if free[a] and free[b]:
                work[a, b] = matrix[a, b] / (root[a] * root[b])
        inverse[a, :] = 0.0
        inverse[a, a] = 1.0
        if not free[a]:
            work[a, a] = 1.0
    for a in range(n):
        pivot = work[a, a]
        if not pivot > 1e-12:
            return False
        for b in range(n):
            work[a, b] /= pivot
            inverse[a, b] /= pivot
        for c in range(n):
            if c != a:
                factor = work[c, a]
                for b in range(n):
                    work[c, b] -= factor * work[a, b]
                    inverse[c, b] -= factor * inverse[a, b]
    for a in range(n):
        for b in range(n):
            inverse[a, b] = inverse[a, b] / (root[a] * root[b]) if free[a] and free[b] else 0.0
    return True


@part
def observed_covariance(cell, plan, theta, free, expected, density, out):
    """Inverse of the observed information, from differences of the analytic gradient; the expected one if it fails.

    Errors are quoted from it: at 500 entries it differs from the expected one by up to a tenth."""
    score, shifted, unused = np.empty(4), np.empty(4), np.empty((4, 4))
    information = np.zeros((4, 4))
    evaluate(cell, plan, theta, density)
    score_and_fisher(cell.counts, density.p, density.dp, theta, plan.prior, False, score, unused)
    for a in range(4):
        if free[a]:
            moved = theta.copy()
            step = STEP * math.sqrt(expected[a, a])
            moved[a] += step
            evaluate(cell, plan, moved, density)
            score_and_fisher(cell.counts, density.p, density.dp, moved, plan.prior, False, shifted, unused)
            for b in range(4):
                information[a, b] = (score[b] - shifted[b]) / step
    information = 0.5 * (information + information.T)
    if not invert_free(information, free, out):
        out[:, :] = expected


@part
def template_covariance(cell, plan, theta, covariance, density, out):
    """Covariance of theta that comes from the finite statistics of the nodes.

    d theta = -F^-1 N sum_i (d_theta p_i / p_i) d p_i, with d p_i / d w_j = (1 - f)(G_ij - s_i T_j)/S."""
    edges, kind = plan.edges, plan.kind
    bins = edges.size - 1
    signal, zeros = np.zeros(bins + 1), np.zeros(bins + 1)
    for j in range(cell.node.size):
        add_node(edges, cell.node[j], cell.weight[j], theta[0], theta[1], kind, EdgeSums(signal, zeros, zeros))
    total = signal[bins] - signal[0]
    n = cell.counts.sum() - cell.known.sum()
    pull, shift = np.zeros(4), np.zeros(4)
    out[:, :] = 0.0
    for j in range(cell.node.size):
        cdf = np.zeros(bins + 1)
        add_node(edges, cell.node[j], 1.0, theta[0], theta[1], kind, EdgeSums(cdf, zeros, zeros))
        share = cdf[bins] - cdf[0]
        pull[:] = 0.0
        for i in range(bins):
            s = (signal[i + 1] - signal[i]) / total
            change = (1 - theta[2]) * (cdf[i + 1] - cdf[i] - s * share) / total
            for a in range(4):
                pull[a] -= n * density.dp[i, a] / max(density.p[i], FLOOR) * change
        for a in range(4):
            shift[a] = 0.0
            for b in range(4):
                shift[a] += covariance[a, b] * pull[b]
        for a in range(4):
            for b in range(4):
                out[a, b] += cell.variance[j] * shift[a] * shift[b]


@part
def add_normalisation(cell, density, covariance, out):
    """Add to `out` the covariance of theta from taking counts less known ones as the number of fitted entries.

    That number is wrong by sqrt(sum of counts). It shifts the score by sum_i dp_i p_i/q_i, q the probabilities of all
    counts; as the dp_i add up to 0, this is -sum_i dp_i known_i/q_i over the number of entries."""
    total = cell.counts.sum()
    entries = total - cell.known.sum()
    pull, shift = np.zeros(4), np.zeros(4)
    for i in range(cell.counts.size):
        for a in range(4):
            pull[a] -= density.dp[i, a] * cell.known[i] / max(density.p[i], FLOOR) / entries
    for a in range(4):
        for b in range(4):
            shift[a] += covariance[a, b] * pull[b]
    for a in range(4):
        for b in range(4):
            out[a, b] += total * shift[a] * shift[b]


@part
def bounded_step(theta, step, low, high):
    """theta + step, kept inside the limits; sigma at most halves."""
    moved = np.empty(4)
    for a in range(4):
        moved[a] = min(max(theta[a] + step[a], low[a]), high[a])
    moved[1] = max(moved[1], 0.5 * theta[1])
    return moved


@leaf
def free_parameters(theta, score, low, high, fitted, free):
    """A parameter at a limit that pushes outwards is held; without background its slope has no meaning."""
    for a in range(4):
        outwards = (theta[a] <= low[a] and score[a] < 0) or (theta[a] >= high[a] and score[a] > 0)
        free[a] = fitted[a] and not outwards
    if theta[2] <= low[2]:
        free[3] = False


@leaf
def verdict(theta, low, high, fitted):
    """Status of a fit that has come to rest."""
    for a in (0, 1, 3):
        if theta[a] <= low[a] or theta[a] >= high[a]:
            return AT_LIMIT
    return NO_BACKGROUND if fitted[2] and theta[2] <= low[2] else CONVERGED


@part
def climb(cell, plan, start, theta, free, expected, density):
    """Fisher scoring from `start`; fills theta (4,), free (4,), expected (4, 4). Returns (status, ln L)."""
    score, fisher, step = np.empty(4), np.empty((4, 4)), np.empty(4)
    theta[:] = start
    evaluate(cell, plan, theta, density)
    value = log_likelihood(cell.counts, density.p, theta, plan.prior)
    for steps in range(plan.max_steps):
        # a few per mille of background make the expected matrix a poor guide; the entries themselves are a better one
        empirical = steps > PATIENCE and steps % 4 != 3
        score_and_fisher(cell.counts, density.p, density.dp, theta, plan.prior, empirical, score, fisher)
        free_parameters(theta, score, plan.low, plan.high, plan.fitted, free)
        if not invert_free(fisher, free, expected):
            return BAD_FISHER, value
        distance = 0.0
        for a in range(4):
            step[a] = 0.0
            for b in range(4):
                step[a] += expected[a, b] * score[b]
            distance += step[a] * score[a] * free[a]
        if distance < 2 * plan.tolerance and not empirical:
            return verdict(theta, plan.low, plan.high, plan.fitted), value
        rose = False
        for _ in range(12):
            moved = bounded_step(theta, step, plan.low, plan.high)
            evaluate(cell, plan, moved, density)
            new = log_likelihood(cell.counts, density.p, moved, plan.prior)
            if new >= value - 1e-12 * abs(value):
                rose = True
                break
            step *= 0.5
        if not rose:
            return NOT_CONVERGED, value
        theta[:] = moved
        value = new
    return NOT_CONVERGED, value


@part
def cell_of(spectra, c):
    """Cell number c."""
    i, j = spectra.first[c], spectra.first[c + 1]
    return Cell(spectra.counts[c], spectra.known[c], spectra.nodes[i:j], spectra.weights[i:j], spectra.variances[i:j])


@part
def with_room(plan, cell):
    """The plan of one cell: its background fraction may be below 0 as far as known counts stand against it."""
    low = plan.low.copy()
    entries = cell.counts.sum() - cell.known.sum()
    if plan.fitted[2]:
        low[2] = low[2] - ROOM * cell.known.min() * cell.known.size / entries
    return MassFitPlan(
        plan.edges, plan.kind, plan.start, low, plan.high, plan.fitted, plan.prior, plan.tolerance, plan.max_steps
    )


@leaf
def pearson_chi2(count, p):
    """Sum of (n - N p)^2/(N p)."""
    total, chi2 = count.sum(), 0.0
    for i in range(count.size):
        chi2 += (count[i] - total * p[i]) ** 2 / max(total * p[i], FLOOR)
    return chi2


@part
def fit_cell(cell, plan, c, density, fits):
    """Fit one cell; results are written into row `c` of `fits`."""
    theta, expected, free = fits.theta[c], fits.expected[c], np.ones(4, dtype=np.bool_)
    fits.status[c], fits.value[c] = climb(cell, plan, plan.start, theta, free, expected, density)
    if fits.status[c] == NOT_CONVERGED:  # mostly a creep along the valley of f and slope towards no background
        start = np.array([theta[0], theta[1], 0.0, plan.prior[0]])
        fits.status[c], fits.value[c] = climb(cell, plan, start, theta, free, expected, density)
    observed_covariance(cell, plan, theta, free, expected, density, fits.observed[c])
    evaluate(cell, plan, theta, density)
    template_covariance(cell, plan, theta, expected, density, fits.template[c])
    inverse = expected.copy()
    for covariance in (fits.observed[c], fits.expected[c]):
        add_normalisation(cell, density, inverse, covariance)
    fits.chi2[c] = pearson_chi2(cell.counts, density.p)


@compiled
def fit_cells(spectra, plan, fits):
    """Fit every cell; results are written into `fits`. A cell without entries, or without a template, keeps the start
    values."""
    bins = plan.edges.size - 1
    density = Density(np.empty(bins), np.empty((bins, 4)))
    for c in range(spectra.counts.shape[0]):
        cell = cell_of(spectra, c)
        if cell.counts.sum() - cell.known.sum() > 0 and cell.node.size > 0:
            fit_cell(cell, with_room(plan, cell), c, density, fits)
        else:
            fits.theta[c, :] = plan.start
            fits.status[c], fits.value[c], fits.chi2[c] = NO_ENTRIES, 0.0, 0.0
