"""Fitted tracks as linear equations: residuals against the five parameters of a track and the parameters of surfaces.

Around the smoothed states of a fitted track its measurements obey r = A x + D p + noise: r, the residuals to the
deterministic track through its first state; x, the five parameters there; p, eight numbers per surface (`parameters`).
The noise is that of the hits and that of matter in front, so its covariance V is not diagonal. V = L L^T whitens: z =
L^-1 r and so on have unit covariance. The solution is that of broken lines (Blobel, Kleinwort and Meier, Comput. Phys.
Commun. 182 (2011) 1760), whose angles have been integrated out. See docs/physics.md, "Alignment"."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from muonkit.alignment import kernels
from muonkit.alignment.harmonics import Harmonics, Ray, Way
from muonkit.alignment.parameters import FIELD, SIZE, units
from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.indices import LOC0, PHI, QOP, THETA
from muonkit.data.hits import Hits
from muonkit.data.tracks import BoundStates
from muonkit.detector.detector import Detector
from muonkit.detector.surfaces import CYLINDER, SurfaceArrays, in_frame, normal, to_global
from muonkit.tracking.fitted import FittedTracks
from muonkit.tracking.kernels.tuples import USED
from muonkit.tracking.passes import STRAIGHT
from muonkit.transport.propagate import Settings, propagate, scene
from muonkit.transport.status import OK

SHARP = np.array([1e-8, 1e-8, 1e-12, 1e-12, 1e-12]) ** 2  # [cm, cm, rad, rad, 1/GeV]^2: where there is no matter


@dataclass(frozen=True, slots=True)
class Equations:
    """Whitened equations of n tracks with up to s stops and m = 2 s measurements: z (n, m), A (n, m, 5), D (n, m, 8 s);
    surface (n, s), below 0 behind the last stop; measured (n, m). Rows that are not measured are 0. With harmonics of
    the field, surface and D go on with their coefficients, eight by eight, as if they were those of further surfaces.

    track (n,): which of the fitted tracks these are; lost: how many more were fitted, but could not be followed."""

    track: IntArray
    surface: IntArray
    z: FloatArray
    A: FloatArray
    D: FloatArray
    measured: BoolArray
    lost: int

    def __len__(self) -> int:
        return len(self.track)


class Ways(NamedTuple):
    """From every stop to the next, (n, s - 1, ...): Jacobian F through matter and field, noise Q, effects of field,
    material and coefficients of the field (5, t) at the next stop, and where the track arrives minus the smoothed state
    there."""

    F: FloatArray
    Q: FloatArray
    by_field: FloatArray
    by_material: FloatArray
    by_terms: FloatArray
    jump: FloatArray


def equations(
    hits: Hits,
    fitted: FittedTracks,
    detector: Detector,
    settings: Settings = Settings(),
    tracks: IntArray | None = None,
    harmonics: Harmonics | None = None,
) -> Equations:
    """The equations of those of `tracks` (m,), of all where none are given, that were fitted. `settings` are those of
    the fit; harmonics: terms of a correction of the field that are wanted, too. A track of 15 hits takes 0.3 MB
    meanwhile, so give many in chunks, or call `system.accumulate`.

    Raises InputError if hits, fitted tracks and detector do not belong together, for a track that does not exist, or
    if no track was fitted."""
    _check(hits, fitted, detector)
    wanted = np.arange(len(hits)) if tracks is None else np.asarray(tracks, dtype=np.int64)
    if ((wanted < 0) | (wanted >= len(hits))).any():
        raise InputError(f"alignment: tracks are numbered from 0 to {len(hits) - 1}")
    tracks = wanted[fitted.good[wanted]]
    if not len(tracks):
        raise InputError("alignment: no track was fitted; look at the statuses of the fit")
    size = int(fitted.count[tracks].max(initial=1))
    route, states = fitted.route[tracks, :size], fitted.stop_parameters[tracks, :size]
    ways, fine = _ways(route, states, detector, settings, harmonics)
    tracks, route, states = tracks[fine], route[fine], states[fine]
    ways = Ways(*(part[fine] for part in ways))
    H, r, variance = _measurements(hits, fitted, tracks, route, detector.surfaces)
    followed, offset = _followed(H, ways)
    sides = _equations(followed, _moved(H, route, states + offset, detector.surfaces), r, ways.by_terms.shape[-1])
    with threadpool_limits(1, "blas"):  # small matrices, as in `system`
        white = np.linalg.solve(np.linalg.cholesky(_covariance(followed, variance)), sides)
    good = np.isfinite(white).all(axis=(1, 2))
    z, A, D = white[good, :, 0], white[good, :, 1:6], white[good, :, 6:]
    measured = (variance > 0).reshape(len(route), 2 * size)[good]
    surface = _with_coefficients(route[good], len(detector.layers), ways.by_terms.shape[-1])
    return Equations(tracks[good], surface, z, A, D, measured, len(fine) - int(good.sum()))


def _with_coefficients(route: IntArray, surfaces: int, terms: int) -> IntArray:
    """Surfaces (n, s) of tracks, and the further ones that stand for coefficients of the field."""
    further = surfaces + np.arange(units(terms))
    return np.concatenate((route, np.tile(further, (len(route), 1))), axis=1)


def _check(hits: Hits, fitted: FittedTracks, detector: Detector) -> None:
    if len(hits) != len(fitted.status) or len(hits.surface) != len(fitted.use):
        raise InputError(
            f"alignment: {len(hits)} tracks with {len(hits.surface)} hits, but a fit of {len(fitted.status)} tracks "
            f"with {len(fitted.use)} hits; give the hits that were fitted"
        )
    if fitted.route.max(initial=0) >= len(detector.layers):
        raise InputError(
            f"alignment: the tracks meet more surfaces than {detector.name} has; give the detector of the fit"
        )


def _ways(
    route: IntArray, states: FloatArray, detector: Detector, settings: Settings, harmonics: Harmonics | None
) -> tuple[Ways, BoolArray]:
    """From stop to stop; which tracks (n,) arrive everywhere."""
    n, size = route.shape
    row, stop = np.nonzero(route[:, 1:] >= 0)
    front, surface = states[row, stop], route[row, stop]
    behind = kernels.Behind(*(np.zeros((len(row), *shape)) for shape in ((), (5,), (), (3,))))
    kernels.cross(surface, np.ascontiguousarray(front), scene(detector, settings), behind)
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
        full[row, stop] = np.nan_to_num(values)
        return full

    through = np.tile(np.eye(5), (len(row), 1, 1))
    through[:, QOP] = behind.row
    by_qop = there.jacobian[:, :, QOP]
    by_field = start[:, QOP, None] * by_qop
    by_field[:, QOP] = 0.0  # a field changes no momentum
    assert there.states.covariance is not None
    jump = _wrapped(there.states.parameters - states[row, stop + 1], route[row, stop + 1], detector.surfaces)
    by_material = by_qop * behind.by_thickness[:, None]
    by_terms = np.zeros((len(row), 5, 0))
    if harmonics is not None:
        first, last = (_rays(detector.surfaces, route[row, at], states[row, at]) for at in (stop, stop + 1))
        way = Way(first, last, start[:, QOP], there.jacobian)
        by_terms = np.concatenate((by_field[:, :, None], harmonics.by_terms(way)), axis=2)
    parts = (there.jacobian @ through, there.states.covariance, by_field, by_material, by_terms, jump)
    return Ways(*map(spread, parts)), fine


def _rays(surfaces: SurfaceArrays, ids: IntArray, states: FloatArray) -> Ray:
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


def _measurements(
    hits: Hits, fitted: FittedTracks, tracks: IntArray, route: IntArray, surfaces: SurfaceArrays
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Measured directions H (n, s, 2, 2), smoothed residuals (n, s, 2) and variances of the hits; a variance of 0 where
    there is no measurement."""
    n, size = route.shape
    H, r, variance = np.zeros((n, size, 2, 2)), np.zeros((n, size, 2)), np.zeros((n, size, 2))
    number = np.full(len(hits), -1)
    number[tracks] = np.arange(n)
    hit = np.flatnonzero((fitted.use == USED) & (number[hits.track] >= 0))
    row = number[hits.track[hit]]
    stop = np.argmax(route[row] == hits.surface[hit, None], axis=1)
    measured = np.arange(2) < surfaces.n_measured[hits.surface[hit], None]
    H[row, stop] = np.where(measured[:, :, None], surfaces.projection[hits.surface[hit]], 0.0)
    r[row, stop] = np.where(measured, fitted.residual[hit], 0.0)
    variance[row, stop] = np.where(measured, hits.variance[hit], 0.0)
    return H, r, variance


