"""The whole way of a particle and of all that it makes: from step to step, until the stack is empty."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from muonkit.core.arrays import AnyArray, FloatArray, IntArray
from muonkit.core.compiled import compiled, inlined, leaf
from muonkit.core.units import LIGHT_SPEED
from muonkit.data.klm import INTERACTED, LEFT, STOPPED
from muonkit.simulation.kernels import philox, walls
from muonkit.simulation.kernels.indices import ROW_SIZE, TX, TY, TZ, P, X, Y, Z
from muonkit.simulation.klm.kernels import cascade, rays, scene
from muonkit.simulation.klm.kernels.decays import decay
from muonkit.simulation.klm.kernels.kinds import DEUTERON, PHOTON, POSITRON, PROTON, is_hadron, is_meson, kind_of, power
from muonkit.simulation.klm.kernels.nuclear import Rates, glance, interact, rates
from muonkit.simulation.klm.kernels.scene import (
    CLOCK,
    ELASTIC,
    INELASTIC,
    INSIDE,
    KIND,
    LIFE,
    PRIMARY,
    STACK,
    UNKNOWN,
    VACUUM,
    Event,
    KLMWorld,
    Notes,
)
from muonkit.simulation.klm.kernels.splashes import shower

NOTHING = -1  # runs out in a step; else its place in the row of the particle: LIFE, INELASTIC, ELASTIC
AT_REST = 1e-9  # GeV: momentum of what has stopped
LEAST = 0.005  # GeV: charged particles with less kinetic energy have stopped
MANY = 40  # crossings per primary: the room to begin with


class Outcome(NamedTuple):
    """track, surface (k,), row (k, ROW_SIZE): of all crossings; begin (n, ROW_SIZE), fate (n,), end (n, 3) [cm], soft
    (n,) [GeV]: of each primary."""

    track: npt.NDArray[np.int64]
    surface: npt.NDArray[np.int64]
    row: npt.NDArray[np.float64]
    begin: npt.NDArray[np.float64]
    fate: npt.NDArray[np.int64]
    end: npt.NDArray[np.float64]
    soft: npt.NDArray[np.float64]


@leaf
def stop(world, event, y, material):
    """A particle has lost its energy. Negative hadrons that nuclei swallow are captured: they interact as at the lowest
    energy of the library; pions and kaons that are not live to their end."""
    kind = int(y[KIND])
    y[P] = AT_REST
    if world.library.free[kind] > 0 and world.kinds.charge[kind] < 0:
        if material > 0:
            interact(world.library, world.kinds, event, y, material)
    elif is_meson(kind):
        y[CLOCK] += y[LIFE] / LIGHT_SPEED
        decay(world, event, y)
    return STOPPED


@inlined
def stays(world, y, place):
    """Whether a proton or deuteron cannot leave the matter it is in: its range is less than T/(dE/dx) where it is."""
    kind = int(y[KIND])
    if place.material == 0 or (kind != PROTON and kind != DEUTERON) or scene.measures(world.sensors, place.slice_):
        return False
    return cascade.kinetic(world.kinds, y) < place.wall * power(world.kinds, place.material, kind, y[P])


@inlined
def to_next(y, h, kind, rate):
    """The step h, or the way to what happens before its end, and what runs out there; all three budgets are reduced."""
    m, due = kind.particle.mass, NOTHING
    if rate.inelastic * h > y[INELASTIC]:
        h, due = y[INELASTIC] / rate.inelastic, INELASTIC
    if rate.elastic * h > y[ELASTIC]:
        h, due = y[ELASTIC] / rate.elastic, ELASTIC
    if kind.life > 0 and h * m > y[LIFE] * y[P]:
        h, due = y[LIFE] * y[P] / m, LIFE
    y[LIFE] -= h * m / y[P]
    y[INELASTIC] -= rate.inelastic * h
    y[ELASTIC] -= rate.elastic * h
    return h, due


@leaf
def follow(world, event, y):
    """A particle to its end, and how it ended; what it made lies on the stack."""
    kinds, V, envelope = world.kinds, world.detector.volumes, world.detector.envelope
    kind, place, h, rate = kind_of(kinds, int(y[KIND])), UNKNOWN, 0.0, Rates(0.0, 0.0, 0.0)
    for _ in range(cascade.MAX_STEPS):
        place = scene.look_up(V, y, place, h)
        material = place.material
        if stays(world, y, place):
            return STOPPED
        h = cascade.limits(world, y, place, kind)
        rate = Rates(0.0, 0.0, 0.0)
        if is_hadron(kind.number) and material > 0:
            rate = rates(world.library, material, kind.number, cascade.kinetic(kinds, y))
        h, due = to_next(y, h, kind, rate)
        if not cascade.drift(world, event, y, place, kind, h):
            return stop(world, event, y, material)
        if kind.charge != 0 and material > 0:
            rays.knock_on(world, event, y, place, kind, h)
        if y[INSIDE] > 0:
            cascade.out_of_tracker(world.tracker, kinds, event.notes.begin, y)
        if cascade.gone(envelope, y):
            return LEFT
        if due == INELASTIC:
            return interact(world.library, kinds, event, y, material)
        if due == LIFE:
            return decay(world, event, y)
        if due == ELASTIC:
            glance(y, rate.kick, event.dice)
        if kind.charge != 0 and cascade.kinetic(kinds, y) < LEAST:
            return stop(world, event, y, material)
    return STOPPED


@leaf
def leave_tracker(world, event, y):
    """An electron from where it begins to the end of the tracker."""
    kind = kind_of(world.kinds, int(y[KIND]))
    for _ in range(cascade.MAX_STEPS):
        h = min(cascade.LONGEST, walls.to_can(y, world.tracker) + cascade.NUDGE)
        cascade.drift(world, event, y, VACUUM, kind, h)
        cascade.out_of_tracker(world.tracker, world.kinds, event.notes.begin, y)
        if y[INSIDE] == 0:
            return


@leaf
def inwards(kinds, y):
    """Whether a neutral goes back towards the beams: what it may hit is far from where the track is looked for."""
    return kinds.charge[int(y[KIND])] == 0 and y[X] * y[TX] + y[Y] * y[TY] + y[Z] * y[TZ] < 0


@inlined
def follow_one(world, event, y):
    """Any particle to its end: electrons and photons as soft rays or as showers, all else in steps; how it ended."""
    if y[INSIDE] > 0 and y[KIND] >= PHOTON:
        leave_tracker(world, event, y)
    if y[KIND] >= POSITRON and y[P] < rays.SOFT:
        rays.follow(world, event, y)
        return STOPPED
    if y[KIND] == PHOTON and y[P] < rays.SOFT_PHOTON:
        rays.convert(world, event, y)
        return INTERACTED
    if y[KIND] >= PHOTON:
        shower(world, event, y)
        return INTERACTED
    return follow(world, event, y)


@leaf
def follow_all(world, event):
    """The primary on the stack and all that comes of it."""
    y, notes, primary = event.stack.rows[STACK], event.notes, True
    while event.stack.used[0] > 0:
        scene.pop(event.stack, y)
        if not primary and inwards(world.kinds, y):
            continue
        fate = follow_one(world, event, y)
        if primary:
            notes.fate[0], primary = fate, False
            notes.end[X], notes.end[Y], notes.end[Z] = y[X], y[Y], y[Z]


@compiled
def start(world, event, state, kind):
    """A primary goes on the stack; state (6,): position and momentum."""
    y = event.stack.rows[0]
    y[:] = 0.0
    y[:TX] = state[:TX]
    y[P] = math.sqrt((state[TX:] ** 2).sum())
    y[TX:P] = state[TX:] / y[P]
    y[KIND], y[PRIMARY], y[INSIDE] = kind, 1.0, 1.0
    scene.ready(world.kinds, y, event.dice)
    event.stack.used[0] = 1


@compiled
def simulate(world: KLMWorld, states: FloatArray, kinds: IntArray, key: AnyArray, first: int, most: int) -> Outcome:
    """Primaries first ... of a key, states (n, 6), each with at most `most` crossings."""
    n = len(kinds)
    stack, dice, B, G = scene.new_stack(), philox.new_dice(), np.zeros(3), np.zeros((3, 3))
    begin, fate, end, soft = np.zeros((n, ROW_SIZE)), np.zeros(n, np.int64), np.zeros((n, 3)), np.zeros(n)
    size, total = max(most, MANY * n), 0
    track, surface, row = np.zeros(size, np.int64), np.zeros(size, np.int64), np.zeros((size, ROW_SIZE))
    for i in range(n):
        if track.size - total < most:
            track = np.concatenate((track, np.zeros(track.size, np.int64)))
            surface = np.concatenate((surface, np.zeros(surface.size, np.int64)))
            row = np.concatenate((row, np.zeros(row.shape)))
        free = slice(total, total + most)
        crossings = np.zeros(1, np.int64), track[free], surface[free], row[free]
        notes = Notes(i, *crossings, begin[i], fate[i : i + 1], end[i], np.zeros(3))
        event = Event(stack, dice, notes, B, G)
        philox.begin(dice, key, 0, first + i, philox.STEPS)
        start(world, event, states[i], kinds[i])
        follow_all(world, event)
        soft[i] = math.sqrt((notes.soft**2).sum())
        total += min(notes.written[0], most)
    return Outcome(track[:total].copy(), surface[:total].copy(), row[:total].copy(), begin, fate, end, soft)
