"""Tracks at the beam line x = y = 0: at the point of closest approach, with derivatives.

    d0 = -x sin phi + y cos phi,   z0,   phi,   theta,   q/p     at   x . t_T = 0

The way there is so short that a parabola is enough: x(s) = x + s t + s^2/2 k, k = c (q/p) t x B. It is wrong by
s^3/(6 R^2): 2e-9 cm behind 1 mm at pT = 0.5 GeV and 3.8 T."""

from dataclasses import replace

import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.core.indices import LOC0, LOC1, PHI, QOP, THETA
from muonkit.core.units import CURVATURE
from muonkit.data.tracks import BoundStates, Perigees
from muonkit.detector.detector import Detector
from muonkit.detector.surfaces import PLANE, SurfaceArrays
from muonkit.transport.propagate import Settings, propagate

PLANES = 4  # through the beam line, 45 degrees apart: a track crosses one of them nearly head-on
NEWTON = 3  # steps to the closest point


def with_beam_line(detector: Detector) -> Detector:
    """The detector with planes through the beam line, behind its other surfaces. Nothing meets them: a fit starts
    there."""
    angle = np.arange(PLANES) * np.pi / PLANES
    cos, sin, zero = np.cos(angle), np.sin(angle), np.zeros(PLANES)
    w, u = np.stack((cos, sin, zero), axis=1), np.stack((-sin, cos, zero), axis=1)
    axes = np.stack((u, np.tile([0.0, 0.0, 1.0], (PLANES, 1)), w), axis=1)
    whole = np.zeros(PLANES, dtype=np.int64)
    nowhere = np.tile([1.0, -1.0, 1.0, -1.0], (PLANES, 1))
    planes = {"kind": whole + PLANE, "axes": axes, "bounds": nowhere}
    columns = {
        name: np.concatenate((old, planes.get(name, np.zeros((PLANES, *old.shape[1:]), old.dtype))))
        for name, old in detector.surfaces._asdict().items()
    }
    names = tuple(f"beam line/{number}" for number in range(PLANES))
    more = PLANES if len(detector.layer_of) else 0  # a detector without modules has no such columns
    return replace(
        detector,
        surfaces=SurfaceArrays(**columns),
        layers=detector.layers + names,
        layer_of=np.concatenate((detector.layer_of, np.full(more, -1))),
        nominal=np.concatenate((detector.nominal, np.zeros((more, 3)))),
    )


def started(start: BoundStates, detector: Detector, settings: Settings) -> BoundStates:
    """Starts of a fit, on the plane through the beam line that each track crosses most nearly head-on; NaN where it
    does not get there."""
    finite = np.isfinite(start.parameters).all(axis=1)
    phi = np.where(finite, start.parameters[:, PHI], 0.0)
    first = len(detector.layers) - PLANES
    target = first + np.rint(phi / (np.pi / PLANES)).astype(np.int64) % PLANES
    found = np.full_like(start.parameters, np.nan)
    back = BoundStates(start.surface[finite], start.parameters[finite])
    found[finite] = propagate(back, target[finite], detector, settings, "backward").states.parameters
    return BoundStates(target, found)


def to_perigee(states: BoundStates, detector: Detector) -> Perigees:
    """States on planes through the beam line, with their covariance, at the point of closest approach."""
    parameters, J = perigee_of(states, detector)
    return Perigees(parameters, J @ _covariance(states) @ J.transpose(0, 2, 1))


def perigee_of(states: BoundStates, detector: Detector) -> tuple[FloatArray, FloatArray]:
    """Parameters (n, 5) at the point of closest approach of states on planes through the beam line, and their
    derivatives (n, 5, 5) by the states."""
    S, n = detector.surfaces, len(states)
    p, axes = states.parameters, S.axes[states.surface]
    position = p[:, LOC0, None] * axes[:, 0] + p[:, LOC1, None] * axes[:, 1]
    B = detector.field.value(np.where(np.isfinite(position), position, 0.0))
    parameters, by_free = closest(position, p[:, PHI:], B)
    by_local = np.zeros((n, 6, 5))
    by_local[:, :3, 0], by_local[:, :3, 1] = axes[:, 0], axes[:, 1]
    by_local[:, 3:, 2:] = np.eye(3)
    return parameters, by_free @ by_local


