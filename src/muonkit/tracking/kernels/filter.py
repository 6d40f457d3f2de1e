"""The filter of one track, from the inside out: prediction at every stop, update with its hit."""

import math

from muonkit.core.compiled import inlined
from muonkit.core.indices import LOC0, PHI
from muonkit.detector.surfaces import CYLINDER
from muonkit.tracking.kernels import update
from muonkit.tracking.kernels.tuples import NO_HIT, NOTHING, OUTLIER, USED
from muonkit.transport.kernels import frames, noise, slab, travel
from muonkit.transport.kernels.batch import copy
from muonkit.transport.kernels.tuples import PATH


@inlined
def hit_on(hits, row, surface):
    """The first hit of a track on a surface, NOTHING if there is none."""
    for hit in range(hits.offsets[row], hits.offsets[row + 1]):
        if hits.surface[hit] == surface:
            return hit
    return NOTHING


@inlined
def measure(track, S, i, stop, scene, work):
    """Update the bound state of a stop with its hit; its chi2, 0 for an outlier, -1 if the covariance is no longer
    positive."""
    stops, hits, K = work.stops, scene.hits, work.K
    r, W, x, hit = stops.r[stop], stops.W[stop], stops.x[stop], stops.hit[stop]
    if not hits.mask[hit]:
        stops.use[stop] = OUTLIER
        return 0.0
    update.residual(S, i, x, hits.value[hit], r)
    if not update.innovation(S, i, track.C, hits.variance[hit], W):
        return -1.0
    n = S.n_measured[i]
    chi2 = update.chi_square(n, r, W)
    stops.use[stop] = USED
    update.gain(S, i, track.C, W, K, stops.A[stop])
    update.joseph(n, stops.A[stop], K, hits.variance[hit], track.C, work.M)
    for a in range(5):
        x[a] += K[a, 0] * r[0] + (K[a, 1] * r[1] if n == 2 else 0.0)
    return chi2


@inlined
def arrive(track, S, i, stop, work):
    """Settle on a stop and keep prediction and Jacobian."""
    travel.settle_bound(track, S, i, work.transport)
    frames.to_bound(S, i, track.y, work.stops.x[stop])
    copy(track.C, work.stops.C[stop])
    copy(track.T, work.stops.F[stop])


@inlined
def leave(track, i, reference, scene, work):
    """Go on from a stop along the reference, through its matter; False if the track stops there."""
    S, path = scene.det.surfaces, track.at[PATH]
    travel.begin_bound(track, S, i, reference, work)
    track.at[PATH] = path
    return slab.cross(track, S, i, 1.0, scene, work)


@inlined
def around(difference, period):
    """A difference brought to within half a period."""
    return difference - period * math.floor(difference / period + 0.5)


@inlined
def predict(S, i, stop, reference, work):
    """Prediction at a stop: where the reference arrives (in stops.x), and F times the deviation of the state from it.

    i: the surface before, on which both are compared; the seam of a cylinder and of phi is looked across."""
    stops, change = work.stops, work.M[0]
    for b in range(5):
        change[b] = work.x[b] - reference[b]
    change[PHI] = around(change[PHI], 2 * math.pi)
    if S.kind[i] == CYLINDER:
        change[LOC0] = around(change[LOC0], 2 * math.pi * S.radius[i])
    for a in range(5):
        for b in range(5):
            stops.x[stop, a] += stops.F[stop, a, b] * change[b]


@inlined
def choose_reference(stop, stops, reference):
    """The reference of a stop; where there is none, the reference of the stop before as it arrives here, in stops.x."""
    if math.isnan(reference[stop, LOC0]):
        for a in range(5):
            reference[stop, a] = stops.x[stop, a]


@inlined
def fetch(S, surface, length):
    """Bring the surfaces of a track into the cache together: of many modules, each would be waited for in its turn."""
    total = 0.0
    for stop in range(length):
        i = surface[stop]
        total += S.center[i, 0] + S.axes[i, 0, 0] + S.axes[i, 2, 2] + S.projection[i, 0, 0]
        total += S.radius[i] + S.thickness[i] + S.kind[i] + S.material[i] + S.n_measured[i]
    return total


@inlined
def filter_track(track, row, scene, work, out):
    """Forward filter over the stops of a route. Returns the number of stops with a state.

    `track` is on the first stop, with its covariance; work.x is the start."""
    transport, route, stops, state = scene.transport, scene.route, work.stops, work.x
    S = transport.det.surfaces
    surface, reference = route.surface[row], route.reference[row]
    out.chi2[row], out.ndf[row], out.status[row] = 0.0, -5, travel.OK
    work.r[0] = fetch(S, surface, route.length[row])  # kept, or it would not be looked at
    for stop in range(route.length[row]):
        i = surface[stop]
        if stop > 0:
            if not leave(track, surface[stop - 1], reference[stop - 1], transport, work.transport):
                out.status[row] = travel.STOPPED
                return stop
            status = travel.travel(track, i, 1.0, transport, work.transport)
            if status == travel.LOOPING and transport.det.modules.radial.size > 0:
                return stop  # it turns back before a module; hits that are not met are counted
            if status != travel.OK:
                out.status[row] = status
                return stop
        arrive(track, S, i, stop, work)
        choose_reference(stop, stops, reference)
        if stop > 0:
            predict(S, surface[stop - 1], stop, reference[stop - 1], work)
        else:
            for a in range(5):
                stops.x[0, a] = state[a]
        for a in range(5):
            state[a] = stops.x[stop, a]
        stops.use[stop], stops.hit[stop] = NO_HIT, hit_on(scene.hits, row, i)
        if stops.hit[stop] == NOTHING or S.n_measured[i] == 0:
            continue
        chi2 = measure(track, S, i, stop, scene, work)
        if chi2 < 0 or not noise.positive_definite(track.C, work.M):
            out.status[row] = travel.NOT_POSITIVE_DEFINITE
            return stop
        if stops.use[stop] == USED:
            out.chi2[row] += chi2
            out.ndf[row] += S.n_measured[i]
            for a in range(5):  # the update was made in place: prediction and filtered state change roles
                state[a], stops.x[stop, a] = stops.x[stop, a], state[a]
    return route.length[row]
