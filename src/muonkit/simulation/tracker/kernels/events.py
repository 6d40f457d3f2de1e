"""From where a track is to what happens next: a surface, a wall of its region, the end of the step.

The state y: position, direction, p, path, angle turned so far, length of the slab it is in."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from muonkit.core.compiled import compiled, leaf
from muonkit.simulation.kernels.geometry import distance, room, slope, stride, within
from muonkit.simulation.tracker.kernels import motion

P, PATH, TURNED, SLAB, SIZE = 6, 7, 8, 9, 10
NOTHING, SURFACE, WALL = range(3)
STEP, FREE, TODO, PLANNED, KNOCK = range(5)  # places in `memo`
BLOCK, SLICE, MATERIAL = range(3)  # places in `region`
FIRST_STEP, LONGEST = 1.0, 30.0  # cm
INSIDE = 1e-6  # cm: where a region is looked up behind a wall; every step into it is longer
ARRIVED = 1e-10  # cm
TRIES = 100


class Scratch(NamedTuple):
    """Of one thread. new, probe (6,): states ahead; side (n,): on which side of every surface the track is; free (n,):
    path at which it could first be reached; near, met (n,): surfaces met out of bounds in a step, and
    where; memo: the next step, the
    path at which the region could first be left, what is left of a leg, its whole length, whether a knock is due."""

    new: npt.NDArray[np.float64]
    probe: npt.NDArray[np.float64]
    side: npt.NDArray[np.float64]
    free: npt.NDArray[np.float64]
    near: npt.NDArray[np.int64]
    met: npt.NDArray[np.float64]
    memo: npt.NDArray[np.float64]
    region: npt.NDArray[np.int64]
    work: motion.Work


@compiled
def new_scratch(n):
    """For n surfaces."""
    side, free, met = np.zeros(n), np.zeros(n), np.zeros(n)
    near, region = np.zeros(n, np.int64), np.zeros(3, np.int64)
    return Scratch(np.zeros(6), np.zeros(6), side, free, near, met, np.zeros(5), region, motion.new_work())


@leaf
def take_sides(S, y, s):
    """On which side of every surface a track begins; on a surface it has already crossed it."""
    for i in range(S.kind.size):
        g = distance(S, i, y)
        s.free[i] = y[PATH] + abs(g)
        if abs(g) < 10 * ARRIVED:
            g = slope(S, i, y)
        s.side[i] = 1.0 if g > 0 else -1.0


@leaf
def cubic_root(g0, s0, g1, s1, h):
    """Where the cubic with values g and slopes s at the ends of [0, h] is 0: two steps of Newton's."""
    d = h * g0 / (g0 - g1)
    c = (3 * (g1 - g0) / h - 2 * s0 - s1) / h
    e = (2 * (g0 - g1) / h + s0 + s1) / (h * h)
    for _ in range(2):
        down = s0 + d * (2 * c + 3 * d * e)
        if down != 0:
            d -= (g0 + d * (s0 + d * (c + d * e))) / down
    return d if 0 < d < h else h * g0 / (g0 - g1)


@leaf
def arrive(S, i, f, y, k, h, s):
    """Path to surface i, which lies between y and s.new; s.probe is there."""
    side, g0, g1 = s.side[i], distance(S, i, y), distance(S, i, s.new)
    s0, s1 = slope(S, i, y), slope(S, i, s.new)
    low, high = 0.0, h
    if g0 * side < ARRIVED and s0 * side > 0:  # it has just come through, and now goes back
        d = s0 * h * h / (s0 * h - g1)
        low = 0.5 * d
    else:
        d = cubic_root(g0 if g0 * side > 0 else side * 1e-300, s0, g1, s1, h)
    for _ in range(TRIES):
        motion.advance(f, y, k, d, s.probe, s.work)
        g = distance(S, i, s.probe)
        if abs(g) < ARRIVED or high - low < ARRIVED:
            break
        if g * side > 0:
            low = d
        else:
            high = d
        d -= g / slope(S, i, s.probe)
        if not low < d < high:
            d = 0.5 * (low + high)
    return d


@leaf
def touch(S, i, f, y, k, h, s):
    """A path in (0, h) behind surface i if the track dips through it and comes back within the step; else h."""
    side = s.side[i]
    s0, s1 = side * slope(S, i, y), side * slope(S, i, s.new)
    if not (s0 < 0 < s1) or side * distance(S, i, y) > -s0 * h:
        return h
    low, high = 0.0, h
    d = h * s0 / (s0 - s1)
    for _ in range(TRIES):
        motion.advance(f, y, k, d, s.probe, s.work)
        if side * distance(S, i, s.probe) < 0:
            return d
        turned = side * slope(S, i, s.probe)
        if abs(turned) < 1e-9 or high - low < 1e-9:
            return h
        if turned < 0:
            low, s0 = d, turned
        else:
            high, s1 = d, turned
        d = low + (high - low) * min(max(s0 / (s0 - s1), 0.05), 0.95)
    return h


