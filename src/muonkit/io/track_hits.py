"""Hits and truth of tracks from the files of `io.track_samples`: checked, and in pieces of whole events.

file = open_hits(path, detector.sensors)
for piece in file.pieces:
    found = read_hits(file, piece)          # TrackHits: event, track, hits
truth = read_truth(open_truth(path, file))  # never in a fit
row = rows_of(truth, found.event, found.track)"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from muonkit.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.limits import reading, shown
from muonkit.data.hits import Hits, Sensors, TrackHits
from muonkit.data.truth import WORDS, TrackTruth
from muonkit.io import parquet
from muonkit.io.ids import bits, exact
from muonkit.io.origin import in_metadata
from muonkit.io.track_samples import HIT_COLUMNS, TRUTH_COLUMNS, About, about_of

ROWS = 400_000  # of a piece
LARGEST = 1e6  # cm and GeV
LEAST_ERROR = 1e-8  # cm, an atom
FAR = 1.0  # of the width of a module: a hit that is farther outside is not on it
UNKNOWN = -1


class Rows(NamedTuple):
    """Rows [start, stop) of whole events."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class HitsFile:
    """An open table of hits on sensors; pieces of whole events; how it was made; notes, a line each, on what is taken
    on trust."""

    path: Path
    name: str
    sensors: Sensors
    pieces: tuple[Rows, ...]
    about: About | None
    origin: str | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TruthFile:
    """An open table of truth."""

    path: Path
    name: str
    rows: int
    about: About | None


def open_hits(path: Path, sensors: Sensors, size: int = ROWS) -> HitsFile:
    """A table of hits, in pieces of about `size` rows. Raises InputError, one line per fault, if it cannot be read,
    lacks a column, was made with another description of the detector, or is not sorted by event and track."""
    name = str(path)
    _require_file(path, name)
    with parquet.opened(path, name) as file, reading(name, parquet.KIND):
        metadata = file.schema_arrow.metadata
        about = about_of(metadata, name)
        faults = [*_missing(name, file.schema_arrow.names, HIT_COLUMNS), *_other_detector(name, about, sensors)]
        if faults:
            raise InputError(faults)
        pieces = tuple(_pieces(_keys(file, name), size))
    notes = () if about else (f"{name}: does not say which detector made it; {sensors.detector} is taken on trust",)
    return HitsFile(path, name, sensors, pieces, about, in_metadata(metadata), notes)


def _require_file(path: Path, name: str) -> None:
    if not path.is_file():
        raise InputError(f"{name}: there is no such file. Correct the path, or make it with `muonkit simulate tracks`.")


def _missing(name: str, found: list[str], needed: tuple[str, ...]) -> Iterator[str]:
    missing = [column for column in needed if column not in found]
    if missing:
        yield f"{name}: has no column {', '.join(missing)} (found {shown(', '.join(found))}). Give a table with them."


def _other_detector(name: str, about: About | None, sensors: Sensors) -> Iterator[str]:
    if about is not None and sensors.checksum and about.checksum != sensors.checksum:
        made = f"'{shown(about.detector)}' (checksum {shown(about.checksum[:12])})"
        given = f"'{sensors.detector}' ({sensors.checksum[:12]})"
        yield f"{name}: was made with the detector {made}, but the one given is {given}. Give the same description."


def _keys(file: Any, name: str) -> Iterator[tuple[int, IntArray]]:
    """Group by group of rows: the number of the first row, and (event, track) (k, 2); each but the first begins with
    the last row of the one before. Raises InputError for the first row that goes back."""
    start, last = 0, np.zeros((0, 2), np.int64)
    for group in range(file.metadata.num_row_groups):
        table = file.read_row_group(group, columns=["event", "track"], use_threads=False)
        own = [bits(exact(table[key].to_numpy(), name, key)) for key in ("event", "track")]
        keys = np.concatenate((last, np.column_stack(own)))
        first = start - len(last)
        event, track = np.diff(keys, axis=0).T
        back = np.flatnonzero((event < 0) | ((event == 0) & (track < 0)))
        if len(back):
            raise InputError(
                f"{name}: row {first + int(back[0]) + 1} goes back to an earlier track; sort the rows by event and "
                "track, and the hits of a track along its path"
            )
        yield first, keys
        start, last = start + table.num_rows, keys[-1:]


def _pieces(groups: Iterable[tuple[int, IntArray]], size: int) -> Iterator[Rows]:
    """Cuts where events begin."""
    begin, stop = 0, 0
    for first, keys in groups:
        stop = first + len(keys)
        for edge in (first + 1 + np.flatnonzero(np.diff(keys[:, 0]) != 0)).tolist():
            if edge - begin >= size:
                yield Rows(begin, edge)
                begin = edge
    if stop > begin:
        yield Rows(begin, stop)


