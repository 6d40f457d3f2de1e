"""Hits and tracks in a layer, formula by formula: the reference in NumPy, in Muid's own coordinates.

The track is x = (x, y, z, px, py, pz) with covariance C (6, 6). The plane of the hit has unit vectors B, C in it and A
normal to it; t is the direction of the track. With

    H_k = [e_k - A (t.e_k)/(t.A), 0, 0, 0],  e = B, C                                                            (15)
    r = H (x_hit - x),  S = H C H^T + V,  K = C H^T S^-1                                                         (16)

H t = 0: a step along the track changes nothing, so the point need not be exactly on the plane of the hit. The chi2 of
a hit is r^T S^-1 r, the same as r_f^T (V - H C_f H^T)^-1 r_f behind the update. |p| is kept: a hit turns the momentum.
`kernels.match` is the compiled twin, in the curvilinear frame."""

from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray
from muonkit.muid.swim.kernels.match import RPC_GROWTH


class MatchPlane(NamedTuple):
    """Planes (n, 3): normal A, and B, C in the plane."""

    A: FloatArray
    B: FloatArray
    C: FloatArray


class Matched(NamedTuple):
    """State (n, 6) and covariance (n, 6, 6) behind the hit, chi2 (n,), and chi2 from the updated residual (n,)."""

    x: FloatArray
    C: FloatArray
    chi2: FloatArray
    filtered_chi2: FloatArray


def hit_variance(sigma: FloatArray, width: FloatArray, grows: BoolArray) -> FloatArray:
    """Variances (n, 2) [cm^2] of clusters of `width` strips, on planes with resolution sigma (n, 2) [cm]."""
    offset, curvature, power = RPC_GROWTH
    growth = (offset + curvature * (width - 1.5) ** 2) ** power
    return sigma**2 * np.where(grows[:, None], growth, 1.0)


def measurement_matrix(x: FloatArray, plane: MatchPlane) -> FloatArray:
    """H (n, 2, 6), eq. 15."""
    t = x[:, 3:] / np.linalg.norm(x[:, 3:], axis=1, keepdims=True)
    across = np.sum(t * plane.A, axis=1, keepdims=True)
    rows = [e - plane.A * np.sum(t * e, axis=1, keepdims=True) / across for e in (plane.B, plane.C)]
    return np.concatenate((np.stack(rows, axis=1), np.zeros((len(x), 2, 3))), axis=2)


def residual(x: FloatArray, hit: FloatArray, H: FloatArray) -> FloatArray:
    """r (n, 2) [cm], eq. 16."""
    return np.einsum("nij,nj->ni", H[:, :, :3], hit - x[:, :3])


def accepted(r: FloatArray, S: FloatArray, max_sigma: float, either: bool) -> BoolArray:
    """Whether both coordinates (or one of them) are within max_sigma of track and hit together; the edge is inside."""
    within = r**2 <= max_sigma**2 * np.diagonal(S, axis1=1, axis2=2)
    return np.asarray(within.any(axis=1) if either else within.all(axis=1))


def update(x: FloatArray, C: FloatArray, hit: FloatArray, V: FloatArray, plane: MatchPlane, own: FloatArray) -> Matched:
    """The track behind the hit, eq. 16; its point slides along the old direction to its own plane, normal `own`
    (n, 3)."""
    H = measurement_matrix(x, plane)
    r = residual(x, hit, H)
    W = np.linalg.inv(H @ C @ _T(H) + V)
    K = C @ _T(H) @ W
    moved = x + np.einsum("nij,nj->ni", K, r)
    after = C - K @ H @ C
    left = np.linalg.inv(V - H @ after @ _T(H))
    behind = residual(moved, hit, H)
    return Matched(
        _slid(x, moved, own),
        (after + _T(after)) / 2,
        np.einsum("ni,nij,nj->n", r, W, r),
        np.einsum("ni,nij,nj->n", behind, left, behind),
    )


def _slid(x: FloatArray, moved: FloatArray, own: FloatArray) -> FloatArray:
    """The updated state on the plane of the old one, with the old |p|."""
    p = np.linalg.norm(x[:, 3:], axis=1, keepdims=True)
    t = x[:, 3:] / p
    off = np.sum((moved[:, :3] - x[:, :3]) * own, axis=1, keepdims=True)
    point = moved[:, :3] - t * off / np.sum(t * own, axis=1, keepdims=True)
    return np.concatenate((point, moved[:, 3:] * p / np.linalg.norm(moved[:, 3:], axis=1, keepdims=True)), axis=1)


def _T(M: FloatArray) -> FloatArray:
    return np.swapaxes(M, -1, -2)
