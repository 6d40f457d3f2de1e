"""The tails of the response of single muons in simulation: two Gaussians are fitted to its shape in every eta bin.

The shape is that of `response`, averaged over pT. It is fitted because its fourth moment is made by a few muons."""

from collections.abc import Sequence
from functools import reduce
from operator import add

import numpy as np
from scipy.optimize import minimize
from scipy.special import ndtr

from muonkit.calibration.derive import FitPlan
from muonkit.calibration.response import KNOWN, PT_BINS, TAIL, Responses, U, moments, pooled, standardised
from muonkit.calibration.smearing import Tails
from muonkit.core.arrays import FloatArray

EDGES = np.linspace(-TAIL, TAIL, U + 1)
MIDDLE = (EDGES[1:] + EDGES[:-1]) / 2
START = (0.0, 0.9, 0.1, 2.0)  # mean and width of the core, share of wide Gaussians, their width over that of the core
BOUNDS = ((-1, 1), (0.2, 1.2), (0, 0.5), (1.1, 8))
CLEAR = 25.0  # in 2 ln L: five standard deviations, else the response is taken as Gaussian


def tails_of(plans: Sequence[FitPlan]) -> Tails | None:
    """The tails of the response that the fits of all samples use; none for a Gaussian kernel."""
    if plans[0].choice.kernel != "response":
        return None
    return fitted_tails(reduce(add, (plan.truth.responses for plan in plans)))


def fitted_tails(responses: Responses) -> Tails:
    """The tails in every eta bin; where simulation has few muons, those of its neighbours, or of all."""
    standard, _, entries = standardised(responses)
    known = np.where(entries >= KNOWN, entries, 0).reshape(-1, PT_BINS)
    shapes = (standard.reshape(-1, PT_BINS, U) * (known[:, :, None] > 0)).sum(axis=1)
    entries = known.sum(axis=1)
    rows = [fitted(shape) for shape in pooled(scaled(shapes, entries)[None], entries[None])]
    return Tails(*np.array(rows).T)


def scaled(shapes: FloatArray, entries: FloatArray) -> FloatArray:
    """Histograms (rows, U) of weights as such of effective entries (rows,); bins below 0 are empty."""
    shapes = np.maximum(shapes, 0)
    total = np.maximum(shapes.sum(axis=1), 1e-300)
    return np.asarray(shapes * (entries / total)[:, None])


def fitted(counts: FloatArray) -> tuple[float, float]:
    """Share and factor of the wide Gaussians in a histogram (U,); (0, 1) if they are not clear."""
    if counts.sum() <= 0:
        return 0.0, 1.0
    shape = counts / counts.sum()

    def loss(values: FloatArray) -> float:
        return -float(shape @ np.log(np.maximum(two_gaussians(*values), 1e-300)))

    found = minimize(loss, START, bounds=BOUNDS, options={"ftol": 1e-12})
    better = loss(np.array([*np.ravel(moments(shape[None], MIDDLE)), 0, 1])) - found.fun
    _, _, share, factor = found.x.tolist()
    return (share, factor) if 2 * counts.sum() * better > CLEAR else (0.0, 1.0)


def two_gaussians(mean: float, core: float, share: float, factor: float) -> FloatArray:
    """Probabilities (U,) of the bins."""
    narrow, wide = (np.diff(ndtr((EDGES - mean) / width)) for width in (core, factor * core))
    return np.asarray((1 - share) * narrow + share * wide)
