"""Tracks through the muon detector: from plane to plane, matching and updating at each. One after the other; a track
that fails hurts no other."""

import math
from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import AnyArray
from muonkit.core.compiled import compiled, inlined
from muonkit.muid.swim.kernels import match
from muonkit.muid.swim.kernels.planes import BARREL, in_region, next_plane, quadrant_of, sector_of
from muonkit.transport.kernels import frames, noise, travel
from muonkit.transport.kernels.batch import copy
from muonkit.transport.kernels.faces import volume_at

BARREL_LAYERS, ENDCAP_LAYERS = 15, 14  # of data.muid
HIT, MISSED, DEAD, CRACK, NO_MATCH, LEFT_REGION, TANGENT = range(1, 8)  # of muid.crossing
LOW_PT, OUTSIDE_START, BAD_INPUT, BEAM_PIPE = range(20, 24)


class Rules(NamedTuple):
    """Least pT [GeV], radius below which a track is in the beam pipe [cm], time window [ns], gate [sigma], whether one
    coordinate within the gate is enough, factor on the variance of hits."""

    min_pt: float
    beam_pipe: float
    mean_dt: float
    max_dt: float
    max_sigma: float
    either: bool
    variance_factor: float


class HitArrays(NamedTuple):
    """Hits sorted by event and slot: first (events + 1,); slot (k,): barrel layer, or 15 + 14 section + layer; section,
    sector (k,) from 0; x (k, 3); time (k,); width (k, 2); row (k,) in the table."""

    first: AnyArray
    slot: AnyArray
    section: AnyArray
    sector: AnyArray
    x: AnyArray
    time: AnyArray
    width: AnyArray
    row: AnyArray


class ChannelArrays(NamedTuple):
    """efficiency (surfaces, 5): of a module, column 0 in the barrel, quadrant in the endcaps; dead strips of surface i
    in rows first[i] ... first[i + 1] - 1: quadrant (0: barrel), coordinate, its range [cm] (endcap: without sign)."""

    efficiency: AnyArray
    first: AnyArray
    quadrant: AnyArray
    coordinate: AnyArray
    low: AnyArray
    high: AnyArray


class Out(NamedTuple):
    """What is written, see `data.muid.MuidTracks` and `MuidLayers`."""

    status: AnyArray
    escaped: AnyArray
    is_forward: AnyArray
    pattern: AnyArray
    last: AnyArray
    chi2: AnyArray
    ndof: AnyArray
    efficiency: AnyArray
    crossing: AnyArray
    surface: AnyArray
    position: AnyArray
    momentum: AnyArray
    local: AnyArray
    covariance: AnyArray
    residual: AnyArray
    variance: AnyArray
    layer_chi2: AnyArray
    hit: AnyArray


class Matrices(NamedTuple):
    """Workspace of a match: H, P = H C H^T, V, r, K, the state before the update."""

    H: AnyArray
    P: AnyArray
    V: AnyArray
    r: AnyArray
    K: AnyArray
    L: AnyArray
    y: AnyArray


@inlined
def start(track, free, cov, det, rules, m):
    """Put a track on its start; BAD_INPUT ... if it may not start, OK otherwise. `travel` runs from there."""
    y, pt2 = track.y, 0.0
    total = 0.0
    for c in range(7):
        y[c] = free[c]
        total += free[c]
    if not math.isfinite(total):
        return BAD_INPUT
    pt2 = (y[3] * y[3] + y[4] * y[4]) / (y[6] * y[6])
    if not pt2 > rules.min_pt * rules.min_pt:
        return LOW_PT
    if travel.outside(det, y):
        return OUTSIDE_START
    copy(cov, track.C)
    for a in range(5):
        if not math.isfinite(track.C[a, a]):
            return BAD_INPUT
    if not noise.positive_definite(track.C, m.L):
        return travel.NOT_POSITIVE_DEFINITE
    return travel.OK


@inlined
def is_dead(channels, i, quadrant, l0, l1):
    """Whether a strip below the point of surface i is dead."""
    for k in range(channels.first[i], channels.first[i + 1]):
        if channels.quadrant[k] != quadrant:
            continue
        value = l0 if channels.coordinate[k] == 0 else l1
        if quadrant > 0:
            value = abs(value)
        if channels.low[k] <= value < channels.high[k]:
            return True
    return False


@inlined
def on_sensor(S, i, l0, l1):
    """Whether the point is in the sensitive part of plane i."""
    b = S.bounds[i]
    if S.kind[i] == 2:
        r2 = l0 * l0 + l1 * l1
        return b[0] * b[0] <= r2 <= b[1] * b[1]
    return b[0] <= l0 <= b[1] and b[2] <= l1 <= b[3]


