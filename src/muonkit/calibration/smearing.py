"""Noise that brings simulation to wider data whose response has the same shape.

The response of the simulation is a share p of Gaussians f times as wide as those of the core; data have it r times as
wide. The noise has the variance n^2 for most muons, w^2 for a share q, in units of that of the core (physics.md, 7b),

    n^2 = r^2 - 1,   w^2 = n^2 + F b,   q = p n^2/b,   F = f^2 - 1,   b = n^2 + 2 (1 - p).

It has the core, variance and fourth cumulant that are missing. n^2 widens the core by r; q (w^2 - n^2) = p F n^2 gives
the variance (r^2 - 1)(1 + p F), and 3 q (1 - q)(w^2 - n^2)^2 = (r^4 - 1) 3 p (1 - p) F^2 the cumulant. Such noise
exists for all r > 1, f > 1, p < 1. For p = 0 it is Gaussian; for large r it has the shape of the response."""

from typing import NamedTuple, Self

import numpy as np
from scipy.special import ndtr

from muonkit.calibration.bias import LEAST
from muonkit.calibration.resolution import Resolution, variance
from muonkit.core.arrays import FloatArray, IntArray


class Tails(NamedTuple):
    """The shape of a response: `share` of wide Gaussians and their width over that of the core, `factor`; one entry per
    eta bin, or per muon. Share 0: a Gaussian."""

    share: FloatArray
    factor: FloatArray

    @classmethod
    def none(cls, bins: int) -> Self:
        """Of a Gaussian response."""
        return cls(np.zeros(bins), np.ones(bins))

    def at(self, index: IntArray) -> Self:
        """The rows `index`: from eta bins to muons."""
        return type(self)(self.share[index], self.factor[index])

    @property
    def excess(self) -> FloatArray:
        """F: variance of wide Gaussians over that of the core, less 1."""
        return self.factor**2 - 1

    def core(self, resolution: Resolution) -> Resolution:
        """Of the core, where `resolution` is the rms of all."""
        width = np.sqrt(1 + self.share * self.excess)
        return Resolution(resolution.a / width, resolution.c / width, resolution.g, resolution.d)


def smearing(
    normal: FloatArray, second: FloatArray, pt2: FloatArray, data: Resolution, simulation: Resolution, tails: Tails
) -> FloatArray:
    """Smeared pT / pT (n,) that brings simulation to the resolution of data: k is kicked by what is missing.

    `normal`, `second`: standard normal numbers (n,), the kick and which muons get wide noise; `pt2` is pT^2 [GeV^2].
    Where simulation is worse than data, nothing is changed. No muon gets more than twice its pT."""
    wanted, given = (variance(pt2, tails.core(each)) for each in (data, simulation))
    missing = np.maximum(0, wanted - given)
    b = missing + 2 * (1 - tails.share) * given
    wide = ndtr(-second) * b < tails.share * missing
    return 1 / np.maximum(1 + normal * np.sqrt(missing + wide * tails.excess * b), LEAST)
