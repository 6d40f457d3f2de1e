"""The track that reconstruction would hand over: the charged particle that leaves the tracker, measured."""

import numpy as np
from pydantic import Field
from scipy.special import ndtri

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.core.config import Range, Section
from muonkit.data.tracks import FreeStates
from muonkit.simulation.draws import uniforms
from muonkit.simulation.kernels import philox

TRACK_DRAWS = 1 << 40  # ordinal of the numbers of the track itself, behind those of all crossings


class Tracker(Section):
    """Where the tracker ends, a can of radius r [cm] between z [cm], and how well it measures there: position [cm] and
    direction [rad] across the track, and relative momentum."""

    r: float = Field(112.0, gt=0)
    z: Range = (-80.0, 155.0)
    position: float = Field(0.03, gt=0)
    direction: float = Field(1.5e-3, gt=0)
    momentum: float = Field(4e-3, gt=0)

    @property
    def can(self) -> tuple[float, float, float]:
        """Radius and both ends."""
        return self.r, *self.z


def measured(begin: FloatArray, charge: FloatArray, numbers: IntArray, seed: int, tracker: Tracker) -> FreeStates:
    """States (n, 6) with Gaussian errors, and their covariance; numbers (n,): of the tracks."""
    p = np.linalg.norm(begin[:, 3:], axis=1)
    t = begin[:, 3:] / p[:, None]
    u = np.cross([0.0, 0.0, 1.0], t)
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    v = np.cross(t, u)
    J = np.zeros((len(begin), 6, 5))
    J[:, :3, 0], J[:, :3, 1] = u * tracker.position, v * tracker.position
    J[:, 3:, 2], J[:, 3:, 3] = (w * (tracker.direction * p)[:, None] for w in (u, v))
    J[:, 3:, 4] = t * (tracker.momentum * p)[:, None]
    draws = ndtri(uniforms(seed, philox.DIGITS, numbers, 5, np.full(len(begin), TRACK_DRAWS)))
    state = begin + np.einsum("nij,nj->ni", J, draws)
    return FreeStates(state[:, :3], state[:, 3:], charge, J @ np.swapaxes(J, 1, 2))
