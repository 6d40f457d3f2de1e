"""Muons, hadrons and what they make in matter, fast: a particle goes from wall to wall in straight or bent steps. How
long the steps are, what happens on them, and where it leaves the tracker and the detector."""

import math

from muonkit.core.compiled import inlined, leaf
from muonkit.core.units import CURVATURE, LIGHT_SPEED
from muonkit.detector.kernels import field
from muonkit.simulation.kernels import geometry, matter, philox, walls
from muonkit.simulation.kernels.indices import CHARGE, NORMAL, PX, PY, PZ, TX, TY, TZ, P, X, Y, Z
from muonkit.simulation.klm.kernels.kinds import power
from muonkit.simulation.klm.kernels.scene import CLOCK, INSIDE, KIND, PRIMARY, note, write

NUDGE = 1e-5  # cm: behind a wall
LONGEST, IN_MATTER = 20.0, 12.0  # cm: steps
NEAR, CAREFUL = 1.0, 0.9  # cm: a wall that is reached in one step; share of the way to one that is further
LEG, SHARE = 4.0, 0.3  # of a step: radiation lengths, share of the kinetic energy
HARD = 2.0  # scatterings of a step that are drawn one by one, on average
LATEST = 500.0  # ns: no particle is followed longer
MAX_STEPS = 3000


@inlined
def kinetic(kinds, y):
    """Kinetic energy [GeV]."""
    m = kinds.mass[int(y[KIND])]
    return math.sqrt(y[P] * y[P] + m * m) - m


@inlined
def straight(y, h):
    """Go h straight ahead."""
    for c in range(3):
        y[X + c] += h * y[TX + c]


@inlined
def fly(y, h):
    """The same at the speed of light."""
    straight(y, h)
    y[CLOCK] += h / LIGHT_SPEED


@inlined
def turn(B, y, h, k):
    """Go h along the helix of a field."""
    size = math.sqrt(B[X] ** 2 + B[Y] ** 2 + B[Z] ** 2)
    if size * k == 0:
        straight(y, h)
        return
    b0, b1, b2 = B[X] / size, B[Y] / size, B[Z] / size
    phi = k * size * h
    cos, sin = math.cos(phi), math.sin(phi)
    t0, t1, t2 = y[TX], y[TY], y[TZ]
    along = (1 - cos) * (b0 * t0 + b1 * t1 + b2 * t2)
    y[TX] = cos * t0 + sin * (t1 * b2 - t2 * b1) + along * b0
    y[TY] = cos * t1 + sin * (t2 * b0 - t0 * b2) + along * b1
    y[TZ] = cos * t2 + sin * (t0 * b1 - t1 * b0) + along * b2
    y[X] += 0.5 * h * (t0 + y[TX])
    y[Y] += 0.5 * h * (t1 + y[TY])
    y[Z] += 0.5 * h * (t2 + y[TZ])


@inlined
def crossing(S, surface, before, y):
    """Whether the straight way from the point `before` to y crosses a plane or disc, and where."""
    center, axes = S.center, S.axes
    n0, n1, n2 = axes[surface, NORMAL, X], axes[surface, NORMAL, Y], axes[surface, NORMAL, Z]
    x0, y0, z0 = center[surface, X], center[surface, Y], center[surface, Z]
    g_before = (before[X] - x0) * n0 + (before[Y] - y0) * n1 + (before[Z] - z0) * n2
    g_behind = (y[X] - x0) * n0 + (y[Y] - y0) * n1 + (y[Z] - z0) * n2
    if (g_before > 0) == (g_behind > 0):
        return False, before
    share = g_before / (g_before - g_behind)
    point = (
        before[X] + share * (y[X] - before[X]),
        before[Y] + share * (y[Y] - before[Y]),
        before[Z] + share * (y[Z] - before[Z]),
    )
    return geometry.within(S, surface, point), point


@inlined
def cross(world, notes, y, slice_, before):
    """Write down the sensors of a slice between the point `before` and where the particle is now."""
    if slice_ < 0:
        return
    for j in range(world.sensors.first[slice_], world.sensors.first[slice_ + 1]):
        surface = world.sensors.surface[j]
        met, point = crossing(world.detector.surfaces, surface, before, y)
        if met:
            note(world.kinds, notes, y, surface, point)


