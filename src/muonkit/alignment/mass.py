"""The dimuon mass as a further measurement of a pair, ((m_reference/m(x+, x-))^2 - 1)/2, at fitted states of both.

The fitted state of a track and what is left of its residuals are independent, so an equation per pair adds to those of
its tracks. Its sigma is that of the fitted mass over the mass, together with the width of the resonance. 1/m^2 goes as
the product of both curvatures, which have Gaussian errors: its mean has no bias, where that of m is too large by 3/4 of
the square of the relative error of a curvature."""

from typing import NamedTuple

import numpy as np

from muonkit.alignment.linear import Eliminated
from muonkit.core.arrays import FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.indices import PHI, QOP, THETA
from muonkit.core.units import MUON_MASS


class PairMass(NamedTuple):
    """Of n pairs: mass (n,) [GeV]; its derivatives (n, 2, 5) by the states of both muons."""

    mass: FloatArray
    by_state: FloatArray


class MassEquations(NamedTuple):
    """Whitened equations of n pairs for `NormalSystem.add_equations`: surface (n, s), D (n, 1, 8 s), z (n, 1)."""

    surface: IntArray
    D: FloatArray
    z: FloatArray


def pair_mass(states: FloatArray) -> PairMass:
    """Mass of pairs of states (n, 2, 5) at their common point, m^2 = 2 (m_mu^2 + E1 E2 - p1.p2)."""
    phi, theta, qop = states[..., PHI], states[..., THETA], states[..., QOP]
    p = 1 / np.abs(qop)
    E = np.hypot(p, MUON_MASS)
    sin, cos, apart = np.sin(theta), np.cos(theta), phi[:, 0] - phi[:, 1]
    angle = sin[:, 0] * sin[:, 1] * np.cos(apart) + cos[:, 0] * cos[:, 1]
    mass = np.sqrt(2 * (MUON_MASS**2 + E[:, 0] * E[:, 1] - p[:, 0] * p[:, 1] * angle))
    other, back = p[:, ::-1], slice(None, None, -1)
    by_angle = -p[:, 0] * p[:, 1]
    slope = np.zeros_like(states)
    slope[..., PHI] = (-by_angle * sin[:, 0] * sin[:, 1] * np.sin(apart))[:, None] * [1.0, -1.0]
    turn = cos * sin[:, back] * np.cos(apart)[:, None] - sin * cos[:, back]
    slope[..., THETA] = by_angle[:, None] * turn
    slope[..., QOP] = (p / E * E[:, back] - other * angle[:, None]) * -p / qop
    return PairMass(mass, slope / mass[:, None, None])


def mass_equations(
    tracks: Eliminated, pairs: IntArray, states: FloatArray, jacobian: FloatArray, reference: float, width: float
) -> MassEquations:
    """Equations of n pairs, rows `pairs` (n, 2) of tracks. states (n, 2, 5): at the vertex; jacobian (n, 2, 5, 5): of
    them by the fitted first states; reference mass and width [GeV].

    Raises InputError for a pair that is not two tracks, and a reference or width that is not above 0."""
    if pairs.ndim != 2 or pairs.shape[1] != 2 or (pairs < 0).any() or (pairs >= len(tracks.z)).any():
        raise InputError(f"alignment: pairs: give rows (n, 2) of the {len(tracks.z)} tracks, from 0")
    if not (reference > 0 and width >= 0):
        found = f"found {reference:g}, {width:g}"
        raise InputError(f"alignment: mass: needs a reference above 0 and a width of 0 or more [GeV]; {found}")
    mass = pair_mass(states)
    slope = np.einsum("npi,npij->npj", mass.by_state, jacobian) / mass.mass[:, None, None]
    variance = np.einsum("npi,npij,npj->n", slope, tracks.covariance[pairs], slope) + (width / reference) ** 2
    D = np.einsum("npi,npig->npg", slope, tracks.response[pairs]).reshape(len(pairs), -1)
    sigma = np.sqrt(variance)[:, None]
    surface = tracks.surface[pairs].reshape(len(pairs), -1)
    return MassEquations(surface, (D / sigma)[:, None, :], ((reference / mass.mass) ** 2 - 1)[:, None] / (2 * sigma))
