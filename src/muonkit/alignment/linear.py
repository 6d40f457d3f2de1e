"""Fitted tracks as linear equations: residuals against the five parameters of a track and the parameters of surfaces.

Around the smoothed states of a fitted track its measurements obey r = A x + D p + noise: r, the residuals to the
deterministic track through its first state; x, the five parameters there; p, eight numbers per surface (`parameters`).
The noise is that of the hits and that of matter in front, so its covariance V is not diagonal. V = L L^T whitens: z =
L^-1 r and so on have unit covariance. The solution is that of broken lines (Blobel, Kleinwort and Meier, Comput. Phys.
Commun. 182 (2011) 1760), whose angles have been integrated out. See docs/physics.md, "Alignment"."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import norm
from threadpoolctl import ThreadpoolController

from muonkit.alignment.harmonics import Harmonics
from muonkit.alignment.parameters import FIELD, SIZE, units
from muonkit.alignment.ways import Ways, rays, ways
from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.indices import QOP
from muonkit.data.hits import Hits
from muonkit.detector.detector import Detector
from muonkit.detector.surfaces import CYLINDER, SurfaceArrays, in_frame, normal
from muonkit.tracking.fitted import FittedTracks
from muonkit.tracking.kernels.tuples import USED
from muonkit.tracking.passes import STRAIGHT
from muonkit.transport.propagate import Settings

FARTHEST = 2.5  # standard deviations of a kink
_AT, _WITHIN = norm.pdf(FARTHEST), 1 - 2 * norm.sf(FARTHEST)
_SQUARE, _FOURTH = _WITHIN - 2 * FARTHEST * _AT, 3 * _WITHIN - 2 * (FARTHEST**3 + 3 * FARTHEST) * _AT
INNER = _SQUARE / _WITHIN
LEFT = (_FOURTH - INNER * _SQUARE) / 2


@cache
def _libraries() -> ThreadpoolController:
    """To look for them takes 10 ms."""
    return ThreadpoolController()


def one_thread() -> AbstractContextManager[Any]:
    """BLAS on one thread: with small matrices, threads wait ten times as long for each other."""
    return _libraries().limit(limits=1, user_api="blas")


@dataclass(frozen=True, slots=True)
class Equations:
    """Whitened equations of n tracks with up to s stops and m measurements: z (n, m), A (n, m, 5), D (n, m, 8 s), kicks
    (n, m, 2 s), see `Ways`; surface (n, s), below 0 behind the last stop; measured (n, m). Rows that are not measured
    are 0. With harmonics of the field, surface and D go on with their coefficients, eight by eight, as if they were
    those of further surfaces.

    track (n,): which of the fitted tracks these are; lost: how many more were fitted, but could not be followed."""

    track: IntArray
    surface: IntArray
    z: FloatArray
    A: FloatArray
    D: FloatArray
    kicks: FloatArray
    measured: BoolArray
    lost: int

    def __len__(self) -> int:
        return len(self.track)


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

    Raises InputError if hits, fitted tracks and detector do not belong together, or if no track was fitted."""
    _check(hits, fitted, detector)
    wanted = np.arange(len(hits)) if tracks is None else np.asarray(tracks, dtype=np.int64)
    tracks = wanted[fitted.good[wanted]]
    if not len(tracks):
        raise InputError("alignment: no track was fitted; look at the statuses of the fit")
    size = int(fitted.count[tracks].max(initial=1))
    route, states = fitted.route[tracks, :size], fitted.stop_parameters[tracks, :size]
    there, fine = ways(route, states, detector, settings, harmonics)
    tracks, route, states = tracks[fine], route[fine], states[fine]
    there = Ways(*(part[fine] for part in there))
    H, r, variance = _measurements(hits, fitted, tracks, route, detector.surfaces)
    rows, measured = _measured(variance)
    followed, offset = _followed(H, there, rows)
    moved = _moved(H, route, states + offset, detector.surfaces)
    sides = _equations(followed, _chosen(moved, rows), _chosen(r, rows), rows)
    with one_thread():
        white = np.linalg.solve(np.linalg.cholesky(_covariance(followed, _chosen(variance, rows), rows)), sides)
    good = np.isfinite(white).all(axis=(1, 2))
    parts = np.split(white[good], np.cumsum([1, 5, SIZE * (size + units(followed.terms.shape[-1]))]), axis=2)
    surface = _with_coefficients(route[good], len(detector.layers), followed.terms.shape[-1])
    z, A, D, kicks = parts[0][:, :, 0], *parts[1:]
    return Equations(tracks[good], surface, z, A, D, kicks, measured[good], len(fine) - int(good.sum()))


