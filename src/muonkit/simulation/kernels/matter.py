"""What matter does to a particle: it slows down and is knocked about. Energies GeV, lengths cm, loss positive.

Loss: Bethe, PDG 2024 eq. 34.5, with the density effect (eq. 34.7) and, for spin 1/2, the term Tmax^2/(4 E^2) that its
collisions have (Rossi, High-Energy Particles (1952) sec. 2.3); frozen below beta gamma = 0.05. Nothing is radiated.

Fluctuations and scattering are mixed simulations (Fernandez-Varea et al., Nucl. Instr. Meth. B 73 (1993) 447): the few
hardest collisions one by one, the many softer ones as a Gaussian of their moments. Collisions with free electrons, K/2
Z/A rho x/beta^2 dT/T^2, give Landau's, Vavilov's and Gauss's distributions as kappa grows, with Bethe's mean; screened
Rutherford scattering gives Moliere's. Both hold in any slab and add up from slab to slab."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from muonkit.core.compiled import inlined, leaf
from muonkit.core.units import ELECTRON_MASS
from muonkit.simulation.kernels import philox
from muonkit.simulation.kernels.indices import TX, TY, TZ

LOWEST = 0.05  # beta gamma
HIGHLAND, LOG_TERM = 13.6e-3, 0.038  # PDG 2024 eq. 34.16
MOLIERE = 3.34  # of (Z alpha/beta)^2 in the screening angle
COLLISIONS = 8.0  # hard ones, on average
WIDEST = 1.0  # rad^2: where small angles end
NO_LOSS, MEAN, GAUSSIAN, LANDAU = range(4)
NO_SCATTERING, CORE, TAILS = range(3)
C_BAR, X_LOW, X_HIGH, FACTOR, POWER, CONDUCTOR = range(6)  # of `MaterialArrays.effect`: C, x0, x1, a, k, delta0


class Particle(NamedTuple):
    """mass [GeV]; spin: 1 for spin 1/2, else 0."""

    mass: float
    spin: float


class MatterSlab(NamedTuple):
    """`length` cm of a material (its place in a detector's), a part of `whole` cm of it."""

    material: int
    length: float
    whole: float


class Nuclei(NamedTuple):
    """What Rutherford scattering needs of every material (n,): chi_c^2 (p beta)^2 [GeV^2/cm], chi_alpha^2 p^2 [GeV^2]
    for Z alpha = 0, (Z alpha)^2, and R^2/12 [1/GeV^2] of the nuclei."""

    strength: npt.NDArray[np.float64]
    screening: npt.NDArray[np.float64]
    coulomb: npt.NDArray[np.float64]
    size: npt.NDArray[np.float64]


@leaf
def largest_transfer(p, mass):
    """Tmax [GeV] to an electron; PDG 2024 eq. 34.4."""
    ratio = ELECTRON_MASS / mass
    gamma = math.sqrt(1 + (p / mass) ** 2)
    return 2 * ELECTRON_MASS * (p / mass) ** 2 / (1 + 2 * gamma * ratio + ratio * ratio)


@leaf
def density_effect(M, material, betagamma):
    """delta; PDG 2024 eq. 34.7."""
    effect, x = M.effect[material], math.log10(betagamma)
    if x < effect[X_LOW]:
        return 0.0 if effect[CONDUCTOR] == 0 else effect[CONDUCTOR] * 10 ** (2 * (x - effect[X_LOW]))
    asymptote = 2 * math.log(betagamma) - effect[C_BAR]
    return asymptote + effect[FACTOR] * (effect[X_HIGH] - x) ** effect[POWER] if x < effect[X_HIGH] else asymptote


@leaf
def stopping_power(M, material, p, particle):
    """-dE/dx [GeV/cm] in a material."""
    if M.xi[material] == 0:
        return 0.0
    p = max(p, LOWEST * particle.mass)
    E2 = p * p + particle.mass * particle.mass
    beta2, gain = p * p / E2, (p / particle.mass) ** 2
    hardest = largest_transfer(p, particle.mass)
    log = math.log(2 * ELECTRON_MASS * gain * hardest / (M.I[material] * 1e-9) ** 2)
    density = density_effect(M, material, math.sqrt(gain))
    bracket = log - 2 * beta2 - density + particle.spin * hardest * hardest / (4 * E2)
    return M.xi[material] / beta2 * max(bracket, 0.0)


@inlined
def collisions(width, mean, p, particle, dice):
    """A loss around `mean` that is the sum of collisions; width = xi x/beta^2 [GeV]."""
    E2 = p * p + particle.mass * particle.mass
    beta2, hardest = p * p / E2, largest_transfer(p, particle.mass)
    cut = min(width / COLLISIONS, hardest)
    share, spin = cut / hardest, particle.spin / (2 * E2)
    hard = width * (-math.log(share) - beta2 * (1 - share) + spin / 2 * (hardest * hardest - cut * cut))
    soft_variance = width * cut * (1 - beta2 * share / 2 + spin * cut * cut / 3)
    loss = max(mean - hard + math.sqrt(soft_variance) * philox.normal(dice), 0.0)
    count = philox.exponential(dice)  # how many are expected to be harder: Poisson's points, the hardest first
    while True:
        transfer = 1 / (count / width + 1 / hardest)
        if transfer <= cut:
            return loss
        if philox.uniform(dice) < 1 - beta2 * transfer / hardest + spin * transfer * transfer:
            loss += transfer
        count += philox.exponential(dice)


@inlined
def fluctuating(M, slab, mean, p, particle, mode, dice):
    """The loss [GeV] in a slab, where `mean` is expected."""
    if mode == MEAN or mean == 0:
        return mean
    beta2 = p * p / (p * p + particle.mass * particle.mass)
    width = M.xi[slab.material] * slab.length / beta2
    if mode == LANDAU:
        return collisions(width, mean, p, particle, dice)
    variance = width * largest_transfer(p, particle.mass) * (1 - beta2 / 2)
    return mean + math.sqrt(variance) * philox.normal(dice)


@leaf
def half_way(M, slab, p, particle, mode):
    """Momentum when half of the mean loss in a slab is lost; 0 if nothing is left."""
    if mode == NO_LOSS or M.xi[slab.material] == 0:
        return p
    mass = particle.mass
    E = math.sqrt(p * p + mass * mass) - 0.5 * slab.length * stopping_power(M, slab.material, p, particle)
    return math.sqrt(E * E - mass * mass) if mass < E else 0.0


@leaf
def behind(M, slab, p, particle, mode, dice):
    """Momentum behind a slab; 0 if nothing is left. The mean loss is that half way."""
    if mode == NO_LOSS or M.xi[slab.material] == 0 or slab.length <= 0:
        return p
    middle = half_way(M, slab, p, particle, mode)
    if middle == 0:
        return 0.0
    mean = slab.length * stopping_power(M, slab.material, middle, particle)
    mass = particle.mass
    E = math.sqrt(p * p + mass * mass) - fluctuating(M, slab, mean, middle, particle, mode, dice)
    return math.sqrt(E * E - mass * mass) if mass < E else 0.0


@inlined
def core_width(depth, whole, p, mass):
    """Width of the projected angle behind `depth` radiation lengths of a slab of `whole`; PDG 2024 eq. 34.16.

    The logarithm is that of the whole slab: its parts add up to Highland's formula and scatter evenly."""
    beta2 = p * p / (p * p + mass * mass)
    log = math.log(max(whole, 1e-300) / beta2)
    return HIGHLAND / p * math.sqrt(depth / beta2) * max(1 + LOG_TERM * log, 0.0)


@inlined
def rutherford(N, slab, p, mass, hard, dice):
    """Projected angles of many small scatterings and the few hard ones, `hard` on average.

    Density of theta^2: chi_c^2/(theta^2 + chi_alpha^2)^2, constants of Lynch and Dahl, Nucl. Instr. Meth. B 58 (1991)
    6; nuclei are extended: form factor (1 + q^2 R^2/12)^-2, R = 1.27 A^0.27 fm (Butkevich et al., Nucl. Instr. Meth. A
    488 (2002) 282)."""
    material = slab.material
    beta2, p2 = p * p / (p * p + mass * mass), p * p
    chi_c2 = N.strength[material] * slab.length / (p2 * beta2)
    if not chi_c2 > 0:
        return 0.0, 0.0
    chi_a2 = N.screening[material] * (1 + MOLIERE * N.coulomb[material] / beta2) / p2
    cut = max(chi_c2 / hard - chi_a2, 0.0)
    width = math.sqrt(max(chi_c2 / 2 * (math.log1p(cut / chi_a2) - cut / (cut + chi_a2)), 0.0))
    a, b = width * philox.normal(dice), width * philox.normal(dice)
    count = philox.exponential(dice)
    while True:
        theta2 = chi_c2 / count - chi_a2
        if theta2 <= cut:
            return a, b
        form = 1 / (1 + theta2 * p2 * N.size[material]) ** 2
        if theta2 < WIDEST and philox.uniform(dice) < form * form:
            angle = 2 * math.pi * philox.uniform(dice)
            a += math.sqrt(theta2) * math.cos(angle)
            b += math.sqrt(theta2) * math.sin(angle)
        count += philox.exponential(dice)


@inlined
def knock(M, N, slab, p, mass, mode, dice):
    """Projected angles [rad] of a slab."""
    if mode == NO_SCATTERING or M.density[slab.material] == 0:
        return 0.0, 0.0
    if mode == TAILS:
        return rutherford(N, slab, p, mass, COLLISIONS, dice)
    X0 = M.X0[slab.material]
    width = core_width(slab.length / X0, slab.whole / X0, p, mass)
    return width * philox.normal(dice), width * philox.normal(dice)


@inlined
def deflect(y, a, b):
    """Turn the direction of y by the projected angles a and b in the plane across it."""
    angle = math.sqrt(a * a + b * b)
    if angle == 0:
        return
    t0, t1, t2 = y[TX], y[TY], y[TZ]
    if abs(t2) < 0.9:
        norm = math.sqrt(t0 * t0 + t1 * t1)
        u0, u1, u2 = -t1 / norm, t0 / norm, 0.0
    else:
        norm = math.sqrt(t1 * t1 + t2 * t2)
        u0, u1, u2 = 0.0, -t2 / norm, t1 / norm
    v0, v1, v2 = t1 * u2 - t2 * u1, t2 * u0 - t0 * u2, t0 * u1 - t1 * u0
    cos, sin = math.cos(angle), math.sin(angle) / angle
    y[TX] = cos * t0 + sin * (a * u0 + b * v0)
    y[TY] = cos * t1 + sin * (a * u1 + b * v1)
    y[TZ] = cos * t2 + sin * (a * u2 + b * v2)
