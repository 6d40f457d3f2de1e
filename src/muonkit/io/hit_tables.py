"""Tables of tracker hits, one row per hit: event, track, module (name of a surface), u, v, sigma_u, sigma_v [cm], in
the order of the path; and of the truth of their tracks. Only Parquet.

v and sigma_v are NaN where a module measures one coordinate. Rows are sorted by event and track."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.limits import parse_json, reading, shown
from muonkit.data.hits import Hits
from muonkit.io import parquet
from muonkit.io.ids import bits, exact

COLUMNS = ("event", "track", "module", "u", "v", "sigma_u", "sigma_v")
TRUTH = ("event", "track", "charge", "px", "py", "pz")
ABOUT = b"muonkit_tracks"  # key of the metadata: JSON with the name of the detector
LARGEST = 1e6  # cm


class Modules(NamedTuple):
    """What the hits of a detector lie on: its name, the names of its surfaces, how many coordinates (m,) each
    measures."""

    detector: str
    names: tuple[str, ...]
    measured: IntArray


class EventRows(NamedTuple):
    """Rows [start, stop) of whole events."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class HitTable:
    """An open table of hits, in pieces of whole events."""

    path: Path
    pieces: tuple[EventRows, ...]


@dataclass(frozen=True, slots=True)
class EventHits:
    """Hits of n tracks: event (n,), track (n,) in the event."""

    event: IntArray
    track: IntArray
    hits: Hits


def open_hit_table(path: Path, modules: Modules, size: int) -> HitTable:
    """A table, in pieces of about `size` rows. Raises InputError, one line per fault, if it cannot be read, lacks a
    column, has no rows, was made with another detector, or is not sorted."""
    name = str(path)
    with _open(path, COLUMNS) as file, reading(name, parquet.KIND):
        fault = _other_detector(name, file.schema_arrow.metadata, modules.detector)
        if fault:
            raise InputError(fault)
        table = file.read(columns=["event", "track"], use_threads=False)
        event, track = (bits(exact(table[key].to_numpy(), name, key)) for key in ("event", "track"))
    if not len(event):
        raise InputError(f"{name}: has no hits. Give a table with at least one track.")
    new = np.diff(event)
    back = np.flatnonzero((new < 0) | ((new == 0) & (np.diff(track) < 0)))
    if len(back):
        way_out = "sort the rows by event and track, the hits of a track along its path"
        raise InputError(f"{name}: row {back[0] + 1} goes back to an earlier track; {way_out}")
    return HitTable(path, tuple(_pieces(np.flatnonzero(new) + 1, len(event), size)))


def _open(path: Path, needed: tuple[str, ...]) -> Any:
    if not path.is_file():
        raise InputError(f"{path}: there is no such file. Correct the path, or make it with `muonkit simulate tracks`.")
    with parquet.opened(path, str(path)) as file:
        found = file.schema_arrow.names
    missing = [column for column in needed if column not in found]
    if missing:
        raise InputError(f"{path}: has no column {', '.join(missing)} (found {shown(', '.join(found))}). Mend it.")
    return parquet.opened(path, str(path))


def _other_detector(name: str, metadata: Any, detector: str) -> str | None:
    note = (metadata or {}).get(ABOUT)
    if note is None:
        return None
    about = parse_json(note, name)
    made = about.get("detector") if isinstance(about, dict) else None
    if made == detector:
        return None
    return f"{name}: was made with the detector '{shown(str(made))}', not with '{detector}'. Give that detector."


def _pieces(changes: IntArray, rows: int, size: int) -> Iterator[EventRows]:
    begin = 0
    for edge in (*changes.tolist(), rows):
        if edge - begin >= size or edge == rows:
            yield EventRows(begin, edge)
            begin = edge


