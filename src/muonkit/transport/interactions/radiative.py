"""Mean loss by radiation: muons by bremsstrahlung, pairs and nuclei, integrated numerically once for an element;
electrons simply E/X0.

The formulas collected by Groom, Mokhov, Striganov (2001), sec. 4, and in the Geant4 physics reference manual, part III
(muons): bremsstrahlung on nuclei and electrons, Kelner, Kokoulin, Petrukhin, Phys. Atom. Nucl. 60 (1997) 576; pair
production, Kokoulin, Petrukhin (1971), with the electrons' share of Kelner (1998); photonuclear, Bezrukov, Bugaev,
Sov. J. Nucl. Phys. 33 (1981) 635. Valid from 1 GeV to 100 TeV; below, radiation is under 0.1 % of the loss. Without
the Coulomb correction of pair production (second order in alpha Z), which the PDG tables have: pairs in iron are 1.5 %
above those at 1 TeV, the whole loss 0.8 %. Energies GeV."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.interpolate import CubicSpline

from muonkit.core.arrays import FloatArray
from muonkit.core.units import ELECTRON_MASS, FINE_STRUCTURE, MUON_MASS
from muonkit.detector.material import Material

AVOGADRO = 6.02214076e23
ELECTRON_RADIUS = 2.8179403262e-13  # cm
SQRT_E = float(np.sqrt(np.e))
ENERGIES = np.geomspace(1.0, 1e5, 61)  # GeV
OVER_ENERGY, OVER_ASYMMETRY = 80, 12  # nodes of Gauss' rule
SOFTEST = 1e-6  # v; softer photons take 1e-6 of the loss


class Spectrum(NamedTuple):
    """v dsigma/dv = scale x shape(v) [cm2/g] of the share v of the energy that is lost, from low to high (n,); scale
    (n,) or one; shape: v (n, nodes) -> (n, nodes)."""

    low: FloatArray
    high: FloatArray
    scale: FloatArray | float
    shape: Callable[[FloatArray], FloatArray]

    def loss(self, E: FloatArray) -> FloatArray:
        """Loss (n,) [GeV cm2/g] at E (n,) [GeV]."""
        return self.scale * E * _integral(self.low, self.high, self.shape)

    def softer(self, v: float) -> "Spectrum":
        """The part below v."""
        return self._replace(high=np.clip(v, self.low, self.high))

    def density(self, v: FloatArray) -> FloatArray:
        """v dsigma/dv [cm2/g] at v (n, m); 0 out of range."""
        low, high = self.low[:, None], self.high[:, None]
        known = self.shape(np.clip(v, low, high))
        return np.where((v >= low) & (v <= high), np.reshape(self.scale, (-1, 1)) * np.maximum(known, 0), 0.0)


def loss(material: Material, E: FloatArray, hardest: float = 1.0) -> tuple[FloatArray, FloatArray]:
    """-dE/dx (n,) [GeV/cm] by radiation of muons of total energy E (n,) [GeV], and its derivative by E; Groom et al.
    (2001) sec. 4. Without losses of more than the share `hardest` of E. Outside of ENERGIES it is a power law."""
    value, slope = np.zeros_like(E), np.zeros_like(E)
    u = np.log(E)
    known = np.clip(u, np.log(ENERGIES[0]), np.log(ENERGIES[-1]))
    for element in material.elements:
        spline = _per_element(element.Z, element.A, hardest)
        power = spline(known, 1)
        part = element.weight * material.density * np.exp(spline(known) + power * (u - known))
        value += part
        slope += part * power / E
    return value, slope


def electron_loss(material: Material, p: FloatArray) -> tuple[FloatArray, FloatArray]:
    """-dE/dx (n,) [GeV/cm] by bremsstrahlung of electrons at p (n,) [GeV], E/X0 (PDG 2024 sec. 34.4.2), and its
    derivative by p.

    The limit of complete screening: in aluminium 3 % too much at 1 GeV, 13 % at 100 MeV, 50 % at 10 MeV."""
    E = np.hypot(p, ELECTRON_MASS)
    return E / material.X0, p / E / material.X0


@cache
def _per_element(Z: float, A: float, hardest: float) -> CubicSpline:
    """ln(loss) [ln(GeV cm2/g)] against ln E."""
    total = sum(spectrum(Z, A, ENERGIES).softer(hardest).loss(ENERGIES) for spectrum in SPECTRA)
    return CubicSpline(np.log(ENERGIES), np.log(total))


@cache
def _gauss(nodes: int) -> tuple[FloatArray, FloatArray]:
    x, w = np.polynomial.legendre.leggauss(nodes)
    return x, w


def _integral(low: FloatArray, high: FloatArray, integrand: Callable[[FloatArray], FloatArray]) -> FloatArray:
    """Integrals over v from low to high (n,), by Gauss' rule in ln v; integrand: v (n, nodes) -> (n, nodes)."""
    x, w = _gauss(OVER_ENERGY)
    a, b = np.log(low)[:, None], np.log(np.maximum(high, low))[:, None]
    v = np.exp((a + b) / 2 + (b - a) / 2 * x)
    return ((b - a) / 2 * w * v * integrand(v)).sum(axis=1)


