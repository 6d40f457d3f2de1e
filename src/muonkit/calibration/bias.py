"""The bias of a reconstructed curvature k = 1/pT, and the one place for its signs.

    k_c / k = 1 + A - e k + q M / k                      (PRIN meeting slides 2021, p. 2)

(A, e, M) are the corrections to APPLY to the reconstructed k: A is a scale of the magnetic field, e [GeV] an energy
loss, M [1/GeV] a misalignment, odd in charge. Angles stay as they are. With k_true in place of k_c the same formula
says how a biased k was made, so `invert` is what a simulation uses to inject a bias."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from muonkit.core.arrays import FloatArray


@dataclass(frozen=True, slots=True)
class Bias:
    """A (dimensionless), e [GeV], M [1/GeV]: one entry per eta bin, or per muon."""

    A: FloatArray
    e: FloatArray
    M: FloatArray

    def at(self, index: np.typing.NDArray[np.intp]) -> Self:
        """The rows `index`: from eta bins to muons."""
        return type(self)(self.A[index], self.e[index], self.M[index])


def scale(k: FloatArray, q: FloatArray | int, bias: Bias) -> FloatArray:
    """k_true / k for curvature k [1/GeV] and charge q; one row of `bias` per muon."""
    return 1 + bias.A - bias.e * k + q * bias.M / k


def scale_dk(k: FloatArray, q: FloatArray | int, bias: Bias) -> FloatArray:
    """Derivative of `scale` with respect to k [GeV]."""
    return -bias.e - q * bias.M / k**2


def scale_dparameters(k: FloatArray, q: FloatArray | int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Derivatives of `scale` with respect to A, e, M."""
    return np.ones_like(k), -k, q / k


def apply(k: FloatArray, q: FloatArray | int, bias: Bias) -> FloatArray:
    """The corrected curvature [1/GeV]."""
    return k * scale(k, q, bias)


def invert(k_true: FloatArray, q: FloatArray | int, bias: Bias) -> FloatArray:
    """The biased curvature that `apply` takes to `k_true` [1/GeV].

    Root of e k^2 - (1 + A) k + (k_true - q M) = 0 that goes to k_true without bias, without cancellation."""
    linear = 1 + bias.A
    constant = k_true - q * bias.M
    return 2 * constant / (linear + np.sqrt(linear**2 - 4 * bias.e * constant))


def corrected_pt(pt: FloatArray, q: FloatArray | int, bias: Bias) -> FloatArray:
    """The corrected transverse momentum [GeV]."""
    return pt / scale(1 / pt, q, bias)
