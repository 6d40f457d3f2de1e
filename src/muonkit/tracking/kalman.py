"""The Kalman filter of a track, formula by formula, for many tracks at once: the reference in NumPy.

R. Fruhwirth, Nucl. Instrum. Meth. A 262 (1987) 444. x: bound parameters (n, 5), C: covariance (n, 5, 5), H (n, m, 5):
measurement matrix, V (n, m, m): covariance of the measurement m, F (n, 5, 5): Jacobian of the transport, Q: its
noise."""

from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import FloatArray


class Updated(NamedTuple):
    """State after a measurement; chi2 (n,) of the residual; residual (n, m); its inverse covariance W (n, m, m)."""

    x: FloatArray
    C: FloatArray
    chi2: FloatArray
    residual: FloatArray
    W: FloatArray


def predict(C: FloatArray, F: FloatArray, Q: FloatArray) -> FloatArray:
    """Covariance (n, 5, 5) at the next surface: F C F^T + Q; Fruhwirth eq. 8b."""
    return F @ C @ _T(F) + Q


def update(x: FloatArray, C: FloatArray, measured: FloatArray, H: FloatArray, V: FloatArray) -> Updated:
    """The gain form, Fruhwirth eqs. 9, for measured (n, m). The covariance is in Joseph's form (1 - K H) C (1 - K H)^T
    + K V K^T, which stays positive. Raises LinAlgError if the covariance of a residual is singular."""
    r = measured - (H @ x[..., None])[..., 0]
    W: FloatArray = np.linalg.inv(H @ C @ _T(H) + V).astype(np.float64)
    K = C @ _T(H) @ W
    A = np.eye(5) - K @ H
    return Updated(
        x + (K @ r[..., None])[..., 0], A @ C @ _T(A) + K @ V @ _T(K), np.einsum("ni,nij,nj->n", r, W, r), r, W
    )


def smooth(
    x: FloatArray,
    C: FloatArray,
    F: FloatArray,
    ahead: tuple[FloatArray, FloatArray],
    after: tuple[FloatArray, FloatArray],
) -> tuple[FloatArray, FloatArray]:
    """Smoothed state (n, 5) and covariance (n, 5, 5) of a surface, Fruhwirth eqs. 12 (Rauch, Tung, Striebel).

    x, C: filtered here. F: Jacobian to the next surface. ahead: prediction there. after: smoothed there.
    Raises LinAlgError if a covariance is singular."""
    G = C @ _T(F) @ np.linalg.inv(ahead[1])
    step = after[0] - ahead[0]
    return x + (G @ step[..., None])[..., 0], C + G @ (after[1] - ahead[1]) @ _T(G)


def measurement_matrix(projection: FloatArray) -> FloatArray:
    """H (n, m, 5) of projections (n, m, 2) on the local coordinates."""
    return np.concatenate((projection, np.zeros((*projection.shape[:2], 3))), axis=2)


def _T(M: FloatArray) -> FloatArray:
    return np.swapaxes(M, -1, -2)
