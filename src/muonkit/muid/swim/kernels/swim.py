"""Tracks through the muon detector: from plane to plane, matching and updating at each. One after the other; a track
that fails hurts no other."""

import math

from muonkit.core.compiled import compiled, inlined
from muonkit.core.indices import FREE_QOP, LOC0, LOC1, TX, TY, X, Y, Z
from muonkit.data.klm import BACKWARD, BARREL, FORWARD
from muonkit.detector.surfaces import DISC, WHOLE
from muonkit.detector.volumes import NOWHERE
from muonkit.muid.swim.crossing import (
    BAD_INPUT,
    BEAM_PIPE,
    CRACK,
    DEAD,
    HIT,
    LEFT_REGION,
    LOW_PT,
    MISSED,
    NO_MATCH,
    OUTSIDE_START,
    TANGENT,
)
from muonkit.muid.swim.kernels import match
from muonkit.muid.swim.kernels.planes import (
    NO_SECTOR,
    Ahead,
    bit_of,
    in_region,
    next_plane,
    section_of,
    sector_of,
)
from muonkit.muid.swim.kernels.tuples import CROSSED, MATCHED, Crossing, workspace
from muonkit.muid.swim.layout import MISSING
from muonkit.transport.kernels import frames, noise, travel
from muonkit.transport.kernels.batch import copy
from muonkit.transport.kernels.faces import nudge_of, volume_at
from muonkit.transport.kernels.tuples import empty_track


@inlined
def start(track, free, cov, scene, work):
    """Put a track on its start; BAD_INPUT ... if it may not start, OK otherwise. `travel` runs from there."""
    y, min_pt, total = track.y, scene.rules.min_pt, 0.0
    for c in range(7):
        y[c] = free[c]
        total += free[c]
    if not math.isfinite(total):
        return BAD_INPUT
    pt2 = (y[TX] * y[TX] + y[TY] * y[TY]) / (y[FREE_QOP] * y[FREE_QOP])
    if not pt2 > min_pt * min_pt:
        return LOW_PT
    if travel.outside(scene.transport.det, y):
        return OUTSIDE_START
    copy(cov, track.C)
    for j in range(5):
        if not math.isfinite(track.C[j, j]):
            return BAD_INPUT
    if not noise.positive_definite(track.C, work.transport.M):
        return travel.NOT_POSITIVE_DEFINITE
    return travel.OK


@inlined
def is_dead(channels, i, l0, l1):
    """Whether a strip below the point of surface i is dead."""
    for strip in range(channels.first[i], channels.first[i + 1]):
        value = l0 if channels.coordinate[strip] == LOC0 else l1
        if channels.low[strip] <= value < channels.high[strip]:
            return True
    return False


@inlined
def on_sensor(S, i, l0, l1):
    """Whether the point is in the sensitive part of plane i."""
    bounds = S.bounds[i]
    if S.kind[i] == DISC:
        r2 = l0 * l0 + l1 * l1
        least = min(abs(l0), abs(l1)) if bounds[3] == WHOLE else min(l0, l1)
        return least >= bounds[2] and bounds[0] * bounds[0] <= r2 <= bounds[1] * bounds[1]
    return bounds[0] <= l0 <= bounds[1] and bounds[2] <= l1 <= bounds[3]


@inlined
def local_point(S, i, y):
    """Local coordinates of a point on plane i."""
    first, second, center = S.axes[i, frames.FIRST], S.axes[i, frames.SECOND], S.center[i]
    d0, d1, d2 = y[X] - center[0], y[Y] - center[1], y[Z] - center[2]
    return d0 * first[0] + d1 * first[1] + d2 * first[2], d0 * second[0] + d1 * second[1] + d2 * second[2]


@inlined
def crossing_of(row, i, region, layer, layout, y):
    """The Crossing of a track that is on plane i."""
    section = section_of(layout, y[Z])
    if region == BARREL:
        return Crossing(row, i, region, section, layer, sector_of(layout, y[X], y[Y]))
    return Crossing(row, i, region, section, layer, NO_SECTOR)


