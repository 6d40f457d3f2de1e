"""Toy tracks whose random kicks can be mirrored: the linear part of an error is then gone from the mean of both.

The way follows the surfaces that a particle without noise crosses, by the transport of the fit."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.data.hits import Hits
from muonkit.data.tracks import BoundStates
from muonkit.data.truth import Truth
from muonkit.detector.detector import Detector
from muonkit.detector.material import Material
from muonkit.detector.surfaces import normal, to_global, to_local
from muonkit.simulation.gun import Gun
from muonkit.simulation.tracker.digitise import Readout
from muonkit.simulation.tracker.step import Physics
from muonkit.simulation.tracker.tracks import simulate_tracks
from muonkit.transport.interactions.scattering import HIGHLAND, LOG_TERM, rutherford
from muonkit.transport.interactions.straggling import sample_loss, variance
from muonkit.transport.interactions.tables import mean_loss
from muonkit.transport.propagate import Settings, propagate

QUIET = Settings(energy_loss="ionisation", tolerance=1e-6)
MASS = 0.1056583755
HARD = 20  # kicks of a slab that are drawn one by one, on average


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


class Tails(NamedTuple):
    """Losses around the mean (n, L) [GeV] by Landau, angles (n, L, 2) [rad] by Moliere."""

    loss: FloatArray
    angle: FloatArray


def draw_tails(way: Ways, seed: int) -> Tails:
    """For particles that lose the mean and do not scatter."""
    rng, still = np.random.default_rng(seed), np.zeros((*way.surface.shape, 5))
    tails = Tails(np.zeros(way.surface.shape), np.zeros((*way.surface.shape, 2)))
    for stop, on, bound in _walk(way, still, Tails(*(np.zeros_like(part) for part in tails))):
        _, p, length = _slab(way.detector, way.surface[on, stop], bound)
        for material, rows in _materials(way.detector, way.surface[on, stop]):
            where = np.flatnonzero(on)[rows], stop
            mean = mean_loss(material, "mu", p[rows], radiation=False)[0] * length[rows]
            tails.loss[where] = sample_loss(material, p[rows], MASS, length[rows], rng) - mean
            tails.angle[where] = _angles(rutherford(material), p[rows], length[rows], rng)
    return tails


def _angles(
    scatterer: tuple[float, float, float], p: FloatArray, length: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Angles (k, 2) of many soft kicks and HARD single ones; density of theta^2: chi_c^2/(theta^2 + chi_alpha^2)^2."""
    chi_c2, chi_a2 = scatterer[0] * length * (p**2 + MASS**2) / p**4, scatterer[1] / p**2
    cut = chi_c2 / HARD - chi_a2
    soft = np.sqrt(chi_c2 / 2 * (np.log1p(cut / chi_a2) - cut / (cut + chi_a2)))
    row = np.repeat(np.arange(len(p)), rng.poisson(HARD, len(p)))
    theta = np.sqrt(chi_c2[row] / (HARD * rng.uniform(size=len(row))) - chi_a2[row])
    around = rng.uniform(0, 2 * np.pi, len(row))
    hard = [np.bincount(row, theta * part, len(p)) for part in (np.cos(around), np.sin(around))]
    return soft[:, None] * rng.standard_normal((len(p), 2)) + np.column_stack(hard)


def noisy(way: Ways, noise: FloatArray, tails: Tails | None = None) -> Hits:
    """The hits of particles that start alike and are kicked by `noise`, or by tails and errors of the hits alone."""
    S = way.detector.surfaces
    value = np.full((*way.surface.shape, 2), np.nan)
    for stop, on, bound in _walk(way, noise, tails):
        ids = way.surface[on, stop]
        measured = np.einsum("nij,nj->ni", S.projection[ids], bound[:, :2])
        value[on, stop] = measured + S.sigma[ids] * noise[on, stop, 3:]
    hit = np.isfinite(value[..., 0]) & (S.n_measured[way.surface] > 0)
    ids = way.surface[hit]
    values = np.where(np.arange(2) < S.n_measured[ids][:, None], value[hit], 0.0)
    return Hits(np.concatenate(([0], np.cumsum(hit.sum(axis=1)))), ids, values, S.sigma[ids] ** 2)


def _walk(way: Ways, noise: FloatArray, tails: Tails | None) -> Iterator[tuple[int, BoolArray, FloatArray]]:
    """Stop by stop: its number, particles (n,) that are there, their states in front of its matter."""
    bound = way.start.parameters.copy()
    for stop in range(way.surface.shape[1]):
        here = way.surface[:, stop]
        on = (here >= 0) & np.isfinite(bound[:, 0])
        if stop:
            before = BoundStates(way.surface[on, stop - 1], bound[on])
            bound[on] = propagate(before, here[on], way.detector, QUIET).states.parameters
            on &= np.isfinite(bound[:, 0])  # a hard kick may lead past a disc
        yield stop, on, bound[on]
        own = None if tails is None else Tails(tails.loss[on, stop], tails.angle[on, stop])
        bound[on] = _kicked(way.detector, here[on], bound[on], noise[on, stop], own)


def _slab(detector: Detector, ids: IntArray, bound: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Direction (k, 3), momentum (k,) and length of the matter (k,) of states on surfaces."""
    S, sin, cos = detector.surfaces, np.sin(bound[:, 3]), np.cos(bound[:, 3])
    x = to_global(S, ids, bound[:, :2])
    t = np.stack((sin * np.cos(bound[:, 2]), sin * np.sin(bound[:, 2]), cos), axis=1)
    return t, 1 / np.abs(bound[:, 4]), S.thickness[ids] / np.abs(np.einsum("ni,ni->n", normal(S, ids, x), t))


def _materials(detector: Detector, ids: IntArray) -> Iterator[tuple[Material, BoolArray]]:
    """Materials, and the surfaces (k,) that are of them."""
    for number, material in enumerate(detector.materials):
        rows = (detector.surfaces.material[ids] == number) & (detector.surfaces.thickness[ids] > 0)
        if rows.any():
            yield material, rows


def _kicked(detector: Detector, ids: IntArray, bound: FloatArray, noise: FloatArray, tails: Tails | None) -> FloatArray:
    t, p, length = _slab(detector, ids, bound)
    lost, angle = np.zeros_like(p), np.zeros_like(p)
    for material, rows in _materials(detector, ids):
        width = np.sqrt(variance(material, p[rows], MASS, 1.0) * length[rows])
        mean = mean_loss(material, "mu", p[rows], radiation=False)[0] * length[rows]
        lost[rows] = mean + (width * noise[rows, 0] if tails is None else tails.loss[rows])
        beta2, depth = p[rows] ** 2 / (p[rows] ** 2 + MASS**2), length[rows] / material.X0
        angle[rows] = HIGHLAND / p[rows] * np.sqrt(depth / beta2) * (1 + LOG_TERM * np.log(depth / beta2))
    after = np.sqrt(np.maximum(np.hypot(p, MASS) - lost, 1.1 * MASS) ** 2 - MASS**2)
    a, b = (angle * noise[:, 1], angle * noise[:, 2]) if tails is None else tails.angle.T
    sin, cos = np.sin(bound[:, 3]), np.cos(bound[:, 3])
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