@inlined
def local_point(S, i, y):
    """Local coordinates of a point on plane i."""
    a, b, c = S.axes[i, 0], S.axes[i, 1], S.center[i]
    d0, d1, d2 = y[0] - c[0], y[1] - c[1], y[2] - c[2]
    return d0 * a[0] + d1 * a[1] + d2 * a[2], d0 * b[0] + d1 * b[1] + d2 * b[2]


@inlined
def predict(track, S, i, n, bit, out, s, m):
    """Write down where the track meets plane i, before any hit; False if it is tangent to it."""
    y = track.y
    l0, l1 = local_point(S, i, y)
    out.surface[n, bit], out.momentum[n, bit] = i, 1 / abs(y[6])
    out.local[n, bit, 0], out.local[n, bit, 1] = l0, l1
    for c in range(3):
        out.position[n, bit, c] = y[c]
    if not match.project(S, i, y, s, m.H):
        return False
    match.projected(m.H, track.C, m.P)
    out.covariance[n, bit, 0] = m.P[0, 0]
    out.covariance[n, bit, 1] = m.P[0, 1]
    out.covariance[n, bit, 2] = m.P[1, 1]
    return True


@inlined
def no_hit(S, i, n, bit, quadrant, channels, out):
    """A crossing without a matching hit: what it does to pattern, efficiency and last layer.

    Between the sensors nothing is recorded in the barrel; in an endcap that is a dead place. A dead place has
    efficiency 0 and no bit."""
    l0, l1 = out.local[n, bit, 0], out.local[n, bit, 1]
    sensitive = on_sensor(S, i, l0, l1)
    if bit < BARREL_LAYERS and not sensitive:
        return CRACK
    region = 0 if bit < BARREL_LAYERS else 1
    layer = bit if region == 0 else bit - BARREL_LAYERS
    out.last[n, region, 0] = max(out.last[n, region, 0], layer)
    if not sensitive or is_dead(channels, i, quadrant, l0, l1):
        out.efficiency[n, bit] = 0.0
        return DEAD
    out.pattern[n, 0] |= 1 << bit
    out.efficiency[n, bit] = channels.efficiency[i, quadrant]
    return MISSED


@inlined
def with_hit(n, bit, i, quadrant, channels, out):
    """A crossing with a matching hit: bits, last layers, efficiency."""
    region = 0 if bit < BARREL_LAYERS else 1
    layer = bit if region == 0 else bit - BARREL_LAYERS
    out.pattern[n, 0] |= 1 << bit
    out.pattern[n, 1] |= 1 << bit
    out.last[n, region, 0] = max(out.last[n, region, 0], layer)
    out.last[n, region, 1] = max(out.last[n, region, 1], layer)
    out.efficiency[n, bit] = channels.efficiency[i, quadrant]


@inlined
def update(track, S, i, box, z0, s, m):
    """Update the track at plane i with residual m.r; False, and nothing done, if it would leave its region or the
    covariance of the updated residual cannot be inverted."""
    if not match.chi_square(m.r, m.P, m.V)[1] > 0:
        return False
    for c in range(7):
        m.y[c] = track.y[c]
    match.gain(track.C, m.H, m.P, m.V, m.K)
    match.shift(S, i, m.K, m.r, s, track.y)
    if not in_region(box, z0, track.y):
        for c in range(7):
            track.y[c] = m.y[c]
        return False
    match.shrink(track.C, m.K, m.H, s.M)
    match.turn(track.C, m.y, track.y, s)
    return True


@inlined
def try_hit(track, n, bit, i, slot, sector, event, layout, hits, det, rules, out, s, m):
    """Look for the nearest hit; (row or -1, what became of it). m.H, m.P, m.V, m.r are then those of the hit."""
    S = det.surfaces
    k, j = match.nearest(layout, S, i, slot, sector, hits, event, rules, track.y)
    if k < 0:
        return k, MISSED
    out.hit[n, bit] = hits.row[k]
    if not match.project(S, j, track.y, s, m.H):
        return k, TANGENT
    match.projected(m.H, track.C, m.P)
    match.hit_variance(layout, S, j, hits, k, rules, m.V)
    match.residual(S, j, hits, k, track.y, m.r)
    for c in range(2):
        out.residual[n, bit, c] = m.r[c]
        out.variance[n, bit, c] = m.P[c, c] + m.V[c]
    return k, (HIT if match.passes(m.r, m.P, m.V, rules) else NO_MATCH)


