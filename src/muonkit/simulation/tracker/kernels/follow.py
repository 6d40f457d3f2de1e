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
from muonkit.simulation.kernels import matter, philox
from muonkit.simulation.kernels.geometry import room, slope
from muonkit.simulation.tracker.kernels import events
from muonkit.simulation.tracker.kernels.events import (
    BLOCK,
    FREE,
    KNOCK,
    MATERIAL,
    PATH,
    PLANNED,
    SLAB,
    SLICE,
    STEP,
    SURFACE,
    TODO,
    TURNED,
    WALL,
    P,
)

LEFT, STOPPED, LOOPING, OUT_OF_MAP, STEP_LIMIT, TRAVELLING = range(6)
FAR = 1e9  # cm
LONGEST_LEG = 10.0  # cm
HALVINGS = 14
STEEPEST = 1e-3  # |n.t| below which thin matter does not grow longer
STATE = 7  # numbers of a crossing


class Rules(NamedTuple):
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
    """Detector, nuclei of its materials, particle and rules."""

    detector: DetectorArrays
    nuclei: matter.Nuclei
    particle: matter.Particle
    rules: Rules


class Crossings(NamedTuple):
    """offsets (n + 1,), status (n,); per crossing surface (k,) and state (k, 7): position, direction, q/p."""

    offsets: npt.NDArray[np.int64]
    status: npt.NDArray[np.int64]
    surface: npt.NDArray[np.int64]
    state: npt.NDArray[np.float64]


@leaf
def enter(world, y, s):
    """Find the region just ahead; no leg is under way in it."""
    V, e = world.detector.volumes, events.INSIDE
    s.memo[FREE], s.memo[TODO], s.memo[KNOCK] = y[PATH], 0.0, 0.0
    block, part = places.locate(V, y[0] + e * y[3], y[1] + e * y[4], y[2] + e * y[5], -1)
    material = places.material_of(V, block, part)
    s.region[BLOCK], s.region[SLICE], s.region[MATERIAL] = block, part, material
    if material != 0 and world.rules.scattering == matter.CORE:
        h = LONGEST_LEG
        while holds(V, y, h, s):
            h *= 2
        y[SLAB] = to_wall(V, y, h, s)


@leaf
def holds(V, y, h, s):
    """Whether the region holds the point h straight ahead."""
    for c in range(3):
        s.probe[c] = y[c] + h * y[3 + c]
    return room(V, s.region[BLOCK], s.region[SLICE], s.probe) >= 0


@leaf
def to_wall(V, y, h, s):
    """The path h, no longer than straight to the wall of the region."""
    if holds(V, y, h, s):
        return h
    low, high = 0.0, h
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        if holds(V, y, middle, s):
            low = middle
        else:
            high = middle
    return high


@leaf
def plan_leg(world, y, s, dice):
    """A new leg; its scattering comes after the first part of it."""
    i, rules = s.region[MATERIAL], world.rules
    if i == 0:
        s.memo[TODO] = FAR
        return
    h = min(LONGEST_LEG, rules.depth * world.detector.materials.X0[i])
    if rules.energy_loss != matter.NO_LOSS:
        mass = world.particle.mass
        kinetic = math.sqrt(y[P] * y[P] + mass * mass) - mass
        power = matter.stopping_power(world.detector.materials, i, y[P], world.particle)
        h = min(h, rules.share * kinetic / max(power, 1e-300))
    h = to_wall(world.detector.volumes, y, h, s)
    s.memo[PLANNED], s.memo[KNOCK] = h, h * philox.uniform(dice)
    s.memo[TODO] = s.memo[KNOCK]


@leaf
def scatter(world, y, s, dice):
    """The scattering of a whole leg; then comes the rest of it."""
    i, h, det = s.region[MATERIAL], s.memo[PLANNED], world.detector
    rest, rules, mass = h - s.memo[KNOCK], world.rules, world.particle.mass
    a, b = matter.knock(det.materials, world.nuclei, i, h, y[SLAB], y[P], mass, rules.scattering, dice)
    matter.deflect(y, a, b)
    s.memo[KNOCK] = 0.0
    return rest


