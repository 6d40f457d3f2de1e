"""Which surfaces a track meets, in order: a look along the track in steps so short that a parabola is enough.

Modules are looked for where the index of their layer has them. Those with a hit are met in any case. Whether one
without a hit is met depends on fractions of a millimetre, so the look goes from stop to stop of the smoothed track,
where there is one."""

import math
from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import AnyArray
from muonkit.core.compiled import compiled, inlined, leaf
from muonkit.core.indices import TX, TY, TZ, X, Y, Z
from muonkit.detector.kernels import modules
from muonkit.detector.surfaces import CYLINDER, DISC, TRAPEZOID, WHOLE
from muonkit.detector.volumes import NOWHERE
from muonkit.transport.kernels import faces, frames, step, travel
from muonkit.transport.kernels.batch import finite
from muonkit.transport.kernels.frames import FIRST, NORMAL, SECOND
from muonkit.transport.kernels.tuples import TURNED, empty_track, workspace

LONGEST = 30.0  # cm
TURN = 0.1  # rad in one look: the parabola is then right to TURN^2/6 of the step
NEAR = 1e-3  # cm: a look goes so far beyond a stop of the track before, and finds modules so far beside its chord
WANTED = 10.0  # cm: how far out of its bounds a module with a hit may be met
MOST_STOPS = 4096  # of one track, however many surfaces there are


class Look(NamedTuple):
    """Of track `row`, at point y with dt/ds = k, as far as h [cm]; length [cm]: of the track so far; far: how far away
    what is met is at most."""

    row: int
    y: AnyArray
    k: AnyArray
    h: float
    length: float
    far: float


class Search(NamedTuple):
    """Of one track: by which margin [cm] surfaces are larger; for every surface, the last track that has a hit on it
    (wanted), the last one that has met it (seen), and the length [cm] of the track before which it cannot be met
    (clear), which is known for layers of modules, too (clear_layer); surfaces found in one look, and the path [cm] to
    them; modules near a look; end (3,) of it."""

    margin: float
    wanted: AnyArray
    seen: AnyArray
    clear: AnyArray
    clear_layer: AnyArray
    found: AnyArray
    path: AnyArray
    nearby: modules.Nearby
    end: AnyArray


@inlined
def within(S, i, y, k, d, margin):
    """Whether the track crosses surface i within its bounds, d [cm] further on along the parabola."""
    d0 = y[X] + d * y[TX] + 0.5 * d * d * k[0] - S.center[i, 0]
    d1 = y[Y] + d * y[TY] + 0.5 * d * d * k[1] - S.center[i, 1]
    d2 = y[Z] + d * y[TZ] + 0.5 * d * d * k[2] - S.center[i, 2]
    axes, bounds = S.axes[i], S.bounds[i]
    l0 = d0 * axes[FIRST, 0] + d1 * axes[FIRST, 1] + d2 * axes[FIRST, 2]
    l1 = d0 * axes[SECOND, 0] + d1 * axes[SECOND, 1] + d2 * axes[SECOND, 2]
    if S.kind[i] == TRAPEZOID:
        return abs(l0) <= bounds[0] + bounds[1] * l1 + margin and bounds[2] - margin <= l1 <= bounds[3] + margin
    if S.kind[i] == DISC:
        rho = math.sqrt(l0 * l0 + l1 * l1)
        least = min(abs(l0), abs(l1)) if bounds[3] == WHOLE else min(l0, l1)
        return least >= bounds[2] - margin and bounds[0] - margin <= rho <= bounds[1] + margin
    if S.kind[i] == CYLINDER:
        l0 = S.radius[i] * math.atan2(l1, l0)
        l1 = d0 * axes[NORMAL, 0] + d1 * axes[NORMAL, 1] + d2 * axes[NORMAL, 2]
    return bounds[0] - margin <= l0 <= bounds[1] + margin and bounds[2] - margin <= l1 <= bounds[3] + margin


@inlined
def put(i, d, row, count, search):
    """Put surface i among those found, in the order of their paths; returns how many there are."""
    j = count
    while j > 0 and search.path[j - 1] > d:
        search.found[j], search.path[j] = search.found[j - 1], search.path[j - 1]
        j -= 1
    search.found[j], search.path[j] = i, d
    search.seen[i] = row
    return count + 1


@inlined
def far_off(S, i, here, search):
    """Whether surface i is so far away that this look cannot meet it."""
    if search.clear[i] > here.length + here.far:
        return True
    apart = abs(frames.distance(S, i, here.y))
    search.clear[i] = here.length + apart
    return apart > here.far


@inlined
def look(det, here, search):
    """Surfaces that stand alone crossed in a look, by path: fills `found` and `path`; returns how many."""
    S, count = det.surfaces, 0
    for i in det.modules.alone:
        if search.seen[i] == here.row or far_off(S, i, here, search):
            continue
        d = frames.reach(S, i, here.y, here.k, 1.0)
        if d > here.h or not (search.wanted[i] == here.row or within(S, i, here.y, here.k, d, search.margin)):
            continue
        count = put(i, d, here.row, count, search)
    return count