def bremsstrahlung(Z: float, A: float, E: FloatArray) -> FloatArray:
    """Loss (n,) [GeV cm2/g] at E (n,) [GeV] by bremsstrahlung on nuclei and on electrons; Kelner et al. (1997)."""
    return photons(Z, A, E).loss(E)


def photons(Z: float, A: float, E: FloatArray) -> Spectrum:
    """Bremsstrahlung at E (n,) [GeV]; v = photon energy/E."""
    B, B_e = (202.4, 446.0) if Z == 1 else (182.7, 1429.0)
    D = 1.5 if Z == 1 else 1.54 * A**0.27
    M, m = MUON_MASS, ELECTRON_MASS

    def integrand(v: FloatArray) -> FloatArray:
        d = M**2 * v / (2 * E[:, None] * (1 - v))
        screened = np.log(B * M / m * Z ** (-1 / 3) / (1 + d * SQRT_E * B * Z ** (-1 / 3) / m))
        nucleus = np.maximum(screened - np.log(D / (1 + d * (D * SQRT_E - 2) / M)), 0)
        electrons = np.log(M / d / (M * d / m**2 + SQRT_E)) - np.log1p(m / (d * B_e * Z ** (-2 / 3) * SQRT_E))
        return (4 / 3 * (1 - v) + v**2) * (Z**2 * nucleus + Z * np.maximum(electrons, 0))

    high = 1 - 0.75 * SQRT_E * M / E * Z ** (1 / 3)
    scale = AVOGADRO / A * FINE_STRUCTURE * (2 * m / M * ELECTRON_RADIUS) ** 2
    return Spectrum(np.full_like(E, SOFTEST), np.maximum(high, SOFTEST), scale, integrand)


def pairs(Z: float, A: float, E: FloatArray) -> FloatArray:
    """Loss (n,) [GeV cm2/g] at E (n,) [GeV] by production of e+e- pairs; Kokoulin and Petrukhin (1971)."""
    return electron_pairs(Z, A, E).loss(E)


def electron_pairs(Z: float, A: float, E: FloatArray) -> Spectrum:
    """Production of e+e- pairs of energy v E at E (n,) [GeV]."""
    M, m = MUON_MASS, ELECTRON_MASS
    low, high = 4 * m / E, np.maximum(1 - 0.75 * SQRT_E * M / E * Z ** (1 / 3), 5 * m / E)
    scale = 4 / (3 * np.pi) * AVOGADRO / A * Z * (FINE_STRUCTURE * ELECTRON_RADIUS) ** 2
    per_pair = scale * (Z + _electron_share(Z, E))
    return Spectrum(low, high, per_pair, lambda v: (1 - v) * _over_asymmetry(Z, E[:, None], v))


def _electron_share(Z: float, E: FloatArray) -> FloatArray:
    """zeta: pairs on electrons, per pair on a nucleus of charge 1."""
    g1, g2 = (4.4e-5, 4.8e-5) if Z == 1 else (1.95e-5, 5.3e-5)
    gamma = E / MUON_MASS
    over = 0.073 * np.log(gamma / (1 + g1 * Z ** (2 / 3) * gamma)) - 0.26
    under = 0.058 * np.log(gamma / (1 + g2 * Z ** (1 / 3) * gamma)) - 0.14
    return np.where((over > 0) & (under > 0), over / np.where(under > 0, under, 1.0), 0.0)


def _over_asymmetry(Z: float, E: FloatArray, v: FloatArray) -> FloatArray:
    """Integral over the asymmetry rho of the pair from 0 to its largest value, by Gauss' rule in ln(1 - rho)."""
    M, m = MUON_MASS, ELECTRON_MASS
    rho_max = (1 - 6 * M**2 / (E**2 * (1 - v))) * np.sqrt(np.maximum(1 - 4 * m / (E * v), 0))
    bottom = np.log(np.maximum(1 - np.maximum(rho_max, 0), 1e-300))
    x, w = _gauss(OVER_ASYMMETRY)
    total = np.zeros_like(v)
    for node, weight in zip(x, w, strict=True):
        u = bottom / 2 * (1 - node)
        rho = -np.expm1(u)
        total += -bottom / 2 * weight * np.exp(u) * _asymmetric(Z, E, v, rho)
    return total


