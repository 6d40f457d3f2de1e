"""The whole way of a particle and of all that it makes: decays, interactions from the library, showers of photons."""

import math

import numpy as np

from muonkit.core.arrays import AnyArray, FloatArray, IntArray
from muonkit.core.compiled import compiled, inlined, leaf
from muonkit.detector.kernels import places
from muonkit.simulation.kernels import geometry, matter, philox, walls
from muonkit.simulation.klm.kernels import cascade, rays
from muonkit.simulation.klm.kernels.cascade import (
    DECAYED,
    DEUTERON,
    ELASTIC,
    ELECTRON,
    GOES_ON,
    INELASTIC,
    INSIDE,
    INTERACTED,
    KIND,
    LEAST,
    LEFT,
    LIFE,
    MAX_STEPS,
    MU,
    NEUTRON,
    PHOTON,
    PI,
    PRIMARY,
    PROTON,
    ROW,
    SIZE,
    STACK,
    STOPPED,
    K,
    Notes,
    P,
    Scratch,
    World,
)

MUON_MODE, TWO_PIONS = (
    0.668,
    0.875,
)  # K+: mu nu and the like, and up to there pi pi0, then three pions; the rest e pi0 nu
THREE_PIONS = 0.949
AT_REST = 1e-9  # GeV: momentum of what has stopped
SLOW = 0.04  # GeV: neutrons of less kinetic energy make next to nothing that is seen
LEAST_MEAN = 1e-5  # crossings: a shower has ended where fewer are expected, behind its maximum
BEHIND = 20.0  # radiation lengths: where the longest shower ends
FRONT = 0.5  # b of the profile; PDG 2024 eq. 34.37
SECOND_SHARE = 0.2  # of the crossings of a shower the depth of which varies from event to event


@leaf
def decay(world, y, s, dice, out):
    """A muon, pion or kaon decays; what is lost to neutrinos, electrons and photons is noted for a primary. Of the two
    parts of its way through the tracker the longer one is the track that is seen."""
    kind = int(y[KIND])
    sign, primary, n = kind & 1, y[PRIMARY] > 0, s.used[0]
    if primary and cascade.mostly_measured(world, y):
        cascade.begin(world, y, out.begin)
        y[INSIDE] = 0.0
    if kind - sign == PI:
        two_body(world, y, MU + sign, 0.0, s, dice, primary)
    elif kind - sign == K:
        u = philox.uniform(dice)
        if u < MUON_MODE:
            two_body(world, y, MU + sign, 0.0, s, dice, primary)
        elif u < TWO_PIONS:
            two_body(world, y, PI + sign, 0.1349768, s, dice, primary)
        elif u < THREE_PIONS:
            two_body(world, y, PI + sign, 0.30, s, dice, primary)
    if primary:
        for c in range(3):
            out.soft[c] += y[3 + c] * y[P]
            if s.used[0] > n:
                out.soft[c] -= s.stack[n, 3 + c] * s.stack[n, P]
    return DECAYED


@leaf
def two_body(world, y, kind, other, s, dice, primary):
    """A charged daughter of the kind, isotropic in the frame of the parent; `other`: mass of the rest."""
    m, M = world.kinds.mass[kind], world.kinds.mass[int(y[KIND])]
    E = (M * M + m * m - other * other) / (2 * M)
    p = math.sqrt(max(E * E - m * m, 0.0))
    c = 2 * philox.uniform(dice) - 1
    gamma = math.sqrt(1 + (y[P] / M) ** 2)
    along, across = gamma * p * c + y[P] / M * E, p * math.sqrt(1 - c * c)
    cascade.push(s, y, kind, math.hypot(along, across), math.atan2(across, along), world, dice, primary)


