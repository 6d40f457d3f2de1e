"""From hits and a start to fitted tracks, by Kalman filter and smoother (`kalman`, `kernels.fit`).

The surfaces between and around the hits are found from the start (`kernels.route`): their matter counts whether or not
there is a hit. The fit is repeated from its own result, with the covariance of the start wide again, so that it does
not depend on the start (`passes`)."""

from dataclasses import dataclass

import numpy as np

from muonkit.core.arrays import BoolArray, IntArray
from muonkit.core.errors import InputError
from muonkit.data.hits import Hits, select
from muonkit.data.tracks import BoundStates
from muonkit.detector.detector import Detector
from muonkit.tracking import outliers, passes
from muonkit.tracking.checks import check_hits, check_starts
from muonkit.tracking.fitted import FittedTracks, judged
from muonkit.tracking.passes import Plan
from muonkit.transport.propagate import Settings, scene

PATIENT = 6  # passes for tracks that move far: those that turn round in the tracker, or lose much of their energy


@dataclass(frozen=True, slots=True)
class FitSettings:
    """iterations: of the whole fit. max_chi2: limit per coordinate for what a hit adds to chi2; where one is above it,
    outliers are looked for and left out (`outliers`). margin [cm]: surfaces are larger by it in the search for matter.
    keep_states: keep the smoothed states at every surface. gains: compute the gains of the last pass (see
    `FittedTracks`). settled: a track whose q/p moved by more than so many standard deviations in the last pass is
    fitted with PATIENT passes. follow_kicks: the fit is linear around the smoothed track, with its kicks, not around
    the way of its first state; matter then acts by momenta that know the kicks, which shifts q/p by a part of its
    variance."""

    iterations: int = 3
    max_chi2: float = np.inf
    margin: float = 0.1
    keep_states: bool = False
    gains: bool = False
    settled: float = np.inf
    follow_kicks: bool = True

    def __post_init__(self) -> None:
        faults = [
            f"fit: {name}: must {must} (found {getattr(self, name)!r})"
            for name, right, must in (
                ("iterations", self.iterations >= 1, "be at least 1"),
                ("max_chi2", self.max_chi2 > 0, "be above 0"),
                ("settled", self.settled > 0, "be above 0"),
                ("margin", 0 <= self.margin < np.inf, "be 0 or more"),
            )
            if not right
        ]
        if faults:
            raise InputError(faults)


def fit(
    hits: Hits,
    start: BoundStates,
    detector: Detector,
    settings: Settings = Settings(),
    fitting: FitSettings = FitSettings(),
) -> FittedTracks:
    """Fit n tracks, each from its start, a state on its first surface. The covariance of the start is not used.

    The first iteration is linear around the track of the start, the next ones around the smoothed track: noise and
    Jacobians do not depend on the state of a filter after two hits. A track that cannot be fitted has a status. Raises
    InputError if there are not as many starts as tracks, if a surface does not exist, if a hit has no value or no
    variance above 0, for q/p = 0 of a start, and for an unknown species."""
    check_hits(hits, detector)
    check_starts(hits, start, detector)
    everything = np.ones(len(hits.surface), dtype=np.bool_)
    how = fitting.iterations, fitting.margin, fitting.keep_states, fitting.gains, fitting.follow_kicks
    plan = Plan(scene(detector, settings), *how)
    fitted = passes.repeat(hits, everything, start, plan)
    far = np.flatnonzero(fitted.good & (fitted.moved > fitting.settled))
    if far.size:
        rows, patient = select(hits.offsets, far)[1], plan._replace(iterations=PATIENT)
        fitted = fitted.with_tracks(far, rows, passes.repeat(hits[far], everything[rows], start[far], patient))
    undecided = np.zeros(len(hits), dtype=np.bool_)
    if fitting.max_chi2 < np.inf:

        def refit(tracks: IntArray, mask: BoolArray, wanted: bool = False) -> FittedTracks:
            return passes.repeat(hits[tracks], mask, start[tracks], plan.at(0 if wanted else 1))

        allowed = fitting.max_chi2 * detector.surfaces.n_measured[hits.surface].astype(np.float64)
        outlier, undecided = outliers.search(hits, fitted, allowed, refit)
        changed = np.unique(hits.track[outlier])
        rows = select(hits.offsets, changed)[1]
        fitted = fitted.with_tracks(changed, rows, refit(changed, ~outlier[rows], True))
    return judged(fitted, hits, undecided)
