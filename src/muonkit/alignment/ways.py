"""From every stop of a track to the next: transport through matter and field, and what its parameters do there."""

from typing import NamedTuple

import numpy as np

from muonkit.alignment.harmonics import Harmonics, Ray, Way
from muonkit.alignment.kernels import matter
from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.indices import LOC0, PHI, QOP, THETA
from muonkit.data.tracks import BoundStates
from muonkit.detector.detector import Detector
from muonkit.detector.surfaces import CYLINDER, SurfaceArrays, to_global
from muonkit.transport.propagate import Settings, propagate, scene
from muonkit.transport.status import OK

SHARP = np.array([1e-8, 1e-8, 1e-12, 1e-12, 1e-12]) ** 2  # [cm, cm, rad, rad, 1/GeV]^2: where there is no matter
MORE = 1e-3  # matter, for the derivative of the scattering by ln thickness


class Ways(NamedTuple):
    """From every stop to the next, (n, s - 1, ...): Jacobian F through matter and field, noise Q, effects of field,
    material and coefficients of the field (5, t) at the next stop; kicks (5, 2): the standard deviations of both angles
    that twice the matter on the surface would add; and where the track arrives minus the smoothed state there."""

    F: FloatArray
    Q: FloatArray
    by_field: FloatArray
    by_material: FloatArray
    by_terms: FloatArray
    kicks: FloatArray
    jump: FloatArray


def ways(
    route: IntArray, states: FloatArray, detector: Detector, settings: Settings, harmonics: Harmonics | None
) -> tuple[Ways, BoolArray]:
    """Of tracks with smoothed states (n, s, 5) on surfaces (n, s); which of them (n,) arrive everywhere."""
    n, size = route.shape
    row, stop = np.nonzero(route[:, 1:] >= 0)
    front, surface = states[row, stop], route[row, stop]
    behind = _crossed(detector, surface, front, settings, 1.0)
    more = _crossed(detector, surface, front, settings, 1 + MORE)
    start = front.copy()
    start[:, QOP] = behind.qop
    stopped = ~np.isfinite(behind.qop)
    start[stopped, QOP] = front[stopped, QOP]
    noise = np.zeros((len(row), 5, 5))
    noise[:, range(5), range(5)] = SHARP
    noise[:, range(PHI, QOP + 1), range(PHI, QOP + 1)] += behind.noise
    there = propagate(BoundStates(surface, start, noise), route[row, stop + 1], detector, settings)
    fine = np.ones(n, dtype=np.bool_)
    fine[row[stopped | (there.status != OK)]] = False

    def spread(values: FloatArray) -> FloatArray:
        full = np.zeros((n, size - 1, *values.shape[1:]))
        full[row, stop] = values
        return full

    by_qop = there.jacobian[:, :, QOP]
    through = there.jacobian + by_qop[:, :, None] * (behind.row - np.eye(5)[QOP])[:, None, :]  # matter changes only q/p
    by_field = start[:, QOP, None] * by_qop
    by_field[:, QOP] = 0.0  # a field changes no momentum
    assert there.states.covariance is not None
    jump = _wrapped(there.states.parameters - states[row, stop + 1], route[row, stop + 1], detector.surfaces)
    by_material = by_qop * behind.by_thickness[:, None]
    by_terms = np.zeros((len(row), 5, 0))
    if harmonics is not None:
        first, last = (rays(detector.surfaces, route[row, at], states[row, at]) for at in (stop, stop + 1))
        way = Way(first, last, start[:, QOP], there.jacobian)
        by_terms = np.concatenate((by_field[:, :, None], harmonics.by_terms(way)), axis=2)
    added = np.maximum(more.noise - behind.noise, 0.0)[:, None, : QOP - PHI] / MORE
    kicks = there.jacobian[:, :, PHI:QOP] * np.sqrt(added)
    parts = (through, there.states.covariance, by_field, by_material, by_terms, kicks, jump)
    return Ways(*map(spread, parts)), fine


def _crossed(
    detector: Detector, surface: IntArray, front: FloatArray, settings: Settings, factor: float
) -> matter.Behind:
    """Of states (k, 5) through the matter on surfaces (k,), times a factor."""
    out = matter.Behind(*(np.zeros((len(surface), *shape)) for shape in ((), (5,), (), (3,))))
    seen = scene(detector, settings)
    surfaces = seen.det.surfaces._replace(thickness=seen.det.surfaces.thickness * factor)
    matter.cross(surface, np.ascontiguousarray(front), seen._replace(det=seen.det._replace(surfaces=surfaces)), out)
    return out


def rays(surfaces: SurfaceArrays, ids: IntArray, states: FloatArray) -> Ray:
    """Of bound states (k, 5) on surfaces (k,)."""
    sin = np.sin(states[:, THETA])
    t = np.column_stack((sin * np.cos(states[:, PHI]), sin * np.sin(states[:, PHI]), np.cos(states[:, THETA])))
    return Ray(to_global(surfaces, ids, states[:, :2]), t)


def _wrapped(difference: FloatArray, ids: IntArray, surfaces: SurfaceArrays) -> FloatArray:
    """A difference of states (k, 5), across the seams of phi and of cylinders."""
    around = np.where(surfaces.kind[ids] == CYLINDER, 2 * np.pi * surfaces.radius[ids], np.inf)
    for place, period in ((PHI, 2 * np.pi), (LOC0, around)):
        turns = np.round(difference[:, place] / period)
        difference[:, place] -= np.where(turns == 0, 0.0, turns * np.where(np.isinf(period), 0.0, period))
    return difference