@leaf
def interact(world, y, i, s, dice):
    """An inelastic interaction: all that it makes goes on the stack."""
    L, kind, T = world.library, int(y[KIND]), cascade.kinetic(world, y)
    g, share = cascade.grid(L, T)
    g += 1 if philox.uniform(dice) < share else 0
    first = L.first[L.family[i], kind, g]
    n = first.size - 1
    pick = min(int(n * philox.uniform(dice)), n - 1)
    for j in range(first[pick], first[pick + 1]):
        new = L.kind[j]
        m, energy = world.kinds.mass[new], (T + L.free[kind]) * L.share[j]
        if new == NEUTRON and energy < SLOW:
            continue
        p = math.sqrt(energy * (energy + 2 * m))
        cascade.push(s, y, new, p, math.acos(min(max(L.cosine[j], -1.0), 1.0)), world, dice, False)
    return INTERACTED


@leaf
def shower(world, y, s, dice, track, out):
    """A photon or electron goes straight on; sensors on its way are crossed by the particles of its mean shower, gamma
    distributed in depth (PDG 2024 eq. 34.36), beside it."""
    det, X = world.detector, world.showers
    kind = int(y[KIND])
    log = math.log(max(y[P] / X.critical, 1.01))
    a = max(1 + FRONT * (log + (0.5 if kind == PHOTON else -0.5)), 1.05)
    norm = (X.photon if kind == PHOTON else X.electron) * y[P] / X.critical * FRONT / math.gamma(a)
    depth, last = 0.0, a / FRONT + BEHIND
    for _ in range(MAX_STEPS):
        block, part = places.locate(det.volumes, y[0], y[1], y[2], -1)
        i = places.material_of(det.volumes, block, part)
        h = walls.ahead(det.volumes, block, part, y) + cascade.NUDGE
        x0, x1, x2 = y[0], y[1], y[2]
        cascade.turn(s, y, h, 0.0)
        y[cascade.TIME] += h / cascade.LIGHT
        if i > 0:
            d = h / det.materials.X0[i]
            t = FRONT * (depth + 0.5 * d)
            mean = norm * t ** (a - 1) * math.exp(-t)
            splash(world, det.volumes.first[block] + part, x0, x1, x2, y, mean, depth, dice, track, out)
            depth += d
            if t > a and mean < LEAST_MEAN:
                return
        if depth > last or cascade.gone(world, y):
            return
    return


@leaf
def splash(world, slice_, x0, x1, x2, y, mean, depth, dice, track, out):
    """As many crossings as a Poisson number of that mean, at and beside where the axis of a shower crosses a sensor."""
    n = out.n[0]
    if cascade.cross(world, slice_, x0, x1, x2, y, track, out) == 0 or n >= out.track.size:
        return
    out.n[0] = n
    surface, count = out.surface[n], philox.exponential(dice)
    p0, p1, p2 = out.row[n, 0], out.row[n, 1], out.row[n, 2]
    S, width = world.detector.surfaces, world.showers.spread * math.sqrt(1 + depth)
    while count < mean:
        a, b = width * philox.normal(dice), width * philox.normal(dice)
        q0 = p0 + a * S.axes[surface, 0, 0] + b * S.axes[surface, 1, 0]
        q1 = p1 + a * S.axes[surface, 0, 1] + b * S.axes[surface, 1, 1]
        q2 = p2 + a * S.axes[surface, 0, 2] + b * S.axes[surface, 1, 2]
        kind, p = y[KIND], y[P]
        y[KIND], y[P] = ELECTRON, world.showers.critical
        if geometry.within(S, surface, (q0, q1, q2)):
            cascade.note(world, y, q0, q1, q2, surface, track, out)
        y[KIND], y[P] = kind, p
        count += philox.exponential(dice)


@leaf
def stop(world, y, i, s, dice, out):
    """A particle has lost its energy. Negative hadrons that nuclei swallow are captured: they interact as at the lowest
    energy of the library; pions and kaons that are not live to their end."""
    kind = int(y[KIND])
    y[P] = AT_REST
    if world.library.free[kind] > 0 and world.kinds.charge[kind] < 0:
        if i > 0:
            interact(world, y, i, s, dice)
    elif PI <= kind < PROTON:
        y[cascade.TIME] += y[LIFE] / cascade.LIGHT
        decay(world, y, s, dice, out)
    return STOPPED