def _covariance(states: BoundStates) -> FloatArray:
    return np.full((len(states), 5, 5), np.nan) if states.covariance is None else states.covariance


def closest(position: FloatArray, momentum: FloatArray, B: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Parameters (n, 5) at the closest point to the beam line of tracks at `position` (n, 3) [cm] with `momentum`
    (n, 3): phi, theta, q/p; and their derivatives (n, 5, 6) by position and momentum. B (n, 3) [T]."""
    phi, theta, qop = momentum.T
    sin, cos = np.sin(theta), np.cos(theta)
    t = np.stack((sin * np.cos(phi), sin * np.sin(phi), cos), axis=1)
    k = CURVATURE * qop[:, None] * np.cross(t, B)
    s = np.zeros(len(position))
    for _ in range(NEWTON):
        x, u = position + s[:, None] * t + 0.5 * s[:, None] ** 2 * k, t + s[:, None] * k
        s -= _dot(x, u) / (_dot(u, u) + _dot(x, k))
    x, u = position + s[:, None] * t + 0.5 * s[:, None] ** 2 * k, t + s[:, None] * k
    u /= np.linalg.norm(u, axis=1)[:, None]
    dx, du = _derivatives(t, k, s, B, momentum)
    ds = -(_dot(dx, u[:, :, None]) + _dot(x[:, :, None], du)) / (_dot(u, u) + _dot(x, k))[:, None]
    dx, du = dx + u[:, :, None] * ds[:, None], du + k[:, :, None] * ds[:, None]
    return _perigee(x, u, qop), _by_free(x, u, dx, du)


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    """Of the parts across the beam line."""
    return np.asarray(a[:, 0] * b[:, 0] + a[:, 1] * b[:, 1], dtype=np.float64)


def _derivatives(
    t: FloatArray, k: FloatArray, s: FloatArray, B: FloatArray, momentum: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Of position and direction (n, 3, 6) behind a path s (n,), by position, phi, theta and q/p."""
    phi, theta, qop = momentum.T
    zero = np.zeros_like(phi)
    dt = np.zeros((len(t), 3, 6))
    dt[:, :, 3] = np.stack((-t[:, 1], t[:, 0], zero), axis=1)
    dt[:, :, 4] = np.stack((np.cos(theta) * np.cos(phi), np.cos(theta) * np.sin(phi), -np.sin(theta)), axis=1)
    dk = CURVATURE * qop[:, None, None] * np.cross(dt, B[:, :, None], axis=1)
    dk[:, :, 5] = k / qop[:, None]
    path = s[:, None, None]
    dx = path * dt + 0.5 * path**2 * dk
    dx[:, :, :3] += np.eye(3)
    return dx, dt + path * dk


def _perigee(x: FloatArray, u: FloatArray, qop: FloatArray) -> FloatArray:
    across = np.hypot(u[:, 0], u[:, 1])
    d0 = (x[:, 1] * u[:, 0] - x[:, 0] * u[:, 1]) / across
    return np.column_stack((d0, x[:, 2], np.arctan2(u[:, 1], u[:, 0]), np.arctan2(across, u[:, 2]), qop))


def _by_free(x: FloatArray, u: FloatArray, dx: FloatArray, du: FloatArray) -> FloatArray:
    """Derivatives (n, 5, 6) of the parameters; x . u_T = 0, so d0 does not change with phi."""
    across = np.hypot(u[:, 0], u[:, 1])[:, None]
    out = np.zeros((len(x), 5, 6))
    out[:, 0] = (u[:, 0, None] * dx[:, 1] - u[:, 1, None] * dx[:, 0]) / across
    out[:, 1] = dx[:, 2]
    out[:, PHI] = (u[:, 0, None] * du[:, 1] - u[:, 1, None] * du[:, 0]) / across**2
    d_across = (u[:, 0, None] * du[:, 0] + u[:, 1, None] * du[:, 1]) / across
    out[:, THETA] = d_across * u[:, 2, None] - across * du[:, 2]
    out[:, QOP, 5] = 1.0
    return out
