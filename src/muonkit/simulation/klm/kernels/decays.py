"""Decays in flight and at rest, into the charged particle that goes on."""

import math

from muonkit.core.compiled import leaf
from muonkit.core.units import NEUTRAL_PION_MASS
from muonkit.data.klm import DECAYED
from muonkit.simulation.kernels import philox
from muonkit.simulation.kernels.indices import TX, P
from muonkit.simulation.klm.kernels import cascade, scene
from muonkit.simulation.klm.kernels.kinds import K_PLUS, MU_PLUS, PI_PLUS
from muonkit.simulation.klm.kernels.scene import INSIDE, KIND, PRIMARY, Daughter

MUON_MODE, TWO_PIONS, THREE_PIONS = 0.668, 0.875, 0.949  # K+: up to here mu nu, pi pi0, three pions; then e pi0 nu
PION_PAIR = 0.30  # GeV: what stands for the two other pions of three


@leaf
def decay(world, event, y):
    """A muon, pion or kaon decays; what is lost to neutrinos, electrons and photons is noted for a primary. Of the two
    parts of its way through the tracker the longer one is the track that is seen."""
    kind, primary, n = int(y[KIND]), y[PRIMARY] > 0, event.stack.used[0]
    sign, kinds, notes = kind & 1, world.kinds, event.notes
    if primary and cascade.mostly_measured(world.tracker, kinds, y):
        cascade.begin(kinds, notes.begin, y)
        y[INSIDE] = 0.0
    if kind - sign == PI_PLUS:
        two_body(kinds, event, y, MU_PLUS + sign, 0.0)
    elif kind - sign == K_PLUS:
        mode = philox.uniform(event.dice)
        if mode < MUON_MODE:
            two_body(kinds, event, y, MU_PLUS + sign, 0.0)
        elif mode < TWO_PIONS:
            two_body(kinds, event, y, PI_PLUS + sign, NEUTRAL_PION_MASS)
        elif mode < THREE_PIONS:
            two_body(kinds, event, y, PI_PLUS + sign, PION_PAIR)
    if primary:
        daughter = event.stack.rows[n]
        for c in range(3):
            notes.soft[c] += y[TX + c] * y[P]
            if event.stack.used[0] > n:
                notes.soft[c] -= daughter[TX + c] * daughter[P]
    return DECAYED


@leaf
def two_body(kinds, event, y, kind, other):
    """A charged daughter of the kind, isotropic in the frame of the parent; `other`: mass of the rest."""
    m, parent = kinds.mass[kind], kinds.mass[int(y[KIND])]
    E = (parent * parent + m * m - other * other) / (2 * parent)
    p = math.sqrt(max(E * E - m * m, 0.0))
    cos = 2 * philox.uniform(event.dice) - 1
    gamma = math.sqrt(1 + (y[P] / parent) ** 2)
    along, across = gamma * p * cos + y[P] / parent * E, p * math.sqrt(1 - cos * cos)
    daughter = Daughter(kind, math.hypot(along, across), math.atan2(across, along))
    scene.push(kinds, event, y, daughter, y[PRIMARY] > 0)