@dataclass(frozen=True, slots=True)
class RawHits:
    """Rows (k,) as they are in the file: event, track; surface, UNKNOWN for other names, the first of which is
    `stranger`; value and sigma (k, 2) [cm]; how many coordinates the surface measures, and from where to where
    (k, 2, 2) [cm]."""

    event: IntArray
    track: IntArray
    surface: IntArray
    stranger: str
    value: FloatArray
    sigma: FloatArray
    measured: IntArray
    spans: FloatArray

    @property
    def there(self) -> BoolArray:
        """Which coordinates (k, 2) are measured."""
        return np.arange(2) < self.measured[:, None]


class Fault(NamedTuple):
    """Which rows (k,), what is wrong with them, the way out."""

    rows: BoolArray
    what: str
    way_out: str


def read_hits(file: HitsFile, rows: Rows) -> TrackHits:
    """The hits of the tracks of a piece. Raises InputError, a line per kind of fault with the first row and the number
    of rows: unknown modules, coordinates or errors that are no numbers or not those of the module, a second coordinate
    where none is measured, the same hit twice."""
    raw = _raw(file, rows)
    found = [_line(file.name, rows.start, fault) for fault in _faults(raw, file.sensors.detector) if fault.rows.any()]
    if found:
        raise InputError(found)
    there, offsets = raw.there, _offsets(raw.event, raw.track)
    hits = Hits(offsets, raw.surface, np.where(there, raw.value, 0.0), np.where(there, raw.sigma, 0.0) ** 2)
    return TrackHits(raw.event[offsets[:-1]], raw.track[offsets[:-1]], hits)


def _raw(file: HitsFile, rows: Rows) -> RawHits:
    name = file.name
    with parquet.opened(file.path, name) as opened, reading(name, parquet.KIND):
        table = parquet.rows(opened, list(HIT_COLUMNS), *rows)
        event, track = (bits(exact(table[key].to_numpy(), name, key)) for key in ("event", "track"))
        surface = _positions(table, "module", file.sensors.names, name)
        value, sigma = (_numbers(table, keys, name) for keys in (("u", "v"), ("sigma_u", "sigma_v")))
        stranger = str(table["module"][int(np.argmin(surface))].as_py()) if np.any(surface == UNKNOWN) else ""
    measured = np.where(surface == UNKNOWN, 0, file.sensors.measured[surface])
    return RawHits(event, track, surface, stranger, value, sigma, measured, file.sensors.spans[surface])


def _faults(raw: RawHits, detector: str) -> Iterator[Fault]:
    known, there = raw.surface != UNKNOWN, raw.there
    yield Fault(
        ~known,
        f"is on module '{shown(raw.stranger, 60)}', which {detector} does not have",
        "give the detector that made the hits",
    )
    yield Fault(known & (raw.measured == 0), f"is on a surface of {detector} that measures nothing", "leave it out")
    bad = ~(np.abs(raw.value) < LARGEST) & there
    yield Fault(bad[:, 0], "has a u that is no number of cm", "mend it, or leave the hit out")
    yield Fault(bad[:, 1], "has a v that is no number of cm, on a module that measures two", "mend it")
    wrong = ~((raw.sigma > LEAST_ERROR) & (raw.sigma < LARGEST)) & there
    yield Fault(wrong[:, 0] | wrong[:, 1], "has an error that is no positive number of cm", "mend it")
    low, high = raw.spans[:, 0], raw.spans[:, 1]
    margin = FAR * (high - low)
    outside = there & ~bad & ((raw.value < low - margin) | (raw.value > high + margin))
    yield Fault(outside[:, 0] | outside[:, 1], "lies outside of its module", "give u and v in cm, on the module")
    wide = there & ~wrong & (raw.sigma > high - low)
    yield Fault(wide[:, 0] | wide[:, 1], "has an error larger than its module", "give errors in cm")
    beside = np.isfinite(raw.value) & ~there & (raw.measured == 1)[:, None]
    yield Fault(beside[:, 1], "has a v on a module that measures one coordinate", "leave v empty")
    yield Fault(_again(raw), "is the hit before again", "leave it out")


def _again(raw: RawHits) -> BoolArray:
    """Which rows are equal to the one before."""
    columns = raw.event, raw.track, raw.surface, *np.nan_to_num(raw.value).T
    again = np.zeros(len(raw.event), np.bool_)
    again[1:] = np.all([column[1:] == column[:-1] for column in columns], axis=0)
    return again


def _line(name: str, start: int, fault: Fault) -> str:
    number, first = int(fault.rows.sum()), start + int(np.argmax(fault.rows))
    count = "" if number == 1 else f" ({number} such rows in this piece)"
    return f"{name}: row {first} {fault.what}{count}; {fault.way_out}"


