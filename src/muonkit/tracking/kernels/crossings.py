"""What the matter on the surfaces of fitted tracks is, and which noise the fit gave it."""

import math
from typing import NamedTuple

from muonkit.core.arrays import AnyArray
from muonkit.core.compiled import compiled
from muonkit.core.indices import FREE_QOP, LOC0
from muonkit.transport.kernels import frames, noise, slab, travel
from muonkit.transport.kernels.tuples import empty_track, workspace


class Crossings(NamedTuple):
    """Of n tracks with s stops, (n, s): length of the slab [cm], 0 without matter; variances that the fit gave to a
    projected angle [rad^2] and to q/p [1/GeV^2]."""

    length: AnyArray
    angle: AnyArray
    qop: AnyArray


@compiled
def cross(surface, states, scene, out):
    """Surfaces (n, s), -1 behind the last; smoothed states there (n, s, 5)."""
    S, materials, plan = scene.det.surfaces, scene.det.materials, scene.plan
    mass, work, track = scene.loss.mass, workspace(), empty_track()
    for row in range(surface.shape[0]):
        for stop in range(surface.shape[1]):
            i = surface[row, stop]
            if i < 0 or S.thickness[i] <= 0 or math.isnan(states[row, stop, LOC0]):
                continue
            travel.begin_bound(track, S, i, states[row, stop], work)
            frames.normal(S, i, track.y, work.n)
            across = max(abs(frames.slant(track.y, work.n)), slab.STEEPEST)
            length = S.thickness[i] / across if plan.path_length else S.thickness[i]
            p, material = 1 / abs(track.y[FREE_QOP]), S.material[i]
            out.length[row, stop] = length
            out.angle[row, stop] = noise.highland(length / materials.X0[material], p, mass, plan.scattering)
            if plan.straggling:
                out.qop[row, stop] = slab.straggled(materials.xi[material] * length, p, mass, plan)
