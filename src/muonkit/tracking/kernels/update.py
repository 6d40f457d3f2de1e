"""The update of one bound state with one hit, in Joseph's form. The twin of `kalman.update`."""

import math

from muonkit.core.compiled import inlined
from muonkit.transport.kernels.frames import CYLINDER


@inlined
def residual(S, i, bound, value, r):
    """Measured minus predicted coordinates; the seam of a cylinder is looked across."""
    d0, d1 = -bound[0], -bound[1]
    P = S.projection[i]
    for m in range(S.n_measured[i]):
        r[m] = value[m] + P[m, 0] * d0 + P[m, 1] * d1
        if S.kind[i] == CYLINDER and P[m, 0] != 0:
            around = 2 * math.pi * S.radius[i] * abs(P[m, 0])
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
    return a[0] * (C[0, 0] * b[0] + C[0, 1] * b[1]) + a[1] * (C[1, 0] * b[0] + C[1, 1] * b[1])


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
    for j in range(5):
        c0 = C[j, 0] * P[0, 0] + C[j, 1] * P[0, 1]
        c1 = C[j, 0] * P[1, 0] + C[j, 1] * P[1, 1] if n == 2 else 0.0
        K[j, 0] = c0 * W[0, 0] + c1 * W[1, 0]
        K[j, 1] = c0 * W[0, 1] + c1 * W[1, 1]
    for j in range(5):
        for m in range(5):
            A[j, m] = 1.0 if j == m else 0.0
        for m in range(n):
            A[j, 0] -= K[j, m] * P[m, 0]
            A[j, 1] -= K[j, m] * P[m, 1]


@inlined
def joseph(n, A, K, variance, C, M):
    """C -> A C A^T + K V K^T, positive whatever the rounding."""
    for j in range(5):
        for m in range(5):
            total = C[j, m]  # A is 1 but for its first two columns
            if j < 2:
                total = A[j, 0] * C[0, m] + A[j, 1] * C[1, m]
            else:
                total += A[j, 0] * C[0, m] + A[j, 1] * C[1, m]
            M[j, m] = total
    for j in range(5):
        for m in range(j + 1):
            total = M[j, 0] * A[m, 0] + M[j, 1] * A[m, 1]
            if m >= 2:
                total += M[j, m]
            for q in range(n):
                total += K[j, q] * variance[q] * K[m, q]
            C[j, m] = total
            C[m, j] = total