@leaf
def shorten(V, f, y, k, h, s):
    """The step h ends outside of the region: the path to its wall; s.new is there."""
    block, part = s.region[BLOCK], s.region[SLICE]
    low, high = min(INSIDE, h), h
    motion.advance(f, y, k, low, s.probe, s.work)
    r0, r1 = room(V, block, part, s.probe), room(V, block, part, s.new)
    d = low
    for n in range(TRIES):
        if r0 <= 0 or high - low < ARRIVED:
            break
        share = r0 / (r0 - r1) if n % 3 < 2 else 0.5
        d = low + (high - low) * share
        motion.advance(f, y, k, d, s.probe, s.work)
        r = room(V, block, part, s.probe)
        if abs(r) < ARRIVED:
            break
        if r > 0:
            low, r0 = d, r
        else:
            high, r1 = d, r
    for c in range(6):
        s.new[c] = s.probe[c]
    return d


@leaf
def careful(V, y, h, s):
    """The step, no longer than what cannot miss a wall."""
    if V.sides.size == 0 or y[PATH] + h < s.memo[FREE]:
        return h
    block, part = s.region[BLOCK], s.region[SLICE]
    left = room(V, block, part, y)
    s.memo[FREE] = y[PATH] + max(left, 0.0)
    return min(h, max(left, stride(V, block, part)))


@leaf
def try_step(V, f, y, h, k, tolerance, s):
    """A step of at most h that is accurate and does not leave the region: its length, and what is at its end."""
    for _ in range(TRIES):
        what = NOTHING
        error = motion.advance(f, y, k, h, s.new, s.work)
        walls = V.sides.size > 0 and y[PATH] + h >= s.memo[FREE]
        if walls and room(V, s.region[BLOCK], s.region[SLICE], s.new) < 0:
            h = shorten(V, f, y, k, h, s)
            error = motion.advance(f, y, k, h, s.new, s.work)
            what = WALL
        if not error > tolerance:
            if what == NOTHING:
                s.memo[STEP] = max(s.memo[STEP], h * min(5.0, 0.9 * (tolerance / max(error, 1e-300)) ** 0.2))
            break
        h *= max(0.1, 0.9 * (tolerance / error) ** 0.2)
        s.memo[STEP] = h
    return h, what


@leaf
def meet(S, f, y, h, k, s):
    """The first surface within its bounds on the step to s.new, and the path to it; -1 and h if there is none.

    A step that ends beyond a surface and its way back is cut between both: the path is then negative."""
    first, where, n, end = -1, h, 0, y[PATH] + h
    for i in range(S.kind.size):
        if s.free[i] > end:
            continue
        g = distance(S, i, s.new)
        if g * s.side[i] > 0:
            cut = touch(S, i, f, y, k, h, s) if abs(g) < h else h
            if cut < h:
                hurry(s, 2 * (h - cut))
                return -1, -cut
            s.free[i] = end + abs(g)
            continue
        s.free[i] = y[PATH]
        d = arrive(S, i, f, y, k, h, s)
        if not within(S, i, s.probe):
            s.near[n], s.met[n] = i, d
            n += 1
        elif d <= where:
            first, where = i, d
    for j in range(n):
        if s.met[j] <= where:
            s.side[s.near[j]] *= -1
    if where < h:
        hurry(s, 2 * (h - where))
    return first, where


@leaf
def hurry(s, path):
    """Surfaces are to be looked at sooner: a part of the step that freed them is not gone."""
    for i in range(s.free.size):
        s.free[i] -= path


@leaf
def commit(y, h, s):
    """Go to s.new."""
    size = math.sqrt(s.new[3] ** 2 + s.new[4] ** 2 + s.new[5] ** 2)
    turned = 0.0
    for c in range(3):
        direction = s.new[3 + c] / size
        turned += (direction - y[3 + c]) ** 2
        y[c], y[3 + c] = s.new[c], direction
    y[PATH] += h
    y[TURNED] += math.sqrt(turned)


@leaf
def go_on(S, V, f, y, k, tolerance, s):
    """One step, at most memo[TODO] long, to the first thing that happens: what, and which surface."""
    h = careful(V, y, min(s.memo[TODO], min(s.memo[STEP], LONGEST)), s)
    h, what = try_step(V, f, y, h, k, tolerance, s)
    found, d = meet(S, f, y, h, k, s)
    while d < 0:
        h, what = -d, NOTHING
        motion.advance(f, y, k, h, s.new, s.work)
        found, d = meet(S, f, y, h, k, s)
    if found >= 0:
        motion.advance(f, y, k, d, s.new, s.work)
        what = SURFACE
    commit(y, d, s)
    return what, found
