"""Whole tracks: filter from the inside out, smoother back. The twin of `kalman.fit_track`.

The smoother is the modified one of Bryson and Frazier (Bierman, Factorization Methods for Discrete Sequential
Estimation, 1977, ch. X): it carries lambda (5) and Lambda (5, 5) backwards and never inverts a covariance."""

import math
from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import AnyArray
from muonkit.core.compiled import compiled, inlined, part
from muonkit.core.indices import LOC0, LOC1, PHI
from muonkit.detector.surfaces import CYLINDER
from muonkit.tracking.kernels import update
from muonkit.transport.kernels import frames, noise, slab, travel, tuples
from muonkit.transport.kernels.batch import copy
from muonkit.transport.kernels.tuples import PATH

NO_HIT, USED, OUTLIER = range(3)
NOTHING = -1


class Stops(NamedTuple):
    """What the filter leaves at every surface of one track: predicted state (longest, 5) and covariance (longest, 5,
    5), which of an updated stop are the filtered ones, Jacobian from the stop before (longest, 5, 5), A = 1 - K H, W,
    residual, hit of the stop (or NOTHING) and what became of it."""

    x: AnyArray
    C: AnyArray
    F: AnyArray
    A: AnyArray
    W: AnyArray
    r: AnyArray
    hit: AnyArray
    use: AnyArray


class Route(NamedTuple):
    """Surfaces that every track visits (n, longest), their number (n,), and the track (n, longest, 5) around which the
    fit is linear; NaN where it follows from the stop before."""

    surface: AnyArray
    length: AnyArray
    reference: AnyArray


class HitArrays(NamedTuple):
    """Hits of every track (CSR): offsets (n + 1), surface (k), value (k, 2), variance (k, 2), mask (k): False is
    ignored."""

    offsets: AnyArray
    surface: AnyArray
    value: AnyArray
    variance: AnyArray
    mask: AnyArray


class Scene(NamedTuple):
    """What stays the same while all tracks are fitted: the Scene of the transport, routes and hits, chi2 per coordinate
    above which a hit is an outlier, whether covariances of all stops are wanted."""

    transport: tuples.Scene
    route: Route
    hits: HitArrays
    max_chi2: float
    keep: bool


class Out(NamedTuple):
    """What is written: state and covariance at the first stop of every track, chi2, ndf, status, stops reached; for
    every hit, smoothed residual, its variance, chi2 of the residual, use; for every stop, smoothed state and
    covariance if wanted."""

    parameters: AnyArray
    covariance: AnyArray
    chi2: AnyArray
    ndf: AnyArray
    status: AnyArray
    reached: AnyArray
    residual: AnyArray
    variance: AnyArray
    hit_chi2: AnyArray
    use: AnyArray
    stop_parameters: AnyArray
    stop_covariance: AnyArray


class Workspace(NamedTuple):
    """That of the transport, the stops of one track, state x, gain K, residual r, any matrix M; lambda and Lambda, the
    smoothed state and covariance."""

    transport: tuples.Workspace
    stops: Stops
    x: AnyArray
    K: AnyArray
    r: AnyArray
    M: AnyArray
    lam: AnyArray
    Lam: AnyArray
    smooth_x: AnyArray
    smooth_C: AnyArray


@part
def workspace(longest):
    """A Workspace for tracks of that many stops; one for each thread."""
    stops = Stops(
        np.zeros((longest, 5)),
        np.zeros((longest, 5, 5)),
        np.zeros((longest, 5, 5)),
        np.zeros((longest, 5, 5)),
        np.zeros((longest, 2, 2)),
        np.zeros((longest, 2)),
        np.zeros(longest, np.int64),
        np.zeros(longest, np.int64),
    )
    x, K, r, M = np.zeros(5), np.zeros((5, 2)), np.zeros(2), np.zeros((5, 5))
    lam, Lam, smooth_x, smooth_C = np.zeros(5), np.zeros((5, 5)), np.zeros(5), np.zeros((5, 5))
    return Workspace(tuples.workspace(), stops, x, K, r, M, lam, Lam, smooth_x, smooth_C)


