"""The tracks and hits of a piece of an identification, as the swim takes them, whatever file they come from."""

from dataclasses import dataclass

import numpy as np

from muonkit.core.arrays import IntArray
from muonkit.data.klm import Candidates, KLMHits
from muonkit.io.basf2.tables import read_helices
from muonkit.io.chunks import Summary
from muonkit.io.ids import bits
from muonkit.io.klm import checked_tracks, read_hits, read_ids
from muonkit.muid.swim.carry import carried
from muonkit.muid.swim.config import TrackerEnd
from muonkit.muid.swim.yoke import Yoke
from muonkit.pipelines.identify_inputs import IdentifyJob
from muonkit.pipelines.pieces import EventPiece


@dataclass(frozen=True, slots=True)
class PieceEvents:
    """tracks (n) and hits (k); charges: the tracks with a wrong charge; status (n,) of tracks without a state, None if
    all have one; hypotheses: tracks by the PDG code of the species in their fit."""

    tracks: Candidates
    hits: KLMHits
    charges: Summary
    status: IntArray | None = None
    hypotheses: dict[int, int] | None = None


def piece_events(job: IdentifyJob, piece: EventPiece) -> PieceEvents:
    """Read a piece. Raises InputError for what is no table of tracks or hits."""
    hits = read_hits(job.hits, *piece.hits)
    if job.tracker is None:
        tracks, charges = checked_tracks(job.tracks, *piece.tracks)
        return PieceEvents(tracks, hits, charges)
    return _from_helices(job, piece, hits, job.tracker, job.how[piece.run].yoke)


def _from_helices(job: IdentifyJob, piece: EventPiece, hits: KLMHits, tracker: TrackerEnd, yoke: Yoke) -> PieceEvents:
    helices, ids = read_helices(job.tracks, *piece.tracks), read_ids(job.tracks, *piece.tracks)
    found = carried(helices, yoke.detector, yoke.settings.transport, tracker)
    tracks = Candidates(bits(ids["event"]), bits(ids["track"]), found.states)
    codes, numbers = np.unique(helices.hypothesis, return_counts=True)
    hypotheses = dict(zip(codes.tolist(), numbers.tolist(), strict=True))
    return PieceEvents(tracks, hits, Summary(len(helices)), found.status, hypotheses)