@inlined
def look_at_hits(det, here, hits, count, search):
    """The same for modules with a hit."""
    S = det.surfaces
    for hit in range(hits.offsets[here.row], hits.offsets[here.row + 1]):
        i = hits.surface[hit]
        if det.modules.layer_of[i] < 0 or search.seen[i] == here.row or far_off(S, i, here, search):
            continue
        d = frames.reach(S, i, here.y, here.k, 1.0)
        if d <= here.h and within(S, i, here.y, here.k, d, WANTED):
            count = put(i, d, here.row, count, search)
    return count


@leaf
def look_around(det, here, count, search):
    """The same for modules without a hit, in their bounds."""
    S, index, end, y, k, h = det.surfaces, det.modules, search.end, here.y, here.k, here.h
    for c in range(3):
        end[c] = y[X + c] + h * (y[TX + c] + 0.5 * h * k[c])
    pad = here.far - h
    for g in range(index.radial.size):
        if search.clear_layer[g] > here.length + here.far:
            continue
        apart = modules.gap(index, g, y)
        search.clear_layer[g] = here.length + apart
        if apart > here.far:
            continue
        for j in range(modules.candidates(index, g, y, end, pad, search.nearby)):
            i = search.nearby.ids[j]
            if search.seen[i] == here.row or search.wanted[i] == here.row:
                continue
            d = frames.reach(S, i, y, k, 1.0)
            if d <= h and within(S, i, y, k, d, 0.0):
                count = put(i, d, here.row, count, search)
    return count


@inlined
def next_anchor(S, y, k, row, at, before):
    """The next stop of the track before that lies ahead, and the path [cm] to it; the number of stops and infinity if
    there is none."""
    while at < before.length[row]:
        d = frames.reach(S, before.surface[row, at], y, k, 1.0)
        if d < math.inf and not math.isnan(before.reference[row, at, 0]):
            return at, d
        at += 1
    return at, math.inf


@leaf
def follow(track, row, scene, hits, before, search, stops, work):
    """Fill `stops` with the surfaces of one track after the one it starts on; returns their number. A surface is met
    at most once."""
    count, y, det, k, at = 0, track.y, scene.det, work.k, 1
    together, length = det.modules.radial.size > 0, 0.0
    for _ in range(scene.plan.max_steps):
        material = faces.volume_at(det.volumes, y, 10 * scene.plan.boundary, NOWHERE).material
        if not travel.slopes(y, 0.0, scene, material, work):
            return count
        turn = math.sqrt(k[0] * k[0] + k[1] * k[1] + k[2] * k[2])
        h, anchor = min(LONGEST, TURN / max(turn, 1e-300)), math.inf
        if together:
            at, anchor = next_anchor(det.surfaces, y, k, row, at, before)
            h = min(h, anchor + NEAR)
        here = Look(row, y, k, h, length, h + 0.2 * h * h * turn + NEAR)
        met = look(det, here, search)
        if together:
            met = look_at_hits(det, here, hits, met, search)
            met = look_around(det, here, met, search)
        for j in range(met):
            if count == stops.size:
                return count
            stops[count] = search.found[j]
            count += 1
        x0, x1, x2 = y[X], y[Y], y[Z]
        if anchor + NEAR <= h:
            frames.to_free(det.surfaces, before.surface[row, at], before.reference[row, at], y)
            at += 1
        else:
            if step.try_step(y, h, 0.0, scene, material, work.stages) < 0:
                return count
            step.move(y, h, work.stages)
        length += math.sqrt((y[X] - x0) ** 2 + (y[Y] - x1) ** 2 + (y[Z] - x2) ** 2)
        track.at[TURNED] += h * turn
        if travel.ended(track, scene) != travel.OK:
            return count
    return count


@compiled
def find_routes(start, bound, hits, scene, margin, before):
    """Surfaces that every track meets, one after the other (k,), and their number (n,), for tracks that start on
    surface start (n,), their first stop. A start that is not finite meets none. `before`: the Route of these tracks in
    an earlier pass, of no stops if there was none; its reference is the smoothed track.

    Surfaces with a hit of the track count even where the track crosses them out of bounds; the route ends at the last.
    The plan of the scene needs no gradient of the field."""
    S = scene.det.surfaces
    size = S.kind.size
    work, track, most = workspace(), empty_track(), min(size, MOST_STOPS)
    wanted, seen = np.full(size, -1), np.full(size, -1)
    found, path, nearby = np.zeros(size, np.int64), np.zeros(size), modules.new_nearby(size)
    clear, clear_layer = np.zeros(size), np.zeros(scene.det.modules.radial.size)
    search = Search(margin, wanted, seen, clear, clear_layer, found, path, nearby, np.zeros(3))
    stops, count, end = np.zeros(most, np.int64), np.zeros(len(start), np.int64), 0
    for row in range(len(start)):
        if not finite(bound[row]):
            continue
        if stops.size - end < most:
            stops = np.concatenate((stops, np.zeros(stops.size + most, np.int64)))
        clear[scene.det.modules.alone], clear_layer[:] = 0.0, 0.0
        for hit in range(hits.offsets[row], hits.offsets[row + 1]):
            wanted[hits.surface[hit]], clear[hits.surface[hit]] = row, 0.0
        seen[start[row]] = row
        stops[end] = start[row]
        travel.begin_bound(track, S, start[row], bound[row], work)
        total = 1 + follow(track, row, scene, hits, before, search, stops[end + 1 : end + most], work)
        while total > 0 and wanted[stops[end + total - 1]] != row:
            total -= 1
        count[row] = total
        end += total
    return stops[:end], count