@leaf
def begin(kinds, row, y):
    """Write down where the track that is seen begins."""
    write(row, kinds, y, (y[X], y[Y], y[Z]))


@leaf
def out_of_tracker(tracker, kinds, row, y):
    """A charged primary at the end of the tracker: the start of the track that is seen."""
    r2 = y[X] * y[X] + y[Y] * y[Y]
    inside = r2 < tracker.r**2 and y[Z] > tracker.z_min and y[Z] < tracker.z_max
    if inside or y[INSIDE] == 0:
        return
    y[INSIDE] = 0.0
    if y[PRIMARY] > 0 and (row[CHARGE] == 0 or y[P] ** 2 > row[PX] ** 2 + row[PY] ** 2 + row[PZ] ** 2):
        begin(kinds, row, y)


@leaf
def mostly_measured(tracker, kinds, y):
    """Whether a particle in the tracker has come further than it is, straight on, to the end."""
    m = kinds.mass[int(y[KIND])]
    way = y[CLOCK] * LIGHT_SPEED * y[P] / math.sqrt(y[P] ** 2 + m * m)
    return y[INSIDE] > 0 and way > walls.to_can(y, tracker)


@inlined
def gone(envelope, y):
    """Whether it has left the detector, or comes too late."""
    return geometry.has_left(envelope, y) or y[CLOCK] > LATEST


@inlined
def slowed(world, y, slab, kind, dice):
    """Momentum behind a slab; 0 if nothing is left. The mean loss is that half way."""
    m, h, M = kind.particle.mass, slab.length, world.detector.materials
    E = math.sqrt(y[P] * y[P] + m * m)
    half = E - 0.5 * h * power(world.kinds, slab.material, kind.number, y[P])
    if half <= m:
        return 0.0
    middle = math.sqrt(half * half - m * m)
    mean = h * power(world.kinds, slab.material, kind.number, middle)
    E -= matter.fluctuating(M, slab, mean, middle, kind.particle, matter.LANDAU, dice)
    return math.sqrt(E * E - m * m) if m < E else 0.0


@inlined
def limits(world, y, place, kind):
    """Length of the next step, were there no interactions."""
    if place.material == 0:
        h = place.wall + NUDGE if place.wall < NEAR else min(CAREFUL * place.wall, LONGEST)
    else:
        h = min(place.wall + NUDGE, IN_MATTER)
        if kind.charge != 0:
            m = kind.particle.mass
            T = math.sqrt(y[P] * y[P] + m * m) - m
            loss = max(power(world.kinds, place.material, kind.number, y[P]), 1e-12)
            h = min(h, LEG * world.detector.materials.X0[place.material], SHARE * T / loss)
    if y[INSIDE] > 0:
        h = min(h, walls.to_can(y, world.tracker) + NUDGE)
    return h


@inlined
def drift(world, event, y, place, kind, h):
    """A step: bent, slowed down and scattered at a random place of it; False if the particle has stopped."""
    m, B = kind.particle.mass, event.B
    y[CLOCK] += h * math.sqrt(y[P] ** 2 + m**2) / (y[P] * LIGHT_SPEED)
    if kind.charge == 0:
        straight(y, h)
        return True
    half = 0.5 * h
    field(world.detector.field, y[X] + half * y[TX], y[Y] + half * y[TY], y[Z] + half * y[TZ], B, event.G, False)
    k, before = kind.charge * CURVATURE / y[P], (y[X], y[Y], y[Z])
    if place.material == 0:
        turn(B, y, h, k)
        return True
    first, slab = h * philox.uniform(event.dice), matter.MatterSlab(place.material, h, h)
    turn(B, y, first, k)
    a, b = matter.rutherford(world.nuclei, slab, y[P], m, HARD, event.dice)
    matter.deflect(y, a, b)
    turn(B, y, h - first, k)
    cross(world, event.notes, y, place.slice_, before)
    y[P] = slowed(world, y, slab, kind, event.dice)
    return y[P] > 0
