"""Tracks from surface to surface, through the thin matter on them. y: free state; S, i: table of surfaces, number of
one."""

from typing import NamedTuple

from muonkit.core.arrays import AnyArray
from muonkit.core.compiled import compiled, inlined
from muonkit.transport.kernels import slab, travel
from muonkit.transport.kernels.batch import copy, finite
from muonkit.transport.kernels.tuples import empty_track, workspace


class CarriedOut(NamedTuple):
    """What is written of n tracks: free states (n, 7), curvilinear covariance (n, 5, 5), status (n,)."""

    free: AnyArray
    cov: AnyArray
    status: AnyArray


@inlined
def follow(track, stops, scene, work):
    """One track to its stops (m,), -1 behind the last; OK or the status that ends it."""
    S = scene.det.surfaces
    for i in stops:
        if i < 0:
            break
        status = travel.travel(track, i, 1.0, scene, work)
        if status != travel.OK:
            return status
        travel.settle_bound(track, S, i, work)
        if not slab.cross(track, S, i, 1.0, scene, work):
            return travel.STOPPED
    return travel.OK


@compiled
def carry_tracks(free, cov, stops, scene, out):
    """n tracks, free (n, 7) with curvilinear covariance (n, 5, 5), to the last of their stops (n, m)."""
    work, track = workspace(), empty_track()
    for row in range(free.shape[0]):
        out.status[row] = travel.NO_START
        if not finite(free[row]):
            continue
        travel.begin_free(track, free[row], cov[row], work)
        out.status[row] = follow(track, stops[row], scene, work)
        if out.status[row] != travel.OK:
            continue
        travel.fold(track, scene.plan, work)
        for j in range(7):
            out.free[row, j] = track.y[j]
        copy(track.C, out.cov[row])
