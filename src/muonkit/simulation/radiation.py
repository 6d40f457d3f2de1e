"""Tables of what muons radiate in matter, from the spectra behind the mean loss (`transport.interactions.radiative`).

    N(E, v) = int_v dv' dsigma/dv',  rate = N(E, SOFTEST),  soft = E int^SOFTEST dv' v' dsigma/dv'

A quantile u of the hard losses is the v with N(E, v) = u N(E, SOFTEST). Elements of a material add up with their share
of its density."""

from functools import cache

import numpy as np
from scipy.integrate import cumulative_trapezoid

from muonkit.core.arrays import FloatArray
from muonkit.detector.material import Material
from muonkit.simulation.kernels.radiation import COLUMNS, HIGHEST, LOWEST, RAREST, ROWS, SOFTEST, Radiators
from muonkit.transport.interactions.radiative import SPECTRA

ENERGIES = np.geomspace(LOWEST, HIGHEST, ROWS)  # GeV
SHARES = np.concatenate((1 - np.geomspace(1e-7, 0.1, 60), np.geomspace(0.9, SOFTEST, 800)[1:]))  # v, falling
QUANTILES = np.geomspace(1.0, RAREST, COLUMNS)
NOTHING = Radiators(np.zeros((0, ROWS)), np.zeros((0, ROWS)), np.zeros((0, ROWS, COLUMNS)))


def radiators(materials: tuple[Material, ...]) -> Radiators:
    """For every material."""
    return Radiators(*(np.array(column) for column in zip(*map(_of_material, materials), strict=True)))


def _of_material(material: Material) -> tuple[FloatArray, FloatArray, FloatArray]:
    """soft (ROWS,), rate (ROWS,), share (ROWS, COLUMNS)."""
    soft, harder = np.zeros(ROWS), np.zeros((ROWS, len(SHARES)))
    for element in material.elements:
        per_mass = _of_element(element.Z, element.A)
        soft += element.weight * material.density * per_mass[0]
        harder += element.weight * material.density * per_mass[1]
    rate = harder[:, -1]
    wanted = QUANTILES[::-1] * rate[:, None]
    share = [np.interp(*each, np.log(SHARES))[::-1] for each in zip(wanted, harder, strict=True)]
    return soft, rate, np.array(share)


@cache
def _of_element(Z: float, A: float) -> tuple[FloatArray, FloatArray]:
    """soft (ROWS,) [GeV cm2/g], and N (ROWS, SHARES) [cm2/g]."""
    spectra = [spectrum(Z, A, ENERGIES) for spectrum in SPECTRA]
    soft = np.sum([spectrum.softer(SOFTEST).loss(ENERGIES) for spectrum in spectra], axis=0)
    density = np.sum([spectrum.density(np.tile(SHARES, (ROWS, 1))) for spectrum in spectra], axis=0)
    return soft, cumulative_trapezoid(density, -np.log(SHARES), axis=1, initial=0.0)
