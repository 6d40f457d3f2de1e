"""The helix of a charged particle in a constant field, exact, with its derivatives.

    t' = c lambda t x B = t x omega,   t(s) = R(s) t,   x(s) = x + H(s) t

A free state is (x, y, z, tx, ty, tz, lambda = q/p); lengths cm, momenta GeV, field tesla; c = `core.units.CURVATURE`.
With a = |omega|, n = omega/a, K v = v x n, u = a s and P = 1 - n n^T (Rodrigues' rotation and its integral):

    R = n n^T + cos u P + sin u K,   H = s n n^T + sin u/a P + (1 - cos u)/a K                                   (9)"""

import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.core.indices import DIRECTION, FREE_QOP, POSITION
from muonkit.core.units import CURVATURE

SERIES_BELOW = 1e-3


def matrices(omega: FloatArray, s: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """R, H and dH/da, each (n, 3, 3), for omega (n, 3) [1/cm] and paths s (n,) [cm]; eq. 9 and its derivative."""
    a = np.linalg.norm(omega, axis=1)
    n = omega / np.where(a > 0, a, 1.0)[:, None]
    along = n[:, :, None] * n[:, None, :]
    across, K = np.eye(3) - along, _turning(n)
    u = a * s
    sin, cos = (f(u)[:, None, None] for f in (np.sin, np.cos))
    sinc, cosc, d_sinc, d_cosc = (shape[:, None, None] for shape in _shapes(u))
    path = s[:, None, None]
    R = along + cos * across + sin * K
    H = path * (along + sinc * across + cosc * K)
    return R, H, path**2 * (d_sinc * across + d_cosc * K)


def _turning(n: FloatArray) -> FloatArray:
    """The matrix of v -> v x n."""
    K = np.zeros((len(n), 3, 3))
    K[:, 0, 1], K[:, 1, 2], K[:, 2, 0] = n[:, 2], n[:, 0], n[:, 1]
    return K - np.swapaxes(K, 1, 2)


def _shapes(u: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """sin u/u, (1 - cos u)/u and their derivatives; series for small u, where the differences lose digits."""
    small = np.abs(u) < SERIES_BELOW
    v = np.where(small, 1.0, u)
    sinc, cosc = np.sin(v) / v, 2 * np.sin(v / 2) ** 2 / v
    q = u * u
    return (
        np.where(small, 1 - q / 6, sinc),
        np.where(small, u / 2 * (1 - q / 12), cosc),
        np.where(small, -u / 3 * (1 - q / 10), (np.cos(v) - sinc) / v),
        np.where(small, 0.5 - q / 8, sinc - cosc / v),
    )


def helix(state: FloatArray, path: FloatArray, B: FloatArray) -> FloatArray:
    """Free states (n, 7) after `path` (n,) [cm] in the field B (3,) [T]; eq. 9."""
    R, H, _ = matrices(CURVATURE * state[:, FREE_QOP, None] * B, path)
    t = state[:, DIRECTION, None]
    return np.concatenate(
        (state[:, POSITION] + (H @ t)[..., 0], (R @ t)[..., 0], state[:, FREE_QOP, None]),
        axis=1,
    )


def helix_jacobian(state: FloatArray, path: FloatArray, B: FloatArray) -> FloatArray:
    """d helix/d state, (n, 7, 7), of free states (n, 7) at fixed path (n,) [cm] in the field B (3,) [T]; eq. 9."""
    omega = CURVATURE * state[:, FREE_QOP, None] * B
    R, H, dH = matrices(omega, path)
    t = state[:, DIRECTION, None]
    rate = np.copysign(CURVATURE * np.linalg.norm(B), state[:, FREE_QOP])[:, None]  # d a/d lambda
    jacobian = np.tile(np.eye(7), (len(state), 1, 1))
    jacobian[:, POSITION, DIRECTION] = H
    jacobian[:, DIRECTION, DIRECTION] = R
    jacobian[:, POSITION, FREE_QOP] = rate * (dH @ t)[..., 0]
    jacobian[:, DIRECTION, FREE_QOP] = path[:, None] * np.cross((R @ t)[..., 0], CURVATURE * B)
    return jacobian
