"""The mass fits of all cells."""

import numpy as np

from muonkit.calibration.kernels.climb import climb
from muonkit.calibration.kernels.density import evaluate, look_up
from muonkit.calibration.kernels.nodes import compress
from muonkit.calibration.kernels.records import (
    CURVATURE,
    END,
    FLOOR,
    FRACTION,
    NO_ENTRIES,
    NOT_CONVERGED,
    SIGMA,
    TILTS,
    Cell,
    Density,
    MassFitPlan,
    Nodes,
)
from muonkit.core.compiled import compiled, leaf, part

ROOM = 0.5  # of the known part of a bin, down to which a negative background may reach


@compiled
def fit_cells(spectra, plan, fits):
    """Fit every cell; results are written into `fits`. A cell without entries, or without a template, keeps the start
    values."""
    bins = plan.edges.size - 1
    density, nodes, free = new_density(bins), new_nodes(spectra), np.ones(4, dtype=np.bool_)
    for c in range(spectra.counts.shape[0]):
        cell = cell_of(spectra, c)
        if cell.counts.sum() - cell.known.sum() > 0 and cell.mean > 0:
            own = with_room(plan, cell)
            fit_cell(cell, spectra, c, nodes, own, fits, free, density)
            summarise(cell, nodes, own, c, density, fits)
        else:
            fits.theta[c, :] = spectra.start[c]
            fits.status[c], fits.value[c], fits.chi2[c] = NO_ENTRIES, 0.0, 0.0
            fits.shares[c, :] = 0.0


@part
def summarise(cell, nodes, plan, c, density, fits):
    """chi2 and shares, and what the template and the number of entries add to the errors. `density` and `nodes` are
    those of the last evaluation: a last step of a few thousandths of a standard deviation came after it."""
    theta, expected = fits.theta[c], fits.expected[c].copy()
    if fits.status[c] == NOT_CONVERGED:  # the last evaluation was a step that was refused
        evaluate(theta, cell, nodes, plan, density)
    template_covariance(cell, nodes, plan, theta, expected, density, fits.template[c])
    for covariance in (fits.observed[c], fits.expected[c]):
        add_normalisation(cell, density, expected, covariance)
    fits.chi2[c] = pearson_chi2(cell.counts, density.p)
    fits.shares[c] = density.p


@part
def with_room(plan, cell):
    """The plan of one cell: its background fraction may be below 0 as far as known counts stand against it."""
    low = plan.low.copy()
    entries = cell.counts.sum() - cell.known.sum()
    if plan.fitted[FRACTION]:
        low[FRACTION] = low[FRACTION] - ROOM * cell.known.min() * cell.known.size / entries
    return MassFitPlan(plan.edges, plan.kind, low, plan.high, plan.fitted, plan.prior, plan.tolerance, plan.max_steps)


@part
def new_density(bins):
    """Room for the density of a cell."""
    first, second = np.empty((bins, 4)), np.empty((bins, 5))
    return Density(np.empty(bins), first, second, np.empty((bins + 1, 6)), np.empty((bins + 1, 3)))


@part
def new_nodes(spectra):
    """Room for the template of any cell."""
    most = 2 * np.diff(spectra.first).max() + 2
    parts, modes = np.empty((6, most)), np.zeros((most, TILTS))
    return Nodes(np.zeros(1, dtype=np.int64), parts[0], parts[1], parts[2], modes, parts[3], parts[4], parts[5])


@part
def cell_of(spectra, c):
    """Cell number c."""
    begin, end = spectra.first[c], spectra.first[c + 1]
    weight, mean = 0.0, 0.0
    for j in range(begin, end):
        weight += spectra.weights[j]
        mean += spectra.weights[j] * spectra.nodes[j]
    i = spectra.table[c]
    mean = mean / weight if weight > 0 else 0.0
    return Cell(spectra.counts[c], spectra.known[c], spectra.tables[i], spectra.kappa[i], spectra.growth[c], mean)


@part
def fit_cell(cell, spectra, c, nodes, plan, fits, free, density):
    """Fit with nodes for the resolution expected, once more where it is found to be much better."""
    theta, start = fits.theta[c], spectra.start[c].copy()
    sigma = start[SIGMA]
    for _ in range(4):
        compress(spectra, spectra.first[c], spectra.first[c + 1], sigma, nodes)
        fits.status[c], fits.value[c] = climb(
            cell, nodes, plan, start, theta, free, fits.expected[c], fits.observed[c], density
        )
        if fits.status[c] == NOT_CONVERGED:  # mostly a creep along the valley of f and slope towards no background
            start[:] = theta
            start[FRACTION], start[3] = 0.0, plan.prior[0]
            fits.status[c], fits.value[c] = climb(
                cell, nodes, plan, start, theta, free, fits.expected[c], fits.observed[c], density
            )
        if theta[SIGMA] > 0.9 * sigma:
            return
        sigma = theta[SIGMA]
        start[:] = theta


@leaf
def pearson_chi2(count, p):
    """Sum of (n - N p)^2/(N p)."""
    total, chi2 = count.sum(), 0.0
    for i in range(count.size):
        chi2 += (count[i] - total * p[i]) ** 2 / max(total * p[i], FLOOR)
    return chi2


@part
def template_covariance(cell, nodes, plan, theta, covariance, density, out):
    """Covariance of theta that comes from the finite statistics of the nodes.

    d theta = -F^-1 N sum_i (d_theta p_i / p_i) d p_i, with d p_i / d w_j = (1 - f)(G_ij - s_i T_j)/S. Summed by parts:
    d theta_a / d w_j is a sum over edges of u_ea F(z_ej), with u of the cell."""
    edges, bins, n = plan.edges, plan.edges.size - 1, cell.counts.sum() - cell.known.sum()
    total = density.sums[bins, 0] - density.sums[0, 0]
    u = np.zeros((bins + 1, 4))
    for a in range(4):
        mean = 0.0
        for i in range(bins):
            weight = 0.0
            for b in range(4):
                weight += covariance[a, b] * density.dp[i, b]
            weight *= -n * (1 - theta[FRACTION]) / (total * max(density.p[i], FLOOR))
            u[i + 1, a] += weight
            u[i, a] -= weight
            mean += weight * (density.sums[i + 1, 0] - density.sums[i, 0]) / total
        u[bins, a] -= mean
        u[0, a] += mean
    out[:, :] = 0.0
    shift, together = np.empty(4), np.zeros((TILTS, 4))
    for j in range(nodes.size[0]):
        shift[:] = 0.0
        for e in range(bins + 1):
            z = nodes.constant[j] + nodes.factor[j] * (1 / edges[e] if plan.kind == CURVATURE else edges[e])
            if z <= -END:
                continue
            value = look_up(cell.table, z)[0] if z < END else 1.0
            for a in range(4):
                shift[a] += u[e, a] * value
        for k in range(TILTS):
            for a in range(4):
                together[k, a] += nodes.modes[j, k] * shift[a]
        for a in range(4):
            for b in range(4):
                out[a, b] += nodes.variance[j] * shift[a] * shift[b]
    for k in range(TILTS):
        for a in range(4):
            for b in range(4):
                out[a, b] += together[k, a] * together[k, b]


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