def read_hit_table(table: HitTable, rows: EventRows, modules: Modules) -> EventHits:
    """The hits of a piece. Raises InputError, a line per kind of fault with its first row: unknown modules, values and
    errors that are no measurements, a hit that is twice there."""
    name = str(table.path)
    with parquet.opened(table.path, name) as file, reading(name, parquet.KIND):
        found = parquet.rows(file, list(COLUMNS), *rows)
        event, track = (bits(exact(found[key].to_numpy(), name, key)) for key in ("event", "track"))
        words = pc.cast(found["module"], pa.string())
        surface = pc.index_in(words, value_set=pa.array(modules.names)).fill_null(-1).to_numpy().astype(np.int64)
        numbers = [found[key].cast(pa.float64()).to_numpy() for key in COLUMNS[3:]]
        unknown = str(words[int(np.argmin(surface))].as_py())
    value, sigma = np.column_stack(numbers[:2]), np.column_stack(numbers[2:])
    measured = np.arange(2) < np.where(surface < 0, 0, modules.measured[surface])[:, None]
    faults = [
        f"{name}: row {rows.start + int(np.argmax(bad))} {what} ({int(bad.sum())} such rows in its piece); {way_out}"
        for bad, what, way_out in _faults(surface, unknown, value, sigma, measured, modules.detector)
        if bad.any()
    ]
    again = _again(event, track, surface, value)
    if again.any():
        faults.append(f"{name}: row {rows.start + int(np.argmax(again))} is the hit before again; leave it out")
    if faults:
        raise InputError(faults)
    change = np.flatnonzero((np.diff(event) != 0) | (np.diff(track) != 0)) + 1
    offsets = np.concatenate(([0], change, [len(event)]))
    hits = Hits(offsets, surface, np.where(measured, value, 0.0), np.where(measured, sigma, 0.0) ** 2)
    return EventHits(event[offsets[:-1]], track[offsets[:-1]], hits)


def _faults(
    surface: IntArray, unknown: str, value: FloatArray, sigma: FloatArray, measured: BoolArray, detector: str
) -> Iterator[tuple[BoolArray, str, str]]:
    """Which rows (k,), what is wrong with them, the way out."""
    strange = surface < 0
    way_out = "give the detector that made the hits"
    yield strange, f"is on module '{shown(unknown, 60)}', which {detector} does not have", way_out
    yield ~strange & ~measured[:, 0], f"is on a surface of {detector} that measures nothing", "leave it out"
    bad = measured & ~(np.abs(value) < LARGEST)
    yield _either(bad), "has a coordinate that is no number of cm", "mend it, or leave the hit out"
    bad = measured & ~((sigma > 0) & (sigma < LARGEST))
    yield _either(bad), "has an error that is no number of cm above 0", "mend it, or leave the hit out"


def _either(bad: BoolArray) -> BoolArray:
    """Whether one of both coordinates (k, 2) is bad."""
    return np.asarray(bad[:, 0] | bad[:, 1], dtype=np.bool_)


def _again(event: IntArray, track: IntArray, surface: IntArray, value: FloatArray) -> BoolArray:
    """Which rows are equal to the one before."""
    again = np.zeros(len(event), np.bool_)
    again[1:] = np.all([np.diff(column) == 0 for column in (event, track, surface, *np.nan_to_num(value.T))], axis=0)
    return again


@dataclass(frozen=True, slots=True)
class TrackMomenta:
    """What is true of tracks: event (n,), track (n,), charge (n,), momentum (n, 3) [GeV]."""

    event: IntArray
    track: IntArray
    charge: IntArray
    momentum: FloatArray


def open_truth(path: Path) -> Path:
    """Raises InputError if there is no such table of truth, or if it lacks a column."""
    with _open(path, TRUTH):
        return path


def read_truth(path: Path, events: tuple[int, int]) -> TrackMomenta:
    """The truth of the tracks of events [first, last]. Raises InputError if it cannot be read."""
    name = str(path)
    with reading(name, parquet.KIND):
        import pyarrow.parquet as pq

        between = [("event", ">=", events[0]), ("event", "<=", events[1])]
        found = pq.read_table(path, columns=list(TRUTH), filters=between, use_threads=False)
        event, track, charge = (bits(exact(found[key].to_numpy(), name, key)) for key in ("event", "track", "charge"))
        momentum = np.column_stack([found[key].cast(pa.float64()).to_numpy() for key in ("px", "py", "pz")])
    return TrackMomenta(event, track, charge, momentum)


def rows_of(truth: TrackMomenta, event: IntArray, track: IntArray) -> IntArray:
    """Row (n,) of the truth of every track, -1 where there is none."""
    keys = np.column_stack((truth.event, truth.track))
    both = np.concatenate((keys, np.column_stack((event, track))))
    number = np.unique(both, axis=0, return_inverse=True)[1].ravel()
    row = np.full(len(both), -1)
    row[number[: len(keys)]] = np.arange(len(keys))
    return row[number[len(keys) :]]
