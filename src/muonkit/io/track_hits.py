"""Hits and truth of tracks from the files of `io.track_samples`: checked, and in pieces of whole tracks.

    file = open_hits(path, detector.sensors)
    for piece in file.pieces:
        found = read_hits(file, piece)          # TrackHits: event, track, hits
    truth = read_truth(open_truth(path, file))  # never in a fit"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

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
UNKNOWN = -1


class Rows(NamedTuple):
    """Rows [start, stop) of whole tracks."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class HitsFile:
    """An open table of hits on sensors; pieces of whole tracks; how it was made; notes, a line each, on what is taken on
    trust."""

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
    """A table of hits, in pieces of about `size` rows. Raises InputError, one line per fault, if it cannot be read, lacks
    a column, was made with another description of the detector, or is not sorted by event and track."""
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
        yield (
            f"{name}: was made with the detector '{shown(about.detector)}' (checksum {shown(about.checksum[:12])}), but "
            f"the one given is '{sensors.detector}' ({sensors.checksum[:12]}). Give the same description."
        )


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
    """Cuts where tracks begin."""
    begin, stop = 0, 0
    for first, keys in groups:
        stop = first + len(keys)
        for edge in (first + 1 + np.flatnonzero(np.any(np.diff(keys, axis=0) != 0, axis=1))).tolist():
            if edge - begin >= size:
                yield Rows(begin, edge)
                begin = edge
    if stop > begin:
        yield Rows(begin, stop)


def read_hits(file: HitsFile, rows: Rows) -> TrackHits:
    """The hits of the tracks of a piece. Raises InputError, one line per kind of fault with its number and first row:
    unknown modules, coordinates or errors that are no numbers, a second coordinate where none is measured, the same hit
    twice."""
    with parquet.opened(file.path, file.name) as opened, reading(file.name, parquet.KIND):
        table = parquet.rows(opened, list(HIT_COLUMNS), *rows)
        event, track = (bits(exact(table[key].to_numpy(), file.name, key)) for key in ("event", "track"))
        surface = _places(table["module"], file.sensors.names)
        value, sigma = (_two(table, names, file.name) for names in (("u", "v"), ("sigma_u", "sigma_v")))
        words = table["module"]
    measured = np.where(surface == UNKNOWN, 0, file.sensors.measured[surface])
    faults = _faults(file, surface, words, value, sigma, measured)
    again = np.zeros(len(event), np.bool_)
    same = [np.all(x[1:] == x[:-1], axis=1) for x in (np.column_stack((event, track, surface)), np.nan_to_num(value))]
    again[1:] = np.logical_and(*same)
    faults.append((again, "is the hit before again", "leave it out"))
    found = [_line(file.name, rows.start, *fault) for fault in faults if fault[0].any()]
    if found:
        raise InputError(found)
    there = np.arange(2) < measured[:, None]
    hits = Hits(_offsets(event, track), surface, np.where(there, value, 0.0), np.where(there, sigma, 0.0) ** 2)
    starts = hits.offsets[:-1]
    return TrackHits(event[starts], track[starts], hits)


Fault = tuple[BoolArray, str, str]


def _faults(
    file: HitsFile, surface: IntArray, words: Any, value: FloatArray, sigma: FloatArray, measured: IntArray
) -> list[Fault]:
    """Which rows, what is wrong with them, the way out."""
    known, there = surface != UNKNOWN, np.arange(2) < measured[:, None]
    detector = file.sensors.detector
    unknown = "" if known.all() else shown(str(words[int(np.argmin(known))].as_py()), 60)
    no_number = ~(np.abs(value) < LARGEST) & there
    no_error = ~((sigma > 0) & (sigma < LARGEST)) & there
    beside = np.isfinite(value) & ~there & known[:, None]
    return [
        (~known, f"is on module '{unknown}', which {detector} does not have", "give the detector that made the hits"),
        (known & (measured == 0), f"is on a surface of {detector} that measures nothing", "leave it out"),
        (no_number[:, 0], "has a u that is no number of cm", "mend it, or leave the hit out"),
        (no_number[:, 1], "has a v that is no number of cm, on a module that measures two", "mend it"),
        (no_error.any(axis=1), "has an error that is no positive number of cm", "mend it, or leave the hit out"),
        (beside[:, 1] & (measured == 1), "has a v on a module that measures one coordinate", "leave v empty"),
    ]


