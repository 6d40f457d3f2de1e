"""Tracks from stop to stop, and what moves their measurements there: see `linear`.

All effects are carried together, as columns: the jumps; the state at the first stop (5); coefficients of the field (t);
then, stop by stop, those of OF_STOP. Stops ahead have no effect yet, so their columns are not touched."""

from typing import NamedTuple

import numpy as np

from muonkit.alignment.parameters import FIELD, MATERIAL, SIZE
from muonkit.core.arrays import AnyArray
from muonkit.core.compiled import inlined, leaf, part
from muonkit.transport.kernels import frames

TRACK = 6  # columns of the jumps and of the state
BY_FIELD, BY_MATTER, BY_KICKS, BY_PLACE, OF_STOP = 0, 1, 2, 4, 6  # field before a stop, its matter, kicks, measurements


class Measured(NamedTuple):
    """Of n tracks on s stops: surface (n, s), below 0 behind the last stop; smoothed states (n, s, 5); measured
    directions H (n, s, 2, 2), smoothed residuals (n, s, 2), variances of the hits, 0 where nothing is measured."""

    surface: AnyArray
    states: AnyArray
    H: AnyArray
    residual: AnyArray
    variance: AnyArray


class Walk(NamedTuple):
    """Scratch of a track with so many stops; columns of stops begin at `first`. effect (2, 5, c): on the state, at even
    and at odd stops; P, M (5, 5); one (c,): on one measurement, in the columns BY_PLACE its covariance with
    those before; L (m, m); place (m,): column of every measurement; x (5,), y (7,): state without noise, bound and
    free; n, d, r (3,): normal, shift, turn; axis (2, 3): of loc0 and loc1; moved (2, 6): changes of loc0 and loc1 by
    translation and rotation of their surface."""

    stops: int
    first: int
    effect: AnyArray
    P: AnyArray
    M: AnyArray
    one: AnyArray
    L: AnyArray
    place: AnyArray
    x: AnyArray
    y: AnyArray
    n: AnyArray
    d: AnyArray
    r: AnyArray
    axis: AnyArray
    moved: AnyArray


@part
def walk_of(stops, terms, rows):
    """Scratch for tracks with so many stops, coefficients of the field and measurements."""
    first = TRACK + terms
    columns = first + OF_STOP * stops
    effect, one, place = np.zeros((2, 5, columns)), np.zeros(columns), np.zeros(rows, np.int64)
    P, M, L = np.zeros((5, 5)), np.zeros((5, 5)), np.zeros((rows, rows))
    x, y, n, d, r = np.zeros(5), np.zeros(7), np.zeros(3), np.zeros(3), np.zeros(3)
    return Walk(stops, first, effect, P, M, one, L, place, x, y, n, d, r, np.zeros((2, 3)), np.zeros((2, 6)))


@inlined
def begin(walk):
    """At the first stop: the state moves itself, and nothing else does."""
    walk.effect[:] = 0.0
    walk.P[:] = 0.0
    for j in range(5):
        walk.effect[0, j, 1 + j] = 1.0


@leaf
def times(F, before, after, columns):
    """after = F before, matrices (5, columns)."""
    for j in range(5):
        f0, f1, f2, f3, f4 = F[j, 0], F[j, 1], F[j, 2], F[j, 3], F[j, 4]
        for m in range(columns):
            first = f0 * before[0, m] + f1 * before[1, m]
            after[j, m] = first + f2 * before[2, m] + f3 * before[3, m] + f4 * before[4, m]


@inlined
def carry(walk, ways, row, stop):
    """The effects from the stop before to this one, and those of the way there."""
    effect, way, before = walk.effect[stop % 2], stop - 1, walk.first + OF_STOP * (stop - 1)
    times(ways.F[row, way], walk.effect[way % 2], effect, before + OF_STOP)
    for j in range(5):
        effect[j, 0] += ways.jump[row, way, j]
        effect[j, before + OF_STOP + BY_FIELD] = ways.by_field[row, way, j]
        effect[j, before + BY_MATTER] = ways.by_material[row, way, j]
        for m in range(2):
            effect[j, before + BY_KICKS + m] = ways.kicks[row, way, j, m]
        for m in range(ways.by_terms.shape[3]):
            effect[j, TRACK + m] += ways.by_terms[row, way, j, m]


