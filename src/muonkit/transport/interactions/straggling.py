"""Fluctuations of the energy loss of heavy particles: how wide, and of which shape. Energies GeV, lengths cm.

kappa = xi/Tmax, xi = K/2 Z/A density length/beta^2, tells the regime: Landau's distribution below 0.01, Vavilov's
between, Gauss's above 10 (Leo, Techniques for Nuclear and Particle Physics Experiments, sec. 2.6). The fit is
Gaussian throughout: with the variance of the whole loss where it uses the mean, with the core where it uses the most
probable loss."""

from typing import Literal

import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.detector.material import Material
from muonkit.transport.interactions.ionisation import kinematics

LANDAU_FWHM = 4.018  # of xi, PDG 2024 sec. 34.2.9
GAUSS_FWHM = 2.3548200450309493
Regime = Literal["landau", "vavilov", "gauss"]


def width(material: Material, p: FloatArray, mass: float, length: float) -> FloatArray:
    """xi [GeV], the scale of Landau's distribution."""
    return material.xi * length / kinematics(p, mass).beta2


def variance(material: Material, p: FloatArray, mass: float, length: float) -> FloatArray:
    """Variance [GeV^2] of the loss around its mean: xi Tmax (1 - beta^2/2); PDG 2024 sec. 34.2.5, Geant4 manual."""
    k = kinematics(p, mass)
    return material.xi * length / k.beta2 * k.t_max * (1 - k.beta2 / 2)


def variance_slope(material: Material, p: FloatArray, mass: float, length: float) -> FloatArray:
    """d variance/dp."""
    k = kinematics(p, mass)
    d_beta2 = 2 * k.beta2 * (1 - k.beta2) / p
    relative = -d_beta2 / k.beta2 + k.d_t_max / k.t_max - d_beta2 / 2 / (1 - k.beta2 / 2)
    return variance(material, p, mass, length) * relative


def core_variance(material: Material, p: FloatArray, mass: float, length: float) -> FloatArray:
    """Variance [GeV^2] of a Gaussian as wide at half height as Landau's distribution, at most that of the whole
    loss."""
    core = (LANDAU_FWHM / GAUSS_FWHM * width(material, p, mass, length)) ** 2
    return np.minimum(core, variance(material, p, mass, length))


def kappa(material: Material, p: FloatArray, mass: float, length: float) -> FloatArray:
    """xi/Tmax."""
    return width(material, p, mass, length) / kinematics(p, mass).t_max


def regime(material: Material, p: float, mass: float, length: float) -> Regime:
    """Which distribution holds in a slab."""
    value = float(kappa(material, np.array([p]), mass, length)[0])
    return "landau" if value < 0.01 else ("vavilov" if value < 10 else "gauss")
