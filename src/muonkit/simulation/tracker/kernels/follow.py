"""The whole way of a track. In thick volumes it goes in legs with one scattering each, at a random place of it: the
random hinge (Fernandez-Varea et al., Nucl. Instr. Meth. B 73 (1993) 447) gives angle and displacement their right
variances and covariance for legs of any length. Energy is lost all along."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from muonkit.core.arrays import AnyArray, FloatArray
from muonkit.core.compiled import compiled, leaf
from muonkit.core.units import CURVATURE
from muonkit.detector.detector import DetectorArrays
from muonkit.detector.kernels import places
from muonkit.simulation.kernels import matter, philox, radiation
from muonkit.simulation.kernels.geometry import FAR, has_left, room, slope
from muonkit.simulation.kernels.indices import TX, TY, TZ, P, X, Y, Z
from muonkit.simulation.tracker.kernels import events
from muonkit.simulation.tracker.kernels.events import SURFACE, WALL
from muonkit.simulation.tracker.kernels.indices import (
    BLOCK,
    FREE,
    KNOCK,
    MATERIAL,
    PATH,
    PLANNED,
    SIZE,
    SLICE,
    STATE_QOP,
    STATE_SIZE,
    STEP,
    TODO,
    TURNED,
    WHOLE,
)
from muonkit.simulation.tracker.kernels.motion import Bend

LEFT, STOPPED, LOOPING, OUT_OF_MAP, STEP_LIMIT, TRAVELLING = range(6)
LONGEST_LEG = 10.0  # cm
HALVINGS = 14
STEEPEST = 1e-3  # |n.t| below which thin matter does not grow longer


class StepRules(NamedTuple):
    """The settings `step.Physics` for the loops. depth: of a leg [X0]; share: of the kinetic energy lost in a leg."""

    energy_loss: int
    scattering: int
    min_kinetic: float
    max_turn: float
    max_steps: int
    tolerance: float
    depth: float
    share: float


class World(NamedTuple):
    """Detector, nuclei and radiation of its materials, particle and rules."""

    detector: DetectorArrays
    nuclei: matter.Nuclei
    radiators: radiation.Radiators
    particle: matter.Particle
    rules: StepRules


class CrossingRecord(NamedTuple):
    """Where the crossings of one track are written: surface (most,) and state (most, STATE_SIZE)."""

    surface: npt.NDArray[np.int64]
    state: npt.NDArray[np.float64]


class CrossedSurfaces(NamedTuple):
    """offsets (n + 1,), status (n,); per crossing surface (k,) and state (k, 7): position, direction, q/p."""

    offsets: npt.NDArray[np.int64]
    status: npt.NDArray[np.int64]
    surface: npt.NDArray[np.int64]
    state: npt.NDArray[np.float64]


@leaf
def enter(world, y, scratch):
    """Find the region just ahead; no leg is under way in it."""
    V, d, memo, region = world.detector.volumes, events.INSIDE, scratch.memo, scratch.region
    memo[FREE], memo[TODO], memo[KNOCK] = y[PATH], 0.0, 0.0
    block, part = places.locate(V, y[X] + d * y[TX], y[Y] + d * y[TY], y[Z] + d * y[TZ], -1)
    material = places.material_of(V, block, part)
    region[BLOCK], region[SLICE], region[MATERIAL] = block, part, material
    if material != 0 and world.rules.scattering == matter.CORE:
        h = LONGEST_LEG
        while holds(V, y, h, scratch):
            h *= 2
        y[WHOLE] = to_wall(V, y, h, scratch)


@leaf
def holds(V, y, h, scratch):
    """Whether the region holds the point h straight ahead."""
    probe = scratch.probe
    for c in range(3):
        probe[X + c] = y[X + c] + h * y[TX + c]
    return room(V, scratch.region[BLOCK], scratch.region[SLICE], probe) >= 0


@leaf
def to_wall(V, y, h, scratch):
    """The path h, no longer than straight to the wall of the region."""
    if holds(V, y, h, scratch):
        return h
    low, high = 0.0, h
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        if holds(V, y, middle, scratch):
            low = middle
        else:
            high = middle
    return high


@leaf
def plan_leg(world, y, scratch, dice):
    """A new leg; its scattering comes after the first part of it."""
    material, memo, rules = scratch.region[MATERIAL], scratch.memo, world.rules
    if material == 0:
        memo[TODO] = FAR
        return
    h = min(LONGEST_LEG, rules.depth * world.detector.materials.X0[material])
    if rules.energy_loss != matter.NO_LOSS:
        mass = world.particle.mass
        T = math.sqrt(y[P] * y[P] + mass * mass) - mass
        power = matter.stopping_power(world.detector.materials, material, y[P], world.particle)
        h = min(h, rules.share * T / max(power, 1e-300))
    h = to_wall(world.detector.volumes, y, h, scratch)
    memo[PLANNED], memo[KNOCK] = h, h * philox.uniform(dice)
    memo[TODO] = memo[KNOCK]


@leaf
def scatter(world, y, scratch, dice):
    """The scattering of a whole leg; then comes the rest of it."""
    memo, M = scratch.memo, world.detector.materials
    leg = matter.MatterSlab(scratch.region[MATERIAL], memo[PLANNED], y[WHOLE])
    a, b = matter.knock(M, world.nuclei, leg, y[P], world.particle.mass, world.rules.scattering, dice)
    rest = leg.length - memo[KNOCK]
    matter.deflect(y, a, b)
    memo[KNOCK] = 0.0
    return rest


@leaf
def behind(world, slab, p, dice):
    """Momentum behind a slab; 0 if nothing is left."""
    M, particle = world.detector.materials, world.particle
    p = matter.behind(M, slab, p, particle, world.rules.energy_loss, dice)
    return radiation.radiating(world.radiators, slab, p, particle.mass, dice)


@leaf
def thin_slab(world, surface, y, dice):
    """Thin matter of a surface; False if the particle stops."""
    S, M, particle, rules = world.detector.surfaces, world.detector.materials, world.particle, world.rules
    if S.thickness[surface] == 0:
        return True
    length = S.thickness[surface] / max(abs(slope(S, surface, y)), STEEPEST)
    slab = matter.MatterSlab(S.material[surface], length, length)
    a, b = matter.knock(M, world.nuclei, slab, y[P], particle.mass, rules.scattering, dice)
    y[P] = behind(world, slab, y[P], dice)
    matter.deflect(y, a, b)
    return moves(y, particle, rules)


@leaf
def moves(y, particle, rules):
    """Whether the kinetic energy is above the limit."""
    E = rules.min_kinetic + particle.mass
    return y[P] * y[P] > E * E - particle.mass * particle.mass


@leaf
def ended(world, y, known):
    """Whether the track is over, and why; known: whether the field was."""
    if not known:
        return OUT_OF_MAP
    if not moves(y, world.particle, world.rules):
        return STOPPED
    if has_left(world.detector.envelope, y):
        return LEFT
    return LOOPING if y[TURNED] > world.rules.max_turn else TRAVELLING


@leaf
def write(record, n, surface, y, charge):
    """Crossing n of a track."""
    state = record.state[n]
    record.surface[n] = surface
    for c in range(STATE_QOP):
        state[c] = y[c]
    state[STATE_QOP] = charge / y[P]


@leaf
def follow(world, charge, y, dice, scratch, record):
    """One track to its end: its status, and the number of crossings that are written in the record."""
    detector, particle, rules, memo, n = world.detector, world.particle, world.rules, scratch.memo, 0
    events.take_sides(detector.surfaces, detector.modules, y, scratch)
    enter(world, y, scratch)
    memo[STEP] = events.FIRST_STEP
    for _ in range(rules.max_steps):
        if memo[TODO] <= events.ARRIVED:
            if memo[KNOCK] > 0:
                memo[TODO] = scatter(world, y, scratch, dice)
            else:
                plan_leg(world, y, scratch, dice)
        material, before, h = scratch.region[MATERIAL], y[PATH], min(memo[TODO], LONGEST_LEG)
        middle = matter.half_way(
            detector.materials, matter.MatterSlab(material, h, h), y[P], particle, rules.energy_loss
        )
        if middle == 0:
            return STOPPED, n
        bend = Bend(detector.field, charge * CURVATURE / middle)
        what, found = events.go_on(detector, bend, y, rules.tolerance, scratch)
        h = y[PATH] - before
        memo[TODO] -= h
        y[P] = behind(world, matter.MatterSlab(material, h, h), y[P], dice)
        status = ended(world, y, scratch.work.known[0])
        if status != TRAVELLING:
            return status, n
        if what == WALL:
            if memo[KNOCK] > 0:
                scatter(world, y, scratch, dice)
            enter(world, y, scratch)
        elif what == SURFACE:
            if n == record.surface.size:
                return STEP_LIMIT, n
            write(record, n, found, y, charge)
            n += 1
            if not thin_slab(world, found, y, dice):
                return STOPPED, n
            scratch.side[found] = 1.0 if slope(detector.surfaces, found, y) > 0 else -1.0
    return STEP_LIMIT, n


@compiled
def follow_all(
    world: World,
    charge: FloatArray,
    position: FloatArray,
    momentum: FloatArray,
    key: AnyArray,
    first: int,
    most: int,
) -> CrossedSurfaces:
    """Tracks first ... first + n - 1 of a key, each with at most `most` crossings."""
    n = len(charge)
    scratch, dice = (
        events.new_scratch(world.detector.surfaces.kind.size, world.detector.modules.radial.size),
        philox.new_dice(),
    )
    offsets, status, y = np.zeros(n + 1, np.int64), np.zeros(n, np.int64), np.zeros(SIZE)
    surface, state = np.zeros(most, np.int64), np.zeros((most, STATE_SIZE))
    for i in range(n):
        start = offsets[i]
        if surface.size - start < most:
            surface = np.concatenate((surface, np.zeros(surface.size + most, np.int64)))
            state = np.concatenate((state, np.zeros((len(state) + most, STATE_SIZE))))
        philox.begin(dice, key, 0, first + i, philox.STEPS)
        y[:] = 0.0
        y[P] = math.sqrt((momentum[i] ** 2).sum())
        y[:TX] = position[i]
        y[TX:P] = momentum[i] / y[P]
        record = CrossingRecord(surface[start : start + most], state[start : start + most])
        status[i], met = follow(world, charge[i], y, dice, scratch, record)
        offsets[i + 1] = start + met
    total = offsets[n]
    return CrossedSurfaces(offsets, status, surface[:total].copy(), state[:total].copy())
