"""The likelihood of single pairs with its first and second derivatives, summed over the pairs of every region.

A pair has mu = exp(alpha) and sigma = exp(beta) of its own, which follow from the parameters of its two muons. With
t = mu m_j/(m own), own = sigma x width of the node, and z = 1/own - kappa own - t, see `lineshape`, a node adds
w g(z) t/m to the density, g = F'. Its derivatives: dt/dalpha = t, dz/dalpha = -t, dt/dbeta = -t,
dz/dbeta = -y with y = z + 2 kappa own, dy/dbeta = 2 kappa own - y.

The parameters of a region (LOCAL of them): A, e, M, a, c of the muon with positive charge, then those of the other; the
background, whose fraction is phi^2; and a shift of ln mu and of ln sigma of the region, which is 0 at all times: its
derivatives say whether the region agrees with the parameters."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from muonkit.calibration.kernels.fit import new_nodes
from muonkit.calibration.kernels.nodes import compress
from muonkit.calibration.kernels.records import END, INTERVALS, STEPS
from muonkit.core.compiled import compiled, inlined, leaf

A, E, M, SCATTERING, HITS = range(5)  # of a muon
PLUS, MINUS, PHI, SLOPE, OWN_MU, OWN_SIGMA, LOCAL = 0, 5, 10, 11, 12, 13, 14
ALPHA, BETA, SHARE, TILT = range(4)  # what a density depends on: ln mu, ln sigma, background fraction and slope
WIDTHS = (SCATTERING, HITS, MINUS + SCATTERING, MINUS + HITS)
KIND = np.array([0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 2, 3, 0, 1])  # of every local parameter: what it acts on
SERIES_BELOW = 1e-2  # |slope x window|: below, the background's normalisation is summed as a series
FLOOR = 1e-12  # of a density x window
NOTHING = -1e3  # ln of a density that is 0
Column = npt.NDArray[np.float64]


class Pairs(NamedTuple):
    """All pairs, region by region: those of region r are first[r] : first[r + 1]. Mass [GeV]; k [1/GeV] of both muons,
    as at the mean mass of the region; d ln m/d ln pT of both; shift of ln mu by migration; weight (n,)."""

    first: npt.NDArray[np.int64]
    mass: Column
    k_plus: Column
    k_minus: Column
    response_plus: Column
    response_minus: Column
    shift: Column
    weight: Column


class Regions(NamedTuple):
    """Of every region its nodes first[r] : first[r + 1], with their masses [GeV], weights and relative widths (nodes,);
    its response: tables (tables, INTERVALS, 5) of F as polynomials, the table and kappa of the region (regions,);
    variance of ln m by the angles; eta bins of both muons; number of its background."""

    first: npt.NDArray[np.int64]
    mass: Column
    weight: Column
    width: Column
    tables: npt.NDArray[np.float64]
    table: npt.NDArray[np.int64]
    kappa: Column
    angular: Column
    eta_plus: npt.NDArray[np.int64]
    eta_minus: npt.NDArray[np.int64]
    background: npt.NDArray[np.int64]


class Point(NamedTuple):
    """Where the likelihood is evaluated: A, e, M, a, c (5, bins), phi and slope x window (backgrounds, 2), window."""

    muons: npt.NDArray[np.float64]
    backgrounds: npt.NDArray[np.float64]
    window: tuple[float, float]


class Slopes(NamedTuple):
    """Of every region: ln L (regions,), gradient (regions, LOCAL), second derivatives and sums of weight^2 x products
    of first ones (regions, LOCAL, LOCAL), lower triangles."""

    value: Column
    gradient: npt.NDArray[np.float64]
    hessian: npt.NDArray[np.float64]
    squares: npt.NDArray[np.float64]


class Work(NamedTuple):
    """Scratch of one pair: `by` (LOCAL,), see `add_pair`; derivatives of ln p, first (4,) and second (4, 4); the
    density of signals, its integral over the window, and the logarithm of both, with their derivatives (6,)."""

    by: Column
    first: Column
    second: npt.NDArray[np.float64]
    sums: Column
    below: Column
    signal: Column
    norm: Column


class Template(NamedTuple):
    """Nodes of all regions: those of region r are first[r] : first[r + 1]; masses [GeV], weights, their variances; no
    modes."""

    first: npt.NDArray[np.int64]
    nodes: Column
    weights: Column
    variances: Column
    modes: npt.NDArray[np.float64]


@compiled
def compress_regions(template, sigma, first, mass, weight):
    """Write the nodes of all regions, compressed for the relative resolutions sigma (regions,): their places first
    (regions + 1,), masses and weights (2 x nodes + 2 x regions,)."""
    nodes = new_nodes(template)
    first[0] = 0
    for r in range(sigma.size):
        compress(template, template.first[r], template.first[r + 1], sigma[r], nodes)
        first[r + 1] = first[r] + nodes.size[0]
        for j in range(nodes.size[0]):
            mass[first[r] + j], weight[first[r] + j] = nodes.mass[j], nodes.weight[j]


@inlined
def look_up(table, z):
    """F(z), g = F', g', g''."""
    position = (z + END) * STEPS
    i = min(max(int(position), 0), INTERVALS - 1)
    t = position - i
    c0, c1, c2, c3, c4 = table[i, 0], table[i, 1], table[i, 2], table[i, 3], table[i, 4]
    value = c0 + t * (c1 + t * (c2 + t * (c3 + t * c4)))
    first = (c1 + t * (2 * c2 + t * (3 * c3 + 4 * t * c4))) * STEPS
    second = (2 * c2 + t * (6 * c3 + 12 * t * c4)) * (STEPS * STEPS)
    return value, first, second, (6 * c3 + 24 * t * c4) * (STEPS * STEPS * STEPS)


@leaf
def density(mass, mu, sigma, r, regions, sums):
    """sums (6,): the density of region r at a mass [GeV], its derivatives by alpha, beta, then alpha alpha, alpha beta,
    beta beta."""
    s0 = s1 = s2 = s3 = s4 = s5 = 0.0
    table, kappa = regions.tables[regions.table[r]], regions.kappa[r]
    for j in range(regions.first[r], regions.first[r + 1]):
        own = sigma * regions.width[j]
        t, bend = mu * regions.mass[j] / (mass * own), kappa * own
        z = 1 / own - bend - t
        if z <= -END:  # masses rise with j: z falls
            break
        if z >= END:
            continue
        y, twice = z + 2 * bend, 2 * bend
        _, g, g1, g2 = look_up(table, z)
        w = regions.weight[j] * t
        s0 += w * g
        s1 += w * (g - t * g1)
        s2 -= w * (g + y * g1)
        s3 += w * (g - 3 * t * g1 + t * t * g2)
        s4 += w * (-g + (2 * t - y) * g1 + t * y * g2)
        s5 += w * (g + (3 * y - twice) * g1 + y * y * g2)
    sums[0], sums[1], sums[2] = s0 / mass, s1 / mass, s2 / mass
    sums[3], sums[4], sums[5] = s3 / mass, s4 / mass, s5 / mass


@leaf
def add_below(mass, sign, mu, sigma, r, regions, sums):
    """Add sign x the weight below a mass [GeV] to `sums` (6,), with the derivatives of `density`."""
    s0 = s1 = s2 = s3 = s4 = s5 = 0.0
    table, kappa = regions.tables[regions.table[r]], regions.kappa[r]
    for j in range(regions.first[r], regions.first[r + 1]):
        own = sigma * regions.width[j]
        t, bend, w = mu * regions.mass[j] / (mass * own), kappa * own, regions.weight[j]
        z = 1 / own - bend - t
        if z <= -END:
            break
        if z >= END:
            s0 += w
            continue
        y, twice = z + 2 * bend, 2 * bend
        value, g, g1, _ = look_up(table, z)
        s0 += w * value
        s1 -= w * t * g
        s2 -= w * y * g
        s3 += w * t * (t * g1 - g)
        s4 += w * t * (g + y * g1)
        s5 += w * ((y - twice) * g + y * y * g1)
    sums[0] += sign * s0
    sums[1] += sign * s1
    sums[2] += sign * s2
    sums[3] += sign * s3
    sums[4] += sign * s4
    sums[5] += sign * s5


@inlined
def log_slopes(sums, out):
    """From a function and its derivatives (6,) to its logarithm and the derivatives of that."""
    s, a, b = sums[0], sums[1] / sums[0], sums[2] / sums[0]
    out[0], out[1], out[2] = math.log(s), a, b
    out[3], out[4], out[5] = sums[3] / s - a * a, sums[4] / s - a * b, sums[5] / s - b * b


@leaf
def tilt_of(t):
    """ln of the normalisation t/(e^t - 1), h = -its derivative, and h'; t = slope x window."""
    if abs(t) < SERIES_BELOW:
        return -t / 2 - t * t / 24, 0.5 + t / 12, 1 / 12 - t * t / 240
    whole = math.expm1(t)
    h = (whole + 1) / whole - 1 / t
    return math.log(t / whole), h, 1 / (t * t) - (whole + 1) / (whole * whole)


