"""Gun and detector -> what happened to the tracks, and the hits that a detector would show of it.

Energy loss by ionisation with Landau's fluctuations or simpler ones, multiple scattering by Highland's formula (its
logarithm for every surface; none in thick volumes, which are passed in portions). Not simulated: radiation of muons,
tails of scattering, hadronic interactions, decays."""

from functools import cache
from typing import Literal

import numpy as np
from pydantic import Field

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.core.config import Section
from muonkit.core.particles import species
from muonkit.data.hits import Hits
from muonkit.data.truth import Truth
from muonkit.detector.detector import Detector
from muonkit.simulation import kernels
from muonkit.simulation.digitise import Readout, digitise
from muonkit.simulation.gun import Gun, shoot

REACH = 16.0
LOSS = {"none": 0, "mean": 1, "gaussian": 2, "landau": 3}
SCATTERING = {"none": 0, "highland": 1, "highland, no log": 2}


class Physics(Section):
    """What matter does. min_kinetic [GeV]: stopped below; max_turn [rad]: looping above."""

    energy_loss: Literal["none", "mean", "gaussian", "landau"] = "landau"
    scattering: Literal["none", "highland", "highland, no log"] = "highland"
    min_kinetic: float = Field(1e-3, gt=0)
    max_turn: float = Field(2 * np.pi, gt=0)


@cache
def landau_quantiles() -> FloatArray:
    """Landau's lambda on a grid even in ln(u/(1 - u)). SciPy's variable x is that of scale 1: lambda = pi/2 x +
    ln(pi/2)."""
    from scipy.stats import landau

    u = 1 / (1 + np.exp(-np.linspace(-REACH, REACH, 2001)))
    return np.asarray(np.pi / 2 * landau.ppf(u) + np.log(np.pi / 2), dtype=np.float64)


def simulate_truth(
    detector: Detector,
    gun: Gun,
    n: int,
    physics: Physics = Physics(),
    first: int = 0,
    max_crossings: int = 64,
) -> Truth:
    """Tracks `first` ... `first` + n - 1 of a gun through a detector; a track does not depend on the others."""
    shots = shoot(gun, n, first)
    p = np.linalg.norm(shots.momentum, axis=1)
    start = np.column_stack((shots.vertex, shots.momentum / p[:, None], shots.charge / p))
    out = kernels.Crossings(
        np.zeros((n, max_crossings), dtype=np.int64),
        np.zeros((n, max_crossings, 7)),
        np.zeros(n, dtype=np.int64),
        np.zeros(n, dtype=np.int64),
    )
    settings = kernels.Physics(
        species(gun.species).mass,
        LOSS[physics.energy_loss],
        SCATTERING[physics.scattering],
        physics.min_kinetic,
        physics.max_turn,
        landau_quantiles() if physics.energy_loss == "landau" else np.zeros(2),
        REACH,
    )
    kernels.follow_all(start, gun.seed, first, detector.arrays(), settings, out)
    return _truth(shots.vertex, shots.momentum, shots.charge, out.surface, out.state, out.number, out.status)


def _truth(
    vertex: FloatArray,
    momentum: FloatArray,
    charge: FloatArray,
    surface: IntArray,
    state: FloatArray,
    count: IntArray,
    status: IntArray,
) -> Truth:
    kept = np.arange(surface.shape[1]) < count[:, None]
    rows = state[kept]
    offsets = np.concatenate(([0], np.cumsum(count)))
    return Truth(
        vertex,
        momentum,
        charge,
        status,
        offsets,
        surface[kept],
        rows[:, :3],
        rows[:, 3:6],
        np.ascontiguousarray(rows[:, 6]),
    )


def simulate_tracks(
    detector: Detector,
    gun: Gun,
    n: int,
    physics: Physics = Physics(),
    readout: Readout = Readout(),
    first: int = 0,
) -> tuple[Truth, Hits]:
    """What happened, and what was measured, for tracks `first` ... `first` + n - 1."""
    truth = simulate_truth(detector, gun, n, physics, first)
    return truth, digitise(truth, detector, readout, gun.seed, first)
