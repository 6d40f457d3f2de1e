"""Which surfaces a track meets, in order: a look along the track in steps so short that a parabola is enough."""

import math
from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import AnyArray
from muonkit.core.compiled import compiled, inlined, leaf
from muonkit.core.indices import TX, TY, TZ, X, Y, Z
from muonkit.detector.surfaces import CYLINDER, DISC
from muonkit.detector.volumes import NOWHERE
from muonkit.transport.kernels import faces, frames, step, travel
from muonkit.transport.kernels.batch import finite
from muonkit.transport.kernels.frames import FIRST, NORMAL, SECOND
from muonkit.transport.kernels.tuples import TURNED, empty_track, workspace

LONGEST = 30.0  # cm
TURN = 0.1  # rad in one look: the parabola is then right to TURN^2/6 of the step


class Search(NamedTuple):
    """Of one track: by which margin [cm] surfaces are larger; for every surface, whether it is wanted, for it has a
    hit, whether it has been seen; surfaces found in one look, and the path [cm] to them."""

    margin: float
    wanted: AnyArray
    seen: AnyArray
    found: AnyArray
    path: AnyArray


@inlined
def within(S, i, y, k, d, margin):
    """Whether the track crosses surface i within its bounds, d [cm] further on along the parabola."""
    d0 = y[X] + d * y[TX] + 0.5 * d * d * k[0] - S.center[i, 0]
    d1 = y[Y] + d * y[TY] + 0.5 * d * d * k[1] - S.center[i, 1]
    d2 = y[Z] + d * y[TZ] + 0.5 * d * d * k[2] - S.center[i, 2]
    axes, bounds = S.axes[i], S.bounds[i]
    l0 = d0 * axes[FIRST, 0] + d1 * axes[FIRST, 1] + d2 * axes[FIRST, 2]
    l1 = d0 * axes[SECOND, 0] + d1 * axes[SECOND, 1] + d2 * axes[SECOND, 2]
    if S.kind[i] == DISC:
        rho = math.sqrt(l0 * l0 + l1 * l1)
        return bounds[0] - margin <= rho <= bounds[1] + margin
    if S.kind[i] == CYLINDER:
        l0 = S.radius[i] * math.atan2(l1, l0)
        l1 = d0 * axes[NORMAL, 0] + d1 * axes[NORMAL, 1] + d2 * axes[NORMAL, 2]
    return bounds[0] - margin <= l0 <= bounds[1] + margin and bounds[2] - margin <= l1 <= bounds[3] + margin


@inlined
def look(S, y, k, h, search):
    """Surfaces crossed within the next h [cm], by path: fills `found` and `path`; returns how many."""
    count = 0
    for i in range(S.kind.size):
        if search.seen[i]:
            continue
        d = frames.reach(S, i, y, k, 1.0)
        if d > h or not (search.wanted[i] or within(S, i, y, k, d, search.margin)):
            continue
        j = count
        while j > 0 and search.path[j - 1] > d:
            search.found[j], search.path[j] = search.found[j - 1], search.path[j - 1]
            j -= 1
        search.found[j], search.path[j] = i, d
        count += 1
    return count


@leaf
def follow(track, scene, search, stops, work):
    """Fill `stops` with the surfaces of one track after the one it starts on; returns their number. A surface is met
    at most once, so `stops` needs no more places than there are surfaces."""
    count, y, S, k = 0, track.y, scene.det.surfaces, work.k
    for _ in range(scene.plan.max_steps):
        material = faces.volume_at(scene.det.volumes, y, 10 * scene.plan.boundary, NOWHERE).material
        if not travel.slopes(y, 0.0, scene, material, work):
            return count
        turn = math.sqrt(k[0] * k[0] + k[1] * k[1] + k[2] * k[2])
        h = min(LONGEST, TURN / max(turn, 1e-300))
        for j in range(look(S, y, k, h, search)):
            stops[count] = search.found[j]
            search.seen[search.found[j]] = True
            count += 1
        if step.try_step(y, h, 0.0, scene, material, work.stages) < 0:
            return count
        step.move(y, h, work.stages)
        track.at[TURNED] += h * turn
        if travel.ended(track, scene) != travel.OK:
            return count
    return count


@compiled
def find_routes(start, bound, hits, scene, margin):
    """Surfaces that every track meets, one after the other (k,), and their number (n,), for tracks that start on
    surface start (n,), their first stop. A start that is not finite meets none.

    Surfaces with a hit of the track count even where the track crosses them out of bounds; the route ends at the last.
    The plan of the scene needs no gradient of the field."""
    S = scene.det.surfaces
    size = S.kind.size
    work, track = workspace(), empty_track()
    wanted, seen = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
    search = Search(margin, wanted, seen, np.zeros(size, np.int64), np.zeros(size))
    stops, count, end = np.zeros(size, np.int64), np.zeros(len(start), np.int64), 0
    for row in range(len(start)):
        if not finite(bound[row]):
            continue
        if stops.size - end < size:
            stops = np.concatenate((stops, np.zeros(stops.size + size, np.int64)))
        wanted[:] = False
        seen[:] = False
        for hit in range(hits.offsets[row], hits.offsets[row + 1]):
            wanted[hits.surface[hit]] = True
        seen[start[row]] = True
        stops[end] = start[row]
        travel.begin_bound(track, S, start[row], bound[row], work)
        total = 1 + follow(track, scene, search, stops[end + 1 : end + size], work)
        while total > 0 and not wanted[stops[end + total - 1]]:
            total -= 1
        count[row] = total
        end += total
    return stops[:end], count
