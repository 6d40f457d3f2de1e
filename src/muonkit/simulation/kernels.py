"""The true way of a track, step by step: force, energy loss, scattering, crossings of surfaces.

Written apart from the transport of the fit, so that an error there shows up in closure tests: classical Runge-Kutta in
small steps, matter in small portions. Random numbers are named by (seed, track): SplitMix64 (Steele, Lea, Flood 2014)
started from a hash of both, so a track does not depend on its neighbours."""

import math
from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import AnyArray
from muonkit.core.compiled import compiled, leaf
from muonkit.core.units import CURVATURE, ELECTRON_MASS
from muonkit.detector.kernels import field
from muonkit.detector.kernels.places import locate, material_of

LEFT, STOPPED, LOOPED, STEP_LIMIT, FULL = range(5)
LONGEST = 5.0  # cm
TURN = 0.04  # rad in one step: the error of a step is below 1e-7 cm
PORTION = 0.02  # radiation lengths of a thick volume in one step
PLANE, CYLINDER, DISC = range(3)
NO_LOSS, MEAN, GAUSS, LANDAU = range(4)
NO_SCATTERING, HIGHLAND, NO_LOG = range(3)
LOWEST = 0.05  # beta gamma: the loss is constant below
LANDAU_MODE = -0.22278298
GAMMA_E = 0.5772156649015329


class Physics(NamedTuple):
    """mass [GeV]; energy_loss; scattering; kinetic energy at which a track has stopped; turn [rad] at which it loops;
    Landau's inverse cumulative distribution on a grid even in ln(u/(1 - u)) from -reach to reach."""

    mass: float
    energy_loss: int
    scattering: int
    min_kinetic: float
    max_turn: float
    landau: AnyArray
    reach: float


class Crossings(NamedTuple):
    """surface (n, m), state (n, m, 7), number (n,), status (n,)."""

    surface: AnyArray
    state: AnyArray
    number: AnyArray
    status: AnyArray