def _followed(H: FloatArray, ways: Ways) -> tuple[FloatArray, FloatArray]:
    """What moves the measurements (n, s, 2, 6 + 4 s + t): the jumps up to a stop; the state at the first stop (5);
    field and material of every stop (2 s); columns of the covariance with the measurements of stops before (2 s);
    coefficients of the field (t). And the track without noise minus the smoothed states (n, s, 5)."""
    n, size = H.shape[:2]
    effect, P = np.zeros((n, 5, 6 + 4 * size + ways.by_terms.shape[-1])), np.zeros((n, 5, 5))
    effect[:, :, 1:6] = np.eye(5)
    out, offset = np.zeros((n, size, 2, effect.shape[2])), np.zeros((n, size, 5))
    for stop in range(size):
        if stop > 0:
            F = ways.F[:, stop - 1]
            effect = F @ effect
            effect[:, :, 0] += ways.jump[:, stop - 1]
            effect[:, :, 6 + 2 * stop] = ways.by_field[:, stop - 1]
            effect[:, :, 6 + 2 * (stop - 1) + 1] = ways.by_material[:, stop - 1]
            effect[:, :, 6 + 4 * size :] += ways.by_terms[:, stop - 1]
            P = F @ P @ F.swapaxes(1, 2) + ways.Q[:, stop - 1]
        first = 6 + 2 * (size + stop)
        effect[:, :, first : first + 2] = P[:, :, :2] @ H[:, stop].swapaxes(1, 2)
        out[:, stop], offset[:, stop] = H[:, stop] @ effect[:, :2], effect[:, :, 0]
    return out, offset


