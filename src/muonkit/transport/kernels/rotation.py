"""The helix of a constant field as matrices: t(s) = R(s) t, x(s) = x + H(s) t. The twin of `transport.helix`.

With t' = t x omega, a = |omega|, n = omega/a, K v = v x n and x = a s:

    R = cos x + (1 - cos x) n n^T + sin x K
    H = s [sin x / x + (1 - sin x / x) n n^T + (1 - cos x)/x K]"""

import math

from muonkit.core.compiled import inlined

SMALL = 0.3  # below, the differences of trigonometric functions are summed as series


SINC, COSC, SLOPE = (
    tuple(1 / n for n in each) for each in ((6, 20, 42, 72, 110), (12, 30, 56, 90, 132), (10, 28, 54, 88, 130))
)


@inlined
def alternating(x2, of):
    """1 - of[0] x2 (1 - of[1] x2 (1 - ...)), five terms; divisions would be slow."""
    return 1 - x2 * of[0] * (1 - x2 * of[1] * (1 - x2 * of[2] * (1 - x2 * of[3] * (1 - x2 * of[4]))))


@inlined
def shapes(angle):
    """Of the angle x: sin x, 1 - cos x, sin x / x, (1 - cos x)/x, (x cos x - sin x)/x^2, (x sin x - 1 + cos x)/x^2, all
    without cancellation."""
    if abs(angle) > SMALL:
        sin, cos = math.sin(angle), math.cos(angle)
        sinc, cosc = sin / angle, (1 - cos) / angle
        square = angle * angle
        return sin, 1 - cos, sinc, cosc, (angle * cos - sin) / square, (angle * sin - 1 + cos) / square
    x2 = angle * angle
    sinc, half, slope = alternating(x2, SINC), 0.5 * alternating(x2, COSC), -angle * (1 / 3) * alternating(x2, SLOPE)
    return angle * sinc, x2 * half, sinc, angle * half, slope, sinc - half


@inlined
def times(M, vector):
    """M times a vector."""
    x0, x1, x2 = vector
    return (
        M[0, 0] * x0 + M[0, 1] * x1 + M[0, 2] * x2,
        M[1, 0] * x0 + M[1, 1] * x1 + M[1, 2] * x2,
        M[2, 0] * x0 + M[2, 1] * x1 + M[2, 2] * x2,
    )


@inlined
def cross(one, other):
    """Vector product."""
    x0, x1, x2 = one
    z0, z1, z2 = other
    return x1 * z2 - x2 * z1, x2 * z0 - x0 * z2, x0 * z1 - x1 * z0


@inlined
def fill(M, even, along, odd, n):
    """M = even + along n n^T + odd K."""
    n0, n1, n2 = n
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
def matrices(omega, h, M):
    """Fill M = R(h), H(h) and D = dH/d|omega|."""
    R, H, D = M[0], M[1], M[2]
    w0, w1, w2 = omega
    size = math.sqrt(w0 * w0 + w1 * w1 + w2 * w2)
    if size == 0.0:
        zero = (0.0, 0.0, 0.0)
        fill(R, 1.0, 0.0, 0.0, zero)
        fill(H, h, 0.0, 0.0, zero)
        fill(D, 0.0, 0.0, 0.0, zero)
        return
    n = (w0 / size, w1 / size, w2 / size)
    sin, versine, sinc, cosc, by_sinc, by_cosc = shapes(size * h)
    fill(R, 1 - versine, versine, sin, n)
    fill(H, h * sinc, h * (1 - sinc), h * cosc, n)
    fill(D, h * h * by_sinc, -h * h * by_sinc, h * h * by_cosc, n)
