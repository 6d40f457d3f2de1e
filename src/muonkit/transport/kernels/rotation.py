"""The helix of a constant field as matrices: t(s) = R(s) t, x(s) = x + H(s) t. The twin of `transport.helix`.

With t' = t x omega, a = |omega|, n = omega/a, K v = v x n and x = a s:

    R = cos x + (1 - cos x) n n^T + sin x K
    H = s [sin x / x + (1 - sin x / x) n n^T + (1 - cos x)/x K]"""

import math

from muonkit.core.compiled import inlined

SMALL = 0.3  # below, the differences of trigonometric functions are summed as series


@inlined
def shapes(x):
    """sin x, 1 - cos x, sin x / x, (1 - cos x)/x, (x cos x - sin x)/x^2, (x sin x - 1 + cos x)/x^2, all without
    cancellation."""
    if abs(x) > SMALL:
        sin, cos = math.sin(x), math.cos(x)
        return sin, 1 - cos, sin / x, (1 - cos) / x, (x * cos - sin) / (x * x), (x * sin - 1 + cos) / (x * x)
    q = x * x
    s = 1 - q / 6 * (1 - q / 20 * (1 - q / 42 * (1 - q / 72 * (1 - q / 110))))
    c = 0.5 * (1 - q / 12 * (1 - q / 30 * (1 - q / 56 * (1 - q / 90 * (1 - q / 132)))))
    d = -x / 3 * (1 - q / 10 * (1 - q / 28 * (1 - q / 54 * (1 - q / 88 * (1 - q / 130)))))
    return x * s, q * c, s, x * c, d, s - c


@inlined
def times(M, a, b, c):
    """M v for v = (a, b, c)."""
    return (
        M[0, 0] * a + M[0, 1] * b + M[0, 2] * c,
        M[1, 0] * a + M[1, 1] * b + M[1, 2] * c,
        M[2, 0] * a + M[2, 1] * b + M[2, 2] * c,
    )


@inlined
def vector(a, b, c, u, v, w):
    """(a, b, c) x (u, v, w)."""
    return b * w - c * v, c * u - a * w, a * v - b * u


@inlined
def fill(M, even, along, odd, n0, n1, n2):
    """M = even + along n n^T + odd K."""
    M[0, 0] = even + along * n0 * n0
    M[1, 1] = even + along * n1 * n1
    M[2, 2] = even + along * n2 * n2
    M[0, 1] = along * n0 * n1 + odd * n2
    M[1, 0] = along * n0 * n1 - odd * n2
    M[0, 2] = along * n0 * n2 - odd * n1
    M[2, 0] = along * n0 * n2 + odd * n1
    M[1, 2] = along * n1 * n2 + odd * n0
    M[2, 1] = along * n1 * n2 - odd * n0


@inlined
def matrices(w0, w1, w2, s, R, H, D):
    """Fill R(s), H(s) and D = dH/da for omega = (w0, w1, w2); returns a."""
    a = math.sqrt(w0 * w0 + w1 * w1 + w2 * w2)
    if a == 0.0:
        fill(R, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        fill(H, s, 0.0, 0.0, 0.0, 0.0, 0.0)
        fill(D, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        return a
    n0, n1, n2 = w0 / a, w1 / a, w2 / a
    sin, versine, sinc, cosc, d, e = shapes(a * s)
    fill(R, 1 - versine, versine, sin, n0, n1, n2)
    fill(H, s * sinc, s * (1 - sinc), s * cosc, n0, n1, n2)
    fill(D, s * s * d, -s * s * d, s * s * e, n0, n1, n2)
    return a
