"""What the loops of the fast engine read, and what they write.

A particle is a row: a free state, its time [ns], and what is left of its life [cm of proper time] and of its way to the
next inelastic and elastic interaction [mean free paths], its kind, whether it is the primary (or the charged particle
that the primary decayed into), whether it is still in the tracker. What waits its turn lies on a stack."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from muonkit.core.compiled import compiled, inlined, leaf
from muonkit.detector.detector import DetectorArrays
from muonkit.detector.kernels import places
from muonkit.simulation.kernels import matter, philox, walls
from muonkit.simulation.kernels.indices import CHARGE, MASS, PX, PY, PZ, TIME, TX, TY, TZ, P, X, Y, Z
from muonkit.simulation.klm.kernels.kinds import Kinds

CLOCK, LIFE, INELASTIC, ELASTIC, KIND, PRIMARY, INSIDE, SIZE = range(7, 15)  # of a particle, behind P
STACK = 400


class Library(NamedTuple):
    """kinetic (g,): grid [GeV]; inelastic, elastic (materials, KINDS, g): interactions per cm; kick (materials, KINDS,
    g): squared momentum [GeV^2] an elastic one gives; free (KINDS,): rest energy [GeV] an inelastic one sets free;
    family (materials,): which half of the products; first (2, KINDS, g, n + 1): where the products of each interaction
    stand; kind, share of the energy available, cosine (k,): of each."""

    kinetic: npt.NDArray[np.float64]
    inelastic: npt.NDArray[np.float64]
    elastic: npt.NDArray[np.float64]
    kick: npt.NDArray[np.float64]
    free: npt.NDArray[np.float64]
    family: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    kind: npt.NDArray[np.int8]
    share: npt.NDArray[np.float32]
    cosine: npt.NDArray[np.float32]


class Showers(NamedTuple):
    """Electromagnetic ones: crossings per particle of the mean profile of photons, of electrons; spread across [cm];
    critical energy [GeV] of iron."""

    photon: float
    electron: float
    spread: float
    critical: float


class Sensors(NamedTuple):
    """first (slices + 1,), surface: surfaces that measure, by the slice that they lie in."""

    first: npt.NDArray[np.int64]
    surface: npt.NDArray[np.int64]


class KLMWorld(NamedTuple):
    """All that stays as it is; tracker: its end."""

    detector: DetectorArrays
    nuclei: matter.Nuclei
    kinds: Kinds
    library: Library
    showers: Showers
    sensors: Sensors
    tracker: walls.Can


class Stack(NamedTuple):
    """rows (STACK + 1, SIZE), the last one for the particle that is followed; used (1,): how many wait."""

    rows: npt.NDArray[np.float64]
    used: npt.NDArray[np.int64]


class Notes(NamedTuple):
    """What is written down of the primary of a number. written (1,): how many crossings; track, surface (m,), row (m,
    ROW_SIZE): of each. begin (ROW_SIZE,): the track that is seen; fate (1,), end (3,) [cm] and soft (3,) [GeV] of the
    primary: see `data.klm.KLMTruth`."""

    number: int
    written: npt.NDArray[np.int64]
    track: npt.NDArray[np.int64]
    surface: npt.NDArray[np.int64]
    row: npt.NDArray[np.float64]
    begin: npt.NDArray[np.float64]
    fate: npt.NDArray[np.int64]
    end: npt.NDArray[np.float64]
    soft: npt.NDArray[np.float64]


class Event(NamedTuple):
    """All that changes while a primary is followed; B, G: a field."""

    stack: Stack
    dice: philox.Dice
    notes: Notes
    B: npt.NDArray[np.float64]
    G: npt.NDArray[np.float64]


class ParticlePlace(NamedTuple):
    """Where a particle is: block and slice of it, (-1, -1) outside of all; slice_ of all slices (-1 outside); material;
    wall: straight way to the end of the slice [cm], slab: that from where the particle came into it."""

    block: int
    part: int
    slice_: int
    material: int
    wall: float
    slab: float


class Daughter(NamedTuple):
    """A new particle: its kind, momentum [GeV], angle [rad] to its parent."""

    kind: int
    p: float
    angle: float


UNKNOWN = ParticlePlace(-2, -2, -1, 0, 0.0, 0.0)
VACUUM = ParticlePlace(-1, -1, -1, 0, 0.0, 0.0)


@compiled
def new_stack():
    """Nothing waits."""
    return Stack(np.zeros((STACK + 1, SIZE)), np.zeros(1, np.int64))


@inlined
def look_up(V, y, before, way=math.inf):
    """The place of a particle that was at the place `before`, `way` [cm] ago. It need not be looked for in empty space,
    as long as it cannot have come to the next wall."""
    block, part = -1, -1
    if before.block != -1 or before.wall <= walls.GRAIN or way >= before.wall:
        block, part = places.locate(V, y[X], y[Y], y[Z], before.block)
    material, wall = places.material_of(V, block, part), walls.ahead(V, block, part, y)
    slice_ = V.first[block] + part if block >= 0 else -1
    stayed = block == before.block and part == before.part
    return ParticlePlace(block, part, slice_, material, wall, before.slab if stayed else wall)


@inlined
def measures(sensors, slice_):
    """Whether there are sensors in a slice."""
    return sensors.first[slice_] < sensors.first[slice_ + 1]


@leaf
def push(kinds, event, parent, daughter, primary):
    """A new particle where its parent is goes on the stack."""
    rows, n = event.stack.rows, event.stack.used[0]
    if n == STACK or daughter.p <= 0:
        return
    y = rows[n]
    for c in range(SIZE):
        y[c] = parent[c]
    y[P], y[KIND], y[PRIMARY] = daughter.p, daughter.kind, 1.0 if primary else 0.0
    if not primary:
        y[INSIDE] = 0.0
    phi = 2 * math.pi * philox.uniform(event.dice)
    matter.deflect(y, daughter.angle * math.cos(phi), daughter.angle * math.sin(phi))
    ready(kinds, y, event.dice)
    event.stack.used[0] = n + 1


@inlined
def pop(stack, y):
    """The particle on top of the stack becomes y."""
    stack.used[0] -= 1
    top = stack.rows[stack.used[0]]
    for c in range(SIZE):
        y[c] = top[c]


@leaf
def ready(kinds, y, dice):
    """Draw how long it lives and how far it goes."""
    y[LIFE] = kinds.life[int(y[KIND])] * philox.exponential(dice)
    y[INELASTIC], y[ELASTIC] = philox.exponential(dice), philox.exponential(dice)


@inlined
def write(row, kinds, y, point):
    """A row of a particle at a point."""
    kind = int(y[KIND])
    row[X], row[Y], row[Z] = point
    row[PX], row[PY], row[PZ] = y[P] * y[TX], y[P] * y[TY], y[P] * y[TZ]
    row[MASS], row[TIME], row[CHARGE] = kinds.mass[kind], y[CLOCK], kinds.charge[kind]


@leaf
def note(kinds, notes, y, surface, point):
    """One more crossing, as long as there is room; the caller sees that there is."""
    n = notes.written[0]
    notes.written[0] = n + 1
    if n >= notes.track.size:
        return
    notes.track[n], notes.surface[n] = notes.number, surface
    write(notes.row[n], kinds, y, point)
