"""Between (x, y, z, px, py, pz), free states and the curvilinear frame of a track.

Curvilinear: displacements along u, v normal to the track, angles towards them, q/p; u = z x t (x x t within 0.8
degrees of the z axis), v = t x u. With momentum p = t/|lambda| (charge 1),

    d(angle_u) = u.dp/p,   d lambda = -lambda (t.dp)/p                                                          (13)"""

import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.core.indices import ALONG_U, ALONG_V, DIRECTION, FREE_QOP, POSITION, QOP, TO_U, TO_V
from muonkit.data.tracks import FreeStates
from muonkit.transport.kernels.frames import FORWARD


def to_free(states: FreeStates) -> FloatArray:
    """Free states (n, 7): position [cm], direction, q/p [1/GeV]; NaN for a momentum that is not finite."""
    p = np.linalg.norm(states.momentum, axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return np.concatenate((states.position, states.momentum / p, states.charge[:, None] / p), axis=1)


def from_free(free: FloatArray, covariance: FloatArray | None) -> FreeStates:
    """Position [cm], momentum [GeV] and charge of free states (n, 7), with the covariance (n, 6, 6) that is given."""
    lam = free[:, FREE_QOP]
    momentum = free[:, DIRECTION] / np.abs(lam)[:, None]
    return FreeStates(free[:, POSITION], momentum, np.sign(lam), covariance)


def axes(free: FloatArray) -> tuple[FloatArray, FloatArray]:
    """u and v, (n, 3) each, of free states (n, 7)."""
    t = free[:, DIRECTION]
    pole = np.where((np.abs(t[:, 2]) < FORWARD)[:, None], np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0]))
    u = np.cross(pole, t)
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    return u, np.cross(t, u)


def to_curvilinear(free: FloatArray, covariance: FloatArray) -> FloatArray:
    """Curvilinear covariance (n, 5, 5) of one (n, 6, 6) in position and momentum, at free states (n, 7); eq. 13."""
    u, v = axes(free)
    t, lam = free[:, DIRECTION], free[:, FREE_QOP, None]
    jacobian = np.zeros((len(free), 5, 6))
    jacobian[:, ALONG_U, :3], jacobian[:, ALONG_V, :3] = u, v
    jacobian[:, TO_U, 3:], jacobian[:, TO_V, 3:] = np.abs(lam) * u, np.abs(lam) * v
    jacobian[:, QOP, 3:] = -lam * np.abs(lam) * t
    return jacobian @ covariance @ np.swapaxes(jacobian, 1, 2)


def on_surface(free: FloatArray, covariance: FloatArray, slope: FloatArray, normal: FloatArray) -> FloatArray:
    """Covariance (n, 6, 6) in position and momentum, on a surface with normals (n, 3), of a curvilinear one (n, 5, 5).
    `free` (n, 7); `slope` (n, 4): dt/ds [1/cm] and d lambda/ds [1/GeV/cm]."""
    u, v = axes(free)
    t, lam = free[:, DIRECTION], free[:, FREE_QOP, None]
    columns = np.zeros((len(free), 7, 5))
    columns[:, POSITION, ALONG_U], columns[:, POSITION, ALONG_V] = u, v
    columns[:, DIRECTION, TO_U], columns[:, DIRECTION, TO_V] = u, v
    columns[:, FREE_QOP, QOP] = 1
    moving = np.concatenate((t, slope), axis=1)
    ds = -np.einsum("ni,nij->nj", normal, columns[:, POSITION]) / np.einsum("ni,ni->n", normal, t)[:, None]
    columns += moving[:, :, None] * ds[:, None, :]
    p = 1 / np.abs(lam)
    momentum = p[:, :, None] * columns[:, DIRECTION] - (t * p / lam)[:, :, None] * columns[:, FREE_QOP, None]
    jacobian = np.concatenate((columns[:, POSITION], momentum), axis=1)
    return jacobian @ covariance @ np.swapaxes(jacobian, 1, 2)
