"""What became of tracks and hits in an identification, in sums: the ends of tracks, layers crossed, hits that matched;
and how many would be of use if their unit or their order were another one."""

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from muonkit.core.arrays import BoolArray, IntArray
from muonkit.data.klm import Candidates, KLMHits
from muonkit.data.muid import Extrapolated, MuidLayers
from muonkit.detector.detector import Detector
from muonkit.muid.swim.crossing import (
    BAD_INPUT,
    BEAM_PIPE,
    CROSSING,
    HIT,
    NO_MATCH,
    NOT_CROSSED,
    OUTSIDE_START,
    STATUS,
)
from muonkit.muid.swim.places import REASONS, on_modules
from muonkit.muid.swim.yoke import Yoke
from muonkit.transport import cartesian
from muonkit.transport.status import NOT_POSITIVE_DEFINITE

STATUSES = max(STATUS) + 1
UNUSABLE = (BAD_INPUT, NOT_POSITIVE_DEFINITE, OUTSIDE_START, BEAM_PIPE)
TRACK_REASONS = (
    "x, y, z look like mm; give cm",
    "they start at the beam; give states at the last measured point, in cm",
    "cov looks like the lower triangle; give the upper one, row by row",
)
NEAR_BEAM = 10.0  # cm
MANY = 0.01  # share of hits
UPPER, LOWER = np.triu_indices(6), np.tril_indices(6)


@dataclass(frozen=True, slots=True)
class Tally:
    """status (STATUSES,): tracks by status; crossings (8,): crossings of layers by what became of the track there.

    hits: all; left_out: of them, those that cannot be used; of the others, late: out of time, matched: updated a track,
    astray: do not lie on the module that they name. fast: tracks with p above the largest. hit_reasons: hits
    that each of REASONS would put on their modules, less those that it would take off, looked at if more than MANY are
    off. track_reasons: tracks for which each of TRACK_REASONS may hold.

    sides (2,): sum over tracks of +1 or -1, by the side in azimuth of the nearest hit in the first layer, times the
    charge; number of these tracks."""

    status: IntArray
    crossings: IntArray
    hits: int
    left_out: int
    late: int
    matched: int
    astray: int
    fast: int
    hit_reasons: IntArray
    track_reasons: IntArray
    sides: IntArray

    def __add__(self, other: Self) -> Self:
        return type(self)(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    @property
    def crossed(self) -> int:
        """Number of layers that tracks crossed."""
        return int(self.crossings.sum() - self.crossings[NOT_CROSSED])

    @property
    def off(self) -> int:
        """Number of hits that lie on no module, or not on the one that they name."""
        return self.left_out + self.astray

    @property
    def in_time(self) -> int:
        """Number of hits that could match."""
        return self.hits - self.left_out - self.late

    @property
    def unusable(self) -> int:
        """Number of tracks of which no use can be made."""
        return int(self.status[list(UNUSABLE)].sum())

    def to_json(self) -> dict[str, Any]:
        """Tracks by status and crossings, both in words, where there are any; hits."""
        names = ("hits", "left_out", "late", "matched", "astray")
        ends = {word: int(self.status[code]) for code, word in STATUS.items() if self.status[code]}
        crossings = {word: int(n) for word, n in zip(CROSSING.values(), self.crossings, strict=True) if n}
        return {"ended": ends, "crossings": crossings, "hits": {name: int(getattr(self, name)) for name in names}}


@dataclass(frozen=True, slots=True)
class Events:
    """Tracks (n), all hits of their events, those that could be used, and what was found with them."""

    tracks: Candidates
    hits: KLMHits
    used: KLMHits
    found: Extrapolated


def tally(events: Events, yoke: Yoke, max_p: float) -> Tally:
    """The sums of some events; max_p [GeV]: largest plausible momentum."""
    layers, rules, used = events.found.layers, yoke.settings, events.used
    states, status = events.tracks.states, events.found.tracks.status
    good = on_modules(used, yoke.detector, yoke.layout)
    with np.errstate(invalid="ignore", over="ignore"):
        fast = np.linalg.norm(states.momentum, axis=1) > max_p
    return Tally(
        status=np.bincount(status, minlength=STATUSES),
        crossings=np.bincount(layers.crossing.ravel(), minlength=len(CROSSING)),
        hits=len(events.hits),
        left_out=len(events.hits) - len(used),
        late=int(np.sum(np.abs(used.time - rules.mean_dt) > rules.max_dt)),
        matched=int(np.count_nonzero(np.bincount(layers.hit[layers.crossing == HIT]))),
        astray=int(np.sum(~good)),
        fast=int(fast.sum()),
        hit_reasons=_hit_reasons(events.hits, int(good.sum()), yoke),
        track_reasons=_track_reasons(events.tracks, status, yoke.detector),
        sides=_sides(events.tracks, used, layers),
    )


def _hit_reasons(hits: KLMHits, good: int, yoke: Yoke) -> IntArray:
    if good >= (1 - MANY) * len(hits):
        return np.zeros(len(REASONS), dtype=np.int64)
    return np.array([on_modules(change(hits), yoke.detector, yoke.layout).sum() - good for change in REASONS.values()])


def _track_reasons(tracks: Candidates, status: IntArray, detector: Detector) -> IntArray:
    """Tracks outside that are inside if in mm; near the beam; with a covariance that is one only if read otherwise."""
    r_max, z_min, z_max = detector.envelope
    x, y, z = tracks.states.position[status == OUTSIDE_START].T / 10
    within = (np.hypot(x, y) < r_max) & (z > z_min) & (z < z_max)
    start = tracks.states.position
    near = np.hypot(start[:, 0], start[:, 1]) < NEAR_BEAM
    lower = _positive_as_lower(tracks[status == NOT_POSITIVE_DEFINITE])
    return np.array([within.sum(), near.sum(), lower.sum()])


def _positive_as_lower(tracks: Candidates) -> BoolArray:
    """Whether covariances (n,) are positive definite if their numbers are taken for a lower triangle."""
    given, free = tracks.states.covariance, cartesian.to_free(tracks.states)
    if given is None or not len(tracks):
        return np.zeros(len(tracks), dtype=np.bool_)
    read = np.zeros_like(given)
    read[:, LOWER[0], LOWER[1]] = given[:, UPPER[0], UPPER[1]]
    read[:, LOWER[1], LOWER[0]] = given[:, UPPER[0], UPPER[1]]
    curvilinear = cartesian.to_curvilinear(free, read)
    finite = np.asarray(np.isfinite(curvilinear).reshape(-1, 25).all(axis=1))
    return finite & (np.linalg.eigvalsh(np.where(finite[:, None, None], curvilinear, 0.0))[:, 0] > 0)


def _sides(tracks: Candidates, hits: KLMHits, layers: MuidLayers) -> IntArray:
    near = np.isin(layers.crossing, (HIT, NO_MATCH)) & (layers.hit >= 0)
    track: IntArray = np.flatnonzero(near.any(axis=1))
    layer = np.argmax(near[track], axis=1)
    x, y = layers.position[track, layer, :2].T
    hit_x, hit_y = hits.position[layers.hit[track, layer], :2].T
    side = np.sign(x * hit_y - y * hit_x) * tracks.states.charge[track]
    return np.array([np.sum(side), len(track)]).astype(np.int64)
