"""What identification reads: files, pieces of whole events, the conditions of their runs. All faults are found before
the work begins."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from muonkit.core.arrays import IntArray
from muonkit.core.errors import InputError
from muonkit.detector.detector import load_detector, shipped
from muonkit.io.klm import RUN_COLUMNS, KLMFile, keys, open_hits, open_tracks, read_columns
from muonkit.muid.config import ConditionsChoice, Identify, IdentifyInput
from muonkit.muid.identify import Identification
from muonkit.muid.run_conditions import PayloadNames, Run, RunConditions, from_store
from muonkit.muid.shipped import DEFAULT, classifier_of, payload_of
from muonkit.muid.swim.channels import build_channels
from muonkit.muid.swim.layout import build_layout


@dataclass(frozen=True)
class Piece:
    """Rows [start, stop) of the tracks, those of the hits of their events, and the run."""

    tracks: tuple[int, int]
    hits: tuple[int, int]
    run: Run


@dataclass(frozen=True)
class Job:
    """All that a process needs to identify a piece; stray: number of hits in events without tracks; files: all that
    are read."""

    tracks: KLMFile
    hits: KLMFile
    how: Identification
    conditions: dict[Run, RunConditions]
    pieces: tuple[Piece, ...]
    stray: int
    files: tuple[Path, ...]


def prepare(config: Identify, base: Path, row: int | None = None) -> Job:
    """Open and check everything; with the `row` of a track, only for the piece that holds it.

    Raises InputError with a line for every fault."""
    known = config.detector in shipped()
    detector = load_detector(config.detector if known else base / config.detector)
    classifier = None if config.classifier is None else classifier_of(config.classifier, base)
    how = Identification(
        detector, config.muid.settings(), config.likelihood.settings(), config.muid.arbitrate, classifier
    )
    build_layout(detector, how.muid.first_rpc_layer)
    tracks, hits = opened(config.input, base)
    pieces, stray = cut(config, tracks, hits)
    pieces = tuple(piece for piece in pieces if row is None or piece.tracks[0] <= row < piece.tracks[1])
    of_runs = conditions(config, base, sorted({piece.run for piece in pieces}))
    check_channels(how, of_runs)
    own = [base / config.detector] if not known else []
    own += [base / name for name in (config.payload, config.classifier) if name not in (None, DEFAULT)]
    return Job(tracks, hits, how, of_runs, pieces, stray, (tracks.path, hits.path, *own))


def opened(choice: IdentifyInput, base: Path) -> tuple[KLMFile, KLMFile]:
    """Tracks and hits. Raises InputError if they cannot be read, or if only one of them tells runs."""
    tracks = open_tracks(base / choice.tracks, choice.track_columns)
    hits = open_hits(base / choice.hits, choice.hit_columns)
    there = [{name for name, _ in file.columns} & set(RUN_COLUMNS) for file in (tracks, hits)]
    faults = [
        f"{file.name}: has no column '{name}', as {other.name} has; add it, or name it in [input.{key}_columns]"
        for file, other, key, lacks in (
            (tracks, hits, "track", there[1] - there[0]),
            (hits, tracks, "hit", there[0] - there[1]),
        )
        for name in sorted(lacks)
    ]
    if faults:
        raise InputError(faults)
    return tracks, hits


def check_channels(how: Identification, of_runs: dict[Run, RunConditions]) -> None:
    """Raises InputError with a line for every set of payloads that does not fit the detector."""
    layout, faults = build_layout(how.detector, how.muid.first_rpc_layer), []
    for sources, known in {conditions.sources: conditions for conditions in of_runs.values()}.items():
        try:
            build_channels(how.detector, layout, known.status, known.efficiency)
        except InputError as error:
            faults += [f"{', '.join(sources)}: {fault}" for fault in error.faults]
    if faults:
        raise InputError(faults)


def conditions(config: Identify, base: Path, runs: list[Run]) -> dict[Run, RunConditions]:
    """The conditions of every run, from the payload file or the store."""
    if config.conditions is None:
        name = config.payload or DEFAULT
        only = RunConditions(payload_of(name, base), sources=(name,))
        return dict.fromkeys(runs, only)
    choice = config.conditions
    names = PayloadNames(choice.likelihood, choice.channel_status, choice.strip_efficiency)
    return from_store(*_place(choice, base), choice.tag, names, runs)


def _place(choice: ConditionsChoice, base: Path) -> tuple[str, Path | None]:
    payloads = None if choice.payloads is None else base / choice.payloads
    return (choice.location if "://" in choice.location else str(base / choice.location)), payloads


def cut(config: Identify, tracks: KLMFile, hits: KLMFile) -> tuple[tuple[Piece, ...], int]:
    """Pieces of whole events of one run, about input.chunk_size tracks each; number of hits in events without tracks.

    Raises InputError for twins, for events that are too large, and if no hit is in an event with tracks."""
    choice = config.input
    rows, first = keys(tracks, choice.experiment, choice.run)
    of_hits, first_hit = keys(hits, choice.experiment, choice.run)
    _check_sizes(tracks, rows, first, choice.max_tracks_per_event, "tracks", "max_tracks_per_event")
    _check_sizes(hits, of_hits, first_hit, choice.max_hits_per_event, "hits", "max_hits_per_event")
    _check_twins(tracks, rows)
    stray = _stray(rows[first[:-1]], of_hits[first_hit[:-1]], np.diff(first_hit))
    if len(rows) and stray == len(of_hits) > 0:
        raise InputError(
            f"{hits.name}: no hit is in an event of {tracks.name}; give tracks and hits of the same events"
        )
    if not len(rows):  # one piece, so that the output has its columns
        return (Piece((0, 0), (0, 0), (choice.experiment, choice.run)),), stray
    starts = _starts(rows, first, choice.chunk_size)
    return tuple(_piece(rows, of_hits, start, stop) for start, stop in pairwise(starts)), stray


def _stray(events: IntArray, of_hits: IntArray, sizes: IntArray) -> int:
    """Number of hits of events (k, 3), with `sizes` (k,) hits each, that are not among `events` (n, 3)."""
    _, number = np.unique(np.concatenate((events, of_hits)), axis=0, return_inverse=True)
    number = number.reshape(-1)
    return int(sizes[~np.isin(number[len(events) :], number[: len(events)])].sum())


def _starts(rows: IntArray, first: IntArray, size: int) -> list[int]:
    """First rows of the pieces, and the end."""
    starts = [0]
    run_change = np.flatnonzero(np.any(np.diff(rows[:, :2], axis=0) != 0, axis=1)) + 1
    edges = set(run_change.tolist())
    for begin, end in pairwise(first.tolist()):
        if begin > starts[-1] and (begin in edges or end - starts[-1] > size):
            starts.append(begin)
    return [*starts, len(rows)]


def _piece(rows: IntArray, of_hits: IntArray, start: int, stop: int) -> Piece:
    low, high = (_position(of_hits, rows[row], side) for row, side in ((start, "left"), (stop - 1, "right")))
    return Piece((start, stop), (low, high), (int(rows[start, 0]), int(rows[start, 1])))


def _position(rows: IntArray, key: IntArray, side: str) -> int:
    """Where a key would stand among sorted rows of experiment, run and event."""
    low, high = 0, len(rows)
    for column in range(3):
        part = rows[low:high, column]
        begin, end = np.searchsorted(part, key[column], "left"), np.searchsorted(part, key[column], "right")
        low, high = low + int(begin), low + int(end)
    return low if side == "left" else high


def _check_sizes(file: KLMFile, rows: IntArray, first: IntArray, most: int, what: str, key: str) -> None:
    sizes = np.diff(first)
    if len(sizes) and sizes.max() > most:
        event = rows[first[np.argmax(sizes)], 2]
        raise InputError(
            f"{file.name}: event {event} has {sizes.max()} {what}, more than input.{key} = {most}; is it one event?"
        )


def _check_twins(tracks: KLMFile, rows: IntArray) -> None:
    number = read_columns(tracks, 0, tracks.rows, ("track",))["track"]
    table = np.column_stack((rows, number))
    unique, count = np.unique(table, axis=0, return_counts=True)
    if len(unique) < len(table):
        event, track = unique[count > 1][0, 2:]
        more = len(table) - len(unique)
        raise InputError(
            f"{tracks.name}: track {track} of event {event} stands twice ({more} rows too many); remove them"
        )
