"""The referee of the mass fits: the same model minimised by iminuit, one cell at a time, binned or unbinned.

Slow and independent of `kernels`; used to check it, and to look at single cells."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from iminuit import Minuit

from muonkit.calibration import lineshape
from muonkit.calibration.lineshape import Kernel
from muonkit.calibration.massfit import PARAMETERS, FitOptions
from muonkit.core.arrays import FloatArray

LIMITS = ((0.8, 1.2), (5e-4, 0.3), (0.0, 1.0), (None, None))


@dataclass(frozen=True, slots=True)
class RefereeFit:
    """Values (4,) in the order of `massfit.PARAMETERS`, covariance (4, 4) by HESSE, whether the minimum is valid."""

    theta: FloatArray
    covariance: FloatArray
    valid: bool


def fit_binned(
    counts: FloatArray,
    edges: FloatArray,
    node: FloatArray,
    weight: FloatArray,
    options: FitOptions,
    kernel: Kernel | None = None,
) -> RefereeFit:
    """Binned likelihood with analytic gradient: counts (bins,), mass edges (bins + 1,) [GeV], template nodes [GeV] and
    weights (nodes,)."""
    kernel = kernel or lineshape.GAUSSIAN[options.kernel]
    mean, width = options.slope_prior

    @lru_cache(maxsize=1)  # value and gradient are asked for at the same point
    def model(theta: tuple[float, ...]) -> tuple[FloatArray, FloatArray]:
        p, dp = lineshape.probabilities(np.array(theta), edges, node, weight, kernel)
        return np.maximum(p, 1e-14), dp

    def cost(*theta: float) -> float:
        return float(-counts @ np.log(model(theta)[0]) + ((theta[3] - mean) / width) ** 2 / 2)

    def gradient(*theta: float) -> FloatArray:
        p, dp = model(theta)
        result = -(counts / p) @ dp
        result[3] += (theta[3] - mean) / width**2
        return result

    return _minimise(Minuit(cost, *options.start, name=PARAMETERS, grad=gradient))


def fit_unbinned(
    masses: FloatArray,
    window: tuple[float, float],
    node: FloatArray,
    weight: FloatArray,
    options: FitOptions,
    kernel: Kernel | None = None,
) -> RefereeFit:
    """Unbinned likelihood of the masses (n,) [GeV] in `window` [GeV]; template nodes [GeV] and weights (nodes,);
    `kernel`: the Gaussian one of the options if not given."""
    kernel = kernel or lineshape.GAUSSIAN[options.kernel]
    mean, width = options.slope_prior

    def cost(*theta: float) -> float:
        p = lineshape.density(np.array(theta), masses, window, node, weight, kernel)
        return float(-np.log(np.maximum(p, 1e-14)).sum() + ((theta[3] - mean) / width) ** 2 / 2)

    return _minimise(Minuit(cost, *options.start, name=PARAMETERS))


def _minimise(minuit: Minuit) -> RefereeFit:
    minuit.errordef = Minuit.LIKELIHOOD
    minuit.limits = LIMITS
    minuit.errors = (1e-4, 1e-4, 1e-2, 0.1)
    minuit.strategy = 1
    minuit.tol = 0.001
    minuit.migrad()
    minuit.hesse()
    return RefereeFit(np.array(minuit.values), np.array(minuit.covariance), bool(minuit.valid))
