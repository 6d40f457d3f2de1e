"""Multiple scattering: the projected angle behind matter, and the displacement that goes with it.

Variances in rad^2 of the angle projected on a plane; charge 1; depth x/X0; momenta GeV. Highland's formula describes
the Gaussian core (the central 98 %) to 11 % for 1e-3 < x/X0 < 100 (PDG 2024 sec. 34.3); the tails of single
scattering are not in it."""

import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.core.units import FINE_STRUCTURE, HBAR_C
from muonkit.detector.material import Material

HIGHLAND = 13.6e-3  # GeV
LOG_TERM = 0.038
STRENGTH, SCREENING, MOLIERE = 0.157e-6, 2.007e-11, 3.34  # GeV^2 cm^2/g, GeV^2; Lynch and Dahl (1991)
ROSSI = 15e-3  # GeV, Rossi and Greisen, Rev. Mod. Phys. 13 (1941) 240, projected


def highland(depth: FloatArray, p: FloatArray, mass: float) -> FloatArray:
    """theta0^2 (n,) [rad^2]; PDG 2024 eq. 34.16: (13.6 MeV/(beta p))^2 x/X0 (1 + 0.038 ln(x/(X0 beta^2)))^2. 0 where
    the bracket is negative."""
    beta2 = p**2 / (p**2 + mass**2)
    bracket = 1 + LOG_TERM * np.log(np.maximum(depth, 1e-300) / beta2)
    return without_log(depth, p, mass) * np.maximum(bracket, 0) ** 2


def highland_slope(depth: FloatArray, p: FloatArray, mass: float) -> FloatArray:
    """d highland/dp, (n,) [rad^2/GeV], of PDG 2024 eq. 34.16."""
    beta2 = p**2 / (p**2 + mass**2)
    bracket = np.maximum(1 + LOG_TERM * np.log(np.maximum(depth, 1e-300) / beta2), 0)
    d_log = -2 * (1 - beta2) / p * LOG_TERM
    return without_log_slope(depth, p, mass) * bracket**2 + without_log(depth, p, mass) * 2 * bracket * d_log


def without_log(depth: FloatArray, p: FloatArray, mass: float, scale: float = HIGHLAND) -> FloatArray:
    """(scale/(beta p))^2 x/X0, (n,) [rad^2], additive in depth. With 13.6 MeV as Geant4e propagates errors, with ROSSI
    the formula of Rossi and Greisen (1941)."""
    return scale**2 * depth * (p**2 + mass**2) / p**4


def without_log_slope(depth: FloatArray, p: FloatArray, mass: float, scale: float = HIGHLAND) -> FloatArray:
    """d without_log/dp, (n,) [rad^2/GeV]."""
    return -(scale**2) * depth * (2 * p**2 + 4 * mass**2) / p**5


def rutherford(material: Material) -> tuple[float, float, float]:
    """chi_c^2 (p beta)^2 [GeV^2/cm] and chi_alpha^2 p^2 [GeV^2] of single scattering, whose density in theta^2 is
    chi_c^2/(theta^2 + chi_alpha^2)^2; Lynch and Dahl, Nucl. Instr. Meth. B 58 (1991) 6, for beta = 1. And q^2 = 3/R^2
    [GeV^2] where nuclei are no longer points: form factor (1 + q^2 R^2/12)^-4 = 1 - q^2 R^2/3 + ..., R = 1.27 A^0.27 fm
    (Butkevich et al., Nucl. Instr. Meth. A 488 (2002) 282).

    Mixtures: strengths add up, ln(chi_alpha^2) and R^2 are weighted with them."""
    if not material.elements:
        return 0.0, 1.0, 1.0
    Z, A, share = (np.array([getattr(e, name) for e in material.elements]) for name in ("Z", "A", "weight"))
    strength = STRENGTH * material.density * share * Z * (Z + 1) / A
    screening = SCREENING * Z ** (2 / 3) * (1 + MOLIERE * (Z * FINE_STRUCTURE) ** 2)
    screened = float(np.exp(np.average(np.log(screening), weights=strength)))
    size = float(np.average((1.27 * A**0.27 / HBAR_C) ** 2, weights=strength))
    return float(strength.sum()), screened, 3 / size


def displacement(variance: FloatArray, length: FloatArray) -> FloatArray:
    """Covariance (n, 2, 2) of (position [cm], angle [rad]) behind a slab of length (n,) [cm] that scatters evenly, for
    the variance (n,) of the angle; PDG 2024 eqs. 34.20-34.22."""
    cov = np.empty((len(variance), 2, 2))
    cov[:, 0, 0] = variance * length**2 / 3
    cov[:, 0, 1] = cov[:, 1, 0] = variance * length / 2
    cov[:, 1, 1] = variance
    return cov
