"""To the maximum of the likelihood of one cell.

Newton's method with the observed information where it is positive, Fisher scoring where it is not; steps are halved
until the likelihood rises. The last step is so small that nothing is evaluated after it. A background fraction that
wants below 0 is held there together with its slope."""

import math

import numpy as np

from muonkit.calibration.kernels.density import evaluate
from muonkit.calibration.kernels.records import (
    AT_LIMIT,
    BAD_FISHER,
    CONVERGED,
    FLOOR,
    FRACTION,
    MU,
    NO_BACKGROUND,
    NOT_CONVERGED,
    SIGMA,
    SLOPE,
)
from muonkit.core.compiled import leaf, part


@leaf
def log_likelihood(count, p, theta, prior):
    """Sum of n ln p with the Gaussian constraint of the slope: prior = (mean, width)."""
    value = -0.5 * ((theta[SLOPE] - prior[0]) / prior[1]) ** 2
    for i in range(count.size):
        if count[i] != 0:
            value += count[i] * math.log(max(p[i], FLOOR))
    return value


@leaf
def score_and_information(count, density, theta, prior, score, fisher, observed):
    """Gradient of ln L, expected (Fisher) and observed information.

    A bin that expects less than half an entry in the whole cell does not count fully in the Fisher matrix: with f at 0
    the empty side bands would claim to know f without error, and steps in f would shrink with it."""
    total = count.sum()
    least = 0.5 / (total * count.size)
    score[:] = 0.0
    fisher[:, :] = 0.0
    observed[:, :] = 0.0
    dp, d2p = density.dp, density.d2p
    for i in range(count.size):
        q = max(density.p[i], FLOOR)
        over = count[i] / q
        expected = total / max(q, least)
        for a in range(4):
            score[a] += over * dp[i, a]
            for b in range(a + 1):
                product = dp[i, a] * dp[i, b]
                fisher[a, b] += expected * product
                observed[a, b] += over / q * product
        observed[MU, MU] -= over * d2p[i, 0]
        observed[SIGMA, MU] -= over * d2p[i, 1]
        observed[SIGMA, SIGMA] -= over * d2p[i, 2]
        observed[SLOPE, SLOPE] -= over * d2p[i, 3]
        if theta[FRACTION] < 1:  # the signal is (1 - f) times something
            observed[FRACTION, MU] += over * dp[i, MU] / (1 - theta[FRACTION])
            observed[FRACTION, SIGMA] += over * dp[i, SIGMA] / (1 - theta[FRACTION])
        observed[SLOPE, FRACTION] -= over * d2p[i, 4]
    score[SLOPE] -= (theta[SLOPE] - prior[0]) / prior[1] ** 2
    for matrix in (fisher, observed):
        matrix[SLOPE, SLOPE] += 1 / prior[1] ** 2
        for a in range(4):
            for b in range(a):
                matrix[b, a] = matrix[a, b]


@part
def invert_free(matrix, free, inverse):
    """Inverse of the rows and columns that are free (Gauss-Jordan after scaling to a unit diagonal); 0 elsewhere.
    Returns whether the matrix is positive."""
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
def bounded_step(theta, step, plan, entries):
    """theta + step, inside the limits and where the likelihood is still known: mu moves by a sigma at most, sigma by a
    factor of 2, the fraction by a factor of 5 and half an entry. A tenth of an entry that wants to be less is 0."""
    moved = np.empty(4)
    for a in range(4):
        moved[a] = min(max(theta[a] + step[a], plan.low[a]), plan.high[a])
    sigma, f = theta[SIGMA], theta[FRACTION]
    moved[MU] = min(max(moved[MU], theta[MU] - sigma), theta[MU] + sigma)
    moved[SIGMA] = min(max(moved[SIGMA], 0.5 * sigma), 2 * sigma)
    if plan.low[FRACTION] >= 0:
        moved[FRACTION] = min(max(moved[FRACTION], 0.2 * f), 5 * f + 0.5 / entries)
        if moved[FRACTION] < 0.1 / entries and step[FRACTION] < 0:
            moved[FRACTION] = 0.0
    return moved


@leaf
def free_parameters(theta, score, plan, free):
    """A parameter at a limit that pushes outwards is held; without background its slope has no meaning."""
    for a in range(4):
        outwards = (theta[a] <= plan.low[a] and score[a] < 0) or (theta[a] >= plan.high[a] and score[a] > 0)
        free[a] = plan.fitted[a] and not outwards
    if theta[FRACTION] <= plan.low[FRACTION]:
        free[SLOPE] = False


@leaf
def verdict(theta, plan):
    """Status of a fit that has come to rest."""
    for a in (MU, SIGMA, SLOPE):
        if theta[a] <= plan.low[a] or theta[a] >= plan.high[a]:
            return AT_LIMIT
    return NO_BACKGROUND if plan.fitted[FRACTION] and theta[FRACTION] <= plan.low[FRACTION] else CONVERGED


@part
def climb(cell, nodes, plan, start, theta, free, expected, observed, density):
    """From `start` to the maximum; fills theta (4,), free (4,) and the covariances (4, 4) from the expected and from
    the observed information. Returns (status, ln L)."""
    score, step = np.empty(4), np.empty(4)
    fisher, seen, inverse = np.empty((4, 4)), np.empty((4, 4)), np.empty((4, 4))
    theta[:] = start
    entries = cell.counts.sum()
    evaluate(theta, cell, nodes, plan, density)
    value = log_likelihood(cell.counts, density.p, theta, plan.prior)
    for _ in range(plan.max_steps):
        score_and_information(cell.counts, density, theta, plan.prior, score, fisher, seen)
        free_parameters(theta, score, plan, free)
        if not invert_free(fisher, free, expected):
            return BAD_FISHER, value
        newton = invert_free(seen, free, inverse)
        observed[:, :] = inverse if newton else expected
        distance = 0.0
        for a in range(4):
            step[a] = 0.0
            for b in range(4):
                step[a] += observed[a, b] * score[b]
            distance += step[a] * score[a] * free[a]
        if distance < 2 * plan.tolerance:
            status = verdict(theta, plan)
            for a in range(4):
                theta[a] = min(max(theta[a] + step[a], plan.low[a]), plan.high[a])
            return status, value + distance / 2
        rose = False
        for _ in range(12):
            moved = bounded_step(theta, step, plan, entries)
            evaluate(moved, cell, nodes, plan, density)
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
