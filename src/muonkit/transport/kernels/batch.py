"""Tables of tracks through the compiled transport, one after the other; a track that fails hurts no other."""

from typing import NamedTuple

from muonkit.core.arrays import AnyArray
from muonkit.core.compiled import compiled, leaf
from muonkit.transport.kernels import frames, noise, travel
from muonkit.transport.kernels.tuples import PATH, empty_track, workspace

SLOPE_RATE = 3  # of a row of FreeOut.slope, behind dt/ds


class BoundOut(NamedTuple):
    """What is written of n tracks: bound parameters (n, 5), covariance and Jacobian (n, 5, 5), path (n,) [cm], status
    (n,)."""

    bound: AnyArray
    cov: AnyArray
    jacobian: AnyArray
    path: AnyArray
    status: AnyArray


class FreeOut(NamedTuple):
    """What is written of n tracks: free states (n, 7), curvilinear covariance (n, 5, 5), slope (n, 4): dt/ds and d
    lambda/ds, path (n,) [cm], status (n,)."""

    free: AnyArray
    cov: AnyArray
    slope: AnyArray
    path: AnyArray
    status: AnyArray


@leaf
def copy(values, out):
    """out[:] = values for matrices, without a temporary."""
    for j in range(values.shape[0]):
        for m in range(values.shape[1]):
            out[j, m] = values[j, m]


@leaf
def finite(values):
    """Whether all values (m,) are finite numbers."""
    total = 0.0
    for j in range(values.size):
        total += 0.0 * values[j]  # NaN for NaN and for infinity
    return total == 0.0


@compiled
def bound_to_bound(start, bound, cov, target, way, with_cov, scene, out):
    """Every track from its surface to its target, both in the detector: bound parameters, covariance and Jacobian."""
    work, track, S = workspace(), empty_track(), scene.det.surfaces
    for row in range(bound.shape[0]):
        out.status[row] = travel.NO_START
        if not finite(bound[row]):
            continue
        out.status[row] = travel.NOT_POSITIVE_DEFINITE
        if with_cov:
            if not noise.positive_definite(cov[row], work.M):
                continue
            copy(cov[row], track.C)
        travel.begin_bound(track, S, start[row], bound[row], work)
        out.status[row] = travel.travel(track, target[row], way, scene, work)
        out.path[row] = track.at[PATH]
        if out.status[row] == travel.OK:
            travel.settle_bound(track, S, target[row], work)
            frames.to_bound(S, target[row], track.y, out.bound[row])
            copy(track.T, out.jacobian[row])
            copy(track.C, out.cov[row])


@compiled
def free_to_surface(free, cov, target, way, scene, out):
    """Every free state to its target surface, with a curvilinear covariance at both ends."""
    work, track = workspace(), empty_track()
    for row in range(free.shape[0]):
        out.status[row] = travel.NO_START
        if not finite(free[row]):
            continue
        travel.begin_free(track, free[row], cov[row], work)
        out.status[row] = travel.travel(track, target[row], way, scene, work)
        out.path[row] = track.at[PATH]
        if out.status[row] != travel.OK:
            continue
        travel.fold(track, scene.plan, work)
        for j in range(7):
            out.free[row, j] = track.y[j]
        for j in range(3):
            out.slope[row, j] = work.k[j]
        out.slope[row, SLOPE_RATE] = work.rate[0]
        copy(track.C, out.cov[row])
