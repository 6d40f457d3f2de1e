"""Whole tracks: filter from the inside out, smoother back. The twin of `kalman.fit_track`.

The smoother is the modified one of Bryson and Frazier (Bierman, Factorization Methods for Discrete Sequential
Estimation, 1977, ch. X): it carries lambda (5) and Lambda (5, 5) backwards and never inverts a covariance."""

import math
from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import AnyArray
from muonkit.core.compiled import compiled, inlined
from muonkit.tracking.kernels import update
from muonkit.transport.kernels import frames, noise, slab, travel
from muonkit.transport.kernels.batch import copy

NO_HIT, USED, OUTLIER = range(3)


class Stops(NamedTuple):
    """What the filter leaves at every surface of one track: predicted state (L, 5) and covariance (L, 5, 5), Jacobian
    from the stop before (L, 5, 5), A = 1 - K H, W, residual, hit of the stop (or -1) and what became of it."""

    x: AnyArray
    C: AnyArray
    F: AnyArray
    A: AnyArray
    W: AnyArray
    r: AnyArray
    hit: AnyArray
    use: AnyArray


class Route(NamedTuple):
    """Surfaces that every track visits (n, L), their number (n,), and the track (n, L, 5) around which the fit is
    linear; NaN where it follows from the stop before."""

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


class Fitted(NamedTuple):
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


@compiled
def stops(n):
    """Room for a track of n stops."""
    return Stops(
        np.zeros((n, 5)),
        np.zeros((n, 5, 5)),
        np.zeros((n, 5, 5)),
        np.zeros((n, 5, 5)),
        np.zeros((n, 2, 2)),
        np.zeros((n, 2)),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
    )


@inlined
def hit_on(hits, track, surface):
    """The hit of a track on a surface, -1 if there is none."""
    for k in range(hits.offsets[track], hits.offsets[track + 1]):
        if hits.surface[k] == surface and hits.mask[k]:
            return k
    return -1


@inlined
def measure(track, S, i, hits, k, j, st, max_chi2, K, M):
    """Update the bound state of stop j with hit k; its chi2, 0 for an outlier, -1 if the covariance is no longer
    positive."""
    r, W, x = st.r[j], st.W[j], st.x[j]
    update.residual(S, i, x, hits.value[k], r)
    if not update.innovation(S, i, track.C, hits.variance[k], W):
        return -1.0
    n = S.n_measured[i]
    chi2 = update.chi_square(n, r, W)
    if chi2 > max_chi2 * n:
        st.use[j] = OUTLIER
        return 0.0
    st.use[j] = USED
    update.gain(S, i, track.C, W, K, st.A[j])
    update.joseph(n, st.A[j], K, hits.variance[k], track.C, M)
    for a in range(5):
        x[a] += K[a, 0] * r[0] + (K[a, 1] * r[1] if n == 2 else 0.0)
    return chi2


@inlined
def arrive(track, S, i, j, st, s):
    """Settle on stop j and keep prediction and Jacobian."""
    travel.settle_bound(track, S, i, s)
    frames.to_bound(S, i, track.y, st.x[j])
    copy(track.C, st.C[j])
    copy(track.T, st.F[j])


@inlined
def leave(track, S, i, reference, det, loss, plan, s):
    """Go on from a stop along the reference, through its matter; False if the track stops there."""
    path = track.at[0]
    travel.begin_bound(track, S, i, reference, s)
    track.at[0] = path
    return slab.cross(track, S, i, 1.0, det, loss, plan, s)


@inlined
def around(difference, period):
    """A difference brought to within half a period."""
    return difference - period * math.floor(difference / period + 0.5)