@inlined
def predict(track, S, crossing, work, out):
    """Write down where the track meets a plane, before any hit; False if it is tangent to it."""
    y, row, i, bit = track.y, crossing.row, crossing.i, bit_of(crossing.region, crossing.layer)
    l0, l1 = local_point(S, i, y)
    out.surface[row, bit], out.momentum[row, bit] = i, 1 / abs(y[FREE_QOP])
    out.local[row, bit, LOC0], out.local[row, bit, LOC1] = l0, l1
    for c in range(3):
        out.position[row, bit, c] = y[c]
    if not match.project(S, i, y, work):
        return False
    match.projected(work.H, track.C, work.P)
    out.covariance[row, bit, 0] = work.P[LOC0, LOC0]
    out.covariance[row, bit, 1] = work.P[LOC0, LOC1]
    out.covariance[row, bit, 2] = work.P[LOC1, LOC1]
    return True


@inlined
def no_hit(crossing, S, channels, out):
    """A crossing without a matching hit: what it does to pattern, efficiency and last layer.

    Between the sensors nothing is recorded in the barrel; in an endcap that is a dead place. A dead place has
    efficiency 0 and no bit."""
    row, i, bit = crossing.row, crossing.i, bit_of(crossing.region, crossing.layer)
    l0, l1 = out.local[row, bit, LOC0], out.local[row, bit, LOC1]
    sensitive = on_sensor(S, i, l0, l1)
    if crossing.region == BARREL and not sensitive:
        return CRACK
    record_last(crossing, CROSSED, out)
    if not sensitive or is_dead(channels, i, l0, l1):
        out.efficiency[row, bit] = 0.0
        return DEAD
    out.pattern[row, CROSSED] |= 1 << bit
    out.efficiency[row, bit] = channels.efficiency[i]
    return MISSED


@inlined
def record_last(crossing, what, out):
    """The last layer that was CROSSED or MATCHED may be this one."""
    row, region = crossing.row, crossing.region
    out.last[row, region, what] = max(out.last[row, region, what], crossing.layer)


@inlined
def with_hit(crossing, channels, out):
    """A crossing with a matching hit: bits, last layers, efficiency."""
    row, bit = crossing.row, bit_of(crossing.region, crossing.layer)
    out.pattern[row, CROSSED] |= 1 << bit
    out.pattern[row, MATCHED] |= 1 << bit
    record_last(crossing, CROSSED, out)
    record_last(crossing, MATCHED, out)
    out.efficiency[row, bit] = channels.efficiency[crossing.i]


@inlined
def update(track, S, i, box, z0, work):
    """Update the track at plane i with residual work.r; False, and nothing done, if it would leave its region or the
    covariance of the updated residual cannot be inverted."""
    if not match.chi_square(work.r, work.P, work.V)[1] > 0:
        return False
    for c in range(7):
        work.before[c] = track.y[c]
    match.gain(track.C, work.H, work.P, work.V, work.K)
    match.shift(S, i, work, track.y)
    if not in_region(box, z0, track.y):
        for c in range(7):
            track.y[c] = work.before[c]
        return False
    match.shrink(track.C, work.K, work.H, work.transport.M)
    match.turn(track.C, work.before, track.y, work.transport)
    return True


@inlined
def try_hit(track, crossing, event, scene, work, out):
    """Look for the nearest hit; what became of it. H, P, V, r of the Workspace are then those of the hit."""
    S, hits, y, r = scene.transport.det.surfaces, scene.hits, track.y, work.r
    row, bit = crossing.row, bit_of(crossing.region, crossing.layer)
    hit, own = match.nearest(crossing, event, scene, y)
    if hit == MISSING:
        return MISSED
    out.hit[row, bit] = hits.row[hit]
    if not match.project(S, own, y, work):
        return TANGENT
    match.projected(work.H, track.C, work.P)
    match.hit_variance(S, own, scene.layout.grows[own], hits.width[hit], scene.rules, work.V)
    match.residual(S, own, hits.x[hit], y, r)
    for c in range(2):
        out.residual[row, bit, c] = r[c]
        out.variance[row, bit, c] = work.P[c, c] + work.V[c]
    return HIT if match.passes(r, work.P, work.V, scene.rules) else NO_MATCH


