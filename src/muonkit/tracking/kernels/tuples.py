"""What travels together through the kernels of the track fit."""

from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import AnyArray
from muonkit.core.compiled import part
from muonkit.transport.kernels import tuples

NO_HIT, USED, OUTLIER = range(3)
NOTHING = -1


class Stops(NamedTuple):
    """What the filter leaves at every surface of one track: predicted state (longest, 5) and covariance (longest, 5,
    5), which of an updated stop are the filtered ones, Jacobian from the stop before (longest, 5, 5), A = 1 - K H, W,
    residual, hit of the stop (or NOTHING) and what became of it; v (longest, 5), see `smooth.reach`."""

    x: AnyArray
    C: AnyArray
    F: AnyArray
    A: AnyArray
    W: AnyArray
    r: AnyArray
    hit: AnyArray
    use: AnyArray
    v: AnyArray


class Route(NamedTuple):
    """Surfaces that every track visits (n, longest), their number (n,), and the track (n, longest, 5) around which the
    fit is linear; NaN where it follows from the stop before."""

    surface: AnyArray
    length: AnyArray
    reference: AnyArray


class HitArrays(NamedTuple):
    """Hits of every track (CSR): offsets (n + 1), surface (k), value (k, 2), variance (k, 2), mask (k): False for an
    outlier, which is compared with the track and not used."""

    offsets: AnyArray
    surface: AnyArray
    value: AnyArray
    variance: AnyArray
    mask: AnyArray


class Scene(NamedTuple):
    """What stays the same while all tracks are fitted: the Scene of the transport, routes and hits, whether covariances
    of all stops are wanted, and whether gains are."""

    transport: tuples.Scene
    route: Route
    hits: HitArrays
    keep: bool
    gains: bool


class Out(NamedTuple):
    """What is written: state and covariance at the first stop of every track, chi2, ndf, status, stops reached; for
    every hit, smoothed residual, its variance, chi2 of the residual, use; for every stop, smoothed state, and
    covariance and gain if wanted."""

    parameters: AnyArray
    covariance: AnyArray
    chi2: AnyArray
    ndf: AnyArray
    status: AnyArray
    reached: AnyArray
    residual: AnyArray
    variance: AnyArray
    hit_chi2: AnyArray
    use: AnyArray
    stop_parameters: AnyArray
    stop_covariance: AnyArray
    gain: AnyArray


class Workspace(NamedTuple):
    """That of the transport, the stops of one track, state x, gain K, residual r, any matrix M; lambda and Lambda, the
    smoothed state and covariance."""

    transport: tuples.Workspace
    stops: Stops
    x: AnyArray
    K: AnyArray
    r: AnyArray
    M: AnyArray
    lam: AnyArray
    Lam: AnyArray
    smooth_x: AnyArray
    smooth_C: AnyArray


@part
def workspace(longest):
    """A Workspace for tracks of that many stops; one for each thread."""
    stops = Stops(
        np.zeros((longest, 5)),
        np.zeros((longest, 5, 5)),
        np.zeros((longest, 5, 5)),
        np.zeros((longest, 5, 5)),
        np.zeros((longest, 2, 2)),
        np.zeros((longest, 2)),
        np.zeros(longest, np.int64),
        np.zeros(longest, np.int64),
        np.zeros((longest, 5)),
    )
    x, K, r, M = np.zeros(5), np.zeros((5, 2)), np.zeros(2), np.zeros((5, 5))
    lam, Lam, smooth_x, smooth_C = np.zeros(5), np.zeros((5, 5)), np.zeros(5), np.zeros((5, 5))
    return Workspace(tuples.workspace(), stops, x, K, r, M, lam, Lam, smooth_x, smooth_C)
