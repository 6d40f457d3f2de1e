"""The mass density of a cell: the NumPy reference of `kernels`.

    p(m) = f B(m; slope) + (1 - f) sum_j w_j K(m | m_j; mu, sigma)      both normalised in the mass window

m_j, w_j: generator masses of the cell (after radiation) and their weights, so that radiation and natural width stay
out of mu and sigma. Two kernels K, named by how the cumulative distribution Phi(z) depends on m:

    "mass"       z = (m/m_j - mu)/sigma: a Gaussian of mean mu m_j and width sigma m_j (PRIN slides 2021,
                 "a kernel model for scale and resolution")
    "curvature"  z = (1 - sigma^2/2 - mu m_j/m)/sigma: the exact consequence, up to terms of order sigma^3, of a
                 Gaussian in each of the two curvatures, since m ~ (k+ k-)^(-1/2). The first biases mu by 1e-4 at
                 sigma = 0.85 %, this one does not.

Parameters: mu, sigma, background fraction f, slope [1/GeV]; exact integrals over mass bins."""

import numpy as np
from scipy.special import ndtr

from muonkit.calibration.kernels import CURVATURE, MASS, SERIES_BELOW
from muonkit.core.arrays import FloatArray

KERNELS = {"mass": MASS, "curvature": CURVATURE}


def standardised(m: FloatArray, node: FloatArray, mu: float, sigma: float, kind: int) -> FloatArray:
    """z with Phi(z) = P(m_reco < m | m_gen = node); shapes broadcast."""
    if kind == MASS:
        return (m / node - mu) / sigma
    return (1 - sigma**2 / 2 - mu * node / m) / sigma


def standardised_gradient(
    m: FloatArray, node: FloatArray, mu: float, sigma: float, kind: int
) -> tuple[FloatArray, FloatArray]:
    """Derivatives of `standardised` with respect to mu and sigma."""
    z = standardised(m, node, mu, sigma, kind)
    if kind == MASS:
        return np.full_like(z, -1 / sigma), -z / sigma
    return -node / m / sigma, -1 - z / sigma


def exponential(x: FloatArray, t: float) -> tuple[FloatArray, FloatArray]:
    """(e^(t x) - 1)/(e^t - 1) for x in [0, 1], and its derivative with respect to t."""
    if abs(t) < SERIES_BELOW:
        y = x * (x - 1)
        value = x + t * y / 2 + t**2 * y * (2 * x - 1) / 12 + t**3 * y**2 / 24
        return value, y / 2 + t * y * (2 * x - 1) / 6 + t**2 * y**2 / 8
    ex, e1 = np.exp(t * x), np.exp(t)
    value = (ex - 1) / (e1 - 1)
    return value, (x * ex - value * e1) / (e1 - 1)


def probabilities(
    theta: FloatArray, edges: FloatArray, node: FloatArray, weight: FloatArray, kind: int
) -> tuple[FloatArray, FloatArray]:
    """Probability of every mass bin (bins,) and its gradient (bins, 4) in theta = (mu, sigma, f, slope)."""
    mu, sigma, f, slope = theta
    cdf, gradient = _signal_cdf(mu, sigma, edges, node, weight, kind)
    total, total_gradient = cdf[-1] - cdf[0], gradient[-1] - gradient[0]
    signal = np.diff(cdf) / total
    signal_gradient = (np.diff(gradient, axis=0) - signal[:, None] * total_gradient) / total
    width = edges[-1] - edges[0]
    value, derivative = exponential((edges - edges[0]) / width, slope * width)
    background = np.diff(value)
    columns = [(1 - f) * signal_gradient, (background - signal)[:, None], f * width * np.diff(derivative)[:, None]]
    return f * background + (1 - f) * signal, np.concatenate(columns, axis=1)


def _signal_cdf(
    mu: float, sigma: float, edges: FloatArray, node: FloatArray, weight: FloatArray, kind: int
) -> tuple[FloatArray, FloatArray]:
    z = standardised(edges[:, None], node, mu, sigma, kind)
    d_mu, d_sigma = standardised_gradient(edges[:, None], node, mu, sigma, kind)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return ndtr(z) @ weight, np.stack([(density * d_mu) @ weight, (density * d_sigma) @ weight], axis=1)


def density(
    theta: FloatArray, m: FloatArray, window: tuple[float, float], node: FloatArray, weight: FloatArray, kind: int
) -> FloatArray:
    """Probability density [1/GeV] at the masses `m`, normalised in `window`: the unbinned referee's model."""
    mu, sigma, f, slope = theta
    ends = np.array(window)
    cdf, _ = _signal_cdf(mu, sigma, ends, node, weight, kind)
    z = standardised(m[:, None], node, mu, sigma, kind)
    dz_dm = 1 / (sigma * node) if kind == MASS else mu * node / (m[:, None] ** 2 * sigma)
    signal = (np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) * dz_dm) @ weight / (cdf[1] - cdf[0])
    width = ends[1] - ends[0]
    t = slope * width
    flat = np.ones_like(m) / width
    background = flat if abs(t) < 1e-9 else slope * np.exp(slope * (m - ends[0])) / np.expm1(t)
    return f * background + (1 - f) * signal
