"""The update of one bound state with one hit, in Joseph's form. The twin of `kalman.update`."""

import math

from muonkit.core.compiled import inlined
from muonkit.core.indices import LOC0, LOC1
from muonkit.detector.surfaces import CYLINDER


@inlined
def residual(S, i, x, value, r):
    """Measured minus predicted coordinates; the seam of a cylinder is looked across."""
    d0, d1 = -x[LOC0], -x[LOC1]
    P = S.projection[i]
    for m in range(S.n_measured[i]):
        r[m] = value[m] + P[m, LOC0] * d0 + P[m, LOC1] * d1
        if S.kind[i] == CYLINDER and P[m, LOC0] != 0:
            around = 2 * math.pi * S.radius[i] * abs(P[m, LOC0])
            r[m] -= around * math.floor(r[m] / around + 0.5)


@inlined
def innovation(S, i, C, variance, W):
    """Fill W = (H C H^T + V)^-1; False if it is not positive definite."""
    P = S.projection[i]
    s00 = variance[0] + form(P[0], P[0], C)
    if S.n_measured[i] == 1:
        if not s00 > 0:
            return False
        W[0, 0], W[0, 1], W[1, 0], W[1, 1] = 1 / s00, 0.0, 0.0, 0.0
        return True
    s01, s11 = form(P[0], P[1], C), variance[1] + form(P[1], P[1], C)
    det = s00 * s11 - s01 * s01
    if not (det > 0 and s00 > 0):
        return False
    W[0, 0], W[0, 1], W[1, 0], W[1, 1] = s11 / det, -s01 / det, -s01 / det, s00 / det
    return True


@inlined
def form(a, b, C):
    """a C b over the two local coordinates."""
    in_loc0 = a[LOC0] * (C[LOC0, LOC0] * b[LOC0] + C[LOC0, LOC1] * b[LOC1])
    return in_loc0 + a[LOC1] * (C[LOC1, LOC0] * b[LOC0] + C[LOC1, LOC1] * b[LOC1])


@inlined
def chi_square(n, r, W):
    """r W r."""
    total = r[0] * W[0, 0] * r[0]
    if n == 2:
        total += 2 * r[0] * W[0, 1] * r[1] + r[1] * W[1, 1] * r[1]
    return total


@inlined
def gain(S, i, C, W, K, A):
    """K = C H^T W (5, 2) and A = 1 - K H (5, 5)."""
    n, P = S.n_measured[i], S.projection[i]
    for a in range(5):
        c0 = C[a, LOC0] * P[0, LOC0] + C[a, LOC1] * P[0, LOC1]
        c1 = C[a, LOC0] * P[1, LOC0] + C[a, LOC1] * P[1, LOC1] if n == 2 else 0.0
        K[a, 0] = c0 * W[0, 0] + c1 * W[1, 0]
        K[a, 1] = c0 * W[0, 1] + c1 * W[1, 1]
    for a in range(5):
        for b in range(5):
            A[a, b] = 1.0 if a == b else 0.0
        for m in range(n):
            A[a, LOC0] -= K[a, m] * P[m, LOC0]
            A[a, LOC1] -= K[a, m] * P[m, LOC1]


@inlined
def joseph(n, A, K, variance, C, M):
    """C -> A C A^T + K V K^T, positive whatever the rounding."""
    for a in range(5):
        for b in range(5):
            total = C[a, b]  # A is 1 but for its first two columns
            if a <= LOC1:
                total = A[a, LOC0] * C[LOC0, b] + A[a, LOC1] * C[LOC1, b]
            else:
                total += A[a, LOC0] * C[LOC0, b] + A[a, LOC1] * C[LOC1, b]
            M[a, b] = total
    for a in range(5):
        for b in range(a + 1):
            total = M[a, LOC0] * A[b, LOC0] + M[a, LOC1] * A[b, LOC1]
            if b > LOC1:
                total += M[a, b]
            for m in range(n):
                total += K[a, m] * variance[m] * K[b, m]
            C[a, b] = total
            C[b, a] = total
