"""Fluctuations of the energy loss of heavy particles: how wide, and of which shape. Energies GeV, lengths cm.

kappa = xi/Tmax, xi = K/2 Z/A density length/beta^2, gives the regime: Landau's distribution below 0.01, Vavilov's
between, Gauss's above 10 (Leo, Techniques for Nuclear and Particle Physics Experiments, sec. 2.6). The fit is
Gaussian throughout: with the variance of the whole loss where it uses the mean, with the core where it uses the most
probable loss. `sample_loss` draws from Vavilov's distribution, which has the other two as its limits."""

from typing import Literal

import numpy as np

from muonkit.core.arrays import FloatArray, sums
from muonkit.detector.material import Material
from muonkit.transport.interactions.ionisation import kinematics, mean_loss

LANDAU_FWHM = 4.018  # of xi, PDG 2024 sec. 34.2.9
GAUSS_FWHM = 2.3548200450309493
HARD_COLLISIONS = 20  # mean number of transfers that are drawn one by one; the rest is Gaussian
Regime = Literal["landau", "vavilov", "gauss"]


def width(material: Material, p: FloatArray, mass: float, length: float) -> FloatArray:
    """xi (n,) [GeV], the scale of Landau's distribution, at p (n,) [GeV] in a slab of `length` [cm]; PDG 2024 eq.
    34.12."""
    return material.xi * length / kinematics(p, mass).beta2


def variance(material: Material, p: FloatArray, mass: float, length: float) -> FloatArray:
    """Variance (n,) [GeV^2] of the loss around its mean: xi Tmax (1 - beta^2/2); PDG 2024 sec. 34.2.5, Geant4
    manual."""
    k = kinematics(p, mass)
    return material.xi * length / k.beta2 * k.t_max * (1 - k.beta2 / 2)


def variance_slope(material: Material, p: FloatArray, mass: float, length: float) -> FloatArray:
    """d variance/dp, (n,) [GeV], of PDG 2024 sec. 34.2.5."""
    k = kinematics(p, mass)
    d_beta2 = 2 * k.beta2 * (1 - k.beta2) / p
    relative = -d_beta2 / k.beta2 + k.d_t_max / k.t_max - d_beta2 / 2 / (1 - k.beta2 / 2)
    return variance(material, p, mass, length) * relative


def core_variance(material: Material, p: FloatArray, mass: float, length: float) -> FloatArray:
    """Variance (n,) [GeV^2] of a Gaussian as wide at half height as Landau's distribution (PDG 2024 sec. 34.2.9), at
    most that of the whole loss."""
    core = (LANDAU_FWHM / GAUSS_FWHM * width(material, p, mass, length)) ** 2
    return np.minimum(core, variance(material, p, mass, length))


def kappa(material: Material, p: FloatArray, mass: float, length: float) -> FloatArray:
    """xi/Tmax, (n,), at p (n,) [GeV] in a slab of `length` [cm]; Leo sec. 2.6."""
    return width(material, p, mass, length) / kinematics(p, mass).t_max


def regime(material: Material, p: float, mass: float, length: float) -> Regime:
    """Which distribution holds in a slab of `length` [cm] at momentum p [GeV]; Leo sec. 2.6."""
    value = float(kappa(material, np.array([p]), mass, length)[0])
    return "landau" if value < 0.01 else ("vavilov" if value < 10 else "gauss")


def sample_loss(
    material: Material,
    p: FloatArray,
    mass: float,
    length: FloatArray | float,
    rng: np.random.Generator,
    spin_half: bool = True,
) -> FloatArray:
    """Losses by ionisation (n,) [GeV] of heavy particles of momenta p (n,) [GeV] in slabs of `length` (n,) or one [cm].

    Vavilov's model, Sov. Phys. JETP 5 (1957) 749: transfers T occur with xi (1 - beta^2 T/Tmax)/T^2 dT, and with xi/(2
    E^2) dT more for spin 1/2. Those above a cut are drawn one by one, those below add a Gaussian, and the mean is
    Bethe's. The mode is the most probable loss of PDG 2024 eq. 34.12 where kappa is small. Not valid for slabs so thin
    that atomic shells matter (xi < I). The loss is not limited to the kinetic energy. Vacuum: 0."""
    if material.density == 0:
        return np.zeros_like(p)
    k = kinematics(p, mass)
    xi = material.xi * length / k.beta2
    cut = np.minimum(xi / HARD_COLLISIONS, k.t_max)
    share, magnetic = cut / k.t_max, 0.5 * (k.t_max / k.E) ** 2 if spin_half else np.zeros_like(p)
    soft = np.sqrt(xi * cut * (1 - k.beta2 * share / 2))
    hard = xi * (-np.log(share) - k.beta2 * (1 - share) + magnetic / 2 * (1 - share**2))
    mean = mean_loss(material, p, mass, spin_half)[0] * length
    transfers = _hard_transfers(xi / cut, share, k.beta2, magnetic, rng) * k.t_max
    return np.maximum(mean - hard + soft * rng.standard_normal(len(p)) + transfers, 0.0)


def _hard_transfers(
    xi_over_cut: FloatArray, share: FloatArray, beta2: FloatArray, magnetic: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Sum of x = T/Tmax > share for every particle: spectrum (1 - beta^2 x + magnetic x^2)/x^2, never above 1/x^2."""
    row = np.repeat(np.arange(len(share)), rng.poisson(xi_over_cut * (1 - share)))
    x = share[row] / (1 - rng.uniform(size=len(row)) * (1 - share[row]))
    kept = rng.uniform(size=len(row)) < 1 - beta2[row] * x + magnetic[row] * x**2
    return sums(row, np.where(kept, x, 0.0), len(share))