def _line(name: str, start: int, bad: BoolArray, what: str, way_out: str) -> str:
    number, first = int(bad.sum()), start + int(np.argmax(bad))
    count = "" if number == 1 else f" ({number} such rows)"
    return f"{name}: row {first} {what}{count}; {way_out}"


def _places(column: Any, names: tuple[str, ...]) -> IntArray:
    """Positions (n,) of words in `names`; UNKNOWN for others and for none."""
    kind = column.type
    if not (pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise ValueError(f"column '{column}' holds no words" if isinstance(column, str) else "a column holds no words")
    coded = column if pa.types.is_dictionary(kind) else column.dictionary_encode()
    coded = coded.unify_dictionaries().combine_chunks()
    if len(coded) == 0:
        return np.zeros(0, np.int64)
    where = {name: i for i, name in enumerate(names)}
    place = np.array([*(where.get(word, UNKNOWN) for word in coded.dictionary.to_pylist()), UNKNOWN], np.int64)
    codes = coded.indices.fill_null(len(place) - 1).to_numpy()
    return place[codes]


def _two(table: Any, names: tuple[str, str], name: str) -> FloatArray:
    """Columns of numbers as (n, 2); nulls are NaN."""
    return np.column_stack([_numbers(table[column], column, name) for column in names])


def _numbers(column: Any, key: str, name: str) -> FloatArray:
    kind = column.type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind)):
        raise InputError(f"{name}: column '{key}' does not hold numbers (found {kind}). Mend the file.")
    return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)


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
        if hits is not None and hits.origin != in_metadata(metadata):
            faults.append(f"{name}: is of another sample than {hits.name}; simulate the sample again")
        if faults:
            raise InputError(faults)
        return TruthFile(path, name, rows, about_of(metadata, name))


def read_truth(file: TruthFile, start: int = 0, stop: int | None = None) -> TrackTruth:
    """Rows [start, stop), all by default. Raises InputError for unknown words, and for what is not a number."""
    with parquet.opened(file.path, file.name) as opened, reading(file.name, parquet.KIND):
        table = parquet.rows(opened, list(TRUTH_COLUMNS), start, file.rows if stop is None else stop)
        event, track, charge = (bits(exact(table[key].to_numpy(), file.name, key)) for key in ("event", "track", "charge"))
        words = {key: _places(table[key], tuple(known)) for key, known in WORDS.items()}
        x, p = (np.column_stack([_numbers(table[key], key, file.name) for key in keys]) for keys in AXES)
        mass = _numbers(table["parent_mass"], "parent_mass", file.name)
    wrong = [key for key, places in words.items() if np.any(places == UNKNOWN)]
    wrong += [] if np.all(np.isfinite(np.column_stack((x, p)))) else ["x y z px py pz"]
    if wrong:
        raise InputError([f"{file.name}: column {key} holds what is not known. Simulate the sample again." for key in wrong])
    kinds = words["parent"], words["species"]
    return TrackTruth(event, track, *kinds, charge, x, p, mass, words["end"])


AXES = ("x", "y", "z"), ("px", "py", "pz")


def rows_of(truth: TrackTruth, event: IntArray, track: IntArray) -> IntArray:
    """Row (n,) of the truth of each of these tracks, -1 for those that it does not have; both sorted by event and
    track."""
    keys = np.stack((truth.event, truth.track), axis=1).astype(np.int64)
    both = np.concatenate((keys, np.stack((event, track), axis=1)))
    _, number = np.unique(both, axis=0, return_inverse=True)
    row = np.full(int(number.max(initial=-1)) + 1, UNKNOWN)
    row[number[: len(keys)]] = np.arange(len(keys))
    return row[number[len(keys) :]]
