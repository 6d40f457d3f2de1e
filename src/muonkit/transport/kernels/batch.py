"""Tables of tracks through the compiled transport, one after the other; a track that fails hurts no other."""

import numpy as np

from muonkit.core.compiled import compiled, leaf
from muonkit.transport.kernels import frames, noise, travel


@leaf
def copy(values, out):
    """out[:] = values for matrices, without a temporary."""
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            out[i, j] = values[i, j]


@compiled
def bound_to_bound(start, bound, cov, target, way, with_cov, det, loss, plan, end, end_cov, jacobian, path, status):
    """Every track from its surface to its target, both in det.surfaces: bound parameters, covariance and Jacobian."""
    s, track, L, S = travel.scratch(), travel.empty_track(), np.zeros((5, 5)), det.surfaces
    for n in range(bound.shape[0]):
        status[n] = travel.NOT_POSITIVE_DEFINITE
        if with_cov:
            if not noise.positive_definite(cov[n], L):
                continue
            copy(cov[n], track.C)
        travel.begin_bound(track, S, start[n], bound[n], s)
        status[n] = travel.travel(track, S, target[n], way, det, loss, plan, s)
        path[n] = track.at[0]
        if status[n] == travel.OK:
            travel.settle_bound(track, S, target[n], s)
            frames.to_bound(S, target[n], track.y, end[n])
            copy(track.T, jacobian[n])
            copy(track.C, end_cov[n])


@compiled
def free_to_surface(free, cov, target, way, det, loss, plan, end, end_cov, slope, path, status):
    """Every free state to its target surface, with a curvilinear covariance at both ends; slope (n, 4) = k and d
    lambda/ds."""
    s, track, S = travel.scratch(), travel.empty_track(), det.surfaces
    for n in range(free.shape[0]):
        for i in range(7):
            track.y[i] = free[n, i]
        copy(cov[n], track.C)
        frames.start_curvilinear(track.y, s.u, s.v, track.J)
        travel.reset(track)
        status[n] = travel.travel(track, S, target[n], way, det, loss, plan, s)
        path[n] = track.at[0]
        if status[n] != travel.OK:
            continue
        travel.fold(track, plan, s)
        for i in range(7):
            end[n, i] = track.y[i]
        for i in range(3):
            slope[n, i] = s.k[i]
        slope[n, 3] = s.rate[0]
        copy(track.C, end_cov[n])