@inlined
def hit_on(hits, row, surface):
    """The hit of a track on a surface, NOTHING if there is none."""
    for hit in range(hits.offsets[row], hits.offsets[row + 1]):
        if hits.surface[hit] == surface and hits.mask[hit]:
            return hit
    return NOTHING


@inlined
def measure(track, S, i, stop, scene, work):
    """Update the bound state of a stop with its hit; its chi2, 0 for an outlier, -1 if the covariance is no longer
    positive."""
    stops, hits, K = work.stops, scene.hits, work.K
    r, W, x, hit = stops.r[stop], stops.W[stop], stops.x[stop], stops.hit[stop]
    update.residual(S, i, x, hits.value[hit], r)
    if not update.innovation(S, i, track.C, hits.variance[hit], W):
        return -1.0
    n = S.n_measured[i]
    chi2 = update.chi_square(n, r, W)
    if chi2 > scene.max_chi2 * n:
        stops.use[stop] = OUTLIER
        return 0.0
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
def filter_track(track, row, scene, work, out):
    """Forward filter over the stops of a route. Returns the number of stops with a state.

    `track` is on the first stop, with its covariance; work.x is the start."""
    transport, route, stops, state = scene.transport, scene.route, work.stops, work.x
    S = transport.det.surfaces
    surface, reference = route.surface[row], route.reference[row]
    out.chi2[row], out.ndf[row], out.status[row] = 0.0, -5, travel.OK
    for stop in range(route.length[row]):
        i = surface[stop]
        if stop > 0:
            if not leave(track, surface[stop - 1], reference[stop - 1], transport, work.transport):
                out.status[row] = travel.STOPPED
                return stop
            status = travel.travel(track, i, 1.0, transport, work.transport)
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


@inlined
def pull_back(S, i, stop, work):
    """(lambda, Lambda) behind the hit of a stop to before it: A^T lambda - H^T W r and A^T Lambda A + H^T W H.

    A is 1 but for its first two columns."""
    lam, Lam, A, M = work.lam, work.Lam, work.stops.A[stop], work.M
    for c in range(2):
        total = 0.0
        for b in range(5):
            total += A[b, c] * lam[b]
        M[0, c] = total
    lam[LOC0], lam[LOC1] = M[0, LOC0], M[0, LOC1]
    for a in range(5):
        for c in range(2):
            total = 0.0
            for b in range(5):
                total += Lam[a, b] * A[b, c]
            M[a, c] = total
    for a in range(2):
        for c in range(2):
            total = 0.0
            for b in range(5):
                total += A[b, a] * M[b, c]
            Lam[a, c] = total
        for c in range(2, 5):
            Lam[c, a] = M[c, a]
            Lam[a, c] = M[c, a]
    add_hit(S, i, stop, work)


@inlined
def add_hit(S, i, stop, work):
    """lambda -= H^T W r, Lambda += H^T W H of the hit of a stop."""
    P, W, r = S.projection[i], work.stops.W[stop], work.stops.r[stop]
    for j in range(S.n_measured[i]):
        for m in range(S.n_measured[i]):
            for a in range(2):
                work.lam[a] -= P[j, a] * W[j, m] * r[m]
                for b in range(2):
                    work.Lam[a, b] += P[j, a] * W[j, m] * P[m, b]


@inlined
def carry_back(F, lam, Lam, M):
    """(lambda, Lambda) at a stop to the one before: F^T lambda, F^T Lambda F; Lambda stays symmetric."""
    for a in range(5):
        M[0, a] = 0.0
        for b in range(5):
            M[0, a] += F[b, a] * lam[b]
    for a in range(5):
        lam[a] = M[0, a]
    for a in range(5):
        for b in range(5):
            total = 0.0
            for c in range(5):
                total += Lam[a, c] * F[c, b]
            M[a, b] = total
    for a in range(5):
        for b in range(a + 1):
            total = 0.0
            for c in range(5):
                total += F[c, a] * M[c, b]
            Lam[a, b] = total
            Lam[b, a] = total


