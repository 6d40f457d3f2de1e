"""The mass density of a cell: the NumPy reference of `kernels.density`.

    p(m) = f B(m; slope) + (1 - f) sum_j w_j K(m | m_j; mu, sigma)      both normalised in the mass window

m_j, w_j: generator masses of the cell (after radiation) and their weights, so that radiation and natural width stay
out of mu and sigma. A kernel K is a standard distribution F(z) and how z depends on m:

    "mass"       z = (m/m_j - mu)/sigma: a Gaussian of mean mu m_j and width sigma m_j (PRIN slides 2021,
                 "a kernel model for scale and resolution")
    "curvature"  z = (1 - kappa sigma^2 - mu m_j/m)/sigma with kappa = 1/2: the exact consequence, up to terms of order
                 sigma^3, of a Gaussian in each of the two curvatures, since m ~ (k+ k-)^(-1/2). The first biases mu
                 by 1e-4 at sigma = 0.85 %, this one does not.
    "response"   the same z; F and kappa are those of the simulated responses of the two muons, folded (`response`)

The relative width of a node may grow with its mass: sigma_j = sigma (m_j/<m>)^growth.

Parameters: mu, sigma, background fraction f, slope [1/GeV]; exact integrals over mass bins."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PPoly
from scipy.special import ndtr

from muonkit.calibration.kernels.density import SERIES_BELOW
from muonkit.calibration.kernels.records import CURVATURE, END, INTERVALS, MASS
from muonkit.core.arrays import FloatArray

Function = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, slots=True)
class Kernel:
    """How z depends on m (`kind`); F(z) and its density; kappa; growth of the relative width with the mass."""

    kind: int
    cdf: Function
    density: Function
    kappa: float = 0.0
    growth: float = 0.0


def normal_density(z: FloatArray) -> FloatArray:
    """The standard normal density."""
    density: FloatArray = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return density


KINDS = {"mass": MASS, "curvature": CURVATURE, "response": CURVATURE}
GAUSSIAN = {
    "mass": Kernel(MASS, ndtr, normal_density),
    "curvature": Kernel(CURVATURE, ndtr, normal_density, kappa=0.5),
}


def tabulated(table: FloatArray, kappa: float, growth: float) -> Kernel:
    """The kernel of a table of cubic polynomials (intervals, 4), see `kernels.shape`."""
    grid = np.linspace(-END, END, INTERVALS + 1)
    step = grid[1] - grid[0]
    curve = PPoly(table.T[::-1] / step ** np.arange(3, -1, -1)[:, None], grid)
    slope = curve.derivative()

    def cdf(z: FloatArray) -> FloatArray:
        return np.where(z <= -END, 0.0, np.where(z >= END, 1.0, curve(z)))

    def density(z: FloatArray) -> FloatArray:
        return np.where(np.abs(z) >= END, 0.0, slope(z))

    return Kernel(CURVATURE, cdf, density, kappa, growth)


def standardised(m: FloatArray, node: FloatArray, mu: float, sigma: FloatArray, kernel: Kernel) -> FloatArray:
    """z with F(z) = P(m_reco < m | m_gen = node); shapes broadcast."""
    if kernel.kind == MASS:
        return (m / node - mu) / sigma
    return (1 - kernel.kappa * sigma**2 - mu * node / m) / sigma


def linear(node: FloatArray, mu: float, sigma: FloatArray, kernel: Kernel) -> tuple[FloatArray, FloatArray]:
    """Constant and factor (nodes,) of `standardised`, linear in m for a kernel of kind MASS, in 1/m for others."""
    if kernel.kind == MASS:
        return -mu / sigma, 1 / (node * sigma)
    return 1 / sigma - kernel.kappa * sigma, -mu * node / sigma


def standardised_gradient(
    m: FloatArray, node: FloatArray, mu: float, sigma: FloatArray, kernel: Kernel
) -> tuple[FloatArray, FloatArray]:
    """Derivatives of `standardised` with respect to mu and sigma."""
    z = standardised(m, node, mu, sigma, kernel)
    if kernel.kind == MASS:
        return np.broadcast_to(-1 / sigma, z.shape), -z / sigma
    return -node / m / sigma, -2 * kernel.kappa - z / sigma


def widths(node: FloatArray, weight: FloatArray, kernel: Kernel) -> FloatArray:
    """Relative width of every node (nodes,) over that of the mean mass."""
    return (node / np.average(node, weights=weight)) ** kernel.growth


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
    theta: FloatArray, edges: FloatArray, node: FloatArray, weight: FloatArray, kernel: Kernel
) -> tuple[FloatArray, FloatArray]:
    """Probability of every mass bin (bins,) and its gradient (bins, 4) in theta = (mu, sigma, f, slope)."""
    mu, sigma, f, slope = theta
    cdf, gradient = _signal_cdf(mu, sigma, edges, node, weight, kernel)
    total, total_gradient = cdf[-1] - cdf[0], gradient[-1] - gradient[0]
    signal = np.diff(cdf) / total
    signal_gradient = (np.diff(gradient, axis=0) - signal[:, None] * total_gradient) / total
    width = edges[-1] - edges[0]
    value, derivative = exponential((edges - edges[0]) / width, slope * width)
    background = np.diff(value)
    columns = [(1 - f) * signal_gradient, (background - signal)[:, None], f * width * np.diff(derivative)[:, None]]
    return f * background + (1 - f) * signal, np.concatenate(columns, axis=1)


def _signal_cdf(
    mu: float, sigma: float, edges: FloatArray, node: FloatArray, weight: FloatArray, kernel: Kernel
) -> tuple[FloatArray, FloatArray]:
    width = widths(node, weight, kernel)
    z = standardised(edges[:, None], node, mu, sigma * width, kernel)
    d_mu, d_sigma = standardised_gradient(edges[:, None], node, mu, sigma * width, kernel)
    density = kernel.density(z)
    return kernel.cdf(z) @ weight, np.stack([(density * d_mu) @ weight, (density * d_sigma * width) @ weight], axis=1)


def density(
    theta: FloatArray, m: FloatArray, window: tuple[float, float], node: FloatArray, weight: FloatArray, kernel: Kernel
) -> FloatArray:
    """Probability density [1/GeV] at the masses `m`, normalised in `window`: the unbinned referee's model."""
    mu, sigma, f, slope = theta
    ends = np.array(window)
    cdf, _ = _signal_cdf(mu, sigma, ends, node, weight, kernel)
    own = sigma * widths(node, weight, kernel)
    z = standardised(m[:, None], node, mu, own, kernel)
    dz_dm = 1 / (own * node) if kernel.kind == MASS else mu * node / (m[:, None] ** 2 * own)
    signal = (kernel.density(z) * dz_dm) @ weight / (cdf[1] - cdf[0])
    width = ends[1] - ends[0]
    t = slope * width
    flat = np.ones_like(m) / width
    background = flat if abs(t) < 1e-9 else slope * np.exp(slope * (m - ends[0])) / np.expm1(t)
    return f * background + (1 - f) * signal