def _moved(H: FloatArray, route: IntArray, states: FloatArray, surfaces: SurfaceArrays) -> FloatArray:
    """Change of the measurements (n, s, 2, 6) by translation and rotation of their surface, at states of the track
    without noise. At the smoothed states, the slope would follow the residual that it is multiplied with: a telescope
    of 1000 tracks then got longer by 0.5 %.

    A point q of the track lies at q - d in the frame of a surface that moved by d = delta + omega x q, and the track
    meets it n.d/(n.t) further on: with the unit vector e of a coordinate, the change is -(e - (e.t)/(n.t) n).d."""
    n, size = route.shape
    there = np.flatnonzero(route.reshape(-1) >= 0)
    ids, x = route.reshape(-1)[there], states.reshape(-1, 5)[there]
    points, t = _rays(surfaces, ids, x)
    axes, q = surfaces.axes[ids], in_frame(surfaces, ids, points)
    t = np.einsum("kij,kj->ki", axes, t)
    across = np.einsum("kij,kj->ki", axes, normal(surfaces, ids, points))
    curved = (surfaces.kind[ids] == CYLINDER)[:, None]
    ez = np.array([0.0, 0.0, 1.0])
    e = np.stack((np.where(curved, np.cross(ez, across), [1.0, 0, 0]), np.where(curved, ez, [0, 1.0, 0])), axis=1)
    slope = np.einsum("kij,kj->ki", e, t) / np.einsum("kj,kj->k", across, t)[:, None]
    by_shift = -(e - slope[:, :, None] * across[:, None, :])
    by_turn = np.cross(q[:, None, :], by_shift)  # e.(omega x q) = omega.(q x e)
    local = np.zeros((n * size, 2, 6))
    local[there] = np.concatenate((by_shift, by_turn), axis=2)
    return H @ local.reshape(n, size, 2, 6)


