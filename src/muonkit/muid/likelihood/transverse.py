"""The transverse likelihood: the density of the reduced chi2 of the hits (MuidBuilder of the Belle II software).

With k = ndof/2 and x = chi2/ndof, by hypothesis, region D and k = 1 to 18: up to a threshold a cubic spline through the
logarithms of a histogram, above it

    ln f = ln scale_y + (k - 1) ln x' - x',  x' = k scale_x x                                                    (19)

which is also used for k > 18, with the scales of 18. For an ideal chi2 scale_x = 1 and scale_y = k/Gamma(k). Below the
first bin centre the spline overshoots for k > 1: `faithful`. `clamp` takes the value at the centre; `power` goes on as
x^(k - 1), as every density does that is smooth in 2 k residuals: ln f(x0) + (k - 1) ln(x/x0) - k scale_x (x - x0). This
is the reference; `kernels.likelihood` is the compiled twin."""

import numpy as np

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.data.muid import MuidTracks
from muonkit.muid.likelihood.hypotheses import signed_numbers
from muonkit.muid.likelihood.outcome import region
from muonkit.muid.likelihood.payload import ORDERS, LikelihoodParameters
from muonkit.muid.likelihood.spline import WIDTH, interval

FIRST_BINS = ("faithful", "clamp", "power")
LEAST = 1e-9  # reduced chi2: below, ln x is that of this


def transverse(tracks: MuidTracks, payload: LikelihoodParameters, first_bin: str = "faithful") -> FloatArray:
    """ln f (n, 6) for HYPOTHESES of the tracks' charge, eq. 19; 0 without degrees of freedom, else -inf for chi2
    that is negative or not finite."""
    k = np.maximum(tracks.ndof // 2, 1)[:, None]
    possible = (tracks.chi2 >= 0) & np.isfinite(tracks.chi2)
    x = (np.where(possible, tracks.chi2, 0.0) / np.maximum(tracks.ndof, 1))[:, None]
    D = region(tracks.barrel_ext_layer, tracks.endcap_ext_layer)[:, None]
    place = signed_numbers(tracks.charge), D, np.minimum(k, ORDERS) - 1
    with np.errstate(divide="ignore"):
        in_tail = tail(x, k, payload.scale_x[place], payload.scale_y[place])
    body = spline_value(x, payload.splines[(*place, interval(x))])
    if first_bin != "faithful":
        body = np.where(x < WIDTH / 2, below_first(x, k, payload, place, first_bin), body)
    density = np.where((k > ORDERS) | (x > payload.threshold[place]), in_tail, body)
    density = np.where(possible[:, None], density, -np.inf)
    return np.where(tracks.ndof[:, None] <= 0, 0.0, density)


def tail(x: FloatArray, k: FloatArray, scale_x: FloatArray, scale_y: FloatArray) -> FloatArray:
    """Eq. 19; x^0 = 1 also for x = 0."""
    scaled = x * scale_x * k
    power = np.where(k > 1, (k - 1) * np.log(np.where(k > 1, scaled, 1.0)), 0.0)
    return np.asarray(np.log(scale_y) + power - scaled)


def spline_value(x: FloatArray, c: FloatArray) -> FloatArray:
    """Spline with coefficients c (..., 4) of the interval that x is in."""
    d = x - WIDTH / 2 - interval(x) * WIDTH
    return c[..., 0] + d * (c[..., 1] + d * (c[..., 2] + d * c[..., 3]))


def below_first(
    x: FloatArray, k: FloatArray, payload: LikelihoodParameters, place: tuple[IntArray, ...], how: str
) -> FloatArray:
    """ln f below the first bin centre x0, `clamp` or `power`."""
    value: FloatArray = payload.log_density[(*place, 0)]
    if how == "clamp":
        return value
    x0 = WIDTH / 2
    return np.asarray(value + (k - 1) * np.log(np.maximum(x, LEAST) / x0) - k * payload.scale_x[place] * (x - x0))
