"""Equations of tracks, whitened as they are made: V = L L^T row by row, and each row of L^-1 (z, A, D, ...) with it."""

import math

from muonkit.alignment.kernels import walk as walks
from muonkit.alignment.kernels.walk import BY_PLACE, OF_STOP, TRACK
from muonkit.alignment.parameters import SIZE
from muonkit.core.compiled import compiled, inlined, leaf


@leaf
def subtract(factor, other, out, begin, end):
    """out -= factor other, from column begin to end."""
    for m in range(begin, end):
        out[m] -= factor * other[m]


@inlined
def whiten(walk, variance, out, line):
    """One line of L, and of out = L^-1 out; False where the covariance is not positive.

    The surface of a stop moves no measurement before it: the columns D of the stops ahead are 0."""
    L, kicks, left = walk.L, TRACK + SIZE * walk.stops, walk.one[walk.place[line]] + variance
    for k in range(line):
        value, stop = walk.one[walk.place[k]], (walk.place[k] - walk.first) // OF_STOP
        for m in range(k):
            value -= L[line, m] * L[k, m]
        L[line, k] = value / L[k, k]
        left -= L[line, k] * L[line, k]
        subtract(L[line, k], out[k], out[line], 0, TRACK + SIZE * (stop + 1))
        subtract(L[line, k], out[k], out[line], kicks, out.shape[1])
    if not left > 0:
        return False
    L[line, line] = math.sqrt(left)
    for m in range(out.shape[1]):
        out[line, m] /= L[line, line]
    return True


@leaf
def follow(walk, S, ways, measured, row, out):
    """Whitened equations of a track to out (m, ...); False where that fails."""
    line = 0
    walks.begin(walk)
    for stop in range(walk.stops):
        surface, H = measured.surface[row, stop], measured.H[row, stop]
        if surface < 0:
            break
        if stop > 0:
            walks.carry(walk, ways, row, stop)
            walks.spread(walk, ways.F[row, stop - 1], ways.Q[row, stop - 1])
        walks.share(walk, H, stop)
        walks.move(walk, S, surface, measured.states[row, stop], stop)
        for j in range(2):
            variance = measured.variance[row, stop, j]
            if variance > 0:
                walk.place[line] = walk.first + OF_STOP * stop + BY_PLACE + j
                walks.measure(walk, H[j], measured.residual[row, stop, j], stop, out[line])
                if not whiten(walk, variance, out, line):
                    return False
                line += 1
    return True


@compiled
def whitened(S, ways, measured, out, good):
    """The equations of n tracks to out (n, m, ...), 0 before: z, A, D, coefficients of the field, kicks; good (n,):
    which could be whitened."""
    walk = walks.walk_of(measured.surface.shape[1], ways.by_terms.shape[3], out.shape[1])
    for row in range(out.shape[0]):
        good[row] = follow(walk, S, ways, measured, row, out[row])
