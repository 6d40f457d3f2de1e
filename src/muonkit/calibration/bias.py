"""The bias of a reconstructed curvature k = 1/pT, and the one place for its signs.

    k_c / k = 1 + A - e k + q M / k       (PRIN meeting slides of 5 October 2021, "extract corrections from our model")

(A, e, M) are the corrections to APPLY to the reconstructed k: A is a scale of the magnetic field, e [GeV] an energy
loss, M [1/GeV] a misalignment, odd in charge. Angles stay as they are. With k_true in place of k_c the same formula
says how a biased k was made."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from muonkit.core.arrays import FloatArray

LEAST = 0.5  # of k_c/k: no correction more than doubles pT, and none makes it negative


@dataclass(frozen=True, slots=True)
class Bias:
    """A (dimensionless), e [GeV], M [1/GeV]: one entry per eta bin, or per muon."""

    A: FloatArray
    e: FloatArray
    M: FloatArray

    def at(self, index: np.typing.NDArray[np.intp]) -> Self:
        """The rows `index`: from eta bins to muons."""
        return type(self)(self.A[index], self.e[index], self.M[index])


def scale(k: FloatArray, inverse_k: FloatArray, q: FloatArray | int, bias: Bias) -> FloatArray:
    """k_c / k (n,) for curvature k [1/GeV], 1/k [GeV] and charge q, each (n,); one row of `bias` per muon.

    The formula is linear in k and in 1/k: with their means over the muons of a cell it gives the mean of the cell."""
    return 1 + bias.A - bias.e * k + q * bias.M * inverse_k


def scale_dparameters(k: FloatArray, inverse_k: FloatArray, q: FloatArray | int) -> dict[str, FloatArray]:
    """Derivatives (n,) of `scale` with respect to A, e [1/GeV] and M [GeV], by the letter of the parameter."""
    return {"A": np.ones_like(k), "e": -k, "M": q * inverse_k}


def corrected_pt(pt: FloatArray, q: FloatArray | int, bias: Bias) -> FloatArray:
    """The corrected transverse momentum (n,) [GeV]; at most twice pT."""
    return pt / np.maximum(scale(1 / pt, pt, q, bias), LEAST)
