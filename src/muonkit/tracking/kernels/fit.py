"""Whole tracks: filter from the inside out, smoother back. The twin of `kalman`."""

import math

from muonkit.core.compiled import compiled
from muonkit.core.indices import LOC0
from muonkit.tracking.kernels.filter import filter_track
from muonkit.tracking.kernels.smooth import smooth_track
from muonkit.tracking.kernels.tuples import workspace
from muonkit.transport.kernels import step, travel, tuples
from muonkit.transport.kernels.batch import copy


@compiled
def fit_tracks(start, cov, scene, out):
    """Every track from start (n, 5) with covariance cov (n, 5, 5) at the first surface of its route."""
    route, S = scene.route, scene.transport.det.surfaces
    work, track = workspace(route.surface.shape[1]), tuples.empty_track()
    for row in range(start.shape[0]):
        if route.length[row] == 0:
            out.status[row] = travel.NO_START
            continue
        copy(cov[row], track.C)
        track.at[:] = 0.0
        for a in range(5):
            work.x[a] = start[row, a]
        begin = work.x if math.isnan(route.reference[row, 0, LOC0]) else route.reference[row, 0]
        travel.begin_bound(track, S, route.surface[row, 0], begin, work.transport)
        step.hold(track.y, scene.transport, work.transport.stages)
        travel.slopes(track.y, 0.0, scene.transport, 0, work.transport)
        reached = filter_track(track, row, scene, work, out)
        out.reached[row] = reached
        if reached > 0:
            smooth_track(row, reached, scene, work, out)
