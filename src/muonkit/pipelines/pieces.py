"""What the stories of identification share: detectors by name or file, samples by pattern, tables of tracks and hits
in pieces of whole events."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from muonkit.conditions.choice import Run
from muonkit.core.arrays import IntArray
from muonkit.core.errors import InputError
from muonkit.data.klm import Candidates, KLMHits, KLMTruth
from muonkit.detector.detector import Detector, files_of, load_detector, shipped
from muonkit.io.chunks import Summary
from muonkit.io.klm import EventKeys, KLMFile, checked_tracks, event_keys, read_hits, read_truth
from muonkit.io.samples import OpenSample, open_sample, sample_files
from muonkit.io.source import refuse


@dataclass(frozen=True, slots=True)
class ChosenDetector:
    """A detector, its name or path, and the files that it was read from, also field maps; none if it comes with
    muonkit."""

    detector: Detector
    place: str
    files: tuple[Path, ...]


def detector_of(name: str, base: Path) -> ChosenDetector:
    """The detector that comes with muonkit under this name, or of a file below `base`. Raises InputError with one line
    per fault of the file."""
    if name in shipped():
        return ChosenDetector(load_detector(name), name, ())
    path = base / name
    return ChosenDetector(load_detector(path), str(path), files_of(path))


@dataclass(frozen=True, slots=True)
class EventPiece:
    """Rows [start, stop) of the tracks of some events of one run, and those of their hits."""

    tracks: tuple[int, int]
    hits: tuple[int, int]
    run: Run


@dataclass(frozen=True, slots=True)
class SamplePiece:
    """Some events of a simulated sample."""

    sample: OpenSample
    rows: EventPiece


@dataclass(frozen=True, slots=True)
class SampleEvents:
    """The tables of some events: tracks (n), hits (k), truth (n) of the tracks."""

    tracks: Candidates
    hits: KLMHits
    truth: KLMTruth


def cut_events(tracks: EventKeys, hits: EventKeys, size: int) -> tuple[EventPiece, ...]:
    """Pieces of whole events of one run, about `size` tracks each; none without tracks."""
    if not len(tracks.rows):
        return ()
    return tuple(_piece(tracks.rows, hits.rows, start, stop) for start, stop in pairwise(_starts(tracks, size)))


def _starts(tracks: EventKeys, size: int) -> list[int]:
    """First rows of the pieces, and the end."""
    starts = [0]
    run_change = np.flatnonzero(np.any(np.diff(tracks.rows[:, :2], axis=0) != 0, axis=1)) + 1
    edges = set(run_change.tolist())
    for begin, end in pairwise(tracks.first.tolist()):
        if begin > starts[-1] and (begin in edges or end - starts[-1] > size):
            starts.append(begin)
    return [*starts, len(tracks.rows)]


def _piece(tracks: IntArray, hits: IntArray, start: int, stop: int) -> EventPiece:
    low, high = (_position(hits, tracks[row], side) for row, side in ((start, "left"), (stop - 1, "right")))
    return EventPiece((start, stop), (low, high), (int(tracks[start, 0]), int(tracks[start, 1])))


def _position(rows: IntArray, key: IntArray, side: str) -> int:
    """Where a key would stand among sorted rows of experiment, run and event."""
    low, high = 0, len(rows)
    for column in range(rows.shape[1]):
        part = rows[low:high, column]
        begin, end = np.searchsorted(part, key[column], "left"), np.searchsorted(part, key[column], "right")
        low, high = low + int(begin), low + int(end)
    return low if side == "left" else high


def read_events(tracks: KLMFile, hits: KLMFile, piece: EventPiece) -> tuple[Candidates, KLMHits, Summary]:
    """The tracks and hits of a piece, and the tracks with a wrong charge. Raises InputError for what is no table of
    tracks or hits."""
    found, summary = checked_tracks(tracks, *piece.tracks)
    return found, read_hits(hits, *piece.hits), summary


def open_samples(patterns: Sequence[str], base: Path) -> list[OpenSample]:
    """The samples that files and patterns below `base` stand for, in the order of their names.

    Raises InputError for patterns that fit nothing, and for samples that are not whole."""
    faults, paths = [], []
    for pattern in patterns:
        tracks = sample_files(base / pattern).tracks
        fitting = matching_files(tracks)
        if not fitting:
            faults.append(f"input.samples: nothing fits {tracks}; simulate it with `muonkit simulate klm`")
        paths += [path.with_name(path.name.replace(".tracks.", ".", 1)) for path in fitting]
    if faults:
        raise InputError(faults)
    return [open_sample(path) for path in sorted(set(paths))]


def notes_on(samples: Sequence[OpenSample]) -> tuple[str, ...]:
    """What is doubtful about samples, a line each."""
    return tuple(note for sample in samples for note in sample.notes)


def matching_files(path: Path) -> list[Path]:
    """Files that a path or a pattern, absolute or relative, stands for, in the order of their names."""
    if path.is_file():
        return [path]
    anchor = Path(path.anchor) if path.anchor else Path()
    relative = path.relative_to(anchor) if path.anchor else path
    return sorted(found for found in anchor.glob(str(relative)) if found.is_file())


def cut_samples(samples: Sequence[OpenSample], size: int) -> list[SamplePiece]:
    """Pieces of all samples, about `size` tracks each. Raises InputError for tables that are not sorted by event."""
    return [
        SamplePiece(sample, rows)
        for sample in samples
        for rows in cut_events(event_keys(sample.tracks), event_keys(sample.hits), size)
    ]


def read_sample(piece: SamplePiece) -> SampleEvents:
    """The tables of a piece. Raises InputError for what is no table of tracks, hits or truth, and for a track with a
    charge that is not +1 or -1."""
    tracks, hits, summary = read_events(piece.sample.tracks, piece.sample.hits, piece.rows)
    refuse([summary], 0.0)
    return SampleEvents(tracks, hits, read_truth(piece.sample.truth, *piece.rows.tracks))