@leaf
def mixture(x, window, phi, tilt, tilted, signal, first, second):
    """ln of the density x window of a pair at x = (m - low)/window; fills its derivatives by ALPHA ... TILT: first
    (4,), second (4, 4). `signal`: ln of the density of signals, with derivatives (6,); tilted: see `tilt_of`."""
    share, off = phi * phi, x - tilted[1]
    b = math.exp(tilted[0] + tilt * x)
    q = window * math.exp(signal[0])
    p = share * b + (1 - share) * q
    if not p > FLOOR:
        first[:] = 0.0
        second[:, :] = 0.0
        return math.log(FLOOR)
    r, noise = (1 - share) * q / p, share * b / p
    first[ALPHA], first[BETA] = r * signal[1], r * signal[2]
    first[SHARE], first[TILT] = (b - q) / p, noise * off
    second[ALPHA, ALPHA] = r * (signal[3] + signal[1] * signal[1])
    second[BETA, ALPHA] = r * (signal[4] + signal[1] * signal[2])
    second[BETA, BETA] = r * (signal[5] + signal[2] * signal[2])
    second[SHARE, ALPHA], second[SHARE, BETA], second[SHARE, SHARE] = -q * signal[1] / p, -q * signal[2] / p, 0.0
    second[TILT, ALPHA], second[TILT, BETA] = 0.0, 0.0
    second[TILT, SHARE], second[TILT, TILT] = b * off / p, noise * (off * off - tilted[2])
    for i in range(4):
        for j in range(i + 1):
            second[i, j] -= first[i] * first[j]
            second[j, i] = second[i, j]
    return math.log(p)