def _positions(table: Any, key: str, words: Sequence[str], name: str) -> IntArray:
    """Positions (n,) in `words` of the words in a column; UNKNOWN for others and for none."""
    column, kind = table[key], table[key].type
    if not (pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise InputError(f"{name}: column '{key}' does not hold words (found {kind}). Mend the file.")
    coded = column if pa.types.is_dictionary(kind) else column.dictionary_encode()
    known = {word: i for i, word in enumerate(words)}
    parts = [np.zeros(0, np.int64)]
    for chunk in coded.chunks:
        place = np.array([*(known.get(word, UNKNOWN) for word in chunk.dictionary.to_pylist()), UNKNOWN], np.int64)
        parts.append(place[chunk.indices.fill_null(len(place) - 1).to_numpy()])
    return np.concatenate(parts)


def _numbers(table: Any, keys: Sequence[str], name: str) -> FloatArray:
    """Columns of numbers as (n, columns); nulls are NaN."""
    for key in keys:
        kind = table[key].type
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind)):
            raise InputError(f"{name}: column '{key}' does not hold numbers (found {kind}). Mend the file.")
    columns = [table[key].cast(pa.float64()).to_numpy() for key in keys]
    return np.column_stack(columns).astype(np.float64).reshape(-1, len(keys))


def _offsets(event: AnyArray, track: AnyArray) -> IntArray:
    """Where tracks begin, and the end."""
    change = np.flatnonzero((np.diff(event) != 0) | (np.diff(track) != 0)) + 1
    return np.concatenate(([0], change, [len(event)])) if len(event) else np.zeros(1, np.int64)


def open_truth(path: Path, hits: HitsFile | None = None) -> TruthFile:
    """A table of truth. Raises InputError if it cannot be read, lacks a column, or is of another sample than `hits`."""
    name = str(path)
    _require_file(path, name)
    with parquet.opened(path, name) as file, reading(name, parquet.KIND):
        metadata, rows = file.schema_arrow.metadata, file.metadata.num_rows
        faults = list(_missing(name, file.schema_arrow.names, TRUTH_COLUMNS))
        if hits is not None and len({hits.origin, in_metadata(metadata)} - {None}) == 2:
            faults.append(f"{name}: is of another sample than {hits.name}; simulate the sample again")
        if faults:
            raise InputError(faults)
        return TruthFile(path, name, rows, about_of(metadata, name))


def read_truth(file: TruthFile, events: tuple[int, int] | None = None) -> TrackTruth:
    """The truth of events [first, last], all by default. Raises InputError for unknown words, for what is not a number
    or no charged particle that moves away from the z axis, and for a track that is there twice."""
    name = file.name
    with reading(name, parquet.KIND):
        table = _rows_within(file, events)
        event, track, charge = (bits(exact(table[key].to_numpy(), name, key)) for key in ("event", "track", "charge"))
        words = {key: _positions(table, key, known, name) for key, known in WORDS.items()}
        state = _numbers(table, ("x", "y", "z", "px", "py", "pz"), name)
        mass = _numbers(table, ("parent_mass",), name)[:, 0]
    wrong = [f"column '{key}' has unknown words" for key, places in words.items() if np.any(places == UNKNOWN)]
    wrong += [fault for fault, rows in _truth_faults(event, track, charge, state) if np.any(rows)]
    if wrong:
        raise InputError([f"{name}: {fault}. Simulate the sample again." for fault in wrong])
    kinds = words["parent"], words["species"], charge
    return TrackTruth(event, track, *kinds, state[:, :3], state[:, 3:], mass, words["end"])


def _rows_within(file: TruthFile, events: tuple[int, int] | None) -> Any:
    """The rows of these events; of a table with unsigned numbers, whose order is another than that of `bits`, all."""
    kind = pq.read_schema(file.path).field("event").type
    within = None
    if events is not None and not pa.types.is_uint64(kind):
        within = [("event", ">=", events[0]), ("event", "<=", events[1])]
    return pq.read_table(file.path, columns=list(TRUTH_COLUMNS), filters=within, use_threads=False)


def _truth_faults(
    event: IntArray, track: IntArray, charge: IntArray, state: FloatArray
) -> Iterator[tuple[str, AnyArray]]:
    """What is wrong, and whether it is so, for every row or as a whole."""
    yield "x y z px py pz are not finite everywhere", ~np.isfinite(state)
    yield f"x y z px py pz exceed {LARGEST:g} cm or GeV", np.isfinite(state) & (np.abs(state) > LARGEST)
    yield "px and py are 0 for a track", np.all(state[:, 3:5] == 0, axis=1)
    yield "the charge of a track is not +1 or -1", np.abs(charge) != 1
    keys = np.stack((event, track), axis=1)
    yield "a track is there twice", np.array(len(np.unique(keys, axis=0)) < len(keys))


def rows_of(truth: TrackTruth, event: IntArray, track: IntArray) -> IntArray:
    """Row (n,) of the truth of each of these tracks, -1 for those that it does not have. No (event, track) is twice in
    the truth."""
    keys = np.stack((truth.event, truth.track), axis=1)
    both = np.concatenate((keys, np.stack((event, track), axis=1)))
    number = np.unique(both, axis=0, return_inverse=True)[1].ravel()
    row = np.full(len(both), UNKNOWN)
    row[number[: len(keys)]] = np.arange(len(keys))
    return row[number[len(keys) :]]
