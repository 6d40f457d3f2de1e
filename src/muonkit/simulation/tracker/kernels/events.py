"""From where a track is to what happens next: a surface, a wall of its region, the end of the step."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from muonkit.core.compiled import compiled, leaf
from muonkit.detector.kernels import modules
from muonkit.simulation.kernels.geometry import FAR, distance, near, room, slope, stride, within
from muonkit.simulation.kernels.indices import TX, TY, TZ, X
from muonkit.simulation.tracker.kernels import motion
from muonkit.simulation.tracker.kernels.indices import (
    BLOCK,
    FREE,
    MEMO_SIZE,
    PATH,
    REGION_SIZE,
    SLICE,
    STEP,
    TODO,
    TURNED,
)

NOTHING, SURFACE, WALL = range(3)
FIRST_STEP, LONGEST = 1.0, 30.0  # cm
INSIDE = 1e-6  # cm: where a region is looked up behind a wall; every step into it is longer
ARRIVED = 1e-10  # cm
TRIES = 100
ROUGHLY = 0.1  # cm: how far outside of its bounds a module is foreseen to be met, and is not looked at


class Scratch(NamedTuple):
    """Of one thread. new, probe, hit (6,): states ahead, hit on the surface found; side (n,): on which side of every
    surface the track is; free (n,): path at which it could first be reached; near, met (n,): surfaces that a step may
    meet, and where; nearby: modules that may be met in a step; clear (g,): as free, for layers of modules; memo: the
    next step, the path at which the region could first be left, what is left of a leg, its whole length, where on it a
    knock is due; region: block, slice and material."""

    new: npt.NDArray[np.float64]
    probe: npt.NDArray[np.float64]
    hit: npt.NDArray[np.float64]
    side: npt.NDArray[np.float64]
    free: npt.NDArray[np.float64]
    near: npt.NDArray[np.int64]
    met: npt.NDArray[np.float64]
    nearby: modules.Nearby
    clear: npt.NDArray[np.float64]
    memo: npt.NDArray[np.float64]
    region: npt.NDArray[np.int64]
    work: motion.Work


@compiled
def new_scratch(n, layers):
    """For n surfaces, and layers of modules."""
    new, probe, hit = np.zeros(motion.MOVING), np.zeros(motion.MOVING), np.zeros(motion.MOVING)
    side, free, met = np.zeros(n), np.zeros(n), np.zeros(n)
    near, region, memo = np.zeros(n, np.int64), np.zeros(REGION_SIZE, np.int64), np.zeros(MEMO_SIZE)
    nearby, clear = modules.new_nearby(n), np.zeros(layers)
    return Scratch(new, probe, hit, side, free, near, met, nearby, clear, memo, region, motion.new_work())


@leaf
def take_sides(S, index, y, scratch):
    """On which side of every surface a track begins. The sides of modules are looked up in every step."""
    for i in index.alone:
        scratch.free[i] = y[PATH] + abs(distance(S, i, y))
        scratch.side[i] = side_of(S, i, y)
    for g in range(index.radial.size):
        scratch.clear[g] = y[PATH]


@leaf
def side_of(S, surface, y):
    """On which side of a surface a track is; on the surface, it has already crossed it."""
    g = distance(S, surface, y)
    if abs(g) < 10 * ARRIVED:
        g = slope(S, surface, y)
    return 1.0 if g > 0 else -1.0


@leaf
def cubic_root(before, slope_before, behind, slope_behind, h):
    """Where the cubic with these values and slopes at the ends of [0, h] is 0: two steps of Newton's."""
    d = h * before / (before - behind)
    second = (3 * (behind - before) / h - 2 * slope_before - slope_behind) / h
    third = (2 * (before - behind) / h + slope_before + slope_behind) / (h * h)
    for _ in range(2):
        down = slope_before + d * (2 * second + 3 * d * third)
        if down != 0:
            d -= (before + d * (slope_before + d * (second + d * third))) / down
    return d if 0 < d < h else h * before / (before - behind)


@leaf
def arrive(S, surface, bend, y, h, scratch):
    """Path to a surface that lies between y and scratch.new; scratch.probe is there."""
    new, probe = scratch.new, scratch.probe
    side, before, behind = scratch.side[surface], distance(S, surface, y), distance(S, surface, new)
    slope_before, slope_behind = slope(S, surface, y), slope(S, surface, new)
    low, high = 0.0, h
    if before * side < ARRIVED and slope_before * side > 0:  # it has just come through, and now goes back
        d = slope_before * h * h / (slope_before * h - behind)
        low = 0.5 * d
    else:
        d = cubic_root(before if before * side > 0 else side * 1e-300, slope_before, behind, slope_behind, h)
    for _ in range(TRIES):
        motion.advance(bend, y, d, probe, scratch.work)
        g = distance(S, surface, probe)
        if abs(g) < ARRIVED or high - low < ARRIVED:
            break
        if g * side > 0:
            low = d
        else:
            high = d
        d -= g / slope(S, surface, probe)
        if not low < d < high:
            d = 0.5 * (low + high)
    return d