@inlined
def rates(world, i, y):
    """Inelastic and elastic interactions per cm of a hadron in material i, and the squared kick of an elastic one."""
    L, kind = world.library, int(y[KIND])
    g, u = cascade.grid(L, cascade.kinetic(world, y))
    inelastic = (1 - u) * L.inelastic[i, kind, g] + u * L.inelastic[i, kind, g + 1]
    elastic = (1 - u) * L.elastic[i, kind, g] + u * L.elastic[i, kind, g + 1]
    return inelastic, elastic, (1 - u) * L.kick[i, kind, g] + u * L.kick[i, kind, g + 1]


@leaf
def glance(y, kick, dice):
    """An elastic interaction with a nucleus."""
    angle = math.sqrt(kick * philox.exponential(dice)) / y[P]
    phi = 2 * math.pi * philox.uniform(dice)
    matter.deflect(y, angle * math.cos(phi), angle * math.sin(phi))


@inlined
def stays(world, y, i, slice_, wall):
    """Whether a proton or deuteron cannot leave the matter it is in: its range is less than T/(dE/dx) where it is."""
    kind = int(y[KIND])
    if i == 0 or (kind != PROTON and kind != DEUTERON) or world.first[slice_] < world.first[slice_ + 1]:
        return False
    return cascade.kinetic(world, y) < wall * cascade.power(world, i, kind, y[P])


@leaf
def follow(world, y, s, dice, track, out):
    """A particle to its end, and how it ended; what it made lies on the stack."""
    det, kind = world.detector, int(y[KIND])
    particle, charge = matter.Particle(world.kinds.mass[kind], world.kinds.spin[kind]), world.kinds.charge[kind]
    hadron, block, part, slab = PI <= kind < PHOTON, -2, -2, 0.0
    for _ in range(MAX_STEPS):
        now, slice_now = places.locate(det.volumes, y[0], y[1], y[2], block)
        i = places.material_of(det.volumes, now, slice_now)
        wall = walls.ahead(det.volumes, now, slice_now, y)
        if now != block or slice_now != part:
            block, part, slab = now, slice_now, wall
        slice_ = det.volumes.first[block] + part if block >= 0 else -1
        if stays(world, y, i, slice_, wall):
            return STOPPED
        h = cascade.limits(world, y, i, wall, charge, particle)
        inelastic, elastic, kick, what = 0.0, 0.0, 0.0, GOES_ON
        if hadron and i > 0:
            inelastic, elastic, kick = rates(world, i, y)
            if inelastic * h > y[INELASTIC]:
                h, what = y[INELASTIC] / inelastic, INTERACTED
            if elastic * h > y[ELASTIC]:
                h, what = y[ELASTIC] / elastic, LEFT
        if world.kinds.life[kind] > 0 and h * particle.mass > y[LIFE] * y[P]:
            h, what = y[LIFE] * y[P] / particle.mass, DECAYED
        y[LIFE] -= h * particle.mass / y[P]
        y[INELASTIC] -= inelastic * h
        y[ELASTIC] -= elastic * h
        if not cascade.drift(world, y, h, i, slice_, charge, particle, s, dice, track, out):
            return stop(world, y, i, s, dice, out)
        if charge != 0 and i > 0:
            rays.knock_on(world, y, i, slice_, h, wall, slab, particle, s, dice)
        if y[INSIDE] > 0:
            cascade.out_of_tracker(world, y, out)
        if cascade.gone(world, y):
            return LEFT
        if what == INTERACTED:
            return interact(world, y, i, s, dice)
        if what == DECAYED:
            return decay(world, y, s, dice, out)
        if what == LEFT:
            glance(y, kick, dice)
            y[ELASTIC] = philox.exponential(dice)
        if charge != 0 and cascade.kinetic(world, y) < LEAST:
            return stop(world, y, i, s, dice, out)
    return STOPPED