@leaf
def slab(world, i, y, dice):
    """Thin matter of surface i; False if the particle stops."""
    S, M, particle, rules = world.detector.surfaces, world.detector.materials, world.particle, world.rules
    if S.thickness[i] == 0:
        return True
    m, length = S.material[i], S.thickness[i] / max(abs(slope(S, i, y)), STEEPEST)
    a, b = matter.knock(M, world.nuclei, m, length, length, y[P], particle.mass, rules.scattering, dice)
    y[P] = matter.behind(M, m, length, y[P], particle, rules.energy_loss, dice)
    matter.deflect(y, a, b)
    return moves(y, particle, rules)


@leaf
def moves(y, particle, rules):
    """Whether the kinetic energy is above the limit."""
    E = rules.min_kinetic + particle.mass
    return y[P] * y[P] > E * E - particle.mass * particle.mass


@leaf
def ended(world, y, s):
    """Whether the track is over, and why."""
    e = world.detector.envelope
    if not s.work.known[0]:
        return OUT_OF_MAP
    if not moves(y, world.particle, world.rules):
        return STOPPED
    if y[0] * y[0] + y[1] * y[1] > e[0] * e[0] or y[2] < e[1] or y[2] > e[2]:
        return LEFT
    return LOOPING if y[TURNED] > world.rules.max_turn else TRAVELLING


@leaf
def follow(world, charge, y, dice, s, surface, state, start, most):
    """One track to its end: its status and the number of crossings, written from row `start` on."""
    det, rules, n = world.detector, world.rules, start
    events.take_sides(det.surfaces, y, s)
    enter(world, y, s)
    s.memo[STEP] = events.FIRST_STEP
    for _ in range(rules.max_steps):
        if s.memo[TODO] <= events.ARRIVED:
            if s.memo[KNOCK] > 0:
                s.memo[TODO] = scatter(world, y, s, dice)
            else:
                plan_leg(world, y, s, dice)
        i, before = s.region[MATERIAL], y[PATH]
        ahead = min(s.memo[TODO], LONGEST_LEG)
        middle = matter.half_way(det.materials, i, ahead, y[P], world.particle, rules.energy_loss)
        if middle == 0:
            return STOPPED, n
        k = charge * CURVATURE / middle
        what, found = events.go_on(det.surfaces, det.volumes, det.field, y, k, rules.tolerance, s)
        gone = y[PATH] - before
        s.memo[TODO] -= gone
        y[P] = matter.behind(det.materials, i, gone, y[P], world.particle, rules.energy_loss, dice)
        status = ended(world, y, s)
        if status != TRAVELLING:
            return status, n
        if what == WALL:
            if s.memo[KNOCK] > 0:
                scatter(world, y, s, dice)
            enter(world, y, s)
        elif what == SURFACE:
            if n == start + most:
                return STEP_LIMIT, n
            surface[n] = found
            for c in range(6):
                state[n, c] = y[c]
            state[n, 6] = charge / y[P]
            n += 1
            if not slab(world, found, y, dice):
                return STOPPED, n
            s.side[found] = 1.0 if slope(det.surfaces, found, y) > 0 else -1.0
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
) -> Crossings:
    """Tracks first ... first + n - 1 of a key, each with at most `most` crossings."""
    n = len(charge)
    s, dice, y = events.new_scratch(world.detector.surfaces.kind.size), philox.new_dice(), np.zeros(events.SIZE)
    offsets, status = np.zeros(n + 1, np.int64), np.zeros(n, np.int64)
    surface, state = np.zeros(most, np.int64), np.zeros((most, STATE))
    for i in range(n):
        if surface.size - offsets[i] < most:
            surface = np.concatenate((surface, np.zeros(surface.size + most, np.int64)))
            state = np.concatenate((state, np.zeros((len(state) + most, STATE))))
        philox.begin(dice, key, 0, first + i, philox.STEPS)
        y[:] = 0.0
        y[P] = math.sqrt((momentum[i] ** 2).sum())
        y[:3] = position[i]
        y[3:6] = momentum[i] / y[P]
        status[i], offsets[i + 1] = follow(world, charge[i], y, dice, s, surface, state, offsets[i], most)
    total = offsets[n]
    return Crossings(offsets, status, surface[:total].copy(), state[:total].copy())