def _measured(variance: FloatArray) -> tuple[IntArray, BoolArray]:
    """Places (n, m) of the measurements of every track among 2 s, and which are some: the others have none."""
    there = (variance > 0).reshape(len(variance), 2 * variance.shape[1])
    rows = np.argsort(~there, axis=1, kind="stable")[:, : int(there.sum(axis=1).max(initial=5))]
    return rows, np.take_along_axis(there, rows, axis=1)


def _chosen(values: FloatArray, rows: IntArray) -> FloatArray:
    """Values (n, s, 2, ...) of measurements at their places (n, m): (n, m, ...)."""
    flat = values.reshape(len(rows), 2 * values.shape[1], *values.shape[3:])
    return flat[np.arange(len(rows))[:, None], rows]


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


class Followed(NamedTuple):
    """What moves measurements (n, m, ...): the jumps up to a stop; the state at the first stop (5); field and
    material of every stop (s, 2); coefficients of the field (t); columns of the covariance with the measurements of
    stops before (2 s); kicks of every stop (2 s)."""

    jump: FloatArray
    state: FloatArray
    field_and_material: FloatArray
    terms: FloatArray
    covariance: FloatArray
    kicks: FloatArray


def _followed(H: FloatArray, there: Ways, rows: IntArray) -> tuple[Followed, FloatArray]:
    """Along all ways, at the places (n, m) of measurements; and the track without noise minus the smoothed states
    (n, s, 5)."""
    n, size = H.shape[:2]
    widths = 1, 5, 2 * size, there.by_terms.shape[-1], 2 * size, 2 * size
    first = np.cumsum((0, *widths))
    effect, P = np.zeros((n, 5, first[-1])), np.zeros((n, 5, 5))
    jump, state, parameters, terms, covariance, kicks = (effect[:, :, a:b] for a, b in pairwise(first))
    state[:] = np.eye(5)
    out, offset = np.zeros((n, size, 2, first[-1])), np.zeros((n, size, 5))
    for stop in range(size):
        if stop > 0:
            before, F = slice(2 * stop - 2, 2 * stop), there.F[:, stop - 1]
            effect[:] = F @ effect
            jump[:, :, 0] += there.jump[:, stop - 1]
            parameters[:, :, 2 * stop] = there.by_field[:, stop - 1]
            parameters[:, :, 2 * stop - 1] = there.by_material[:, stop - 1]
            terms += there.by_terms[:, stop - 1]
            kicks[:, :, before] = there.kicks[:, stop - 1]
            P = F @ P @ F.swapaxes(1, 2) + there.Q[:, stop - 1]
        covariance[:, :, 2 * stop : 2 * stop + 2] = P[:, :, :2] @ H[:, stop].swapaxes(1, 2)
        out[:, stop], offset[:, stop] = H[:, stop] @ effect[:, :2], jump[:, :, 0]
    chosen = _chosen(out, rows)
    return Followed(*(chosen[..., a:b] for a, b in pairwise(first))), offset


def _moved(H: FloatArray, route: IntArray, states: FloatArray, surfaces: SurfaceArrays) -> FloatArray:
    """Change of the measurements (n, s, 2, 6) by translation and rotation of their surface, at states of the track
    without noise. At the smoothed states, the slope would follow the residual that it is multiplied with: a telescope
    of 1000 tracks then got longer by 0.5 %.

    A point q of the track lies at q - d in the frame of a surface that moved by d = delta + omega x q, and the track
    meets it n.d/(n.t) further on: with the unit vector e of a coordinate, the change is -(e - (e.t)/(n.t) n).d."""
    n, size = route.shape
    there = np.flatnonzero(route.reshape(-1) >= 0)
    ids, x = route.reshape(-1)[there], states.reshape(-1, 5)[there]
    points, t = rays(surfaces, ids, x)
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


