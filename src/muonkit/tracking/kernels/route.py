"""Which surfaces a track meets, in order: a look along the track in steps so short that a parabola is enough."""

import math

import numpy as np

from muonkit.core.compiled import compiled, inlined, leaf
from muonkit.transport.kernels import faces, frames, step, travel

LONGEST = 30.0  # cm
TURN = 0.1  # rad in one look: the parabola is then right to TURN^2/6 of the step
DISC = 2  # of detector.surfaces


@inlined
def within(S, i, y, k, d, margin):
    """Whether the track crosses surface i within its bounds, d [cm] further on along the parabola."""
    d0 = y[0] + d * y[3] + 0.5 * d * d * k[0] - S.center[i, 0]
    d1 = y[1] + d * y[4] + 0.5 * d * d * k[1] - S.center[i, 1]
    d2 = y[2] + d * y[5] + 0.5 * d * d * k[2] - S.center[i, 2]
    a, b = S.axes[i], S.bounds[i]
    l0 = d0 * a[0, 0] + d1 * a[0, 1] + d2 * a[0, 2]
    l1 = d0 * a[1, 0] + d1 * a[1, 1] + d2 * a[1, 2]
    if S.kind[i] == DISC:
        r = math.sqrt(l0 * l0 + l1 * l1)
        return b[0] - margin <= r <= b[1] + margin
    if S.kind[i] == frames.CYLINDER:
        l0, l1 = S.radius[i] * math.atan2(l1, l0), d0 * a[2, 0] + d1 * a[2, 1] + d2 * a[2, 2]
    return b[0] - margin <= l0 <= b[1] + margin and b[2] - margin <= l1 <= b[3] + margin


@inlined
def look(S, y, k, h, margin, wanted, seen, found, where):
    """Surfaces crossed within the next h [cm], by path: `found` and `where`; returns how many."""
    n = 0
    for i in range(S.kind.size):
        if seen[i]:
            continue
        d = frames.reach(S, i, y, k, 1.0)
        if d > h or not (wanted[i] or within(S, i, y, k, d, margin)):
            continue
        j = n
        while j > 0 and where[j - 1] > d:
            found[j], where[j] = found[j - 1], where[j - 1]
            j -= 1
        found[j], where[j] = i, d
        n += 1
    return n


@leaf
def follow(track, det, loss, plan, margin, wanted, seen, found, where, stops, s):
    """Fill `stops` with the surfaces of one track after the one it starts on; returns their number."""
    count, y, S = 0, track.y, det.surfaces
    for _ in range(plan.max_steps):
        _, _, material = faces.volume_at(det.volumes, y, 10 * plan.boundary, -1)
        if not step.start(y, 0.0, det, loss, material, False, s.work):
            return count
        k = s.k
        h = min(LONGEST, TURN / max(math.sqrt(k[0] * k[0] + k[1] * k[1] + k[2] * k[2]), 1e-300))
        n = look(S, y, k, h, margin, wanted, seen, found, where)
        for j in range(n):
            if count == stops.size:
                return count
            stops[count] = found[j]
            seen[found[j]] = True
            count += 1
        if step.try_step(y, h, 0.0, det, loss, material, False, s.work) < 0:
            return count
        step.move(y, h, s.work)
        track.at[1] += h * math.sqrt(k[0] * k[0] + k[1] * k[1] + k[2] * k[2])
        if travel.ended(track, det, loss, plan) != travel.OK:
            return count
    return count


@compiled
def find_routes(start, bound, hits, det, loss, plan, margin, stops, count):
    """Stops (n, L), padded, and their number for tracks that start on surface start (n,), their first stop.

    Surfaces with a hit of the track count even where the track crosses them out of bounds; the route ends at the
    last."""
    S = det.surfaces
    s, track = travel.scratch(), travel.empty_track()
    wanted, seen = np.zeros(S.kind.size, np.bool_), np.zeros(S.kind.size, np.bool_)
    found, where = np.zeros(S.kind.size, np.int64), np.zeros(S.kind.size)
    for n in range(len(start)):
        wanted[:] = False
        seen[:] = False
        for k in range(hits.offsets[n], hits.offsets[n + 1]):
            wanted[hits.surface[k]] = True
        seen[start[n]] = True
        stops[n, 0] = start[n]
        travel.begin_bound(track, S, start[n], bound[n], s)
        total = 1 + follow(track, det, loss, plan, margin, wanted, seen, found, where, stops[n, 1:], s)
        while total > 0 and not wanted[stops[n, total - 1]]:
            total -= 1
        count[n] = total
