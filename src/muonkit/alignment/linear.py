"""Fitted tracks as linear equations: residuals against the five parameters of a track and the parameters of surfaces.

Around the smoothed states of a fitted track its measurements obey r = A x + D p + noise: r, the residuals to the
deterministic track through its first state; x, the five parameters there; p, eight numbers per surface (`parameters`).
The noise is that of the hits and that of matter in front, so its covariance V is not diagonal. V = L L^T whitens: z =
L^-1 r and so on have unit covariance. The solution is that of broken lines (Blobel, Kleinwort and Meier, Comput. Phys.
Commun. 182 (2011) 1760), whose angles have been integrated out. See docs/physics.md, "Alignment"."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import norm
from threadpoolctl import ThreadpoolController

from muonkit.alignment.harmonics import Harmonics
from muonkit.alignment.kernels.walk import Measured
from muonkit.alignment.kernels.whiten import whitened
from muonkit.alignment.parameters import SIZE, units
from muonkit.alignment.ways import Ways, ways
from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.indices import QOP
from muonkit.data.hits import Hits
from muonkit.detector.detector import Detector
from muonkit.detector.surfaces import SurfaceArrays
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
    there, fine = ways(route, states, detector, settings, harmonics)
    tracks, route, states = tracks[fine], route[fine], states[fine]
    there = Ways(*(part[fine] for part in there))
    seen = Measured(route, states, *_measurements(hits, fitted, tracks, route, detector.surfaces))
    white, good = _whitened(there, seen, detector.surfaces)
    number = (seen.variance[good] > 0).sum(axis=(1, 2))
    terms = there.by_terms.shape[-1]
    parts = np.split(white, np.cumsum([1, 5, SIZE * (size + units(terms))]), axis=2)
    z, A, D, kicks = parts[0][:, :, 0], *parts[1:]
    measured = np.arange(z.shape[1]) < number[:, None]
    surface = _with_coefficients(route[good], len(detector.layers), terms)
    return Equations(tracks[good], surface, z, A, D, kicks, measured, len(fine) - len(white))


def _whitened(there: Ways, seen: Measured, surfaces: SurfaceArrays) -> tuple[FloatArray, BoolArray]:
    """Side by side z, A, D, coefficients of the field and kicks (k, m, ...) of those tracks (n,) that have them."""
    n, size = seen.surface.shape
    rows = int((seen.variance > 0).sum(axis=(1, 2)).max(initial=5))
    columns = 1 + 5 + SIZE * (size + units(there.by_terms.shape[-1])) + 2 * size
    white, good = np.zeros((n, rows, columns)), np.zeros(n, dtype=np.bool_)
    whitened(surfaces, there, seen, white, good)
    good &= np.isfinite(white).all(axis=(1, 2))
    return white if good.all() else white[good], good


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
    product = kicks.swapaxes(1, 2) @ kicks
    square, variance = (z[:, None, :] @ kicks)[:, 0] ** 2, np.diagonal(product, axis1=1, axis2=2)
    score = np.where(square < FARTHEST**2 * variance, square - INNER * variance, 0.0)
    product *= product
    rows = product[:, ::2] + product[:, 1::2]
    return Scatter((score[:, ::2] + score[:, 1::2]) / 2, LEFT * (rows[..., ::2] + rows[..., 1::2]) / 2)


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
        D = Q @ on_A
        np.subtract(tracks.D, D, out=D)
        inverse = np.linalg.inv(R) / scale[:, :, None]
        response = -inverse @ on_A
        kicks = tracks.kicks - Q @ (Q.swapaxes(1, 2) @ tracks.kicks)
        z, covariance = tracks.z - np.einsum("nmj,nj->nm", Q, z_on_A), inverse @ inverse.swapaxes(1, 2)
        scatter = _scatter(z, kicks)
    return Eliminated(
        tracks.surface,
        z,
        D,
        response,
        covariance,
        np.einsum("nm,nm->n", z, z),
        tracks.measured.sum(axis=1) - 5 + (covariance[:, QOP, QOP] > STRAIGHT),
        scatter,
        tracks.lost,
    )