@inlined
def smooth(x, C, work):
    """Smoothed state x - C lambda and covariance C - C Lambda C of a stop."""
    lam, Lam, M, smooth_x, smooth_C = work.lam, work.Lam, work.M, work.smooth_x, work.smooth_C
    for a in range(5):
        smooth_x[a] = x[a]
        for b in range(5):
            smooth_x[a] -= C[a, b] * lam[b]
            total = 0.0
            for c in range(5):
                total += C[a, c] * Lam[c, b]
            M[a, b] = total
    for a in range(5):
        for b in range(a + 1):
            total = C[a, b]
            for c in range(5):
                total -= M[a, c] * C[c, b]
            smooth_C[a, b] = total
            smooth_C[b, a] = total


@inlined
def compare(S, i, hits, hit, use, work, out):
    """Residual of a hit to the smoothed track, and its variance: V - H C H^T of a used hit, V + H C H^T of an
    outlier."""
    r, C, P = work.r, work.smooth_C, S.projection[i]
    update.residual(S, i, work.smooth_x, hits.value[hit], r)
    sign = -1.0 if use == USED else 1.0
    v00 = hits.variance[hit, 0] + sign * update.form(P[0], P[0], C)
    out.residual[hit, 0], out.variance[hit, 0], out.use[hit] = r[0], v00, use
    out.hit_chi2[hit] = r[0] * r[0] / v00
    if S.n_measured[i] == 2:
        v01, v11 = sign * update.form(P[0], P[1], C), hits.variance[hit, 1] + sign * update.form(P[1], P[1], C)
        out.residual[hit, 1], out.variance[hit, 1] = r[1], v11
        det = v00 * v11 - v01 * v01
        out.hit_chi2[hit] = (r[0] * r[0] * v11 - 2 * r[0] * r[1] * v01 + r[1] * r[1] * v00) / det


@inlined
def smooth_track(row, reached, scene, work, out):
    """From the last stop to the first."""
    S, stops = scene.transport.det.surfaces, work.stops
    work.lam[:] = 0.0
    work.Lam[:] = 0.0
    for stop in range(reached - 1, -1, -1):
        i = scene.route.surface[row, stop]
        if stops.use[stop] == USED:
            pull_back(S, i, stop, work)
        smooth(stops.x[stop], stops.C[stop], work)
        if stops.use[stop] != NO_HIT:
            compare(S, i, scene.hits, stops.hit[stop], stops.use[stop], work, out)
        for a in range(5):
            out.stop_parameters[row, stop, a] = work.smooth_x[a]
        if scene.keep:
            copy(work.smooth_C, out.stop_covariance[row, stop])
        if stop > 0:
            carry_back(stops.F[stop], work.lam, work.Lam, work.M)
    for a in range(5):
        out.parameters[row, a] = work.smooth_x[a]
    copy(work.smooth_C, out.covariance[row])


@compiled
def fit_tracks(start, cov, scene, out):
    """Every track from start (n, 5) with covariance cov (n, 5, 5) at the first surface of its route."""
    route, S = scene.route, scene.transport.det.surfaces
    work, track = workspace(route.surface.shape[1]), tuples.empty_track()
    for row in range(start.shape[0]):
        if route.length[row] == 0:
            out.status[row] = travel.LEFT
            continue
        copy(cov[row], track.C)
        for a in range(5):
            work.x[a] = start[row, a]
        begin = work.x if math.isnan(route.reference[row, 0, LOC0]) else route.reference[row, 0]
        travel.begin_bound(track, S, route.surface[row, 0], begin, work.transport)
        travel.slopes(track.y, 0.0, scene.transport, 0, work.transport)
        reached = filter_track(track, row, scene, work, out)
        out.reached[row] = reached
        if reached > 0:
            smooth_track(row, reached, scene, work, out)
