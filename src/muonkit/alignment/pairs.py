"""The masses of a vertex fit as equations: m_ref - m = J K p + noise (see `mass`). J are the derivatives of the mass by
the fitted first states of both muons, through the vertex fit."""

from typing import NamedTuple

import numpy as np

from muonkit.alignment.linear import Eliminated
from muonkit.alignment.mass import MassEquations
from muonkit.core.arrays import FloatArray, IntArray


class Measured(NamedTuple):
    """Of n pairs: mass (n,) [GeV]; its derivatives (n, 2, 5) by the fitted first states of both muons; what it should
    be (n,) [GeV]."""

    mass: FloatArray
    by_first: FloatArray
    reference: FloatArray


def vertex_equations(tracks: Eliminated, pairs: IntArray, measured: Measured, width: float) -> MassEquations:
    """Whitened equations of n pairs, rows `pairs` (n, 2) of tracks; width of the resonance [GeV]."""
    slope = measured.by_first
    variance = np.einsum("npi,npij,npj->n", slope, tracks.covariance[pairs], slope) + width**2
    D = np.einsum("npi,npig->npg", slope, tracks.response[pairs]).reshape(len(pairs), -1)
    sigma = np.sqrt(variance)[:, None]
    surface = tracks.surface[pairs].reshape(len(pairs), -1)
    return MassEquations(surface, (D / sigma)[:, None, :], (measured.reference - measured.mass)[:, None] / sigma)
