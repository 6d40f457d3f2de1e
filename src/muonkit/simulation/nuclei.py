"""What nuclei of a material do to a charged particle: strength and screening of Rutherford scattering."""

import numpy as np

from muonkit.core.units import FINE_STRUCTURE, HBAR_C
from muonkit.detector.material import Material
from muonkit.simulation.kernels.matter import Nuclei


def nuclei(materials: tuple[Material, ...]) -> Nuclei:
    """For every material; Lynch and Dahl, Nucl. Instr. Meth. B 58 (1991) 6.

    Mixtures: strengths add up, ln(chi_alpha^2), (Z alpha)^2 and R^2 are weighted with them."""
    return Nuclei(*(np.array(column) for column in zip(*map(_scatterer, materials), strict=True)))


def _scatterer(material: Material) -> tuple[float, float, float, float]:
    if not material.elements:
        return 0.0, 1.0, 0.0, 0.0
    Z, A, share = (np.array([getattr(e, name) for e in material.elements]) for name in ("Z", "A", "weight"))
    strength = 0.157e-6 * material.density * share * Z * (Z + 1) / A
    screening = np.log(2.007e-11 * Z ** (2 / 3))
    radius2 = (1.27 * A**0.27 / HBAR_C) ** 2 / 12
    mean = [float(np.average(x, weights=strength)) for x in (screening, (Z * FINE_STRUCTURE) ** 2, radius2)]
    return float(strength.sum()), float(np.exp(mean[0])), mean[1], mean[2]
