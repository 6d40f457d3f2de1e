"""One pass of the fit after the other: surfaces are found, tracks are filtered and smoothed.

A pass is linear around the smoothed track of the pass before. It starts with the covariance of the pass before, made
wide again, so that the result does not depend on the start."""

from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.indices import QOP
from muonkit.data.hits import Hits
from muonkit.data.tracks import BoundStates
from muonkit.tracking.fitted import FittedTracks
from muonkit.tracking.kernels import fit as kernel
from muonkit.tracking.kernels.route import find_routes
from muonkit.tracking.kernels.tuples import HitArrays, Out, Route, Scene
from muonkit.transport.kernels import tuples
from muonkit.transport.kernels.tuples import EVERYWHERE
from muonkit.transport.status import OK

WIDE = np.diag([1.0, 1.0, 0.01, 0.01, 1.0])  # [cm, cm, rad, rad, 1/GeV]^2: so wide that the start has no weight
INFLATION = 1e5  # of the covariance from one pass to the next: the same, with more digits left for the smoother
WEAK = 0.04  # [1/GeV]^2 of q/p: above, matter scatters by the momentum of the start, not by the fitted one
STRAIGHT = 0.5  # [1/GeV]^2 of q/p, half of WIDE: above, q/p is not measured and no parameter of the fit


class Plan(NamedTuple):
    """The Scene of the transport, passes of the fit, margin [cm] of surfaces, whether smoothed covariances at all
    stops are wanted, and gains, whether a pass is linear around the smoothed track or around the way of its first
    state."""

    scene: tuples.Scene
    iterations: int
    margin: float
    keep: bool
    gains: bool
    follow_kicks: bool

    def at(self, left: int) -> "Plan":
        """The plan of a pass with so many others behind it: only the last one keeps what is wanted."""
        return self._replace(keep=self.keep and left == 0, gains=self.gains and left == 0)


def repeat(hits: Hits, mask: BoolArray, start: BoundStates, plan: Plan) -> FittedTracks:
    """All passes for n tracks from their starts; hits (k,) that are not in the mask are compared, but not used."""
    done = once(hits, mask, start, plan.at(plan.iterations - 1))
    for left in range(plan.iterations - 2, -1, -1):
        fitted = done.states.parameters
        now = np.where(np.isfinite(fitted).all(axis=1, keepdims=True), fitted, start.parameters)
        now[:, QOP] = np.where(_above(WEAK, done), start.parameters[:, QOP], now[:, QOP])
        start = BoundStates(start.surface, now)
        done = once(hits, mask, start, plan.at(left), done)
    return done


def once(
    hits: Hits, mask: BoolArray, start: BoundStates, plan: Plan, before: FittedTracks | None = None
) -> FittedTracks:
    """One pass."""
    hit_arrays = HitArrays(hits.offsets, hits.surface, hits.value, hits.variance, mask)
    looking = plan.scene._replace(plan=plan.scene.plan._replace(gradient=False, field=EVERYWHERE, lumped=False))
    earlier = _route(len(hits), before)
    met, count = find_routes(start.surface, start.parameters, hit_arrays, looking, plan.margin, earlier)
    stops = np.full((len(hits), max(int(count.max(initial=1)), 1)), -1)
    stops[np.arange(stops.shape[1]) < count[:, None]] = met
    route = Route(stops, count, _reference(stops, start, before if plan.follow_kicks else None))
    out = _empty(len(hits), len(hits.surface), stops.shape[1], plan)
    scene = Scene(plan.scene, route, hit_arrays, plan.keep, plan.gains)
    kernel.fit_tracks(start.parameters, _wide(len(hits), before), scene, out)
    with np.errstate(invalid="ignore"):
        moved = np.abs(out.parameters[:, QOP] - start.parameters[:, QOP]) / np.sqrt(out.covariance[:, QOP, QOP])
    return FittedTracks(
        BoundStates(start.surface, out.parameters, out.covariance),
        out.chi2,
        out.ndf + (out.covariance[:, QOP, QOP] > STRAIGHT),
        out.status,
        out.residual,
        out.variance,
        out.hit_chi2,
        out.use,
        stops,
        count,
        out.stop_parameters,
        moved,
        out.stop_covariance if plan.keep else None,
        out.gain if plan.gains else None,
    )


def _route(n: int, before: FittedTracks | None) -> Route:
    """The smoothed tracks of the pass before, of no stops where there are none."""
    if before is None:
        return Route(np.full((n, 1), -1), np.zeros(n, np.int64), np.full((n, 1, 5), np.nan))
    return Route(before.route, np.where(usable(before), before.count, 0), before.stop_parameters)


def _above(limit: float, fitted: FittedTracks) -> BoolArray:
    """Tracks (n,) whose q/p has a variance above the limit."""
    covariance = fitted.states.covariance
    return np.zeros(len(fitted.chi2), np.bool_) if covariance is None else covariance[:, QOP, QOP] > limit


def _wide(n: int, before: FittedTracks | None) -> FloatArray:
    """Covariances of the start: of no weight, but not wider than needed, for what the smoother subtracts. A q/p that is
    hardly measured gets no wider."""
    wide = np.tile(WIDE, (n, 1, 1))
    if before is not None and before.states.covariance is not None:
        good = usable(before)
        wide[good] = INFLATION * before.states.covariance[good]
        flat = good & _above(WEAK, before)
        wide[flat, QOP, :], wide[flat, :, QOP] = WIDE[QOP], WIDE[QOP]
    return wide


def usable(before: FittedTracks) -> BoolArray:
    """Which tracks have a result to go on from."""
    usable: BoolArray = (before.status == OK) & (before.ndf > 0)
    return usable


def _reference(stops: IntArray, start: BoundStates, before: FittedTracks | None) -> FloatArray:
    """The smoothed track of the pass before, for tracks that still meet the same surfaces.

    Where the field is weak, a q/p of 0 +- 1/GeV would scatter as at 1 GeV: that of the start is kept. The bend is so
    small that the fit is linear in q/p."""
    reference = np.full((*stops.shape, 5), np.nan)
    if before is not None:
        common = min(stops.shape[1], before.route.shape[1])
        same = (stops[:, :common] == before.route[:, :common]).all(axis=1) & usable(before)
        same &= (stops[:, common:] < 0).all(axis=1) & (before.route[:, common:] < 0).all(axis=1)
        reference[same, :common] = before.stop_parameters[same, :common]
        weak = _above(WEAK, before)
        reference[weak, :, QOP] = start.parameters[weak, None, QOP]
    return reference


def _empty(n: int, k: int, longest: int, plan: Plan) -> Out:
    def missing(*shape: int) -> FloatArray:
        return np.full(shape, np.nan)

    def whole(size: int) -> IntArray:
        return np.zeros(size, dtype=np.int64)

    return Out(
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
        missing(n if plan.keep else 0, longest, 5, 5),
        missing(n if plan.gains else 0, longest, 5),
    )
