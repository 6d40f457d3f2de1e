"""The transverse densities of a payload as distributions: cumulative probability of the reduced chi2, and its inverse.

The density is that of `transverse` up to the threshold, summed on a grid (Simpson), and eq. 19 above it, whose integral
is an incomplete gamma function. The densities of a payload integrate to 1 only as well as they are known and
interpolated; here they are divided by their integral, `norm`."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import gammaincc, gammainccinv, gammaln

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.data.muid import LAYERS, MuidTracks
from muonkit.muid.likelihood.hypotheses import SIGNED, signed_numbers
from muonkit.muid.likelihood.outcome import BARREL_ONLY, ENDCAP_ONLY
from muonkit.muid.likelihood.payload import ORDERS, REGIONS, LikelihoodParameters
from muonkit.muid.likelihood.transverse import transverse

STEPS = 500  # of the grid between 0 and the threshold


@dataclass(frozen=True)
class Chi2Distribution:
    """body (12, 3, 18, STEPS + 1): integral up to every point of the grid; threshold, rate = k scale_x, tail: whole
    integral of eq. 19, (12, 3, LAYERS): by hypothesis, region D, k - 1; norm: the integral of all."""

    body: FloatArray
    threshold: FloatArray
    rate: FloatArray
    tail: FloatArray
    norm: FloatArray

    def cdf(self, x: FloatArray, place: tuple[IntArray, ...]) -> FloatArray:
        """Probability (n,) of a reduced chi2 below x (n,); place: hypothesis, D, k - 1 (n,)."""
        h, D, i = place
        k, threshold = i + 1.0, self.threshold[place]
        step = np.clip(x / np.where(threshold > 0, threshold, 1.0), 0, 1) * STEPS
        low = np.minimum(step.astype(np.int64), STEPS - 1)
        at, order = step - low, np.minimum(i, ORDERS - 1)
        inside = (1 - at) * self.body[h, D, order, low] + at * self.body[h, D, order, low + 1]
        beyond = self.tail[place] * gammaincc(k, np.maximum(self.rate[place] * x, 0))
        return np.asarray(np.where(x < threshold, inside / self.norm[place], 1 - beyond / self.norm[place]))

    def inverse(self, u: FloatArray, place: tuple[IntArray, ...]) -> FloatArray:
        """The reduced chi2 (n,) below which the probability is u (n,)."""
        beyond = np.clip((1 - u) * self.norm[place] / self.tail[place], 0, 1)
        x: FloatArray = gammainccinv(place[2] + 1.0, beyond) / self.rate[place]
        for h, D, i in np.unique(np.column_stack(place), axis=0):
            rows = (place[0] == h) & (place[1] == D) & (place[2] == i)
            if i < ORDERS:
                body, threshold = self.body[h, D, i], self.threshold[h, D, i]
                wanted = u[rows] * self.norm[h, D, i]
                inside = np.interp(wanted, body, np.linspace(0, threshold, STEPS + 1))
                x[rows] = np.where(wanted < body[-1], inside, x[rows])
        return x


@lru_cache(maxsize=4)
def chi2_distribution(payload: LikelihoodParameters, first_bin: str = "power") -> Chi2Distribution:
    """The distributions of a payload; first_bin: see `transverse`. Kept for the four last used."""
    k = np.arange(1, LAYERS + 1)
    order = np.minimum(k, ORDERS) - 1
    threshold = np.where(k > ORDERS, 0.0, payload.threshold[:, :, order])
    rate = k * payload.scale_x[:, :, order]
    tail = np.exp(np.log(payload.scale_y[:, :, order]) + gammaln(k)) / rate
    body = np.zeros((SIGNED, REGIONS, ORDERS, STEPS + 1))
    body[..., 1:] = np.cumsum(_steps(payload, first_bin), axis=-1)
    below = np.zeros_like(tail)
    below[..., :ORDERS] = body[..., -1]
    return Chi2Distribution(body, threshold, rate, tail, below + tail * gammaincc(k, rate * threshold))


def _steps(payload: LikelihoodParameters, first_bin: str) -> FloatArray:
    """Integral (12, 3, 18, STEPS) of the density over every step of the grid, by Simpson's rule."""
    threshold = payload.threshold
    x = threshold[..., None] * np.linspace(0, 1, 2 * STEPS + 1)
    density = np.zeros_like(x)
    for h, D, i in np.ndindex(threshold.shape):
        density[h, D, i] = np.exp(_density(payload, first_bin, x[h, D, i], (h, D, i)))
    ends, middle = density[..., ::2], density[..., 1::2]
    width = threshold[..., None] / STEPS
    return np.asarray(width / 6 * (ends[..., :-1] + 4 * middle + ends[..., 1:]))


def _density(payload: LikelihoodParameters, first_bin: str, x: FloatArray, place: tuple[int, int, int]) -> FloatArray:
    """ln f (n,) as `transverse` has it for tracks with this reduced chi2."""
    h, D, i = place
    charge = np.full(len(x), -1.0 if h % 2 else 1.0)
    column = int(np.flatnonzero(signed_numbers(charge[:1])[0] == h)[0])
    return transverse(_probe(x, charge, D, 2 * (i + 1)), payload, first_bin)[:, column]


def _probe(x: FloatArray, charge: FloatArray, D: int, ndof: int) -> MuidTracks:
    """Tracks of which the transverse likelihood sees this; the rest is empty."""
    n = len(x)
    barrel, endcap = np.full(n, -1 if D == ENDCAP_ONLY else 14), np.full(n, -1 if D == BARREL_ONLY else 0)
    zero = np.zeros(n, dtype=np.int64)
    return MuidTracks(charge, zero, zero > 0, zero, zero, barrel, endcap, zero, zero, x * ndof, zero + ndof,
                      np.broadcast_to(1.0, (n, LAYERS)), zero)  # fmt: skip
