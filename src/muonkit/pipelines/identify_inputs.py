"""What identification reads: files, pieces of whole events, the conditions of their runs. All faults are found before
the work begins."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from muonkit.conditions.choice import Run
from muonkit.conditions.store import open_store
from muonkit.core.arrays import IntArray
from muonkit.core.errors import InputError
from muonkit.detector.detector import Detector
from muonkit.io.basf2 import tables as basf2
from muonkit.io.ids import exact, halves, joined
from muonkit.io.klm import RUN_COLUMNS, EventKeys, KLMFile, event_keys, open_hits, open_tracks, read_columns
from muonkit.muid.classifier.model import Classifier
from muonkit.muid.config import Identify, IdentifyInput
from muonkit.muid.identify import Identification
from muonkit.muid.likelihood.config import LikelihoodSettings
from muonkit.muid.likelihood.evaluate import check_tables
from muonkit.muid.run_conditions import PayloadNames, RunConditions, from_store
from muonkit.muid.shipped import DEFAULT, classifier_of, payload_of
from muonkit.muid.swim.config import TrackerEnd
from muonkit.muid.swim.yoke import Yoke, build_yoke
from muonkit.pipelines.made_for import fits, other_settings
from muonkit.pipelines.pieces import EventPiece, cut_events, detector_of

OF_THE_MAP = 1.4525  # T: field of Belle II at the origin, weakened by the final focus


@dataclass(frozen=True)
class IdentifyJob:
    """All that a process needs to identify a piece; how: by run; stray_hits: number of hits in events without
    tracks; files: all that are read; max_p [GeV]: largest plausible momentum; stores: what belongs to the store of
    conditions; tracker: to where helices are carried, None if the tracks are states already; records: results of Muid
    to compare with; notes: what is not used of the files, or not known;
    warnings: payloads that are made for another detector, or with other settings."""

    tracks: KLMFile
    hits: KLMFile
    how: dict[Run, Identification]
    pieces: tuple[EventPiece, ...]
    stray_hits: int
    files: tuple[Path, ...]
    max_p: float
    stores: tuple[Path, ...] = ()
    tracker: TrackerEnd | None = None
    records: KLMFile | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def payloads(self) -> tuple[str, ...]:
        """Names and revisions of the payloads of all runs."""
        return tuple(sorted({source for how in self.how.values() for source in how.sources}))


def prepare(config: Identify, base: Path, row: int | None = None) -> IdentifyJob:
    """Open and check everything; with the `row` of a track, only for the piece that holds it.

    Raises InputError with a line for every fault."""
    chosen = detector_of(config.detector, base)
    classifier = None if config.classifier is None else classifier_of(config.classifier, base)
    yoke = build_yoke(chosen.detector, config.muid)
    tracks, hits = opened(config.input, base)
    pieces, stray_hits = cut_tables(config.input, tracks, hits)
    pieces = tuple(piece for piece in pieces if row is None or piece.tracks[0] <= row < piece.tracks[1])
    of_runs = conditions(config, base, sorted({piece.run for piece in pieces}))
    how = by_run(config, yoke, classifier, of_runs)
    own = [base / name for name in (config.payload, config.classifier) if name not in (None, DEFAULT)]
    files = (*dict.fromkeys((tracks.path, hits.path)), *chosen.files, *own)
    made = _provenances(config, how)
    used = [fits(what, provenance, chosen.detector) for what, provenance in made.items()]
    used += [(other_settings(what, provenance, config.muid), None) for what, provenance in made.items()]
    warnings, notes = (tuple(line for line in map(itemgetter(i), used) if line) for i in (0, 1))
    max_p, stores = config.input.max_p, _stores(config, base)
    job = IdentifyJob(tracks, hits, how, pieces, stray_hits, files, max_p, stores, notes=notes, warnings=warnings)
    if config.input.format == "basf2":
        tracker = config.input.tracker
        notes = (*notes, *basf2.notes_on(tracks, hits), *field_note(tracker, chosen.detector))
        return replace(job, tracker=tracker, records=basf2.open_records(tracks), notes=notes)
    return job


def _provenances(config: Identify, how: Mapping[Run, Identification]) -> dict[str, dict[str, Any]]:
    """Where the payloads of all runs and the classifier come from, by what they are called."""
    found = {f"payload {one.sources[0]}": one.payload.provenance for one in how.values()}
    classifiers = {f"classifier {config.classifier}": one.classifier.about for one in how.values() if one.classifier}
    return found | classifiers


def opened(choice: IdentifyInput, base: Path) -> tuple[KLMFile, KLMFile]:
    """Tracks and hits. Raises InputError if they cannot be read, if they are of different samples, or if only one of
    them names runs."""
    if choice.format == "basf2":
        return basf2.open_both(base / choice.tracks, base / choice.hits, choice.tree)
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
    if tracks.origin and hits.origin and tracks.origin != hits.origin:
        faults.append(f"{hits.name}: is of another sample than {tracks.name}; give tracks and hits of one")
    if faults:
        raise InputError(faults)
    return tracks, hits


def field_note(tracker: TrackerEnd, detector: Detector) -> tuple[str, ...]:
    """A line about the field that turns helices into momenta."""
    if tracker.field is not None:
        return (f"helices have their momenta in {tracker.field:g} T, as input.tracker.field says",)
    field = float(detector.field.value(np.zeros((1, 3)))[0, 2])
    line = f"helices have their momenta in {field:.4g} T, the field of {detector.name} at the origin"
    return (f"{line}; the map of Belle II has {OF_THE_MAP} T there: set input.tracker.field for files made with it",)


def by_run(
    config: Identify, yoke: Yoke, classifier: Classifier | None, of_runs: dict[Run, RunConditions]
) -> dict[Run, Identification]:
    """How the tracks of every run are identified; runs with the same payloads share it.

    Raises InputError with a line for every set of payloads that does not fit the detector."""
    by_sources: dict[tuple[str, ...], Identification] = {}
    faults = without_tables(config.likelihood, of_runs)
    for sources, found in {conditions.sources: conditions for conditions in of_runs.values()}.items():
        try:
            of_run = yoke.with_channels(found.channels)
            by_sources[sources] = Identification(of_run, found.payload, config.likelihood, classifier, sources)
        except InputError as error:
            faults += [f"{', '.join(sources)}: {fault}" for fault in error.faults]
    if faults:
        raise InputError(faults)
    return {run: by_sources[found.sources] for run, found in of_runs.items()}


def without_tables(settings: LikelihoodSettings, of_runs: dict[Run, RunConditions]) -> list[str]:
    """A line for every payload that lacks tables which the settings need."""
    faults: dict[str, None] = {}
    for found in of_runs.values():
        try:
            check_tables(found.payload, settings, found.sources[0])
        except InputError as error:
            faults |= dict.fromkeys(error.faults)
    return list(faults)


def conditions(config: Identify, base: Path, runs: list[Run]) -> dict[Run, RunConditions]:
    """The conditions of every run, from the payload file or the store."""
    if config.conditions is None:
        name = config.payload or DEFAULT
        only = RunConditions(payload_of(name, base), sources=(name,))
        return dict.fromkeys(runs, only)
    choice = config.conditions
    names = PayloadNames(choice.likelihood, choice.channel_status, choice.strip_efficiency)
    return from_store(*choice.place(base), choice.tag, names, runs)


def _stores(config: Identify, base: Path) -> tuple[Path, ...]:
    if config.conditions is None:
        return ()
    with open_store(*config.conditions.place(base)) as store:
        return tuple(store.paths())


def cut_tables(choice: IdentifyInput, tracks: KLMFile, hits: KLMFile) -> tuple[tuple[EventPiece, ...], int]:
    """Pieces of whole events of one run, about input.chunk_size tracks each; number of hits in events without tracks.

    Raises InputError for twins, for events that are too large, and if no hit is in an event with tracks."""
    of_tracks, of_hits = (event_keys(file, choice.experiment, choice.run) for file in (tracks, hits))
    _check_sizes(tracks, of_tracks, choice.max_tracks_per_event, "tracks", "max_tracks_per_event")
    _check_sizes(hits, of_hits, choice.max_hits_per_event, "hits", "max_hits_per_event")
    _check_twins(tracks, of_tracks.rows)
    stray = _stray(of_tracks, of_hits)
    if len(of_tracks.rows) and stray == len(of_hits.rows) > 0:
        raise InputError(
            f"{hits.name}: no hit is in an event of {tracks.name}; give tracks and hits of the same events"
        )
    nothing = EventPiece((0, 0), (0, 0), (choice.experiment, choice.run))  # so that the output has its columns
    return cut_events(of_tracks, of_hits, choice.chunk_size) or (nothing,), stray


def _stray(tracks: EventKeys, hits: EventKeys) -> int:
    """Number of hits in events without tracks."""
    events, of_hits = (keys.rows[keys.first[:-1]] for keys in (tracks, hits))
    _, number = np.unique(np.concatenate((events, of_hits)), axis=0, return_inverse=True)
    number = number.reshape(-1)
    return int(np.diff(hits.first)[~np.isin(number[len(events) :], number[: len(events)])].sum())


def _check_sizes(file: KLMFile, keys: EventKeys, most: int, what: str, key: str) -> None:
    sizes = np.diff(keys.first)
    if len(sizes) and sizes.max() > most:
        event = joined(keys.rows[keys.first[np.argmax(sizes)], -2:])
        raise InputError(
            f"{file.name}: event {event} has {sizes.max()} {what}, more than input.{key} = {most}; is it one event?"
        )


def _check_twins(tracks: KLMFile, rows: IntArray) -> None:
    number = exact(read_columns(tracks, 0, tracks.rows, ("track",))["track"], tracks.name, "track")
    table = np.column_stack((rows, halves(number)))
    table = table[np.lexsort(table.T[::-1])]
    twice = np.flatnonzero(np.all(table[1:] == table[:-1], axis=1))
    if len(twice):
        event, track = (joined(table[twice[0], at : at + 2 or None]) for at in (-4, -2))
        raise InputError(
            f"{tracks.name}: track {track} of event {event} stands twice ({len(twice)} rows too many); remove them"
        )
