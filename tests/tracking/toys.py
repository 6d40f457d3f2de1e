"""Toy tracks whose random kicks can be mirrored: the linear part of an error is then gone from the mean of both.

The way follows the surfaces that a particle without noise crosses, by the transport of the fit."""

from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.data.hits import Hits
from muonkit.data.tracks import BoundStates
from muonkit.data.truth import Truth
from muonkit.detector.detector import Detector
from muonkit.detector.surfaces import normal, to_global, to_local
from muonkit.simulation.gun import Gun
from muonkit.simulation.tracker.digitise import Readout
from muonkit.simulation.tracker.step import Physics
from muonkit.simulation.tracker.tracks import simulate_tracks
from muonkit.transport.interactions.scattering import HIGHLAND, LOG_TERM
from muonkit.transport.interactions.straggling import variance
from muonkit.transport.interactions.tables import mean_loss
from muonkit.transport.propagate import Settings, propagate

QUIET = Settings(energy_loss="ionisation", tolerance=1e-6)


class Ways(NamedTuple):
    """The surfaces (n, L) of every particle, -1 behind the end, and its state on the first one."""

    detector: Detector
    surface: IntArray
    start: BoundStates


def quiet(detector: Detector, gun: Gun, n: int, seed: int) -> tuple[Truth, Hits]:
    """Particles that lose the mean and do not scatter, and hits without errors."""
    physics = Physics(energy_loss="mean", scattering="none")
    return simulate_tracks(detector, gun, n, seed, physics, Readout(smearing="none"))


def ways(detector: Detector, truth: Truth) -> Ways:
    count = np.diff(truth.offsets)
    surface = np.full((len(truth), count.max()), -1)
    surface[np.arange(surface.shape[1]) < count[:, None]] = truth.surface
    first = truth.offsets[:-1]
    local = to_local(detector.surfaces, truth.surface[first], truth.position[first])
    t = truth.direction[first]
    bound = np.column_stack((local, np.arctan2(t[:, 1], t[:, 0]), np.arccos(t[:, 2]), truth.qop[first]))
    return Ways(detector, surface, BoundStates(surface[:, 0], bound))


def draw(way: Ways, seed: int) -> FloatArray:
    """Normal numbers (n, L, 5): loss, two angles, two coordinates."""
    return np.random.default_rng(seed).standard_normal((*way.surface.shape, 5))


def noisy(way: Ways, noise: FloatArray) -> Hits:
    """The hits of particles that start alike and are kicked by `noise`."""
    S, bound = way.detector.surfaces, way.start.parameters.copy()
    value = np.zeros((*way.surface.shape, 2))
    for stop in range(way.surface.shape[1]):
        here = way.surface[:, stop]
        on = here >= 0
        if stop:
            before = BoundStates(way.surface[on, stop - 1], bound[on])
            bound[on] = propagate(before, here[on], way.detector, QUIET).states.parameters
        measured = np.einsum("nij,nj->ni", S.projection[here[on]], bound[on, :2])
        value[on, stop] = measured + S.sigma[here[on]] * noise[on, stop, 3:]
        bound[on] = _kicked(way.detector, here[on], bound[on], noise[on, stop])
    hit = (way.surface >= 0) & (S.n_measured[way.surface] > 0)
    ids = way.surface[hit]
    values = np.where(np.arange(2) < S.n_measured[ids][:, None], value[hit], 0.0)
    return Hits(np.concatenate(([0], np.cumsum(hit.sum(axis=1)))), ids, values, S.sigma[ids] ** 2)


def _kicked(detector: Detector, ids: IntArray, bound: FloatArray, noise: FloatArray) -> FloatArray:
    S, mass = detector.surfaces, 0.1056583755
    x = to_global(S, ids, bound[:, :2])
    sin, cos = np.sin(bound[:, 3]), np.cos(bound[:, 3])
    t = np.stack((sin * np.cos(bound[:, 2]), sin * np.sin(bound[:, 2]), cos), axis=1)
    length = S.thickness[ids] / np.abs(np.einsum("ni,ni->n", normal(S, ids, x), t))
    p = 1 / np.abs(bound[:, 4])
    lost, angle = np.zeros_like(p), np.zeros_like(p)
    for number, material in enumerate(detector.materials):
        rows = (S.material[ids] == number) & (S.thickness[ids] > 0)
        if rows.any():
            width = np.sqrt(variance(material, p[rows], mass, 1.0) * length[rows])
            mean = mean_loss(material, "mu", p[rows], radiation=False)[0] * length[rows]
            lost[rows] = mean + width * noise[rows, 0]
            beta2, depth = p[rows] ** 2 / (p[rows] ** 2 + mass**2), length[rows] / material.X0
            angle[rows] = HIGHLAND / p[rows] * np.sqrt(depth / beta2) * (1 + LOG_TERM * np.log(depth / beta2))
    after = np.sqrt((np.hypot(p, mass) - lost) ** 2 - mass**2)
    a, b = angle * noise[:, 1], angle * noise[:, 2]
    along = np.stack((cos * np.cos(bound[:, 2]), cos * np.sin(bound[:, 2]), -sin), axis=1)
    size = np.hypot(a, b)[:, None]
    t = np.cos(size) * t + np.sinc(size / np.pi) * (a[:, None] * along + b[:, None] * np.cross(t, along))
    out = bound.copy()
    out[:, 2], out[:, 3] = np.arctan2(t[:, 1], t[:, 0]), np.arccos(np.clip(t[:, 2], -1, 1))
    out[:, 4] = np.sign(bound[:, 4]) / after
    return out


def curvature(parameters: FloatArray) -> FloatArray:
    """Signed 1/pT (n,) of bound parameters (n, 5)."""
    return parameters[:, 4] / np.sin(parameters[:, 3])
