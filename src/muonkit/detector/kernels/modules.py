"""Which modules a short piece of a track may cross, from the index of their layer (`detector.index`).

A piece lies within `pad` [cm] of its chord. The chord is cut where it is in the shell of the layer; a hole in the shell
cuts it in two. The cells around both parts hold all modules that count."""

import math
from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import AnyArray
from muonkit.core.compiled import compiled, inlined, leaf, part
from muonkit.core.indices import X, Y, Z

SHELL_R_MIN, SHELL_R_MAX, SHELL_Z_MIN, SHELL_Z_MAX = range(4)
AROUND, ALONG = range(2)
MIDDLE, HALF, FROM, TO = range(4)  # of `ModuleIndex.reach`
WIDER = 1.6  # asin(x) < WIDER x for x < 1


class Nearby(NamedTuple):
    """Of one thread. ids (n,): the modules found; asked (n,): in which search every surface was found last; search
    (1,): number of the present one."""

    ids: AnyArray
    asked: AnyArray
    search: AnyArray


@part
def new_nearby(n):
    """For n surfaces."""
    return Nearby(np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(1, np.int64))


@inlined
def gap(index, g, p):
    """How far it is at least from point p to a module of layer g; 0 or less in its shell."""
    shell = index.shell[g]
    r = math.sqrt(p[X] * p[X] + p[Y] * p[Y])
    across = max(shell[SHELL_R_MIN] - r, r - shell[SHELL_R_MAX])
    return max(across, max(shell[SHELL_Z_MIN] - p[Z], p[Z] - shell[SHELL_Z_MAX]))


@leaf
def candidates(index, g, a, b, pad, nearby):
    """Modules of layer g that a piece from point a to b within `pad` of its chord may cross: fills nearby.ids; returns
    how many."""
    shell, dz = index.shell[g], b[Z] - a[Z]
    low, high = 0.0, 1.0
    if dz != 0:
        one, other = (shell[SHELL_Z_MIN] - pad - a[Z]) / dz, (shell[SHELL_Z_MAX] + pad - a[Z]) / dz
        low, high = max(low, min(one, other)), min(high, max(one, other))
    elif a[Z] < shell[SHELL_Z_MIN] - pad or a[Z] > shell[SHELL_Z_MAX] + pad:
        return 0
    near, far = roots(a, b, shell[SHELL_R_MAX] + pad)
    low, high = max(low, near), min(high, far)
    if low > high:
        return 0
    nearby.search[0] += 1
    near, far = roots(a, b, shell[SHELL_R_MIN] - pad) if shell[SHELL_R_MIN] > pad else (math.inf, -math.inf)
    if near > far:
        return gather(index, g, a, b, (low, high), pad, nearby, 0)
    count = gather(index, g, a, b, (low, min(high, near)), pad, nearby, 0)
    return gather(index, g, a, b, (max(low, far), high), pad, nearby, count)


@inlined
def roots(a, b, r):
    """Between which shares of the way from a to b the distance from the axis is below r; (inf, -inf) for none."""
    d0, d1 = b[X] - a[X], b[Y] - a[Y]
    size2, along = d0 * d0 + d1 * d1, a[X] * d0 + a[Y] * d1
    outside = a[X] * a[X] + a[Y] * a[Y] - r * r
    if size2 < 1e-24:
        return (-math.inf, math.inf) if outside <= 0 else (math.inf, -math.inf)
    under = along * along - size2 * outside
    if under < 0:
        return math.inf, -math.inf
    root = math.sqrt(under)
    return (-along - root) / size2, (-along + root) / size2


@leaf
def gather(index, g, a, b, shares, pad, nearby, count):
    """Add the modules of all cells within `pad` of the chord between two shares of it; returns how many there are."""
    low, high = shares
    if low > high:
        return count
    d0, d1 = b[X] - a[X], b[Y] - a[Y]
    x0, y0, x1, y1 = a[X] + low * d0, a[Y] + low * d1, a[X] + high * d0, a[Y] + high * d1
    r0, r1 = math.sqrt(x0 * x0 + y0 * y0), math.sqrt(x1 * x1 + y1 * y1)
    closest = min(max(-(a[X] * d0 + a[Y] * d1) / max(d0 * d0 + d1 * d1, 1e-300), low), high)
    r_min = math.sqrt((a[X] + closest * d0) ** 2 + (a[Y] + closest * d1) ** 2)
    if index.radial[g]:
        w0, w1 = r_min, max(r0, r1)
    else:
        z0, z1 = a[Z] + low * (b[Z] - a[Z]), a[Z] + high * (b[Z] - a[Z])
        w0, w1 = min(z0, z1), max(z0, z1)
    around, along = index.cells[g, AROUND], index.cells[g, ALONG]
    m0 = min(max(math.floor((w0 - pad - index.low[g]) / index.step[g]), 0), along - 1)
    m1 = min(max(math.floor((w1 + pad - index.low[g]) / index.step[g]), 0), along - 1)
    j0, wide, phi, half = 0, around, 0.0, math.pi
    if r_min > 1.01 * pad:
        turn = math.atan2(x0 * y1 - y0 * x1, x0 * x1 + y0 * y1)
        phi, half = math.atan2(y0, x0) + 0.5 * turn, 0.5 * abs(turn) + WIDER * pad / r_min
        per_cell = around / (2 * math.pi)
        j0 = math.floor((phi - half + math.pi) * per_cell)
        wide = min(math.floor((phi + half + math.pi) * per_cell) - j0 + 1, around)
    for j in range(j0, j0 + wide):
        row = index.first[g] + (j % around) * along
        for entry in range(index.offsets[row + m0], index.offsets[row + m1 + 1]):
            i = index.entries[entry]
            if nearby.asked[i] == nearby.search[0] or not reaches(index, i, phi, half, w0 - pad, w1 + pad):
                continue
            nearby.asked[i] = nearby.search[0]
            nearby.ids[count] = i
            count += 1
    return count


@inlined
def reaches(index, i, phi, half, low, high):
    """Whether a module reaches into phi +- half and, along z or r, between low and high."""
    there = index.reach[i]
    if there[FROM] > high or there[TO] < low:
        return False
    apart = phi - there[MIDDLE]
    apart -= 2 * math.pi * math.floor(apart / (2 * math.pi) + 0.5)
    return abs(apart) <= half + there[HALF]


@compiled
def candidates_of_all(index, a, b, pad):
    """Modules of any layer that straight pieces from a (n, 3) to b (n, 3) within `pad` [cm] may cross: ids (k,), of
    piece i from offsets[i] (n + 1,) on."""
    size, layers = index.layer_of.size, index.radial.size
    nearby, offsets, ids = new_nearby(size), np.zeros(len(a) + 1, np.int64), np.zeros(size, np.int64)
    for row in range(len(a)):
        end = offsets[row]
        for g in range(layers):
            count = candidates(index, g, a[row], b[row], pad, nearby)
            if end + count > ids.size:
                ids = np.concatenate((ids, np.zeros(ids.size + count, np.int64)))
            ids[end : end + count] = nearby.ids[:count]
            end += count
        offsets[row + 1] = end
    return offsets, ids[: offsets[-1]].copy()
