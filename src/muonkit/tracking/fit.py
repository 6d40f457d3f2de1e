"""From hits and a start to fitted tracks, by Kalman filter and smoother (`kalman`, `kernels.fit`).

The surfaces between and around the hits are found from the start (`kernels.route`): their matter counts whether or not
there is a hit. The fit is repeated from its own result, with the covariance of the start wide again, so that it does
not depend on the start."""

from dataclasses import dataclass

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.data.hits import Hits
from muonkit.data.tracks import BoundStates
from muonkit.detector.detector import Detector
from muonkit.tracking.kernels import fit as kernel
from muonkit.tracking.kernels.route import find_routes
from muonkit.transport.propagate import Settings, scene
from muonkit.transport.status import OK

WIDE = np.diag([1.0, 1.0, 0.01, 0.01, 1.0])  # [cm, cm, rad, rad, 1/GeV]^2: so wide that the start has no weight
INFLATION = 1e5  # of the covariance from one iteration to the next: the same, with more digits left for the smoother


@dataclass(frozen=True, slots=True)
class FitSettings:
    """iterations: of the whole fit. max_chi2: limit per coordinate of a hit against the prediction; above it the hit is
    an outlier and left out (from the second iteration on: the first does not know the track well enough). margin [cm]:
    surfaces are larger by it in the search for matter. max_stops: most surfaces of a track. keep_states: keep the
    smoothed states at every surface."""

    iterations: int = 3
    max_chi2: float = np.inf
    margin: float = 0.1
    max_stops: int = 64
    keep_states: bool = False


@dataclass(frozen=True, slots=True)
class FittedTracks:
    """states: smoothed, on the first surface of every track (NaN where the fit failed); chi2, ndf, status (n,), see
    `transport.status`; per hit: smoothed residual (k, 2) [cm], its variance (k, 2), chi2 (k,), use (k,): 0 not met, 1
    used, 2 outlier; route (n, L), count (n,): surfaces met; stops: smoothed parameters (n, L, 5) and, if they were
    asked for, covariances (n, L, 5, 5) there."""

    states: BoundStates
    chi2: FloatArray
    ndf: IntArray
    status: IntArray
    residual: FloatArray
    variance: FloatArray
    hit_chi2: FloatArray
    use: IntArray
    route: IntArray
    count: IntArray
    stop_parameters: FloatArray
    stop_covariance: FloatArray | None

    @property
    def good(self) -> BoolArray:
        """Which tracks were fitted, (n,)."""
        good: BoolArray = (self.status == OK) & (self.ndf > 0)
        return good


def fit(
    hits: Hits,
    start: BoundStates,
    detector: Detector,
    settings: Settings = Settings(),
    fitting: FitSettings = FitSettings(),
) -> FittedTracks:
    """Fit n tracks, each from its start, a state on its first surface. The covariance of the start is not used.

    The first iteration is linear around the track of the start, the next ones around the smoothed track: noise and
    Jacobians do not depend on the state of a filter after two hits. Raises InputError if there are not as many starts
    as tracks, if a surface does not exist, or if there is no iteration."""
    _check(hits, start, detector)
    now, before = start.parameters, None
    for iteration in range(fitting.iterations):
        limit = np.inf if iteration == 0 < fitting.iterations - 1 else fitting.max_chi2
        keep = fitting.keep_states and iteration == fitting.iterations - 1
        before = _once(hits, BoundStates(start.surface, now), detector, settings, fitting, before, limit, keep)
        fitted = before.states.parameters
        found = np.isfinite(fitted).all(axis=1, keepdims=True)
        now = np.where(found, fitted, now)
    if before is None:
        raise InputError("fit: iterations: must be at least 1")
    return before


def _check(hits: Hits, start: BoundStates, detector: Detector) -> None:
    n = len(detector.surfaces.kind)
    if len(hits) != len(start):
        raise InputError(f"fit: {len(hits)} tracks of hits, but {len(start)} starts; give one start per track")
    for name, surface in (("hits", hits.surface), ("start", start.surface)):
        if len(surface) and not (surface.min() >= 0 and surface.max() < n):
            raise InputError(f"fit: {name}: surface {surface.max()} is not one of the {n} of {detector.name}")


def _once(
    hits: Hits,
    start: BoundStates,
    detector: Detector,
    settings: Settings,
    fitting: FitSettings,
    before: FittedTracks | None,
    max_chi2: float,
    keep: bool,
) -> FittedTracks:
    n, here = len(hits), scene(detector, settings)
    mask = np.ones(len(hits.surface), dtype=np.bool_)
    hit_arrays = kernel.HitArrays(hits.offsets, hits.surface, hits.value, hits.variance, mask)
    stops, count = np.full((n, fitting.max_stops), -1), np.zeros(n, dtype=np.int64)
    looking = here._replace(plan=here.plan._replace(gradient=False))
    find_routes(start.surface, start.parameters, hit_arrays, looking, fitting.margin, stops, count)
    stops = np.ascontiguousarray(stops[:, : max(int(count.max(initial=1)), 1)])
    stops[np.arange(stops.shape[1]) >= count[:, None]] = -1
    route = kernel.Route(stops, count, _reference(stops, before))
    out = _empty(n, len(hits.surface), stops.shape[1], keep)
    kernel.fit_tracks(start.parameters, _wide(n, before), kernel.Scene(here, route, hit_arrays, max_chi2, keep), out)
    return FittedTracks(
        BoundStates(start.surface, out.parameters, out.covariance),
        out.chi2,
        out.ndf,
        out.status,
        out.residual,
        out.variance,
        out.hit_chi2,
        out.use,
        stops,
        count,
        out.stop_parameters,
        out.stop_covariance if keep else None,
    )


def _wide(n: int, before: FittedTracks | None) -> FloatArray:
    """Covariances of the start: of no weight, but not wider than needed, for what the smoother subtracts."""
    wide = np.tile(WIDE, (n, 1, 1))
    if before is not None and before.states.covariance is not None:
        wide[before.good] = INFLATION * before.states.covariance[before.good]
    return wide


def _reference(stops: IntArray, before: FittedTracks | None) -> FloatArray:
    """The smoothed track of the iteration before, for tracks that still meet the same surfaces."""
    reference = np.full((*stops.shape, 5), np.nan)
    if before is not None:
        common = min(stops.shape[1], before.route.shape[1])
        same = (stops[:, :common] == before.route[:, :common]).all(axis=1) & before.good
        same &= (stops[:, common:] < 0).all(axis=1) & (before.route[:, common:] < 0).all(axis=1)
        reference[same, :common] = before.stop_parameters[same, :common]
    return reference


def _empty(n: int, k: int, longest: int, keep: bool) -> kernel.Out:
    def missing(*shape: int) -> FloatArray:
        return np.full(shape, np.nan)

    def whole(size: int) -> IntArray:
        return np.zeros(size, dtype=np.int64)

    return kernel.Out(
        missing(n, 5),
        missing(n, 5, 5),
        missing(n),
        whole(n),
        whole(n),
        whole(n),
        missing(k, 2),
        missing(k, 2),
        missing(k),
        whole(k),
        missing(n, longest, 5),
        missing(n if keep else 0, longest, 5, 5),
    )
