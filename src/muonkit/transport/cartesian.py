"""Between (x, y, z, px, py, pz), free states and the curvilinear frame of a track.

Curvilinear: displacements along u, v normal to the track, angles towards them, q/p; u = z x t (x x t within 0.8
degrees of the z axis), v = t x u. With momentum p = t/|lambda| (charge 1),

    d(angle_u) = u.dp/p,   d lambda = -lambda (t.dp)/p                                                          (13)"""

import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.data.tracks import FreeStates
from muonkit.transport.kernels.frames import FORWARD


def to_free(states: FreeStates) -> FloatArray:
    """Free states (n, 7): position [cm], direction, q/p [1/GeV]."""
    p = np.linalg.norm(states.momentum, axis=1, keepdims=True)
    return np.concatenate((states.position, states.momentum / p, states.charge[:, None] / p), axis=1)


def from_free(free: FloatArray, covariance: FloatArray | None) -> FreeStates:
    """Position [cm], momentum [GeV] and charge of free states (n, 7), with the covariance (n, 6, 6) that is given."""
    lam = free[:, 6:]
    return FreeStates(free[:, :3], free[:, 3:6] / np.abs(lam), np.sign(lam[:, 0]), covariance)


def axes(free: FloatArray) -> tuple[FloatArray, FloatArray]:
    """u and v, (n, 3) each, of free states (n, 7)."""
    t = free[:, 3:6]
    pole = np.where((np.abs(t[:, 2]) < FORWARD)[:, None], np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0]))
    u = np.cross(pole, t)
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    return u, np.cross(t, u)


def to_curvilinear(free: FloatArray, covariance: FloatArray) -> FloatArray:
    """Curvilinear covariance (n, 5, 5) of one (n, 6, 6) in position and momentum, at free states (n, 7); eq. 13."""
    u, v = axes(free)
    t, lam = free[:, 3:6], free[:, 6:]
    jacobian = np.zeros((len(free), 5, 6))
    jacobian[:, 0, :3], jacobian[:, 1, :3] = u, v
    jacobian[:, 2, 3:], jacobian[:, 3, 3:] = np.abs(lam) * u, np.abs(lam) * v
    jacobian[:, 4, 3:] = -lam * np.abs(lam) * t
    return jacobian @ covariance @ np.swapaxes(jacobian, 1, 2)


def on_surface(free: FloatArray, covariance: FloatArray, slope: FloatArray, normal: FloatArray) -> FloatArray:
    """Covariance (n, 6, 6) in position and momentum, on a surface with normals (n, 3), of a curvilinear one (n, 5, 5).
    `free` (n, 7); `slope` (n, 4): dt/ds [1/cm] and d lambda/ds [1/GeV/cm]."""
    u, v = axes(free)
    t, lam = free[:, 3:6], free[:, 6:]
    columns = np.zeros((len(free), 7, 5))
    columns[:, :3, 0], columns[:, :3, 1] = u, v
    columns[:, 3:6, 2], columns[:, 3:6, 3] = u, v
    columns[:, 6, 4] = 1
    moving = np.concatenate((t, slope), axis=1)
    ds = -np.einsum("ni,nij->nj", normal, columns[:, :3]) / np.einsum("ni,ni->n", normal, t)[:, None]
    columns += moving[:, :, None] * ds[:, None, :]
    p = 1 / np.abs(lam)
    momentum = p[:, :, None] * columns[:, 3:6] - (t * p / lam)[:, :, None] * columns[:, 6:]
    jacobian = np.concatenate((columns[:, :3], momentum), axis=1)
    return jacobian @ covariance @ np.swapaxes(jacobian, 1, 2)