def _equations(followed: FloatArray, moved: FloatArray, r: FloatArray, terms: int) -> FloatArray:
    """r, A and D side by side (n, 2 s, 6 + 8 s), not yet whitened; and the coefficients of the field."""
    n, size = r.shape[:2]
    D = np.zeros((n, size, 2, size, SIZE))
    stops = np.arange(size)
    D[:, stops, :, stops, :FIELD] = moved.swapaxes(0, 1)
    D[..., FIELD:] = followed[..., 6 : 6 + 2 * size].reshape(n, size, 2, size, 2)
    first = (r - followed[..., 0])[..., None]
    last = np.zeros((n, size, 2, SIZE * units(terms)))
    last[..., :terms] = followed[..., 6 + 4 * size :]
    sides = np.concatenate((first, followed[..., 1:6], D.reshape(n, size, 2, size * SIZE), last), axis=3)
    return sides.reshape(n, 2 * size, sides.shape[3])


def _covariance(followed: FloatArray, variance: FloatArray) -> FloatArray:
    """V (n, 2 s, 2 s), 1 on the diagonal where nothing is measured."""
    n, size = variance.shape[:2]
    m = 2 * size
    lower = np.tril(followed.reshape(n, m, followed.shape[3])[:, :, 6 + m : 6 + 2 * m])
    V = lower + np.tril(lower, -1).swapaxes(1, 2)
    V[:, range(m), range(m)] += np.where(variance > 0, variance, 1.0).reshape(n, m)
    return np.asarray(V)


@dataclass(frozen=True, slots=True)
class Eliminated:
    """The equations without the parameters of the tracks. D (n, m, 8 s) and z (n, m): projected on what no track
    parameter can absorb. response (n, 5, 8 s): derivatives of the fitted first state when the description is moved by
    the parameters, so a distortion that is not corrected biases it by -response p; covariance (n, 5, 5) of that state;
    chi2, ndf (n,); lost: as in Equations."""

    surface: IntArray
    z: FloatArray
    D: FloatArray
    response: FloatArray
    covariance: FloatArray
    chi2: FloatArray
    ndf: IntArray
    lost: int = 0


def eliminate(tracks: Equations) -> Eliminated:
    """Integrate out the five parameters of every track, by a QR decomposition of A.

    Where no field bends a track, its q/p stays what it is within 1/GeV, as in the fit."""
    n, m = tracks.z.shape
    weak = np.zeros((n, 1, 5))
    weak[:, 0, QOP] = 1.0
    A = np.concatenate((tracks.A, weak), axis=1)
    scale = np.linalg.norm(A, axis=1)
    with threadpool_limits(1, "blas"):
        Q, R = np.linalg.qr(A / scale[:, None, :])
        Q = Q[:, :m]
        on_A, z_on_A = Q.swapaxes(1, 2) @ tracks.D, np.einsum("nmj,nm->nj", Q, tracks.z)
        D = tracks.D - Q @ on_A
        inverse = np.linalg.inv(R) / scale[:, :, None]
        response = -inverse @ on_A
    z, covariance = tracks.z - np.einsum("nmj,nj->nm", Q, z_on_A), inverse @ inverse.swapaxes(1, 2)
    return Eliminated(
        tracks.surface,
        z,
        D,
        response,
        covariance,
        np.einsum("nm,nm->n", z, z),
        tracks.measured.sum(axis=1) - 5 + (covariance[:, QOP, QOP] > STRAIGHT),
        tracks.lost,
    )
