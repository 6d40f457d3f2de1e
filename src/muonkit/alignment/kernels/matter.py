"""Matter on the surfaces that tracks cross: what it does to them, and what more of it would do."""

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
