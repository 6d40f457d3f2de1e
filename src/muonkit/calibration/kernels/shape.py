"""The response of the mass of a cell as a table, from the responses of its two muons.

y = m_gen/m_reco = (1 + x+)^w+ (1 + x-)^w-, with x = k_reco/k_gen - 1, independent for the two muons, and
w = d ln m/d ln pT: the logarithms are folded. The table is of z = (<y> - y)/rms(y), which rises with m_reco."""

import math

import numpy as np

from muonkit.calibration.kernels.records import END, INTERVALS, STEPS
from muonkit.core.compiled import compiled, leaf, part

FINER = 1  # steps of the folding per step of the table
SPAN = 12.0  # rms of ln y that are folded, on either side


@leaf
def cumulative_at(cumulative, low, step, x):
    """The cumulative histogram `cumulative` (bins + 1,), which begins at `low`, linear between its edges."""
    position = (x - low) / step
    last = cumulative.size - 1
    if position <= 0:
        return 0.0
    if position >= last:
        return cumulative[last]
    i = int(position)
    return cumulative[i] + (position - i) * (cumulative[i + 1] - cumulative[i])


@part
def on_grid(cumulative, low, step, mean, stretch, power, grid_low, grid_step, pmf):
    """Probability (points,) of power x ln(1 + stretch (x - mean)) around every point of the grid."""
    below = 0.0
    for i in range(pmf.size):
        upper = grid_low + (i + 0.5) * grid_step
        x = mean + math.expm1(upper / power) / stretch
        value = cumulative_at(cumulative, low, step, x)
        if i == 0:
            below = cumulative_at(cumulative, low, step, mean + math.expm1((upper - grid_step) / power) / stretch)
        pmf[i] = max(value - below, 0.0)
        below = value
    pmf /= pmf.sum()


@part
def folded(first, second, out):
    """Probability (points,) of the sum of two independent variables on the same symmetrical grid."""
    points, middle = first.size, first.size // 2
    out[:] = 0.0
    for i in range(points):
        if first[i] > 0:
            low, high = max(0, middle - i), min(points, points + middle - i)
            for j in range(low, high):
                out[i + j - middle] += first[i] * second[j]
    out /= out.sum()


@part
def moments_of(pmf, grid_low, grid_step):
    """Mean and rms of y = exp(l) for the probabilities of l on the grid."""
    mean = second = 0.0
    for i in range(pmf.size):
        d = math.expm1(grid_low + i * grid_step)
        mean += pmf[i] * d
        second += pmf[i] * d * d
    return 1 + mean, math.sqrt(second - mean * mean)


@part
def tabulate(pmf, grid_low, grid_step, table):
    """Fill `table` (INTERVALS, 4) with F as cubic polynomials; returns kappa = (1 - <y>)/rms^2."""
    mean, rms = moments_of(pmf, grid_low, grid_step)
    points = pmf.size
    cdf = np.empty(points + 1)  # of l at the edges between the points
    cdf[0] = 0.0
    for i in range(points):
        cdf[i + 1] = cdf[i] + pmf[i]
    value, slope = np.empty(INTERVALS + 1), np.empty(INTERVALS + 1)
    for i in range(INTERVALS + 1):
        y = mean - rms * (i / STEPS - END)
        if y <= 0:
            value[i], slope[i] = 1.0, 0.0
            continue
        f, density = spline(cdf, pmf, grid_low - grid_step / 2, grid_step, math.log(y))
        value[i], slope[i] = 1 - f, density * rms / y
    fill_polynomials(value, slope, table)
    return (1 - mean) / (rms * rms)


@leaf
def spline(cdf, pmf, low, step, x):
    """Cumulative distribution and density at x: a parabola of density that keeps the content of three bins."""
    position = (x - low) / step
    last = pmf.size
    if position <= 0:
        return 0.0, 0.0
    if position >= last:
        return 1.0, 0.0
    i = int(position)
    t = position - i
    here = pmf[i]
    left, right = pmf[max(i - 1, 0)], pmf[min(i + 1, last - 1)]
    b = (right - left) / 2
    c = (right - 2 * here + left) / 2
    u0, u1 = -0.5, t - 0.5
    a = here - c / 12
    integral = a * (u1 - u0) + b * (u1 * u1 - u0 * u0) / 2 + c * (u1**3 - u0**3) / 3
    return cdf[i] + integral, (a + b * u1 + c * u1 * u1) / step


@leaf
def fill_polynomials(value, slope, table):
    """Cubic polynomials (INTERVALS, 4) through values and slopes (INTERVALS + 1,) at every 1/STEPS."""
    step = 1 / STEPS
    for i in range(INTERVALS):
        rise, s0, s1 = value[i + 1] - value[i], slope[i] * step, slope[i + 1] * step
        table[i, 0] = value[i]
        table[i, 1] = s0
        table[i, 2] = 3 * rise - 2 * s0 - s1
        table[i, 3] = s0 + s1 - 2 * rise


@compiled
def tables_of_cells(cumulative, low, step, means, rms, pair, share, power, tables, kappa):
    """Fill tables (cells, INTERVALS, 4) and kappa (cells,).

    Cumulative responses (bins, x bins + 1) start at `low` in steps of `step`, with means and rms (bins,). Of every cell
    the two responses (cells, 2), the sigma_k/k to which they are stretched (cells, 2) and w (cells, 2)."""
    points = 2 * int(SPAN * STEPS * FINER) + 1
    first, second, both = np.empty(points), np.empty(points), np.empty(points)
    for c in range(pair.shape[0]):
        width = math.sqrt((power[c, 0] * share[c, 0]) ** 2 + (power[c, 1] * share[c, 1]) ** 2)
        grid_step = width / (STEPS * FINER)
        grid_low = -(points // 2) * grid_step
        for muon, pmf in ((0, first), (1, second)):
            b = pair[c, muon]
            on_grid(
                cumulative[b], low, step, means[b], share[c, muon] / rms[b], power[c, muon], grid_low, grid_step, pmf
            )
        folded(first, second, both)
        kappa[c] = tabulate(both, grid_low, grid_step, tables[c])
