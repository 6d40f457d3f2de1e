"""The compiled loops of the alignment: matter on surfaces, and sums of blocks.

x: bound state (5,); S, i: table of surfaces, number of one; n: unit normal; a, b: stops of a track; j, m: rows and
columns of a block; `row` is the number of a state or of a track."""

import math
from typing import NamedTuple

from muonkit.core.arrays import AnyArray
from muonkit.core.compiled import compiled, inlined
from muonkit.core.indices import FREE_QOP, PHI, QOP
from muonkit.transport.kernels import frames, slab, travel
from muonkit.transport.kernels.batch import finite
from muonkit.transport.kernels.tuples import empty_track, workspace


class Behind(NamedTuple):
    """What is written of k crossings: q/p behind the matter (k,), NaN where the track stops; its derivatives by the
    bound state in front (k, 5), and by ln thickness (k,); variances of phi, theta and q/p (k, 3)."""

    qop: AnyArray
    row: AnyArray
    by_thickness: AnyArray
    noise: AnyArray


@inlined
def by_log_thickness(track, S, i, scene, work):
    """d(q/p behind)/d ln(thickness) of the matter in front of which the track is."""
    y, materials = track.y, scene.det.materials
    if S.thickness[i] <= 0 or scene.plan.loss_mode == slab.NO_LOSS:
        return 0.0
    frames.normal(S, i, y, work.n)
    length = S.thickness[i] / max(abs(frames.slant(y, work.n)), slab.STEEPEST)
    matter = slab.Slab(S.material[i], materials.xi[S.material[i]], length)
    p = 1 / abs(y[FREE_QOP])
    after, _, by_length = slab.behind(scene.loss, matter, p, scene.plan)
    return -y[FREE_QOP] * p / (after * after) * by_length


@compiled
def cross(surface, bound, scene, out):
    """k bound states (k, 5) through the matter of their surfaces (k,)."""
    S, work, track = scene.det.surfaces, workspace(), empty_track()
    for row in range(bound.shape[0]):
        i = surface[row]
        out.qop[row] = math.nan
        if not finite(bound[row]):
            continue
        track.C[:] = 0.0
        travel.begin_bound(track, S, i, bound[row], work)
        out.by_thickness[row] = by_log_thickness(track, S, i, scene, work)
        if slab.cross(track, S, i, 1.0, scene, work):
            out.qop[row] = track.y[FREE_QOP]
        for j in range(5):
            out.row[row, j] = track.T[QOP, j]
        for place in range(PHI, QOP + 1):
            out.noise[row, place - PHI] = track.C[place, place]


@inlined
def add_block(block, product, first, second):
    """block[j, m] += product[first + j, second + m]."""
    for j in range(block.shape[0]):
        for m in range(block.shape[1]):
            block[j, m] += product[first + j, second + m]


@compiled
def add_blocks(blocks, slot, surface, product):
    """Add the products (n, s size, s size) of n tracks to blocks (b, size, size).

    slot (n, s, s): the block of a pair of stops, -1 for none; of two stops a < b on one surface both orders count. The
    block of surfaces i < k has i in its rows."""
    size = blocks.shape[1]
    for row in range(slot.shape[0]):
        for a in range(slot.shape[1]):
            for b in range(a, slot.shape[2]):
                place = slot[row, a, b]
                if place < 0:
                    continue
                if surface[row, a] <= surface[row, b]:
                    add_block(blocks[place], product[row], size * a, size * b)
                if surface[row, b] < surface[row, a] or (a != b and surface[row, a] == surface[row, b]):
                    add_block(blocks[place], product[row], size * b, size * a)