@inlined
def visit(track, n, event, region, layer, i, layout, hits, channels, det, rules, out, s, m):
    """The track is on plane i: predict, match, update, record."""
    S, y = det.surfaces, track.y
    bit = layer if region == BARREL else BARREL_LAYERS + layer
    sector, quadrant, slot, box = -1, 0, layer, layout.barrel_region
    if region == BARREL:
        sector = sector_of(layout, y[0], y[1])
    else:
        section = 1 if y[2] > layout.z0 else 0
        quadrant, slot = quadrant_of(y[0], y[1]), BARREL_LAYERS + ENDCAP_LAYERS * section + layer
        box = layout.endcap_region[section]
    if not predict(track, S, i, n, bit, out, s, m):
        out.crossing[n, bit] = TANGENT
        return
    what = MISSED
    if event >= 0:
        _, what = try_hit(track, n, bit, i, slot, sector, event, layout, hits, det, rules, out, s, m)
    if what != HIT:
        reason = no_hit(S, i, n, bit, quadrant, channels, out)
        out.crossing[n, bit] = reason if reason != MISSED else what
        return
    with_hit(n, bit, i, quadrant, channels, out)
    chi2 = match.chi_square(m.r, m.P, m.V)[0]
    out.crossing[n, bit] = LEFT_REGION
    if update(track, S, i, box, layout.z0, s, m):
        out.crossing[n, bit] = HIT
        out.layer_chi2[n, bit] = chi2
        out.chi2[n] += chi2
        out.ndof[n] += 2


@inlined
def near_axis(x0, y0, y, radius):
    """Whether the straight way from (x0, y0) to the point y comes nearer to the axis than `radius`."""
    dx, dy = y[0] - x0, y[1] - y0
    share = min(max(-(x0 * dx + y0 * dy) / max(dx * dx + dy * dy, 1e-300), 0.0), 1.0)
    x, z = x0 + share * dx, y0 + share * dy
    return x * x + z * z < radius * radius


@inlined
def swim(track, n, event, way, layout, hits, channels, det, loss, plan, rules, out, s, m):
    """One track from its start to its end; returns the status."""
    S, V, y = det.surfaces, det.volumes, track.y
    nudge = 10 * way * plan.boundary if V.sides.size > 0 else 0.0
    first_barrel, first_endcap = 0, 0
    block, part, material = volume_at(V, y, nudge, -1)
    entered = False
    for _ in range(plan.max_steps):
        if not travel.get_ready(track, material, entered, way, det, loss, plan, s):
            return travel.OUT_OF_MAP
        region, layer, i = next_plane(layout, V, S, block, part, y, s.k, way, first_barrel, first_endcap)
        x0, y0 = y[0], y[1]
        status, block, part, material, entered = travel.hop(track, S, i, block, part, material, way, det, loss, plan, s)
        if status == travel.ON_TARGET:
            status = travel.approach(track, S, i, det, loss, material, plan, s)
            if status == travel.OK:
                travel.fold(track, plan, s)
                visit(track, n, event, region, layer, i, layout, hits, channels, det, rules, out, s, m)
                frames.start_curvilinear(y, s.u, s.v, track.J)
                block, part, material = volume_at(V, y, nudge, block)
                status = travel.ended(track, det, loss, plan)
            elif status == travel.TANGENT:
                bit = layer if region == BARREL else BARREL_LAYERS + layer
                out.crossing[n, bit] = TANGENT
                status = travel.OK
            if region == BARREL:
                first_barrel = layer + 1
                out.escaped[n] |= layer == max(layout.barrel_last[0], layout.barrel_last[1])
            else:
                first_endcap = layer + 1
                out.escaped[n] |= layer == layout.endcap_last[1 if y[2] > layout.z0 else 0]
        if status != travel.OK:
            return status
        if near_axis(x0, y0, y, rules.beam_pipe):
            return BEAM_PIPE
    return travel.STEP_LIMIT


@compiled
def swim_tracks(free, cov, way, event, layout, hits, channels, det, loss, plan, rules, out):
    """All tracks: free (n, 7), curvilinear covariance (n, 5, 5), way (n,), event (n,): index in `hits`, -1 for none."""
    s, track = travel.scratch(), travel.empty_track()
    m = Matrices(
        np.zeros((2, 2)),
        np.zeros((2, 2)),
        np.zeros(2),
        np.zeros(2),
        np.zeros((5, 2)),
        np.zeros((5, 5)),
        np.zeros(7),
    )
    for n in range(free.shape[0]):
        status = start(track, free[n], cov[n], det, rules, m)
        if status == travel.OK:
            travel.reset(track)
            frames.start_curvilinear(track.y, s.u, s.v, track.J)
            status = swim(track, n, event[n], way[n], layout, hits, channels, det, loss, plan, rules, out, s, m)
        out.status[n] = status
        out.is_forward[n] = track.y[2] > layout.z0