def _equations(followed: Followed, moved: FloatArray, r: FloatArray, rows: IntArray) -> FloatArray:
    """r, A, D, coefficients of the field and kicks side by side (n, m, ...), not yet whitened."""
    n, m = rows.shape
    size, terms = followed.field_and_material.shape[-1] // 2, followed.terms.shape[-1]
    D, last = np.zeros((n, m, size, SIZE)), np.zeros((n, m, SIZE * units(terms)))
    D[np.arange(n)[:, None], np.arange(m), rows // 2, :FIELD] = moved
    D[..., FIELD:] = followed.field_and_material.reshape(n, m, size, 2)
    last[..., :terms] = followed.terms
    first = r[..., None] - followed.jump
    return np.concatenate((first, followed.state, D.reshape(n, m, SIZE * size), last, followed.kicks), axis=2)


def _covariance(followed: Followed, variance: FloatArray, rows: IntArray) -> FloatArray:
    """V (n, m, m) of measurements at places (n, m), 1 on the diagonal where nothing is measured."""
    lower = np.tril(np.take_along_axis(followed.covariance, rows[:, None, :], axis=2))
    V = lower + np.tril(lower, -1).swapaxes(1, 2)
    m = range(rows.shape[1])
    V[:, m, m] += np.where(variance > 0, variance, 1.0)
    return np.asarray(V)


class Scatter(NamedTuple):
    """Of n tracks, by the shares of matter on their s stops: the derivative (n, s) of the log likelihood and its mean
    second derivative (n, s, s), with the sign turned."""

    score: FloatArray
    information: FloatArray


@dataclass(frozen=True, slots=True)
class Eliminated:
    """The equations without the parameters of the tracks. D (n, m, 8 s) and z (n, m): projected on what no track
    parameter can absorb. response (n, 5, 8 s): derivatives of the fitted first state when the description is moved by
    the parameters, so a distortion that is not corrected biases it by -response p; covariance (n, 5, 5) of that state;
    chi2, ndf (n,); scatter: what the sizes of the kinks say of the matter; lost: as in Equations."""

    surface: IntArray
    z: FloatArray
    D: FloatArray
    response: FloatArray
    covariance: FloatArray
    chi2: FloatArray
    ndf: IntArray
    scatter: Scatter
    lost: int = 0


def _scatter(z: FloatArray, kicks: FloatArray) -> Scatter:
    """Of the likelihood of z (n, m) with a covariance 1 + sum_l theta_l U_l U_l^T, U (n, m, 2 s) the kicks of stops.
    A kink v = u^T z has the variance |u|^2: score (v^2 - |u|^2)/2 per angle, information |U_l^T U_k|^2/2.

    Real angles have tails, so kinks beyond FARTHEST standard deviations are left out. What is left of a Gaussian has
    the variance INNER |u|^2 and the share LEFT of the information."""
    n, _, both = kicks.shape
    product = (kicks.swapaxes(1, 2) @ kicks).reshape(n, both // 2, 2, both // 2, 2)
    square, variance = np.einsum("nmg,nm->ng", kicks, z) ** 2, np.einsum("nmg,nmg->ng", kicks, kicks)
    score = np.where(square < FARTHEST**2 * variance, square - INNER * variance, 0.0)
    return Scatter(score.reshape(n, both // 2, 2).sum(axis=2) / 2, LEFT * (product**2).sum(axis=(2, 4)) / 2)


def eliminate(tracks: Equations) -> Eliminated:
    """Integrate out the five parameters of every track, by a QR decomposition of A.

    Where no field bends a track, its q/p stays what it is within 1/GeV, as in the fit."""
    n, m = tracks.z.shape
    weak = np.zeros((n, 1, 5))
    weak[:, 0, QOP] = 1.0
    A = np.concatenate((tracks.A, weak), axis=1)
    scale = np.linalg.norm(A, axis=1)
    with one_thread():
        Q, R = np.linalg.qr(A / scale[:, None, :])
        Q = Q[:, :m]
        on_A, z_on_A = Q.swapaxes(1, 2) @ tracks.D, np.einsum("nmj,nm->nj", Q, tracks.z)
        D = tracks.D - Q @ on_A
        inverse = np.linalg.inv(R) / scale[:, :, None]
        response = -inverse @ on_A
        kicks = tracks.kicks - Q @ (Q.swapaxes(1, 2) @ tracks.kicks)
    z, covariance = tracks.z - np.einsum("nmj,nj->nm", Q, z_on_A), inverse @ inverse.swapaxes(1, 2)
    return Eliminated(
        tracks.surface,
        z,
        D,
        response,
        covariance,
        np.einsum("nm,nm->n", z, z),
        tracks.measured.sum(axis=1) - 5 + (covariance[:, QOP, QOP] > STRAIGHT),
        _scatter(z, kicks),
        tracks.lost,
    )