@leaf
def touch(S, surface, bend, y, h, scratch):
    """A path in (0, h) behind a surface if the track dips through it and comes back within the step; else h."""
    side, probe = scratch.side[surface], scratch.probe
    before, behind = side * slope(S, surface, y), side * slope(S, surface, scratch.new)
    if not (before < 0 < behind) or side * distance(S, surface, y) > -before * h:
        return h
    low, high = 0.0, h
    d = h * before / (before - behind)
    for _ in range(TRIES):
        motion.advance(bend, y, d, probe, scratch.work)
        if side * distance(S, surface, probe) < 0:
            return d
        turned = side * slope(S, surface, probe)
        if abs(turned) < 1e-9 or high - low < 1e-9:
            return h
        if turned < 0:
            low, before = d, turned
        else:
            high, behind = d, turned
        d = low + (high - low) * min(max(before / (before - behind), 0.05), 0.95)
    return h


@leaf
def shorten(V, bend, y, h, scratch):
    """The step h ends outside of the region: the path to its wall; scratch.new is there."""
    block, part, new, probe = scratch.region[BLOCK], scratch.region[SLICE], scratch.new, scratch.probe
    low, high = min(INSIDE, h), h
    motion.advance(bend, y, low, probe, scratch.work)
    room_low, room_high = room(V, block, part, probe), room(V, block, part, new)
    d = low
    for n in range(TRIES):
        if room_low <= 0 or high - low < ARRIVED:
            break
        share = room_low / (room_low - room_high) if n % 3 < 2 else 0.5
        d = low + (high - low) * share
        motion.advance(bend, y, d, probe, scratch.work)
        left = room(V, block, part, probe)
        if abs(left) < ARRIVED:
            break
        if left > 0:
            low, room_low = d, left
        else:
            high, room_high = d, left
    for c in range(motion.MOVING):
        new[c] = probe[c]
    return d


@leaf
def careful(V, y, h, scratch):
    """The step, no longer than what cannot miss a wall."""
    if V.sides.size == 0 or y[PATH] + h < scratch.memo[FREE]:
        return h
    block, part = scratch.region[BLOCK], scratch.region[SLICE]
    left = room(V, block, part, y)
    scratch.memo[FREE] = y[PATH] + max(left, 0.0)
    return min(h, max(left, stride(V, block, part)))


@leaf
def try_step(V, bend, y, h, tolerance, scratch):
    """A step of at most h that is accurate and does not leave the region: its length, and what is at its end."""
    memo, region = scratch.memo, scratch.region
    for _ in range(TRIES):
        what = NOTHING
        error = motion.advance(bend, y, h, scratch.new, scratch.work)
        walls = V.sides.size > 0 and y[PATH] + h >= memo[FREE]
        if walls and room(V, region[BLOCK], region[SLICE], scratch.new) < 0:
            h = shorten(V, bend, y, h, scratch)
            error = motion.advance(bend, y, h, scratch.new, scratch.work)
            what = WALL
        if not error > tolerance:
            if what == NOTHING:
                memo[STEP] = max(memo[STEP], h * min(5.0, 0.9 * (tolerance / max(error, 1e-300)) ** 0.2))
            break
        h *= max(0.1, 0.9 * (tolerance / error) ** 0.2)
        memo[STEP] = h
    return h, what


@leaf
def meet(S, index, bend, y, h, scratch):
    """The first surface within its bounds on the step to scratch.new, and the path to it; -1 and h if there is none.

    A step that ends beyond a surface and its way back is cut between both: the path is then negative."""
    n, end = 0, y[PATH] + h
    for i in index.alone:
        if scratch.free[i] > end:
            continue
        g = distance(S, i, scratch.new)
        if g * scratch.side[i] > 0:
            cut = touch(S, i, bend, y, h, scratch) if abs(g) < h else h
            if cut < h:
                hurry(index, scratch, 2 * (h - cut))
                return -1, -cut
            scratch.free[i] = end + abs(g)
            continue
        scratch.free[i] = y[PATH]
        before = abs(distance(S, i, y))
        scratch.near[n], scratch.met[n] = i, h * before / max(before + abs(g), 1e-300)
        n += 1
    for layer in range(index.radial.size):
        if scratch.clear[layer] > end:
            continue
        scratch.clear[layer] = end + modules.gap(index, layer, scratch.new)
        n, cut = meet_modules(S, index, layer, bend, y, h, n, scratch)
        if cut < h:
            hurry(index, scratch, 2 * (h - cut))
            return -1, -cut
    first, where = nearest(S, bend, y, h, n, scratch)
    if where < h:
        hurry(index, scratch, 2 * (h - where))
    return first, where