@inlined
def spread(walk, F, Q):
    """The covariance of the state: P = F P F^T + Q."""
    times(F, walk.P, walk.M, 5)
    for j in range(5):
        for m in range(5):
            total = Q[j, m]
            for k in range(5):
                total += walk.M[j, k] * F[m, k]
            walk.P[j, m] = total


@inlined
def share(walk, H, stop):
    """The covariance of the state with the measurements of a stop: P H^T."""
    first = walk.first + OF_STOP * stop + BY_PLACE
    for j in range(5):
        for m in range(2):
            walk.effect[stop % 2, j, first + m] = walk.P[j, 0] * H[m, 0] + walk.P[j, 1] * H[m, 1]


@inlined
def move(walk, S, i, state, stop):
    """walk.moved where the track without noise is. At the smoothed states, the slope would follow the residual that it
    is multiplied with: a telescope of 1000 tracks then got longer by 0.5 %.

    A point q of the track lies at q - d in the frame of a surface that moved by d = delta + omega x q, and the track
    meets it n.d/(n.t) further on: with the unit vector e of a coordinate, the change is -(e - (e.t)/(n.t) n).d."""
    for j in range(5):
        walk.x[j] = state[j] + walk.effect[stop % 2, j, 0]
    y, n, d, r = walk.y, walk.n, walk.d, walk.r
    frames.to_free(S, i, walk.x, y)
    frames.normal(S, i, y, n)
    frames.first_axis(S, i, n, walk.axis[0])
    frames.second_axis(S, i, walk.axis[1])
    q0, q1, q2 = y[0] - S.center[i, 0], y[1] - S.center[i, 1], y[2] - S.center[i, 2]
    for m in range(2):
        e = walk.axis[m]
        slope = frames.slant(y, e) / frames.slant(y, n)
        for j in range(3):
            d[j] = slope * n[j] - e[j]
        r[0], r[1], r[2] = q1 * d[2] - q2 * d[1], q2 * d[0] - q0 * d[2], q0 * d[1] - q1 * d[0]
        for j in range(3):
            axis = S.axes[i, j]
            walk.moved[m, j] = axis[0] * d[0] + axis[1] * d[1] + axis[2] * d[2]
            walk.moved[m, 3 + j] = axis[0] * r[0] + axis[1] * r[1] + axis[2] * r[2]


@leaf
def combine(h, rows, out, columns):
    """out = h rows of two rows (2, columns)."""
    h0, h1 = h[0], h[1]
    for m in range(columns):
        out[m] = h0 * rows[0, m] + h1 * rows[1, m]


@inlined
def measure(walk, h, residual, stop, out):
    """What moves a measurement along h (2,) at a stop, to out: z, A, D, coefficients of the field, kicks."""
    one, D, kicks = walk.one, TRACK, out.size - 2 * walk.stops
    combine(h, walk.effect[stop % 2], one, walk.first + OF_STOP * (stop + 1))
    out[0] = residual - one[0]
    for j in range(1, TRACK):
        out[j] = one[j]
    for at in range(stop + 1):
        column = walk.first + OF_STOP * at
        out[D + SIZE * at + FIELD] = one[column + BY_FIELD]
        out[D + SIZE * at + MATERIAL] = one[column + BY_MATTER]
        for j in range(2):
            out[kicks + 2 * at + j] = one[column + BY_KICKS + j]
    for j in range(walk.first - TRACK):
        out[D + SIZE * walk.stops + j] = one[TRACK + j]
    combine(h, walk.moved, out[D + SIZE * stop :], FIELD)