@inlined
def predict(S, i, j, st, reference, state, change):
    """Prediction at stop j: where the reference arrives (in st.x), and F times the deviation of the state from it.

    i: the surface before, on which both are compared; the seam of a cylinder and of phi is looked across."""
    for b in range(5):
        change[b] = state[b] - reference[b]
    change[2] = around(change[2], 2 * math.pi)
    if S.kind[i] == frames.CYLINDER:
        change[0] = around(change[0], 2 * math.pi * S.radius[i])
    for a in range(5):
        for b in range(5):
            st.x[j, a] += st.F[j, a, b] * change[b]


@inlined
def choose_reference(j, st, reference):
    """The reference of stop j; where there is none, the reference of the stop before as it arrives here, in st.x."""
    if math.isnan(reference[j, 0]):
        for a in range(5):
            reference[j, a] = st.x[j, a]


@inlined
def filter_track(track, n, route, hits, det, loss, plan, max_chi2, st, out, state, K, L, s):
    """Forward filter over the stops of a route. Returns the number of stops with a state.

    `track` is on the first stop, with its covariance; `state` is the start."""
    S, stops, reference = det.surfaces, route.surface[n], route.reference[n]
    out.chi2[n], out.ndf[n], out.status[n] = 0.0, -5, travel.OK
    for j in range(route.length[n]):
        i = stops[j]
        if j > 0:
            if not leave(track, S, stops[j - 1], reference[j - 1], det, loss, plan, s):
                out.status[n] = travel.STOPPED
                return j
            status = travel.travel(track, S, i, 1.0, det, loss, plan, s)
            if status != travel.OK:
                out.status[n] = status
                return j
        arrive(track, S, i, j, st, s)
        choose_reference(j, st, reference)
        if j > 0:
            predict(S, stops[j - 1], j, st, reference[j - 1], state, s.M[0])
        else:
            for a in range(5):
                st.x[0, a] = state[a]
        for a in range(5):
            state[a] = st.x[j, a]
        st.use[j], st.hit[j] = NO_HIT, hit_on(hits, n, i)
        if st.hit[j] < 0 or S.n_measured[i] == 0:
            continue
        chi2 = measure(track, S, i, hits, st.hit[j], j, st, max_chi2, K, s.M)
        if chi2 < 0 or not noise.positive_definite(track.C, L):
            out.status[n] = travel.NOT_POSITIVE_DEFINITE
            return j
        if st.use[j] == USED:
            out.chi2[n] += chi2
            out.ndf[n] += S.n_measured[i]
            for a in range(5):  # the update was made in place: prediction and filtered state change roles
                state[a], st.x[j, a] = st.x[j, a], state[a]
    return route.length[n]


@inlined
def pull_back(S, i, st, j, lam, Lam, A, M):
    """(lambda, Lambda) behind the hit of stop j to before it: A^T lambda - H^T W r and A^T Lambda A + H^T W H.

    A is 1 but for its first two columns."""
    for c in range(2):
        total = 0.0
        for b in range(5):
            total += A[b, c] * lam[b]
        M[0, c] = total
    lam[0], lam[1] = M[0, 0], M[0, 1]
    for a in range(5):
        for c in range(2):
            total = 0.0
            for b in range(5):
                total += Lam[a, b] * A[b, c]
            M[a, c] = total
    for c in range(2):
        for d in range(2):
            total = 0.0
            for b in range(5):
                total += A[b, c] * M[b, d]
            Lam[c, d] = total
        for d in range(2, 5):
            Lam[d, c] = M[d, c]
            Lam[c, d] = M[d, c]
    P, W, r = S.projection[i], st.W[j], st.r[j]
    for m in range(S.n_measured[i]):
        for q in range(S.n_measured[i]):
            for a in range(2):
                lam[a] -= P[m, a] * W[m, q] * r[q]
                for b in range(2):
                    Lam[a, b] += P[m, a] * W[m, q] * P[q, b]


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
def smooth(x, C, lam, Lam, M, xs, Cs):
    """Smoothed state x - C lambda and covariance C - C Lambda C of a stop."""
    for a in range(5):
        xs[a] = x[a]
        for b in range(5):
            xs[a] -= C[a, b] * lam[b]
            total = 0.0
            for c in range(5):
                total += C[a, c] * Lam[c, b]
            M[a, b] = total
    for a in range(5):
        for b in range(a + 1):
            total = C[a, b]
            for c in range(5):
                total -= M[a, c] * C[c, b]
            Cs[a, b] = total
            Cs[b, a] = total