@leaf
def nearest(S, bend, y, h, n, scratch):
    """The first of the n surfaces scratch.near that is met within its bounds, at scratch.hit, and the path to it; those
    that the track passes out of bounds before are then behind it. The likely first, by scratch.met, are tried first.
    What is farther away than the nearest found is not tried."""
    ids, met, first, where = scratch.near, scratch.met, -1, h
    for j in range(n):
        for other in range(j + 1, n):
            if met[other] < met[j]:
                ids[j], ids[other], met[j], met[other] = ids[other], ids[j], met[other], met[j]
        i = ids[j]
        met[j] = FAR
        if abs(distance(S, i, y)) > where + ARRIVED:
            continue
        d = arrive(S, i, bend, y, h, scratch)
        if not within(S, i, scratch.probe):
            met[j] = d
        elif d < where or (d == where and i > first):
            first, where = i, d
            for c in range(motion.MOVING):
                scratch.hit[c] = scratch.probe[c]
    for j in range(n):
        if met[j] <= where:
            scratch.side[ids[j]] *= -1
    return first, where


@leaf
def meet_modules(S, index, layer, bend, y, h, n, scratch):
    """Puts those modules of a layer that the step may cross behind the n surfaces in scratch.near: their number, and
    where the step is to be cut, h if nowhere."""
    found = scratch.nearby.ids
    for k in range(modules.candidates(index, layer, y, scratch.new, deviation(y, h, scratch.new), scratch.nearby)):
        i = found[k]
        scratch.side[i] = side_of(S, i, y)
        distant = distance(S, i, scratch.new)
        if distant * scratch.side[i] > 0:
            cut = touch(S, i, bend, y, h, scratch) if abs(distant) < h else h
            if cut < h:
                return n, cut
            continue
        d = foresee(S, i, y, h, scratch)
        if near(S, i, scratch.probe, ROUGHLY):
            scratch.near[n], scratch.met[n] = i, d
            n += 1
    return n, h


@leaf
def deviation(y, h, new):
    """More than the distance [cm] of a step from its chord: h/8 times the angle turned is that of an arc."""
    turn = math.sqrt((new[TX] - y[TX]) ** 2 + (new[TY] - y[TY]) ** 2 + (new[TZ] - y[TZ]) ** 2)
    return 0.2 * h * turn + INSIDE


@leaf
def foresee(S, surface, y, h, scratch):
    """The path to a surface between y and scratch.new, and scratch.probe there, on the cubic through both ends."""
    new, probe = scratch.new, scratch.probe
    before, behind = distance(S, surface, y), distance(S, surface, new)
    share = before / (before - behind) if before != behind else 0.0
    d = share * h
    if before * scratch.side[surface] > 0:
        d = cubic_root(before, slope(S, surface, y), behind, slope(S, surface, new), h)
    s = d / h
    for c in range(3):
        chord = new[X + c] - y[X + c]
        a, b = h * y[TX + c] - chord, chord - h * new[TX + c]
        probe[X + c] = y[X + c] + s * (chord + (1 - s) * (a * (1 - s) + b * s))
    return d


@leaf
def hurry(index, scratch, path):
    """Surfaces are to be looked at sooner: a part of the step that freed them is not gone."""
    for i in index.alone:
        scratch.free[i] -= path
    for g in range(index.radial.size):
        scratch.clear[g] -= path


@leaf
def commit(y, h, new):
    """Go to the state `new`, h further."""
    size = math.sqrt(new[TX] ** 2 + new[TY] ** 2 + new[TZ] ** 2)
    turned = 0.0
    for c in range(3):
        direction = new[TX + c] / size
        turned += (direction - y[TX + c]) ** 2
        y[X + c], y[TX + c] = new[X + c], direction
    y[PATH] += h
    y[TURNED] += math.sqrt(turned)


@leaf
def go_on(detector, bend, y, tolerance, scratch):
    """One step, at most memo[TODO] long, to the first thing that happens: what, and which surface."""
    S, index, V = detector.surfaces, detector.modules, detector.volumes
    motion.begin(bend, y, scratch.work)
    h = careful(V, y, min(scratch.memo[TODO], min(scratch.memo[STEP], LONGEST)), scratch)
    h, what = try_step(V, bend, y, h, tolerance, scratch)
    found, d = meet(S, index, bend, y, h, scratch)
    while d < 0:
        h, what = -d, NOTHING
        motion.advance(bend, y, h, scratch.new, scratch.work)
        found, d = meet(S, index, bend, y, h, scratch)
    if found < 0:
        commit(y, d, scratch.new)
        return what, found
    commit(y, d, scratch.hit)
    return SURFACE, found
