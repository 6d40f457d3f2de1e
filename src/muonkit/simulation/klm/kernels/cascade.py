"""Muons, hadrons and what they make in matter, fast: from wall to wall in straight or bent steps, with the interactions
of a library that Geant4 filled.

A particle: position, direction, p [GeV], time [ns], and what is left of its life [cm of proper time] and of its way to
the next inelastic and elastic interaction [mean free paths], its kind, whether it is the primary (or the charged
particle that the primary decayed into), whether it is still in the tracker. What waits its turn lies on a stack."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from muonkit.core.compiled import compiled, inlined, leaf
from muonkit.core.units import CURVATURE
from muonkit.detector.detector import DetectorArrays
from muonkit.detector.kernels import field
from muonkit.simulation.kernels import geometry, matter, philox, walls

P, TIME, LIFE, INELASTIC, ELASTIC, KIND, PRIMARY, INSIDE, SIZE = 6, 7, 8, 9, 10, 11, 12, 13, 14
MU, PI, K, PROTON, NEUTRON, K_LONG, DEUTERON, ANTINEUTRON, PHOTON, ELECTRON = 0, 2, 4, 6, 8, 9, 10, 12, 13, 14
KINDS = 16  # mu+ mu- pi+ pi- K+ K- p pbar n K0L d dbar nbar photon e+ e-
LEFT, STOPPED, DECAYED, INTERACTED, GOES_ON = range(5)
STACK = 400
LIGHT = 29.9792458  # cm/ns
NUDGE = 1e-5  # cm: behind a wall
LONGEST, IN_MATTER = 20.0, 12.0  # cm: steps
LEG, SHARE = 4.0, 0.3  # of a step: radiation lengths, share of the kinetic energy
HARD = 2.0  # scatterings of a step that are drawn one by one, on average
LATEST = 500.0  # ns
LEAST = 0.005  # GeV: charged particles with less kinetic energy have stopped
MAX_STEPS = 3000
LOWEST, DENSITY, POINTS = 0.05, 20, 240  # of the table of energy loss: first p/m, points per factor e
ROW = 9  # numbers of a crossing: position, momentum, mass, time, charge


class Kinds(NamedTuple):
    """mass [GeV], charge, spin (1 for 1/2), proper life [cm] (0: stable), by kind; power (materials, KINDS, POINTS):
    mean energy loss [GeV/cm] at momenta that grow evenly in their logarithm from LOWEST of the mass."""

    mass: npt.NDArray[np.float64]
    charge: npt.NDArray[np.float64]
    spin: npt.NDArray[np.float64]
    life: npt.NDArray[np.float64]
    power: npt.NDArray[np.float64]


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


class World(NamedTuple):
    """Detector, kinds, library; sensors: first (slices + 1,), id: surfaces that measure, by the slice that they lie in;
    start: radius and ends in z of the tracker."""

    detector: DetectorArrays
    nuclei: matter.Nuclei
    kinds: Kinds
    library: Library
    showers: Showers
    first: npt.NDArray[np.int64]
    sensor: npt.NDArray[np.int64]
    start: npt.NDArray[np.float64]


class Notes(NamedTuple):
    """What is written down: n (1,): crossings; track, surface (m,), row (m, ROW); begin (ROW,) of the track at hand;
    soft (3,) [GeV]."""

    n: npt.NDArray[np.int64]
    track: npt.NDArray[np.int64]
    surface: npt.NDArray[np.int64]
    row: npt.NDArray[np.float64]
    begin: npt.NDArray[np.float64]
    soft: npt.NDArray[np.float64]


class Scratch(NamedTuple):
    """stack (STACK, SIZE) and how much of it is used (1,); B, G: a field."""

    stack: npt.NDArray[np.float64]
    used: npt.NDArray[np.int64]
    B: npt.NDArray[np.float64]
    G: npt.NDArray[np.float64]


@leaf
def push(s, parent, kind, p, angle, world, dice, primary):
    """A new particle where its parent is, at an angle to it."""
    n = s.used[0]
    if n == STACK or p <= 0:
        return
    y = s.stack[n]
    for c in range(SIZE):
        y[c] = parent[c]
    y[P], y[KIND], y[PRIMARY] = p, kind, 1.0 if primary else 0.0
    if not primary:
        y[INSIDE] = 0.0
    phi = 2 * math.pi * philox.uniform(dice)
    matter.deflect(y, angle * math.cos(phi), angle * math.sin(phi))
    ready(y, world, dice)
    s.used[0] = n + 1


@leaf
def ready(y, world, dice):
    """Draw how long it lives and how far it goes."""
    y[LIFE] = world.kinds.life[int(y[KIND])] * philox.exponential(dice)
    y[INELASTIC], y[ELASTIC] = philox.exponential(dice), philox.exponential(dice)


@inlined
def kinetic(world, y):
    """Kinetic energy [GeV]."""
    m = world.kinds.mass[int(y[KIND])]
    return math.sqrt(y[P] * y[P] + m * m) - m


@leaf
def grid(L, T):
    """Place in the grid of kinetic energies, and how far to the next."""
    last = L.kinetic.size - 1
    if L.kinetic[0] >= T:
        return 0, 0.0
    if L.kinetic[last] <= T:
        return last - 1, 1.0
    i = np.searchsorted(L.kinetic, T) - 1
    return i, math.log(T / L.kinetic[i]) / math.log(L.kinetic[i + 1] / L.kinetic[i])


@inlined
def turn(s, y, h, k):
    """Go h along the helix of the field s.B."""
    B = math.sqrt(s.B[0] ** 2 + s.B[1] ** 2 + s.B[2] ** 2)
    if B * k == 0:
        for c in range(3):
            y[c] += h * y[3 + c]
        return
    b0, b1, b2 = s.B[0] / B, s.B[1] / B, s.B[2] / B
    phi = k * B * h
    cs, sn = math.cos(phi), math.sin(phi)
    t0, t1, t2 = y[3], y[4], y[5]
    along = (1 - cs) * (b0 * t0 + b1 * t1 + b2 * t2)
    y[3] = cs * t0 + sn * (t1 * b2 - t2 * b1) + along * b0
    y[4] = cs * t1 + sn * (t2 * b0 - t0 * b2) + along * b1
    y[5] = cs * t2 + sn * (t0 * b1 - t1 * b0) + along * b2
    y[0] += 0.5 * h * (t0 + y[3])
    y[1] += 0.5 * h * (t1 + y[4])
    y[2] += 0.5 * h * (t2 + y[5])


@inlined
def cross(world, slice_, x0, x1, x2, y, track, out):
    """Write down the sensors of a slice between a point and where the particle is now; their number."""
    S, found = world.detector.surfaces, 0
    if slice_ < 0:
        return 0
    for j in range(world.first[slice_], world.first[slice_ + 1]):
        i = world.sensor[j]
        c, a = S.center, S.axes
        n0, n1, n2 = a[i, 2, 0], a[i, 2, 1], a[i, 2, 2]
        g0 = (x0 - c[i, 0]) * n0 + (x1 - c[i, 1]) * n1 + (x2 - c[i, 2]) * n2
        g1 = (y[0] - c[i, 0]) * n0 + (y[1] - c[i, 1]) * n1 + (y[2] - c[i, 2]) * n2
        if (g0 > 0) == (g1 > 0):
            continue
        u = g0 / (g0 - g1)
        p0, p1, p2 = x0 + u * (y[0] - x0), x1 + u * (y[1] - x1), x2 + u * (y[2] - x2)
        if geometry.within(S, i, (p0, p1, p2)):
            note(world, y, p0, p1, p2, i, track, out)
            found += 1
    return found


@leaf
def note(world, y, p0, p1, p2, surface, track, out):
    """One more crossing, as long as there is room; the caller sees that there is."""
    n, kind = out.n[0], int(y[KIND])
    out.n[0] = n + 1
    if n >= out.track.size:
        return
    out.track[n], out.surface[n] = track, surface
    row = out.row[n]
    row[0], row[1], row[2] = p0, p1, p2
    row[3], row[4], row[5] = y[P] * y[3], y[P] * y[4], y[P] * y[5]
    row[6], row[7], row[8] = world.kinds.mass[kind], y[TIME], world.kinds.charge[kind]


@inlined
def to_start(world, y):
    """Straight path to the end of the tracker, from inside."""
    return walls.to_can(y, world.start[0], world.start[1], world.start[2])


@leaf
def begin(world, y, b):
    """Write down where the track that is seen begins."""
    kind = int(y[KIND])
    b[0], b[1], b[2] = y[0], y[1], y[2]
    b[3], b[4], b[5] = y[P] * y[3], y[P] * y[4], y[P] * y[5]
    b[6], b[7], b[8] = world.kinds.mass[kind], y[TIME], world.kinds.charge[kind]


@leaf
def out_of_tracker(world, y, out):
    """A charged primary at the end of the tracker: the start of the track that is seen."""
    r2 = y[0] * y[0] + y[1] * y[1]
    inside = r2 < world.start[0] ** 2 and y[2] > world.start[1] and y[2] < world.start[2]
    if inside or y[INSIDE] == 0:
        return
    y[INSIDE] = 0.0
    b = out.begin
    if y[PRIMARY] > 0 and (b[8] == 0 or y[P] ** 2 > b[3] ** 2 + b[4] ** 2 + b[5] ** 2):
        begin(world, y, b)


@leaf
def mostly_measured(world, y):
    """Whether a particle in the tracker has come further than it is, straight on, to the end."""
    m = world.kinds.mass[int(y[KIND])]
    return y[INSIDE] > 0 and y[TIME] * LIGHT * y[P] / math.sqrt(y[P] ** 2 + m * m) > to_start(world, y)


@inlined
def gone(world, y):
    """Whether it has left the detector, or comes too late."""
    e = world.detector.envelope
    far = y[0] * y[0] + y[1] * y[1] > e[0] * e[0] or y[2] < e[1] or y[2] > e[2]
    return far or y[TIME] > LATEST


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
def power(world, i, kind, p):
    """Mean energy loss [GeV/cm] in material i."""
    table = world.kinds.power[i, kind]
    x = DENSITY * math.log(max(p / (LOWEST * world.kinds.mass[kind]), 1.0))
    n = min(int(x), POINTS - 2)
    return table[n] + (x - n) * (table[n + 1] - table[n])


@inlined
def slowed(world, i, h, y, particle, dice):
    """Momentum behind h of material i; 0 if nothing is left. The mean loss is that half way."""
    m, kind = particle.mass, int(y[KIND])
    E = math.sqrt(y[P] * y[P] + m * m)
    half = E - 0.5 * h * power(world, i, kind, y[P])
    if half <= m:
        return 0.0
    middle = math.sqrt(half * half - m * m)
    mean = h * power(world, i, kind, middle)
    E -= matter.fluctuating(world.detector.materials, i, h, mean, middle, particle, matter.LANDAU, dice)
    return math.sqrt(E * E - m * m) if m < E else 0.0


@inlined
def limits(world, y, i, wall, charge, particle):
    """Length of the next step, were there no interactions."""
    M = world.detector.materials
    if i == 0:
        h = wall + NUDGE if wall < 1.0 else min(0.9 * wall, LONGEST)
    else:
        h = min(wall + NUDGE, IN_MATTER)
        if charge != 0:
            m = particle.mass
            T = math.sqrt(y[P] * y[P] + m * m) - m
            h = min(h, LEG * M.X0[i], SHARE * T / max(power(world, i, int(y[KIND]), y[P]), 1e-12))
    if y[INSIDE] > 0:
        h = min(h, to_start(world, y) + NUDGE)
    return h


@inlined
def drift(world, y, h, i, slice_, charge, particle, s, dice, track, out):
    """A step: bent, slowed down and scattered at a random place of it; False if the particle has stopped."""
    det = world.detector
    if charge == 0:
        turn(s, y, h, 0.0)
        y[TIME] += h * math.sqrt(y[P] ** 2 + particle.mass**2) / (y[P] * LIGHT)
        return True
    field(det.field, y[0] + 0.5 * h * y[3], y[1] + 0.5 * h * y[4], y[2] + 0.5 * h * y[5], s.B, s.G, False)
    k, x0, x1, x2 = charge * CURVATURE / y[P], y[0], y[1], y[2]
    y[TIME] += h * math.sqrt(y[P] ** 2 + particle.mass**2) / (y[P] * LIGHT)
    if i == 0:
        turn(s, y, h, k)
        return True
    first = h * philox.uniform(dice)
    turn(s, y, first, k)
    a, b = matter.rutherford(world.nuclei, i, h, y[P], particle.mass, HARD, dice)
    matter.deflect(y, a, b)
    turn(s, y, h - first, k)
    cross(world, slice_, x0, x1, x2, y, track, out)
    y[P] = slowed(world, i, h, y, particle, dice)
    return y[P] > 0