@inlined
def compare(S, i, hits, k, use, xs, Cs, out, r):
    """Residual of a hit to the smoothed track, and its variance: V - H C H^T of a used hit, V + H C H^T of an
    outlier."""
    update.residual(S, i, xs, hits.value[k], r)
    sign, P = (-1.0 if use == USED else 1.0), S.projection[i]
    n = S.n_measured[i]
    v00 = hits.variance[k, 0] + sign * update.form(P[0], P[0], Cs)
    out.residual[k, 0], out.variance[k, 0], out.use[k] = r[0], v00, use
    out.hit_chi2[k] = r[0] * r[0] / v00
    if n == 2:
        v01, v11 = sign * update.form(P[0], P[1], Cs), hits.variance[k, 1] + sign * update.form(P[1], P[1], Cs)
        out.residual[k, 1], out.variance[k, 1] = r[1], v11
        det = v00 * v11 - v01 * v01
        out.hit_chi2[k] = (r[0] * r[0] * v11 - 2 * r[0] * r[1] * v01 + r[1] * r[1] * v00) / det


@inlined
def smooth_track(n, reached, route, hits, det, st, out, lam, Lam, xs, Cs, r, M, keep):
    """From the last stop to the first."""
    S = det.surfaces
    lam[:] = 0.0
    Lam[:] = 0.0
    for j in range(reached - 1, -1, -1):
        i = route.surface[n, j]
        if st.use[j] == USED:
            pull_back(S, i, st, j, lam, Lam, st.A[j], M)
        smooth(st.x[j], st.C[j], lam, Lam, M, xs, Cs)
        if st.use[j] != NO_HIT:
            compare(S, i, hits, st.hit[j], st.use[j], xs, Cs, out, r)
        for a in range(5):
            out.stop_parameters[n, j, a] = xs[a]
        if keep:
            copy(Cs, out.stop_covariance[n, j])
        if j > 0:
            carry_back(st.F[j], lam, Lam, M)
    for a in range(5):
        out.parameters[n, a] = xs[a]
    copy(Cs, out.covariance[n])


@compiled
def fit_tracks(start, cov, route, hits, det, loss, plan, max_chi2, keep, out):
    """Every track from start (n, 5) with covariance cov (n, 5, 5) at the first surface of its route."""
    longest = route.surface.shape[1]
    s, track, st, state = travel.scratch(), travel.empty_track(), stops(longest), np.zeros(5)
    K, L, r, M = np.zeros((5, 2)), np.zeros((5, 5)), np.zeros(2), np.zeros((5, 5))
    lam, Lam, xs, Cs, S = np.zeros(5), np.zeros((5, 5)), np.zeros(5), np.zeros((5, 5)), det.surfaces
    for n in range(start.shape[0]):
        if route.length[n] == 0:
            out.status[n] = travel.LEFT
            continue
        copy(cov[n], track.C)
        first = route.surface[n, 0]
        for a in range(5):
            state[a] = start[n, a]
        begin = state if math.isnan(route.reference[n, 0, 0]) else route.reference[n, 0]
        travel.begin_bound(track, S, first, begin, s)
        travel.slopes(track.y, 0.0, det, loss, 0, s)
        reached = filter_track(track, n, route, hits, det, loss, plan, max_chi2, st, out, state, K, L, s)
        out.reached[n] = reached
        if reached > 0:
            smooth_track(n, reached, route, hits, det, st, out, lam, Lam, xs, Cs, r, M, keep)