@leaf
def uniform(random):
    """The next number in (0, 1) of a stream; random: uint64 (1)."""
    random[0] += np.uint64(0x9E3779B97F4A7C15)
    z = random[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return (np.float64(z >> np.uint64(11)) + 0.5) / 9007199254740992.0


@leaf
def name_stream(random, seed, track):
    """Begin the stream of a track."""
    random[0] = np.uint64(seed) * np.uint64(0xD1342543DE82EF95) + np.uint64(1)
    uniform(random)
    random[0] = (random[0] ^ np.uint64(track)) * np.uint64(0xDA942042E4DD58B5)
    uniform(random)


@leaf
def normal(random):
    """Box and Muller."""
    return math.sqrt(-2 * math.log(uniform(random))) * math.cos(2 * math.pi * uniform(random))


@leaf
def slope(y, det, B, G, k):
    """k = dt/ds; False outside the field."""
    inside = field(det.field, y[0], y[1], y[2], B, G, False)
    f = CURVATURE * y[6]
    k[0] = f * (y[4] * B[2] - y[5] * B[1])
    k[1] = f * (y[5] * B[0] - y[3] * B[2])
    k[2] = f * (y[3] * B[1] - y[4] * B[0])
    return inside


@leaf
def advance(y, h, det, B, G, k, middle, total):
    """A classical Runge-Kutta step of (x, t); False outside the field. middle (7), total (6) and k (3) are scratch."""
    inside = True
    for i in range(6):
        total[i] = 0.0
    middle[6] = y[6]
    for i in range(6):
        middle[i] = y[i]
    for stage in range(4):
        inside &= slope(middle, det, B, G, k)
        weight = 1.0 if stage == 0 or stage == 3 else 2.0
        share = h if stage == 2 else 0.5 * h
        for i in range(3):
            total[i] += weight * middle[3 + i]
            total[3 + i] += weight * k[i]
        if stage < 3:
            for i in range(3):
                moved, turned = y[i] + share * middle[3 + i], y[3 + i] + share * k[i]
                middle[i], middle[3 + i] = moved, turned
    for i in range(6):
        middle[i] = y[i] + h / 6 * total[i]
    size = math.sqrt(middle[3] ** 2 + middle[4] ** 2 + middle[5] ** 2)
    for i in range(3):
        middle[3 + i] /= size
    return inside


@leaf
def off(S, i, y):
    """Signed distance of a point from surface i."""
    d0, d1, d2 = y[0] - S.center[i, 0], y[1] - S.center[i, 1], y[2] - S.center[i, 2]
    w = S.axes[i, 2]
    along = d0 * w[0] + d1 * w[1] + d2 * w[2]
    if S.kind[i] != CYLINDER:
        return along
    return math.sqrt(max(d0 * d0 + d1 * d1 + d2 * d2 - along * along, 0.0)) - S.radius[i]


@leaf
def holds(S, i, y):
    """Whether the point lies within the bounds of surface i."""
    d0, d1, d2 = y[0] - S.center[i, 0], y[1] - S.center[i, 1], y[2] - S.center[i, 2]
    a, b = S.axes[i], S.bounds[i]
    l0 = d0 * a[0, 0] + d1 * a[0, 1] + d2 * a[0, 2]
    l1 = d0 * a[1, 0] + d1 * a[1, 1] + d2 * a[1, 2]
    if S.kind[i] == DISC:
        return b[0] <= math.sqrt(l0 * l0 + l1 * l1) <= b[1]
    if S.kind[i] == CYLINDER:
        l0, l1 = S.radius[i] * math.atan2(l1, l0), d0 * a[2, 0] + d1 * a[2, 1] + d2 * a[2, 2]
    return b[0] <= l0 <= b[1] and b[2] <= l1 <= b[3]


@leaf
def incidence(S, i, y):
    """|cos| of the angle between track and normal."""
    w = S.axes[i, 2]
    along = y[3] * w[0] + y[4] * w[1] + y[5] * w[2]
    if S.kind[i] != CYLINDER:
        return abs(along)
    d0, d1, d2 = y[0] - S.center[i, 0], y[1] - S.center[i, 1], y[2] - S.center[i, 2]
    height = d0 * w[0] + d1 * w[1] + d2 * w[2]
    return abs(d0 * y[3] + d1 * y[4] + d2 * y[5] - height * along) / S.radius[i]


@leaf
def density_effect(e, bg):
    """delta; PDG 2024 eq. 34.7; e = (C, x0, x1, a, k, delta0)."""
    x = math.log10(bg)
    if x < e[1]:
        return e[5] * 10 ** (2 * (x - e[1]))
    delta = 2 * math.log(10.0) * x - e[0]
    return delta if x >= e[2] else delta + e[3] * (e[2] - x) ** e[4]


@leaf
def lost(M, m, length, p, mass, model, random, landau, reach):
    """Energy loss [GeV] by ionisation in `length` [cm] of material m, for a momentum p; PDG 2024 eqs. 34.5 and
    34.12."""
    q = max(p, LOWEST * mass)
    E = math.sqrt(q * q + mass * mass)
    beta2, bg = q * q / (E * E), q / mass
    ratio, I = ELECTRON_MASS / mass, M.I[m] * 1e-9  # noqa: E741
    t_max = 2 * ELECTRON_MASS * bg * bg / (1 + 2 * E / mass * ratio + ratio * ratio)
    xi, delta = M.xi[m] * length / beta2, density_effect(M.effect[m], bg)
    log = math.log(2 * ELECTRON_MASS * bg * bg / I)
    mean = xi * (log + math.log(t_max / I) - 2 * beta2 + t_max * t_max / (4 * E * E) - delta)
    if model == MEAN:
        return mean
    if model == GAUSS:
        return mean + math.sqrt(xi * t_max * (1 - beta2 / 2)) * normal(random)
    if xi > 0.1 * t_max:
        return max(mean + math.sqrt(xi * t_max * (1 - beta2 / 2)) * normal(random), 0.0)
    expected = GAMMA_E - 1 - beta2 - math.log(xi / t_max)
    top = truncation(expected)
    value = top + 1
    while value > top:
        value = landau_number(uniform(random), landau, reach)
    return max(mean + xi * (value - expected), 0.0)


@leaf
def truncation(mean):
    """Where Landau's distribution is cut so that it has a given mean; F. James, R. Brun, GEANT 3 manual, PHYS 332."""
    return 0.60715 + 1.1934 * mean + (0.67794 + 0.052382 * mean) * math.exp(0.94753 + 0.74442 * mean)


@leaf
def landau_number(u, landau, reach):
    """Landau's lambda of a cumulative probability u."""
    position = (math.log(u / (1 - u)) + reach) / (2 * reach) * (landau.size - 1)
    i = min(max(int(position), 0), landau.size - 2)
    s = position - i
    return (1 - s) * landau[i] + s * landau[i + 1]


@leaf
def scatter(y, theta, random):
    """Turn the direction by Gaussian angles of width theta in two planes."""
    a, b = theta * normal(random), theta * normal(random)
    t0, t1, t2 = y[3], y[4], y[5]
    if abs(t2) < 0.9:
        u0, u1, u2 = -t1, t0, 0.0
    else:
        u0, u1, u2 = 0.0, -t2, t1
    size = math.sqrt(u0 * u0 + u1 * u1 + u2 * u2)
    u0, u1, u2 = u0 / size, u1 / size, u2 / size
    v0, v1, v2 = t1 * u2 - t2 * u1, t2 * u0 - t0 * u2, t0 * u1 - t1 * u0
    n0, n1, n2 = t0 + a * u0 + b * v0, t1 + a * u1 + b * v1, t2 + a * u2 + b * v2
    size = math.sqrt(n0 * n0 + n1 * n1 + n2 * n2)
    y[3], y[4], y[5] = n0 / size, n1 / size, n2 / size


@leaf
def act(y, m, length, M, physics, with_log, random):
    """Matter acts at once; False if the track stops."""
    p = 1 / abs(y[6])
    E = math.sqrt(p * p + physics.mass**2)
    if physics.scattering != NO_SCATTERING:
        depth, beta2 = length / M.X0[m], p * p / (E * E)
        log = 1 + 0.038 * math.log(depth / beta2) if with_log else 1.0
        scatter(y, 13.6e-3 / (math.sqrt(beta2) * p) * math.sqrt(depth) * max(log, 0.0), random)
    if physics.energy_loss == NO_LOSS:
        return True
    E -= lost(M, m, length, p, physics.mass, physics.energy_loss, random, physics.landau, physics.reach)
    if E - physics.mass < physics.min_kinetic:
        return False
    y[6] = math.copysign(1 / math.sqrt(E * E - physics.mass**2), y[6])
    return True


@leaf
def nearest(S, last, above, y, end):
    """Surface that the step from y to `end` crosses first behind the fraction `above` of it, and where; -1 if none."""
    best, found = 2.0, -1
    for i in range(S.kind.size):
        if i == last:
            continue
        a, b = off(S, i, y), off(S, i, end)
        if (a > 0) != (b > 0):
            share = a / (a - b)
            if above < share < best:
                best, found = share, i
    return found, best


@leaf
def reach_surface(S, i, y, h, det, B, G, k, end, total):
    """The part of the step h that ends on surface i, and is then in `end`: false position, kept in its bracket."""
    low, high, f_low, f_high = 0.0, h, off(S, i, y), off(S, i, end)
    now = h
    for _ in range(60):
        now = high - f_high * (high - low) / (f_high - f_low)
        advance(y, now, det, B, G, k, end, total)
        f = off(S, i, end)
        if abs(f) < 1e-11 or high - low < 1e-12:
            break
        if (f > 0) == (f_low > 0):
            low, f_low, f_high = now, f, 0.5 * f_high  # Illinois: no end may stay for ever
        else:
            high, f_high, f_low = now, f, 0.5 * f_low
    return now


@leaf
def cross(S, last, y, h, det, B, G, k, end, total):
    """The first surface on the step h that is met within its bounds (-1: none) and the part of the step up to there."""
    above = -1.0
    for _ in range(S.kind.size):
        i, above = nearest(S, last, above, y, end)
        if i < 0:
            return -1, h
        part = reach_surface(S, i, y, h, det, B, G, k, end, total)
        if holds(S, i, end):
            return i, part
        advance(y, h, det, B, G, k, end, total)
    return -1, h


@leaf
def portion(y, det, k):
    """Longest step [cm], and the material of the thick volume in its middle."""
    h = min(LONGEST, TURN / max(math.sqrt(k[0] * k[0] + k[1] * k[1] + k[2] * k[2]), 1e-300))
    V = det.volumes
    if V.sides.size == 0:
        return h, 0
    block, part = locate(V, y[0], y[1], y[2])
    h = min(h, PORTION * det.materials.X0[material_of(V, block, part)])
    block, part = locate(V, y[0] + 0.5 * h * y[3], y[1] + 0.5 * h * y[4], y[2] + 0.5 * h * y[5])
    return h, material_of(V, block, part)


@leaf
def outside(det, y):
    e = det.envelope
    return y[0] * y[0] + y[1] * y[1] > e[0] * e[0] or y[2] < e[1] or y[2] > e[2]


@leaf
def follow(n, y, det, physics, out, random, B, G, k, end, total):
    """One track to its end; returns its status."""
    S, M = det.surfaces, det.materials
    last, turned, count = -1, 0.0, 0
    for _ in range(200_000):
        if not slope(y, det, B, G, k) or outside(det, y):
            return LEFT
        h, m = portion(y, det, k)
        turned += h * math.sqrt(k[0] * k[0] + k[1] * k[1] + k[2] * k[2])
        if turned > physics.max_turn:
            return LOOPED
        if not advance(y, h, det, B, G, k, end, total):
            return LEFT
        last, h = cross(S, last, y, h, det, B, G, k, end, total)
        for i in range(6):
            y[i] = end[i]
        if m != 0 and not act(y, m, h, M, physics, False, random):
            return STOPPED
        if last < 0:
            continue
        if count == out.surface.shape[1]:
            return FULL
        out.surface[n, count] = last
        for i in range(7):
            out.state[n, count, i] = y[i]
        count += 1
        out.number[n] = count
        if S.thickness[last] > 0:
            length = S.thickness[last] / max(incidence(S, last, y), 1e-3)
            if not act(y, S.material[last], length, M, physics, physics.scattering == HIGHLAND, random):
                return STOPPED
    return STEP_LIMIT


@compiled
def follow_all(start, seed, first, det, physics, out):
    """Every track from its free state start (n, 7); random numbers are those of tracks `first` ... of `seed`."""
    B, G, k, total = np.zeros(3), np.zeros((3, 3)), np.zeros(3), np.zeros(6)
    y, end, random = np.zeros(7), np.zeros(7), np.zeros(1, np.uint64)
    for n in range(len(start)):
        name_stream(random, seed, first + n)
        for i in range(7):
            y[i] = start[n, i]
        out.status[n] = follow(n, y, det, physics, out, random, B, G, k, end, total)