def _asymmetric(Z: float, E: FloatArray, v: FloatArray, rho: FloatArray) -> FloatArray:
    """Phi_e + (m/M)^2 Phi_mu."""
    M, m, r2 = MUON_MASS, ELECTRON_MASS, rho**2
    xi, beta = (M * v / (2 * m)) ** 2 * (1 - r2) / (1 - v), v**2 / (2 * (1 - v))
    B_e = ((2 + r2) * (1 + beta) + xi * (3 + r2)) * np.log1p(1 / xi) + (1 - r2 - beta) / (1 + xi) - (3 + r2)
    B_e = np.where(xi > 1e3, ((3 - r2) + 2 * beta * (1 + r2)) / (2 * xi), B_e)
    B_mu = ((1 + r2) * (1 + 1.5 * beta) - (1 + 2 * beta) * (1 - r2) / xi) * np.log1p(xi)
    B_mu += xi * (1 - r2 - beta) / (1 + xi) + (1 + 2 * beta) * (1 - r2)
    B_mu = np.where(xi < 1e-3, xi / 2 * ((5 - r2) + beta * (3 + r2)), B_mu)
    Y_e = (5 - r2 + 4 * beta * (1 + r2)) / (2 * (1 + 3 * beta) * np.log(3 + 1 / xi) - r2 - 2 * beta * (2 - r2))
    Y_mu = (4 + r2 + 3 * beta * (1 + r2)) / ((1 + r2) * (1.5 + 2 * beta) * np.log(3 + xi) + 1 - 1.5 * r2)
    A, third = 183 * Z ** (-1 / 3), Z ** (1 / 3)
    screen = 2 * m * SQRT_E * A * (1 + xi) / (E * v * (1 - r2))
    L_e = np.log(A * np.sqrt((1 + xi) * (1 + Y_e)) / (1 + screen * (1 + Y_e)))
    L_e -= 0.5 * np.log1p((1.5 * m / M * third) ** 2 * (1 + xi) * (1 + Y_e))
    L_mu = np.log(M / m * A * 2 / (3 * third) / (1 + screen * (1 + Y_mu)))
    return np.maximum(B_e * L_e, 0) + (m / M) ** 2 * np.maximum(B_mu * L_mu, 0)


def photonuclear(Z: float, A: float, E: FloatArray) -> FloatArray:
    """Loss (n,) [GeV cm2/g] at E (n,) [GeV] by inelastic scattering on nuclei; Bezrukov and Bugaev (1981)."""
    return nuclear(Z, A, E).loss(E)


def nuclear(Z: float, A: float, E: FloatArray) -> Spectrum:  # noqa: ARG001 - the same signature for all parts
    """Inelastic scattering on nuclei at E (n,) [GeV], from 0.2 GeV of energy transfer on."""
    M2, m1, m2 = MUON_MASS**2, 0.54, 1.80  # GeV^2

    def integrand(v: FloatArray) -> FloatArray:
        e = E[:, None] * v
        sigma = 114.3 + 1.647 * np.log(0.0213 * e) ** 2  # microbarn
        x = 0.00282 * A ** (1 / 3) * sigma
        G = 3 / x**3 * (x**2 / 2 - 1 + np.exp(-x) * (1 + x))
        t, kappa = M2 * v**2 / (1 - v), 1 - 2 / v + 2 / v**2
        shadowed = kappa * np.log1p(m1 / t) - kappa * m1 / (m1 + t) - 2 * M2 / t
        plain = kappa * np.log1p(m2 / t) - 2 * M2 / t
        rest = M2 / (2 * t) * (0.75 * G * m1 / (m1 + t) + 0.25 * m2 / t * np.log1p(t / m2))
        return v**2 * sigma * (0.75 * G * shadowed + 0.25 * plain + rest)

    low, high = 0.2 / E, 1 - MUON_MASS / E
    scale = AVOGADRO * FINE_STRUCTURE / (2 * np.pi) * 1e-30
    return Spectrum(np.minimum(low, high), high, scale, integrand)


SPECTRA = (photons, electron_pairs, nuclear)
