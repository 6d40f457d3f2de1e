"""The mass density of a cell with its first and second derivatives: the compiled twin of `lineshape`."""

import math

from muonkit.calibration.kernels.records import CURVATURE, END, FRACTION, INTERVALS, MU, SIGMA, SLOPE, STEPS
from muonkit.core.compiled import inlined, leaf

SERIES_BELOW = 1e-2  # |slope x window|: below, the exponential and its derivatives are summed as a series


@inlined
def look_up(table, z):
    """F(z), F', F''."""
    position = (z + END) * STEPS
    i = min(max(int(position), 0), INTERVALS - 1)
    t = position - i
    c0, c1, c2, c3 = table[i, 0], table[i, 1], table[i, 2], table[i, 3]
    value = c0 + t * (c1 + t * (c2 + t * c3))
    first = (c1 + t * (2 * c2 + 3 * t * c3)) * STEPS
    return value, first, (2 * c2 + 6 * t * c3) * (STEPS * STEPS)


@leaf
def place_nodes(theta, cell, kind, nodes):
    """Write z = constant + factor x of every node; x is 1/E (curvature) or E (mass)."""
    mu, sigma = theta[MU], theta[SIGMA]
    for j in range(nodes.size[0]):
        width = (nodes.mass[j] / cell.mean) ** cell.growth if cell.growth != 0 else 1.0
        own = sigma * width
        nodes.width[j] = width
        if kind == CURVATURE:
            nodes.constant[j] = 1 / own - cell.kappa * own
            nodes.factor[j] = -mu * nodes.mass[j] / own
        else:
            nodes.constant[j] = -mu / own
            nodes.factor[j] = 1 / (nodes.mass[j] * own)


@leaf
def sum_nodes(edge, theta, cell, kind, nodes, sums):
    """sums (6,) = sum of weight x (F, its derivatives by mu, sigma; mu mu, mu sigma, sigma sigma) at one edge."""
    x = 1 / edge if kind == CURVATURE else edge
    by_mu, by_sigma = 1 / theta[MU], 1 / theta[SIGMA]
    kappa2 = 2 * cell.kappa * theta[SIGMA] if kind == CURVATURE else 0.0
    s0 = s1 = s2 = s3 = s4 = s5 = 0.0
    for j in range(nodes.size[0]):
        moving = nodes.factor[j] * x
        z = nodes.constant[j] + moving
        if z <= -END:  # masses rise with j: z falls
            break
        weight = nodes.weight[j]
        if z >= END:
            s0 += weight
            continue
        value, first, second = look_up(cell.table, z)
        by_first, by_second = weight * first, weight * second
        shift = moving if kind == CURVATURE else nodes.constant[j]  # mu dz/dmu
        growth = z + kappa2 * nodes.width[j]  # -sigma dz/dsigma
        s0 += weight * value
        s1 += by_first * shift
        s2 += by_first * growth
        s3 += by_second * shift * shift
        s4 += (by_second * growth + by_first) * shift
        s5 += (by_second * growth + by_first) * growth + by_first * z
    sums[0], sums[1], sums[2] = s0, s1 * by_mu, -s2 * by_sigma
    sums[3], sums[4], sums[5] = s3 * by_mu * by_mu, -s4 * by_sigma * by_mu, s5 * by_sigma * by_sigma


@leaf
def exponential(x, t, e1):
    """(e^(t x) - 1)/(e^t - 1), its first and second derivative with respect to t; e1 = e^t."""
    if abs(t) < SERIES_BELOW:
        y = x * (x - 1)
        value = x + t * y / 2 + t * t * y * (2 * x - 1) / 12 + t**3 * y * y / 24
        first = y / 2 + t * y * (2 * x - 1) / 6 + t * t * y * y / 8
        return value, first, y * (2 * x - 1) / 6 + t * y * y / 4
    ex = math.exp(t * x)
    value = (ex - 1) / (e1 - 1)
    first = (x * ex - value * e1) / (e1 - 1)
    return value, first, (x * x * ex - (2 * first + value) * e1) / (e1 - 1)


@leaf
def add_background(theta, edges, density):
    """Write the background's share of the window below every edge, with two derivatives by the slope."""
    bins = edges.size - 1
    width = edges[bins] - edges[0]
    t = theta[SLOPE] * width
    whole = math.exp(t)
    for i in range(bins + 1):
        value, first, second = exponential((edges[i] - edges[0]) / width, t, whole)
        density.background[i, 0] = value
        density.background[i, 1] = first * width
        density.background[i, 2] = second * width * width


@leaf
def probabilities(theta, cell, nodes, plan, density):
    """Fill `density` at theta, without known counts. A cell without signal in the window gets a p of NaN."""
    edges, bins = plan.edges, plan.edges.size - 1
    place_nodes(theta, cell, plan.kind, nodes)
    for i in range(bins + 1):
        sum_nodes(edges[i], theta, cell, plan.kind, nodes, density.sums[i])
    add_background(theta, edges, density)
    f, sums = theta[FRACTION], density.sums
    total = sums[bins, 0] - sums[0, 0]
    t1, t2 = (sums[bins, 1] - sums[0, 1]) / total, (sums[bins, 2] - sums[0, 2]) / total
    t11, t12, t22 = (
        (sums[bins, 3] - sums[0, 3]) / total,
        (sums[bins, 4] - sums[0, 4]) / total,
        (sums[bins, 5] - sums[0, 5]) / total,
    )
    for i in range(bins):
        s = (sums[i + 1, 0] - sums[i, 0]) / total
        s1 = (sums[i + 1, 1] - sums[i, 1]) / total - s * t1
        s2 = (sums[i + 1, 2] - sums[i, 2]) / total - s * t2
        b = density.background[i + 1, 0] - density.background[i, 0]
        density.p[i] = f * b + (1 - f) * s
        density.dp[i, MU], density.dp[i, SIGMA] = (1 - f) * s1, (1 - f) * s2
        density.dp[i, FRACTION] = b - s
        b1 = density.background[i + 1, 1] - density.background[i, 1]
        density.dp[i, SLOPE], density.d2p[i, 4] = f * b1, b1
        density.d2p[i, 0] = (1 - f) * ((sums[i + 1, 3] - sums[i, 3]) / total - 2 * s1 * t1 - s * t11)
        density.d2p[i, 1] = (1 - f) * ((sums[i + 1, 4] - sums[i, 4]) / total - s1 * t2 - s2 * t1 - s * t12)
        density.d2p[i, 2] = (1 - f) * ((sums[i + 1, 5] - sums[i, 5]) / total - 2 * s2 * t2 - s * t22)
        density.d2p[i, 3] = f * (density.background[i + 1, 2] - density.background[i, 2])


@leaf
def add_known(cell, density):
    """From the probabilities of the fitted part to those of all counts."""
    total, known = cell.counts.sum(), cell.known.sum()
    share = 1 - known / total
    for i in range(density.p.size):
        density.p[i] = share * density.p[i] + cell.known[i] / total
        for a in range(density.dp.shape[1]):
            density.dp[i, a] *= share
        for a in range(density.d2p.shape[1]):
            density.d2p[i, a] *= share


@leaf
def evaluate(theta, cell, nodes, plan, density):
    """Fill `density` at theta, known counts included."""
    probabilities(theta, cell, nodes, plan, density)
    add_known(cell, density)