@inlined
def place_muon(muons, b, q, k, w, by, start):
    """alpha and variance that a muon of eta bin b, charge q, k [1/GeV] adds; writes its derivatives of alpha, and half
    of those of the variance, into `by` (LOCAL,) from `start` on."""
    s = 1 + muons[A, b] - muons[E, b] * k + q * muons[M, b] / k
    a, c = muons[SCATTERING, b], muons[HITS, b] / k
    by[start + A], by[start + E], by[start + M] = w / s, -w * k / s, q * w / (k * s)
    by[start + SCATTERING], by[start + HITS] = w * w * a, w * w * c / k
    return w * math.log(s), w * w * (a * a + c * c)


@inlined
def add_bends(start, w, k, variance, by, first, weight, hessian):
    """Add what the second derivatives of alpha, and of the variance, by the parameters of a muon give."""
    for i in range(SCATTERING):
        for j in range(i + 1):
            hessian[start + i, start + j] -= weight * first[ALPHA] * by[start + i] * by[start + j] / w
    flat = weight * first[BETA] * w * w / variance
    hessian[start + SCATTERING, start + SCATTERING] += flat
    hessian[start + HITS, start + HITS] += flat / (k * k)


@inlined
def add_bend_of_logarithm(by, first, weight, hessian):
    """Add what beta = ln(variance)/2 is not linear in the variance."""
    for i in WIDTHS:
        for j in WIDTHS:
            if j <= i:
                hessian[i, j] -= 2 * weight * first[BETA] * by[i] * by[j]


