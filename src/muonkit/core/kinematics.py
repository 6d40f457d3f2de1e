"""Two muons: invariant mass, and its response to a change of each transverse momentum.

With E = sqrt(pT^2 cosh^2 eta + m_mu^2),  m^2 = 2 m_mu^2 + 2 (E+ E- - p+ . p-),
p+ . p- = pT+ pT- (cos dphi + sinh eta+ sinh eta-). The muon mass is kept: it moves
J/psi numbers by 3e-3 of a dilation."""

from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.core.units import MUON_MASS


class MuonArrays(NamedTuple):
    """pT [GeV], eta, phi [rad] of one muon per row."""

    pt: FloatArray
    eta: FloatArray
    phi: FloatArray


def energy(muon: MuonArrays) -> FloatArray:
    """Energy (n,) [GeV]."""
    return np.sqrt((muon.pt * np.cosh(muon.eta)) ** 2 + MUON_MASS**2)


def _angles(plus: MuonArrays, minus: MuonArrays) -> FloatArray:
    return np.cos(plus.phi - minus.phi) + np.sinh(plus.eta) * np.sinh(minus.eta)


def mass(plus: MuonArrays, minus: MuonArrays) -> FloatArray:
    """Invariant mass (n,) [GeV] of the pairs."""
    product = energy(plus) * energy(minus) - plus.pt * minus.pt * _angles(plus, minus)
    return np.sqrt(2 * (MUON_MASS**2 + product))


def mass_response(plus: MuonArrays, minus: MuonArrays) -> tuple[FloatArray, FloatArray]:
    """d ln m / d ln pT of plus and of minus, (n,) each, at fixed angles. Both are 1/2 in the limit of massless
    muons."""
    e_plus, e_minus, m2 = energy(plus), energy(minus), mass(plus, minus) ** 2
    dot = plus.pt * minus.pt * _angles(plus, minus)
    d_plus = (plus.pt * np.cosh(plus.eta)) ** 2 * e_minus / e_plus - dot
    d_minus = (minus.pt * np.cosh(minus.eta)) ** 2 * e_plus / e_minus - dot
    return d_plus / m2, d_minus / m2


def log_pt_ratio(plus: MuonArrays, minus: MuonArrays) -> FloatArray:
    """ln(pT+/pT-), (n,). A common dilation of both momenta does not change it."""
    return np.log(plus.pt / minus.pt)


def cos_dphi(plus: MuonArrays, minus: MuonArrays) -> FloatArray:
    """cos(phi+ - phi-), (n,)."""
    return np.cos(plus.phi - minus.phi)
