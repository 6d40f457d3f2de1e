"""A start for the fit from three measured points: a helix in the field at the middle one. A point is a hit with two
coordinates, or two hits on modules of one layer whose strips cross.

In the plane normal to B, with angles counted around B, the circle through the points P1, P2, P3 has the signed
curvature

    k = 2 (P2 - P1) x (P3 - P2) / (|P12| |P23| |P13|)                                                         (Menger)

and t' = c lambda t x B turns the direction by -c lambda |B| per path, so lambda = -k sin(alpha)/(c |B|), alpha: the
angle between track and B. Errors of the seed do not matter: the result of the fit does not depend on its start."""

import numpy as np

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.units import CURVATURE
from muonkit.data.hits import Hits
from muonkit.data.tracks import BoundStates
from muonkit.detector.detector import Detector
from muonkit.detector.surfaces import to_global
from muonkit.tracking.checks import check_hits

MOST_TURN = 0.5  # rad between chords
WEAKEST = 2e-3  # GeV: a field that changes the momentum by less between the hits bends as little as matter scatters
LEAST_STEREO = 0.01  # sine of the angle between strips that cross
STIFFEST = 1e-6  # 1/GeV: least |q/p| of a start; three points can lie on a straight line


def seed(hits: Hits, detector: Detector, momentum: float = 10.0) -> BoundStates:
    """A state on the surface of the first point of every track, from its first, middle and last point.

    Points behind the place where a track has turned far are not used. A track with fewer than three points gets NaN, so
    that the fit reports it as failed. Where the field is too weak to bend a track, q/p is that of a positive
    particle of `momentum` [GeV]: the fit keeps it, and matter scatters by it. Raises InputError for hits that are no
    measurements and for a momentum that is not above 0."""
    check_hits(hits, detector)
    if not 0 < momentum < np.inf:
        raise InputError(f"seed: momentum: must be above 0 [GeV] (found {momentum})")
    rows, local = _points(hits, detector)
    track, places = hits.track[rows], to_global(detector.surfaces, hits.surface[rows], local)
    begin, count = _straight(track, places, detector, len(hits))
    enough = count >= 3
    picked = np.where(enough[:, None], np.stack((begin, begin + count // 2, begin + count - 1), axis=1), 0)
    if not enough.any():
        return BoundStates(np.zeros(len(hits), dtype=np.int64), np.full((len(hits), 5), np.nan))
    points, first = places[picked], picked[:, 0]
    B = detector.field.value(points[:, 1])
    with np.errstate(invalid="ignore", divide="ignore"):  # a track with too few hits has one point three times
        direction, qop = _helix(points, B)
    phi, theta = np.arctan2(direction[:, 1], direction[:, 0]), np.arccos(np.clip(direction[:, 2], -1, 1))
    qop = np.where(_kick(points, B) < WEAKEST, 1 / momentum, qop)
    qop = np.where(np.abs(qop) < STIFFEST, np.copysign(STIFFEST, qop), qop)
    parameters = np.column_stack((local[first], phi, theta, qop))
    parameters[~enough] = np.nan
    return BoundStates(hits.surface[rows[first]], parameters)


def _straight(track: IntArray, places: FloatArray, detector: Detector, n: int) -> tuple[IntArray, IntArray]:
    """First row of every track, and how many rows there are until the track has turned by twice MOST_TURN around the
    field at the first.

    The angle between two chords from one point of a circle is half of what it turns between their ends."""
    count = np.bincount(track, minlength=n)
    begin = np.concatenate(([0], np.cumsum(count)))[:-1]
    first, B = begin[track], np.zeros((n, 3))
    B[count > 0] = detector.field.value(places[begin[count > 0]])
    chord = _across(places - places[first], B[track])
    second = chord[np.minimum(first + 1, len(chord) - 1)]
    cos = np.einsum("ni,ni->n", chord, second)
    turned = cos < np.cos(MOST_TURN) * np.linalg.norm(chord, axis=1) * np.linalg.norm(second, axis=1)
    number = np.cumsum(turned)
    before = number == (number - turned)[first]
    return begin, np.bincount(track[before], minlength=n)


def _kick(points: FloatArray, B: FloatArray) -> FloatArray:
    """Change of the momentum (n,) [GeV] between first and last of points (n, 3, 3) in the field B (n, 3) [T]."""
    kick: FloatArray = CURVATURE * np.linalg.norm(np.cross(points[:, 2] - points[:, 0], B), axis=1)
    return kick


def _across(vectors: FloatArray, B: FloatArray) -> FloatArray:
    """The parts of vectors (n, 3) normal to B (n, 3)."""
    size2 = np.einsum("ni,ni->n", B, B)
    along = np.einsum("ni,ni->n", vectors, B) / np.where(size2 > 0, size2, np.inf)
    return vectors - along[:, None] * B


def _points(hits: Hits, detector: Detector) -> tuple[IntArray, FloatArray]:
    """Rows (k,) of the hits that are points, and their local coordinates (k, 2) [cm]."""
    rows = np.flatnonzero(detector.surfaces.n_measured[hits.surface] == 2)
    projection = detector.surfaces.projection[hits.surface[rows]]
    local = _solved(projection, hits.value[rows])
    pairs, crossing = _pairs(hits, detector)
    order = np.argsort(np.concatenate((rows, pairs)), kind="stable")
    return np.concatenate((rows, pairs))[order], np.concatenate((local, crossing))[order]


def _pairs(hits: Hits, detector: Detector) -> tuple[IntArray, FloatArray]:
    """Rows (m,) of hits that measure one coordinate, while the next hit measures another in the same layer of modules;
    where both strips cross, on the surface of the first, (m, 2) [cm].

    Between both surfaces the track is taken to run straight away from the origin."""
    S, layer = detector.surfaces, detector.modules.layer_of[hits.surface]
    one = (S.n_measured[hits.surface] == 1) & (layer >= 0)
    pair = np.flatnonzero(one[:-1] & one[1:] & (layer[:-1] == layer[1:]) & (np.diff(hits.track) == 0))
    i, j = hits.surface[pair], hits.surface[pair + 1]
    along, normal = S.center[i], S.axes[j, 2]
    measured = S.projection[j, 0, 0, None] * S.axes[j, 0] + S.projection[j, 0, 1, None] * S.axes[j, 1]
    # x -> x - t (x - c).n / (t.n) carries a point along t onto the plane with normal n through c
    of_next = measured - (_dot(measured, along) / _dot(along, normal))[:, None] * normal
    carried = np.stack((_dot(of_next, S.axes[i, 0]), _dot(of_next, S.axes[i, 1])), axis=1)
    matrix = np.stack((S.projection[i, 0], carried), axis=1)
    value = np.stack((hits.value[pair, 0], hits.value[pair + 1, 0]), axis=1)
    value[:, 1] -= _dot(of_next, S.center[i] - S.center[j])
    cross = np.abs(_determinant(matrix)) > LEAST_STEREO
    return pair[cross], _solved(matrix[cross], value[cross])


def _dot(one: FloatArray, other: FloatArray) -> FloatArray:
    """Scalar products of vectors (n, 3)."""
    return np.asarray(np.einsum("ni,ni->n", one, other), dtype=np.float64)


def _determinant(matrix: FloatArray) -> FloatArray:
    """Of matrices (n, 2, 2)."""
    return np.asarray(matrix[:, 0, 0] * matrix[:, 1, 1] - matrix[:, 0, 1] * matrix[:, 1, 0], dtype=np.float64)


def _solved(matrix: FloatArray, value: FloatArray) -> FloatArray:
    """Solutions (n, 2) of matrix (n, 2, 2) x = value (n, 2), by Cramer: LAPACK took a third of the time of a seed."""
    first = matrix[:, 1, 1] * value[:, 0] - matrix[:, 0, 1] * value[:, 1]
    second = matrix[:, 0, 0] * value[:, 1] - matrix[:, 1, 0] * value[:, 0]
    return np.column_stack((first, second)) / _determinant(matrix)[:, None]


def _helix(points: FloatArray, B: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Direction (n, 3) at the first of three points, and q/p (n,)."""
    size = np.linalg.norm(B, axis=1)
    b = np.where(size[:, None] > 0, B / np.where(size > 0, size, 1.0)[:, None], np.array([0.0, 0.0, 1.0]))
    chords = points[:, (1, 2, 2)] - points[:, (0, 1, 0)]  # 1-2, 2-3, 1-3
    along = np.einsum("nij,nj->ni", chords, b)
    flat = chords - along[..., None] * b[:, None, :]
    length = np.linalg.norm(flat, axis=2)
    turn = np.einsum("ni,ni->n", np.cross(flat[:, 0], flat[:, 1]), b)
    k = 2 * turn / np.prod(length, axis=1)
    half = np.arcsin(np.clip(k * length[:, 0] / 2, -1, 1))
    u = flat[:, 0] / length[:, :1]
    tangent = np.cos(half)[:, None] * u - np.sin(half)[:, None] * np.cross(b, u)
    arc = length[:, 2] / np.sinc(np.arcsin(np.clip(k * length[:, 2] / 2, -1, 1)) / np.pi)
    rise = along[:, 2] / arc
    direction = (tangent + rise[:, None] * b) / np.hypot(1, rise)[:, None]
    return direction, -k / np.hypot(1, rise) / (CURVATURE * np.where(size > 0, size, np.inf))