@leaf
def leave_tracker(world, y, s, dice, track, out):
    """An electron from where it begins to the end of the tracker."""
    kind = int(y[KIND])
    particle = matter.Particle(world.kinds.mass[kind], world.kinds.spin[kind])
    for _ in range(MAX_STEPS):
        h = min(cascade.LONGEST, cascade.to_start(world, y) + cascade.NUDGE)
        cascade.drift(world, y, h, 0, -1, world.kinds.charge[kind], particle, s, dice, track, out)
        cascade.out_of_tracker(world, y, out)
        if y[INSIDE] == 0:
            return


@leaf
def inwards(world, y):
    """Whether a neutral goes back towards the beams: what it may hit is far from where the track is looked for."""
    return world.kinds.charge[int(y[KIND])] == 0 and y[0] * y[3] + y[1] * y[4] + y[2] * y[5] < 0


@leaf
def track_all(world, s, dice, track, out):
    """The primary on the stack and all that comes of it: the fate of the primary, and where it met it."""
    y = s.stack[STACK]
    fate, x, z, zz = LEFT, 0.0, 0.0, 0.0
    primary = True
    while s.used[0] > 0:
        s.used[0] -= 1
        for c in range(SIZE):
            y[c] = s.stack[s.used[0], c]
        if not primary and inwards(world, y):
            continue
        if y[INSIDE] > 0 and y[KIND] >= PHOTON:
            leave_tracker(world, y, s, dice, track, out)
        if y[KIND] >= ELECTRON and y[P] < rays.SOFT:
            rays.follow(world, y, s, dice, track, out)
            end = STOPPED
        elif y[KIND] == PHOTON and y[P] < rays.SOFT_PHOTON:
            rays.convert(world, y, s, dice)
            end = INTERACTED
        elif y[KIND] >= PHOTON:
            shower(world, y, s, dice, track, out)
            end = INTERACTED
        else:
            end = follow(world, y, s, dice, track, out)
        if primary:
            fate, x, z, zz = end, y[0], y[1], y[2]
            primary = False
    return fate, x, z, zz


@compiled
def simulate(
    world: World, states: FloatArray, kinds: IntArray, key: AnyArray, first: int, most: int
) -> tuple[AnyArray, ...]:
    """Primaries first ... of a key: notes of all crossings, and of each primary begin (n, ROW), fate, end (n, 3) and
    soft (n,)."""
    n = len(kinds)
    s = Scratch(np.zeros((STACK + 1, SIZE)), np.zeros(1, np.int64), np.zeros(3), np.zeros((3, 3)))
    dice = philox.new_dice()
    begin, fate, end, soft = np.zeros((n, ROW)), np.zeros(n, np.int64), np.zeros((n, 3)), np.zeros(n)
    room, total = max(most, 40 * n), 0
    track, surface, row = np.zeros(room, np.int64), np.zeros(room, np.int64), np.zeros((room, ROW))
    for i in range(n):
        if track.size - total < most:
            track = np.concatenate((track, np.zeros(track.size, np.int64)))
            surface = np.concatenate((surface, np.zeros(surface.size, np.int64)))
            row = np.concatenate((row, np.zeros(row.shape)))
        out = Notes(np.zeros(1, np.int64), track[total : total + most], surface[total : total + most],
                    row[total : total + most], begin[i], np.zeros(3))  # fmt: skip
        philox.begin(dice, key, 0, first + i, philox.STEPS)
        y = s.stack[0]
        y[:] = 0.0
        y[:3] = states[i, :3]
        y[P] = math.sqrt((states[i, 3:] ** 2).sum())
        y[3:6] = states[i, 3:] / y[P]
        y[KIND], y[PRIMARY], y[INSIDE] = kinds[i], 1.0, 1.0
        cascade.ready(y, world, dice)
        s.used[0] = 1
        fate[i], end[i, 0], end[i, 1], end[i, 2] = track_all(world, s, dice, i, out)
        soft[i] = math.sqrt((out.soft**2).sum())
        total += min(out.n[0], most)
    return track[:total].copy(), surface[:total].copy(), row[:total].copy(), begin, fate, end, soft