@inlined
def visit(track, crossing, event, scene, work, out):
    """The track is on a plane: predict, match, update, record."""
    S, layout, row, i = scene.transport.det.surfaces, scene.layout, crossing.row, crossing.i
    bit = bit_of(crossing.region, crossing.layer)
    if not predict(track, S, crossing, work, out):
        out.crossing[row, bit] = TANGENT
        return
    what = MISSED
    if event != MISSING:
        what = try_hit(track, crossing, event, scene, work, out)
    if what != HIT:
        reason = no_hit(crossing, S, scene.channels, out)
        out.crossing[row, bit] = reason if reason != MISSED else what
        return
    with_hit(crossing, scene.channels, out)
    chi2 = match.chi_square(work.r, work.P, work.V)[0]
    out.crossing[row, bit] = LEFT_REGION
    box = layout.barrel_region if crossing.region == BARREL else layout.endcap_region[crossing.section]
    if update(track, S, i, box, layout.z0, work):
        out.crossing[row, bit] = HIT
        out.layer_chi2[row, bit] = chi2
        out.chi2[row] += chi2
        out.ndof[row] += 2


@inlined
def near_axis(x0, x1, y, radius):
    """Whether the straight way from (x0, x1) to the point y comes nearer to the axis than `radius`."""
    d0, d1 = y[X] - x0, y[Y] - x1
    share = min(max(-(x0 * d0 + x1 * d1) / max(d0 * d0 + d1 * d1, 1e-300), 0.0), 1.0)
    z0, z1 = x0 + share * d0, x1 + share * d1
    return z0 * z0 + z1 * z1 < radius * radius


@inlined
def pass_layer(region, layer, ahead, layout, y):
    """What is Ahead behind a layer, and whether it was the last of its region."""
    if region == BARREL:
        last = max(layout.barrel_last[BACKWARD], layout.barrel_last[FORWARD])
        return Ahead(layer + 1, ahead.endcap), layer == last
    return Ahead(ahead.barrel, layer + 1), layer == layout.endcap_last[section_of(layout, y[Z])]


@inlined
def swim(track, row, event, way, scene, work, out):
    """One track from its start to its end; returns the status."""
    transport, layout, scratch, y = scene.transport, scene.layout, work.transport, track.y
    V, nudge = transport.det.volumes, nudge_of(way, transport)
    ahead = Ahead(0, 0)
    place = volume_at(V, y, nudge, NOWHERE)
    for _ in range(transport.plan.max_steps):
        if not travel.get_ready(track, place, way, transport, scratch):
            return travel.OUT_OF_MAP
        region, layer, i = next_plane(scene, place, y, scratch.k, way, ahead)
        x0, x1 = y[X], y[Y]
        status, place = travel.hop(track, i, place, way, transport, scratch)
        if status == travel.ON_TARGET:
            status = travel.approach(track, i, place.material, transport, scratch)
            if status == travel.OK:
                travel.fold(track, transport.plan, scratch)
                visit(track, crossing_of(row, i, region, layer, layout, y), event, scene, work, out)
                frames.start_curvilinear(track, scratch)
                place = volume_at(V, y, nudge, place.block)
                status = travel.ended(track, transport)
            elif status == travel.TANGENT:
                out.crossing[row, bit_of(region, layer)] = TANGENT
                status = travel.OK
            ahead, was_last = pass_layer(region, layer, ahead, layout, y)
            out.escaped[row] |= was_last
        if status != travel.OK:
            return status
        if near_axis(x0, x1, y, scene.rules.beam_pipe):
            return BEAM_PIPE
    return travel.STEP_LIMIT


@compiled
def swim_tracks(free, cov, way, event, scene, out):
    """All tracks: free (n, 7), curvilinear covariance (n, 5, 5), way (n,), event (n,): index in the hits, MISSING for
    none."""
    work, track = workspace(), empty_track()
    for row in range(free.shape[0]):
        status = start(track, free[row], cov[row], scene, work)
        if status == travel.OK:
            travel.reset(track)
            frames.start_curvilinear(track, work.transport)
            status = swim(track, row, event[row], way[row], scene, work, out)
        out.status[row] = status
        out.is_forward[row] = track.y[Z] > scene.layout.z0
