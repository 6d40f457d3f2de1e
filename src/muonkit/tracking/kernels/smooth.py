"""The smoother of one track, from the last stop to the first.

It is the modified one of Bryson and Frazier (Bierman, Factorization Methods for Discrete Sequential Estimation, 1977,
ch. X): it carries lambda (5) and Lambda (5, 5) backwards and never inverts a covariance."""

import math

from muonkit.core.compiled import inlined
from muonkit.core.indices import LOC0, LOC1, QOP, THETA
from muonkit.tracking.kernels import update
from muonkit.tracking.kernels.tuples import NO_HIT, USED
from muonkit.transport.kernels.batch import copy


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
def smooth_state(x, C, work):
    """Smoothed state x - C lambda of a stop."""
    for a in range(5):
        total = x[a]
        for b in range(5):
            total -= C[a, b] * work.lam[b]
        work.smooth_x[a] = total


@inlined
def smooth_covariance(C, size, work):
    """The first rows and columns of the smoothed covariance C - C Lambda C of a stop."""
    Lam, M, smooth_C = work.Lam, work.M, work.smooth_C
    for a in range(size):
        for b in range(5):
            total = 0.0
            for c in range(5):
                total += C[a, c] * Lam[c, b]
            M[a, b] = total
    for a in range(size):
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
def times(M, a, b):
    """b = M a for a matrix (5, 5); a and b are not the same."""
    for j in range(5):
        b[j] = 0.0
        for m in range(5):
            b[j] += M[j, m] * a[m]


@inlined
def reach(reached, stops, work):
    """Fill v: the covariance of the filtered state of every stop with ln(1/pT) at the first one, A F v of the stop
    before.

    d ln(1/pT) = d(q/p)/(q/p) - cot(theta) d theta, where the fit is linear."""
    e, u, x = work.M[0], work.M[1], stops.x[0]
    for a in range(5):
        e[a] = 0.0
    e[THETA], e[QOP] = -1 / math.tan(x[THETA]), 1 / x[QOP]
    for stop in range(reached):
        v = stops.v[stop]
        if stop == 0:
            times(stops.C[0], e, v)
        else:
            times(stops.F[stop], stops.v[stop - 1], v)
        if stops.use[stop] == USED:
            times(stops.A[stop], v, u)
            for a in range(5):
                v[a] = u[a]


@inlined
def smooth_track(row, reached, scene, work, out):
    """From the last stop to the first."""
    S, stops = scene.transport.det.surfaces, work.stops
    work.lam[:] = 0.0
    work.Lam[:] = 0.0
    if scene.gains:
        reach(reached, stops, work)
    for stop in range(reached - 1, -1, -1):
        i = scene.route.surface[row, stop]
        if scene.gains:
            times(work.Lam, stops.v[stop], out.gain[row, stop])
        if stops.use[stop] == USED:
            pull_back(S, i, stop, work)
        smooth_state(stops.x[stop], stops.C[stop], work)
        if stop == 0 or scene.keep:
            smooth_covariance(stops.C[stop], 5, work)
        elif stops.use[stop] != NO_HIT:  # residuals need the local coordinates alone
            smooth_covariance(stops.C[stop], 2, work)
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
