"""Interactions with nuclei, from the library that Geant4 filled."""

import math
from typing import NamedTuple

import numpy as np

from muonkit.core.compiled import inlined, leaf
from muonkit.data.klm import INTERACTED
from muonkit.simulation.kernels import matter, philox
from muonkit.simulation.kernels.indices import P
from muonkit.simulation.klm.kernels import cascade, scene
from muonkit.simulation.klm.kernels.kinds import NEUTRON
from muonkit.simulation.klm.kernels.scene import ELASTIC, KIND, Daughter

SLOW = 0.04  # GeV: neutrons of less kinetic energy make next to nothing that is seen


class Rates(NamedTuple):
    """Inelastic and elastic interactions per cm, and the squared momentum [GeV^2] an elastic one gives."""

    inelastic: float
    elastic: float
    kick: float


@leaf
def grid(energies, T):
    """Place in the grid of kinetic energies, and how far to the next."""
    last = energies.size - 1
    if energies[0] >= T:
        return 0, 0.0
    if energies[last] <= T:
        return last - 1, 1.0
    i = np.searchsorted(energies, T) - 1
    return i, math.log(T / energies[i]) / math.log(energies[i + 1] / energies[i])


@inlined
def rates(library, material, number, T):
    """Of a hadron of kinetic energy T in a material."""
    i, share = grid(library.kinetic, T)
    inelastic, elastic, kick = library.inelastic, library.elastic, library.kick
    return Rates(
        (1 - share) * inelastic[material, number, i] + share * inelastic[material, number, i + 1],
        (1 - share) * elastic[material, number, i] + share * elastic[material, number, i + 1],
        (1 - share) * kick[material, number, i] + share * kick[material, number, i + 1],
    )


@leaf
def interact(library, kinds, event, y, material):
    """An inelastic interaction: all that it makes goes on the stack."""
    kind, T, dice = int(y[KIND]), cascade.kinetic(kinds, y), event.dice
    near, share = grid(library.kinetic, T)
    near += 1 if philox.uniform(dice) < share else 0
    first = library.first[library.family[material], kind, near]
    n = first.size - 1
    pick = min(int(n * philox.uniform(dice)), n - 1)
    for j in range(first[pick], first[pick + 1]):
        new = library.kind[j]
        m, energy = kinds.mass[new], (T + library.free[kind]) * library.share[j]
        if new == NEUTRON and energy < SLOW:
            continue
        angle = math.acos(min(max(library.cosine[j], -1.0), 1.0))
        scene.push(kinds, event, y, Daughter(new, math.sqrt(energy * (energy + 2 * m)), angle), False)
    return INTERACTED


@leaf
def glance(y, kick, dice):
    """An elastic interaction with a nucleus."""
    angle = math.sqrt(kick * philox.exponential(dice)) / y[P]
    phi = 2 * math.pi * philox.uniform(dice)
    matter.deflect(y, angle * math.cos(phi), angle * math.sin(phi))
    y[ELASTIC] = philox.exponential(dice)