@leaf
def add_pair(by, first, second, weight, gradient, hessian, squares):
    """Add a pair to the sums of its region; `by` (LOCAL,): derivatives of what each parameter acts on."""
    for i in range(LOCAL):
        slope = first[KIND[i]] * by[i]
        gradient[i] += weight * slope
        for j in range(i + 1):
            hessian[i, j] += weight * second[KIND[i], KIND[j]] * by[i] * by[j]
            squares[i, j] += weight * weight * slope * first[KIND[j]] * by[j]
    hessian[PHI, PHI] += 2 * weight * first[SHARE]


@leaf
def normalised_signal(mass, mu, sigma, r, regions, window, work):
    """Write ln of the density of signals of region r at a mass [GeV], normalised in the window, and its derivatives."""
    density(mass, mu, sigma, r, regions, work.sums)
    work.below[:] = 0.0
    add_below(window[1], 1.0, mu, sigma, r, regions, work.below)
    add_below(window[0], -1.0, mu, sigma, r, regions, work.below)
    if work.sums[0] > 0:
        log_slopes(work.sums, work.signal)
        log_slopes(work.below, work.norm)
        for i in range(6):
            work.signal[i] -= work.norm[i]
    else:
        work.signal[:] = 0.0
        work.signal[0] = NOTHING


@leaf
def evaluate_pair(i, r, pairs, regions, point, tilted, work, out):
    """Add pair i to the sums of its region r; tilted: see `tilt_of`."""
    by, first, hessian, weight = work.by, work.first, out.hessian[r], pairs.weight[i]
    phi, tilt = point.backgrounds[regions.background[r], 0], point.backgrounds[regions.background[r], 1]
    k_plus, w_plus, k_minus, w_minus = (
        pairs.k_plus[i],
        pairs.response_plus[i],
        pairs.k_minus[i],
        pairs.response_minus[i],
    )
    plus = place_muon(point.muons, regions.eta_plus[r], 1, k_plus, w_plus, by, PLUS)
    minus = place_muon(point.muons, regions.eta_minus[r], -1, k_minus, w_minus, by, MINUS)
    variance = plus[1] + minus[1] + regions.angular[r]
    for a in WIDTHS:
        by[a] /= variance
    by[PHI], by[SLOPE], by[OWN_MU], by[OWN_SIGMA] = 2 * phi, 1.0, 1.0, 1.0
    mu, sigma = math.exp(plus[0] + minus[0] + pairs.shift[i]), math.sqrt(variance)
    normalised_signal(pairs.mass[i], mu, sigma, r, regions, point.window, work)
    width = point.window[1] - point.window[0]
    x = (pairs.mass[i] - point.window[0]) / width
    out.value[r] += weight * mixture(x, width, phi, tilt, tilted, work.signal, first, work.second)
    add_pair(by, first, work.second, weight, out.gradient[r], hessian, out.squares[r])
    add_bends(PLUS, w_plus, k_plus, variance, by, first, weight, hessian)
    add_bends(MINUS, w_minus, k_minus, variance, by, first, weight, hessian)
    add_bend_of_logarithm(by, first, weight, hessian)


@compiled
def evaluate(pairs, regions, point, begin, end, out):
    """Fill `out` for the regions begin ... end - 1."""
    sums = np.zeros((4, 6))
    work = Work(np.zeros(LOCAL), np.empty(4), np.empty((4, 4)), sums[0], sums[1], sums[2], sums[3])
    for r in range(begin, end):
        out.value[r], out.gradient[r], out.hessian[r], out.squares[r] = 0.0, 0.0, 0.0, 0.0
        tilted = tilt_of(point.backgrounds[regions.background[r], 1])
        for i in range(pairs.first[r], pairs.first[r + 1]):
            evaluate_pair(i, r, pairs, regions, point, tilted, work, out)
