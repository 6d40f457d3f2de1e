"""The kinds of particles that the fast engine follows, and their tables. Even kinds up to kaons are positive, and the
next one is their antiparticle."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from muonkit.core.compiled import compiled, inlined
from muonkit.simulation.kernels import matter
from muonkit.simulation.kernels.matter import LOWEST

MU_PLUS, MU_MINUS, PI_PLUS, PI_MINUS, K_PLUS, K_MINUS, PROTON, ANTIPROTON, NEUTRON, K_LONG = range(10)
DEUTERON, ANTIDEUTERON, ANTINEUTRON, PHOTON, POSITRON, ELECTRON = range(10, 16)
CODES = (  # PDG codes of the kinds, in their order
    *(-13, 13, 211, -211, 321, -321, 2212, -2212, 2112, 130),
    *(1000010020, -1000010020, -2112, 22, -11, 11),
)
KINDS = len(CODES)
DENSITY, POINTS = 20, 240  # of the table of energy loss: points per factor e, from matter.LOWEST of p/m on


class Kinds(NamedTuple):
    """mass [GeV], charge, spin (1 for 1/2), proper life [cm] (0: stable), by kind; power (materials, KINDS, POINTS):
    mean energy loss [GeV/cm] at momenta that grow evenly in their logarithm from LOWEST of the mass."""

    mass: npt.NDArray[np.float64]
    charge: npt.NDArray[np.float64]
    spin: npt.NDArray[np.float64]
    life: npt.NDArray[np.float64]
    power: npt.NDArray[np.float64]


class Kind(NamedTuple):
    """One of them: its number, and what the loops ask of it."""

    number: int
    charge: float
    life: float
    particle: matter.Particle


@inlined
def kind_of(kinds, number):
    """One row of the tables."""
    particle = matter.Particle(kinds.mass[number], kinds.spin[number])
    return Kind(number, kinds.charge[number], kinds.life[number], particle)


@inlined
def is_hadron(number):
    """Whether the library has its interactions."""
    return PI_PLUS <= number < PHOTON


@inlined
def is_meson(number):
    """Whether it is a charged pion or kaon."""
    return PI_PLUS <= number < PROTON


@compiled
def tabulate(materials, mass, charge, spin):
    """The table of `Kinds.power`."""
    table = np.zeros((materials.density.size, KINDS, POINTS))
    for i in range(len(table)):
        for kind in np.flatnonzero(charge):
            particle = matter.Particle(mass[kind], spin[kind])
            for n in range(POINTS):
                p = LOWEST * mass[kind] * math.exp(n / DENSITY)
                table[i, kind, n] = matter.stopping_power(materials, i, p, particle)
    return table


@inlined
def power(kinds, material, number, p):
    """Mean energy loss [GeV/cm] in a material."""
    table = kinds.power[material, number]
    place = DENSITY * math.log(max(p / (LOWEST * kinds.mass[number]), 1.0))
    n = min(int(place), POINTS - 2)
    return table[n] + (place - n) * (table[n + 1] - table[n])
