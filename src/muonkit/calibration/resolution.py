"""The resolution of the curvature of one muon and of the mass of two.

    R = (sigma_k/k)^2 = a^2 + c^2 pT^2 (1 + g^2/pT^2) / (1 + d^2/pT^2)       (PRIN slides 2021)

a is scattering, c [1/GeV] hit resolution; g, d [GeV] lead from one regime to the other. At fixed angles
(sigma_m/m)^2 = (R+ + R-)/4; the slides write the sum without the 1/4, their sigma is twice sigma_m/m. The fit works
with a^2 and c^2, in which R is linear."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from muonkit.calibration.bias import LEAST, Bias, scale
from muonkit.core.arrays import FloatArray

MOST_STRETCH = 3.0  # a simulation that is so much narrower than data is no model of it
TINY_VARIANCE = 1e-12


@dataclass(frozen=True, slots=True)
class Resolution:
    """a (dimensionless), c [1/GeV], g [GeV], d [GeV]: one entry per eta bin, or per muon."""

    a: FloatArray
    c: FloatArray
    g: FloatArray
    d: FloatArray

    def at(self, index: np.typing.NDArray[np.intp]) -> Self:
        """The rows `index`: from eta bins to muons."""
        return type(self)(self.a[index], self.c[index], self.g[index], self.d[index])


def hit_shape(pt2: FloatArray, g: FloatArray, d: FloatArray) -> FloatArray:
    """pT^2 (1 + g^2/pT^2)/(1 + d^2/pT^2) [GeV^2], the factor of c^2; `pt2` is pT^2 [GeV^2]."""
    return pt2 * (pt2 + g**2) / (pt2 + d**2)


def variance(pt2: FloatArray, resolution: Resolution) -> FloatArray:
    """(sigma_k/k)^2 (n,) at pT^2 = pt2 (n,) [GeV^2]; one row of `resolution` per muon. Linear in a^2 and c^2."""
    return resolution.a**2 + resolution.c**2 * hit_shape(pt2, resolution.g, resolution.d)


def stretching(
    pt: FloatArray,
    gen_pt: FloatArray,
    held: FloatArray,
    q: FloatArray | int,
    data: Resolution,
    simulation: Resolution,
    bias: Bias,
) -> FloatArray:
    """Stretched pT / pT (n,) of simulated muons of pT and generated pT (n,) [GeV] and charge q.

    The deviation of k/k_gen from its mean grows by the ratio of the widths of data and simulation; it shrinks where
    simulation is wider. So the shape stays, tails and skewness included, and so does the scale. `held`: generated pT
    within the model; `bias`: corrections that the simulation itself needs, which fix the mean. No muon gets more than
    twice its pT."""
    width2 = variance(held**2, data) / np.maximum(variance(held**2, simulation), TINY_VARIANCE)
    ratio = pt / (gen_pt * np.maximum(scale(1 / held, held, q, bias), LEAST))
    return 1 / np.maximum(ratio + np.minimum(np.sqrt(width2), MOST_STRETCH) * (1 - ratio), LEAST)


def variance_dparameters(pt2: FloatArray, resolution: Resolution) -> dict[str, FloatArray]:
    """Derivatives (n,) of `variance` with respect to a, c [GeV], g [1/GeV] and d [1/GeV], by their letters."""
    a, c, g, d = resolution.a, resolution.c, resolution.g, resolution.d
    shape, c2 = hit_shape(pt2, g, d), c**2
    return {
        "a": 2 * a,
        "c": 2 * c * shape,
        "g": c2 * 2 * g * pt2 / (pt2 + d**2),
        "d": -c2 * 2 * d * shape / (pt2 + d**2),
    }
