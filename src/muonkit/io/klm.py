"""Tables of identification: tracks with their covariance, and hits of the muon detector, from Parquet, ROOT or CSV.

Both are sorted by event (and, where a file holds several, by experiment and run), so that a piece of the tracks and the
hits of its events are slices."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from muonkit.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.data.klm import FATES, REGIONS, SECTIONS, Candidates, KLMHits, KLMTruth
from muonkit.data.tracks import FreeStates
from muonkit.io import csvfile, parquet, root
from muonkit.io.checks import check_charges, examine
from muonkit.io.chunks import BadRows, Chunk, Summary
from muonkit.io.ids import bits, exact, halves
from muonkit.io.layout import Layout, kind_or_fault
from muonkit.io.names import close
from muonkit.io.origin import in_csv

WHOLE = 1 << 62  # rows: a piece that is the whole file
TRACK_COLUMNS = ("event", "track", "charge", "x", "y", "z", "px", "py", "pz")
COVARIANCE = "cov"
SPLIT_COVARIANCE = tuple(f"cov_{i}" for i in range(21))
RUN_COLUMNS = ("experiment", "run")
HALVES = ("halves_chi2", "halves_pull")
HIT_COLUMNS = ("event", "region", "section", "sector", "layer", "x", "y", "z", "t", "width_phi", "width_z")
TRUTH_COLUMNS = (
    *("event", "track", "pdg_id", "x", "y", "z", "px", "py", "pz"),
    *("fate", "end_x", "end_y", "end_z", "soft_p"),
)
WORDS = {"region": REGIONS, "section": SECTIONS, "fate": FATES}
LONG_WORDS = {"backward": "bwd", "forward": "fwd"}
INTEGERS = ("event", "track", "pdg_id", "experiment", "run", "region", "section", "sector", "layer", "fate")
IDS = ("event", "track")
UPPER = np.triu_indices(6)
PLACES = 1 << 31  # more than there are modules anywhere
LARGEST = 1e15  # of a length, a momentum, a time or a covariance


class Source(Protocol):
    """What is no table but can be read as one: columns by canonical name of rows [start, stop)."""

    def read(self, names: tuple[str, ...], start: int, stop: int) -> dict[str, AnyArray]: ...


@dataclass(frozen=True, slots=True)
class KLMFile:
    """A table: where it is, what messages call it, its names of the canonical columns, its tree (ROOT), the simulated
    sample that it is of (see `io.origin`), and the source if the file is not a table itself."""

    path: Path
    name: str
    columns: tuple[tuple[str, str], ...]
    rows: int
    span: tuple[int, int] | None
    tree: str | None = None
    origin: str | None = None
    source: Source | None = None


def open_tracks(path: Path, mapping: Mapping[str, str]) -> KLMFile:
    """A table of tracks. Raises InputError if it cannot be read or lacks a column."""
    layout = describe(path)
    split = COVARIANCE not in layout.columns and mapping.get(COVARIANCE) is None
    both = HALVES if {*layout.columns, *mapping} & set(HALVES) else ()
    needed = (*TRACK_COLUMNS, *(SPLIT_COVARIANCE if split else (COVARIANCE,)), *both)
    return _opened(path, layout, needed, RUN_COLUMNS, mapping, "input.track_columns")


def open_hits(path: Path, mapping: Mapping[str, str]) -> KLMFile:
    """A table of hits. Raises InputError if it cannot be read or lacks a column."""
    return _opened(path, describe(path), HIT_COLUMNS, RUN_COLUMNS, mapping, "input.hit_columns")


def open_truth(path: Path) -> KLMFile:
    """A table of what simulated tracks are. Raises InputError if it cannot be read or lacks a column."""
    return _opened(path, describe(path), TRUTH_COLUMNS, RUN_COLUMNS, {}, "input")


def describe(path: Path) -> Layout:
    """What a file says of itself. Raises InputError if it is not there or not a table."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file. Correct the path in [input].")
    kind = kind_or_fault(path, str(path))
    if kind == "ROOT":
        return root.describe(path, str(path), WHOLE, None)
    if kind == "Parquet":
        return parquet.describe(path, str(path), WHOLE)
    return replace(csvfile.describe(path, str(path), WHOLE), origin=in_csv(path, str(path)))


def _opened(
    path: Path, layout: Layout, needed: tuple[str, ...], optional: tuple[str, ...], mapping: Mapping[str, str], key: str
) -> KLMFile:
    known = (*needed, *optional)
    faults = [f"{key}: {name}: unknown key; known are {', '.join(known)}" for name in mapping if name not in known]
    columns = {name: mapping.get(name, name) for name in known}
    missing = [column for name, column in columns.items() if name in needed and column not in layout.columns]
    if missing:
        near = [close(name, layout.columns) for name in missing]
        meant = ", ".join(
            f"'{name}'" + (f" (is it '{other}'?)" if other else "") for name, other in zip(missing, near, strict=True)
        )
        faults.append(f"{path}: has no column {meant}. Found {', '.join(layout.columns)}. Name them in [{key}].")
    faults += kind_faults(path, layout, columns)
    if faults:
        raise InputError(faults)
    found = tuple((name, column) for name, column in columns.items() if column in layout.columns)
    rows, span = (layout.pieces[0].stop, layout.pieces[0].span) if layout.pieces else (0, None)
    return KLMFile(path, str(path), found, rows, span, layout.tree, layout.origin)


def kind_faults(path: Path, layout: Layout, columns: Mapping[str, str]) -> list[str]:
    """One line for every column, by canonical name, that holds something else than a number in every row."""
    faults = []
    for name, column in columns.items():
        kind = layout.columns.get(column)
        if kind is None or name in WORDS or (name == COVARIANCE) != (kind == "number"):
            continue
        what = f"does not hold numbers (found {kind})" if kind != "number" else "holds 1 number per row, not 21"
        faults.append(f"{path}: column '{column}' {what}. Mend the file.")
    return faults


def read_columns(
    file: KLMFile, start: int, stop: int, only: tuple[str, ...] = (), words: tuple[str, ...] = ()
) -> dict[str, AnyArray]:
    """Columns of rows [start, stop) by canonical name, all or `only` some; in CSV, `words` are not numbers.
    Raises InputError for a damaged file."""
    columns = {name: column for name, column in file.columns if not only or name in only}
    if file.source is not None:
        return file.source.read(tuple(columns), start, stop)
    if file.rows == 0:
        return {name: np.zeros(0) for name in columns}
    if file.tree is not None:
        return root.read_flat(file.path, file.name, file.tree, columns, slice(start, stop))
    if file.span is not None:
        kinds = csv_kinds(columns) | {name: "word" for name in words if name in columns}
        whole = _from_csv(file, columns, file.span, kinds)
        return {name: values[start:stop] for name, values in whole.items()}
    found = parquet.read(file.path, file.name, list(columns.values()), start, stop)
    return {name: found[column] for name, column in columns.items()}


def _from_csv(
    file: KLMFile, columns: dict[str, str], span: tuple[int, int], kinds: dict[str, str]
) -> dict[str, AnyArray]:
    """All rows; numbers of events and tracks may reach beyond 2^63."""
    try:
        return csvfile.read(file.path, file.name, columns, 0, span, kinds)
    except InputError:
        for large in (IDS[:1], IDS[1:], IDS):
            try:
                return csvfile.read(file.path, file.name, columns, 0, span, kinds | dict.fromkeys(large, "unsigned"))
            except InputError:
                continue
        raise


def csv_kinds(columns: Mapping[str, str]) -> dict[str, str]:
    """Kinds of the columns that are not plain numbers."""
    return {name: "word" if name in WORDS else "integer" for name in columns if name in INTEGERS}


def read_tracks(file: KLMFile, start: int, stop: int) -> Candidates:
    """Tracks of rows [start, stop), charge NaN where it is not +1 or -1. Raises InputError for columns that are not
    numbers."""
    return checked_tracks(file, start, stop)[0]


def checked_tracks(file: KLMFile, start: int, stop: int) -> tuple[Candidates, Summary]:
    """As `read_tracks`, with the rows whose charge is wrong. Raises InputError also for charges that are unsigned."""
    columns = read_columns(file, start, stop)
    n = len(columns["event"])
    position = np.column_stack([_number(file, columns, name) for name in ("x", "y", "z")])
    momentum = np.column_stack([_number(file, columns, name) for name in ("px", "py", "pz")])
    covariance = np.zeros((n, 6, 6))
    covariance[:, UPPER[0], UPPER[1]] = _upper(file, columns, n)
    covariance[:, UPPER[1], UPPER[0]] = covariance[:, UPPER[0], UPPER[1]]
    good, bad = _charges(file, columns["charge"], start, stop)
    charge = np.where(good, _number(file, columns, "charge"), np.nan)
    event, track = (bits(exact(columns[name], file.name, name)) for name in IDS)
    compared = np.column_stack([_number(file, columns, name) for name in HALVES]) if HALVES[0] in columns else None
    tracks = Candidates(event, track, FreeStates(position, momentum, charge, covariance), compared)
    return tracks, Summary(n, int(np.sum(~good)), bad)


def _charges(file: KLMFile, charge: AnyArray, start: int, stop: int) -> tuple[BoolArray, tuple[BadRows, ...]]:
    """Which charges (n,) are +1 or -1, and what is wrong with the others."""
    chunk = Chunk(file.path, file.name, "klm", file.columns, start, stop, False, file.tree, file.span)
    check_charges({"charge": charge}, chunk)
    return examine({"charge": charge}, chunk)


def read_ids(file: KLMFile, start: int, stop: int) -> dict[str, AnyArray]:
    """Experiment, run, event and track (n,) of rows [start, stop), as far as the table has them, as they are there.
    Raises InputError for what is not a whole number."""
    names = (*RUN_COLUMNS, *IDS)
    columns = read_columns(file, start, stop, names)
    return {name: exact(columns[name], file.name, name) for name in names if name in columns}


def _upper(file: KLMFile, columns: Mapping[str, AnyArray], n: int) -> FloatArray:
    """Upper triangles (n, 21) [cm^2, cm GeV, GeV^2] from one column of lists, or from 21 columns."""
    if COVARIANCE not in columns:
        return np.column_stack([_number(file, columns, name) for name in SPLIT_COVARIANCE]).reshape(n, 21)
    rows = columns[COVARIANCE]
    if n == 0:
        return np.zeros((0, 21))
    try:
        upper = np.asarray(rows.tolist() if rows.dtype == object else rows, dtype=np.float64).reshape(n, -1)
    except (TypeError, ValueError) as error:
        what = f"{file.name}: column '{COVARIANCE}' does not hold 21 numbers in every row; mend it"
        raise InputError(what) from error
    if upper.shape[1] != 21:
        found = f"{upper.shape[1]} numbers per row, not the 21 of the upper triangle"
        raise InputError(f"{file.name}: column '{COVARIANCE}' holds {found}; mend it")
    return _measured(upper)


def read_hits(file: KLMFile, start: int, stop: int) -> KLMHits:
    """Hits of rows [start, stop). Raises InputError for unknown regions or sections, and for what is not a number."""
    columns = read_columns(file, start, stop)
    position = np.column_stack([_number(file, columns, name) for name in ("x", "y", "z")])
    width = np.column_stack([_number(file, columns, name) for name in ("width_phi", "width_z")])
    return KLMHits(
        bits(exact(columns["event"], file.name, "event")),
        _words(file, columns, "region"),
        _words(file, columns, "section"),
        _place(file, columns, "sector"),
        _place(file, columns, "layer"),
        position,
        _number(file, columns, "t"),
        width,
    )


def read_truth(file: KLMFile, start: int, stop: int) -> KLMTruth:
    """Truth of rows [start, stop). Raises InputError for unknown fates, and for what is not a number."""
    columns = read_columns(file, start, stop)
    three = {
        prefix: np.column_stack([_number(file, columns, prefix + name) for name in ("x", "y", "z")])
        for prefix in ("", "p", "end_")
    }
    event, track, pdg_id = (bits(exact(columns[name], file.name, name)) for name in (*IDS, "pdg_id"))
    fate, soft = _words(file, columns, "fate"), _number(file, columns, "soft_p")
    return KLMTruth(event, track, pdg_id, three[""], three["p"], fate, three["end_"], soft)


def _number(file: KLMFile, columns: Mapping[str, AnyArray], name: str) -> FloatArray:
    try:
        return _measured(np.asarray(columns[name], dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise InputError(f"{file.name}: column '{name}' does not hold numbers. Mend the file.") from error


def _measured(values: FloatArray) -> FloatArray:
    """The values, with NaN for those that nothing can be and whose products would overflow."""
    return np.where(np.abs(values) > LARGEST, np.nan, values)


def _place(file: KLMFile, columns: Mapping[str, AnyArray], name: str) -> IntArray:
    """Whole numbers, and -1, where nothing can be, for what is none."""
    values = _number(file, columns, name)
    return np.where((np.abs(values) < PLACES) & (np.floor(values) == values), values, -1).astype(np.int64)


def _words(file: KLMFile, columns: Mapping[str, AnyArray], name: str) -> IntArray:
    """Positions in WORDS[name] of words, or of numbers that are such positions."""
    if columns[name].dtype.kind in "iuf":
        return _place(file, columns, name)
    try:
        return _positions(columns[name], name)
    except KeyError as error:
        known = ", ".join(WORDS[name])
        raise InputError(f"{file.name}: column '{name}': '{error.args[0]}' is not one of {known}; mend it") from None


def _positions(values: AnyArray, name: str) -> IntArray:
    """Positions of words in WORDS[name]. Raises KeyError for the first unknown one."""
    words = WORDS[name]
    known = {word: i for i, word in enumerate(words)} | {str(i): i for i in range(len(words))}  # numbers in CSV
    known |= {long: words.index(short) for long, short in LONG_WORDS.items() if short in words}
    unique, inverse = np.unique(values.astype(str), return_inverse=True)
    return np.array([known[str(word)] for word in unique], dtype=np.int64)[inverse]


class EventKeys(NamedTuple):
    """Experiment, run, and the event by halves (n, 4) of every row of a table, and the first rows (k + 1,) of its k
    events."""

    rows: IntArray
    first: IntArray


def event_keys(file: KLMFile, experiment: int = 0, run: int = 0) -> EventKeys:
    """The keys of a table; experiment and run where the table does not name them.

    Raises InputError if the rows are not sorted by them."""
    columns = read_columns(file, 0, file.rows, (*RUN_COLUMNS, "event"))
    default = {"experiment": experiment, "run": run}
    runs = [
        _of_runs(file, columns, name) if name in columns else np.full(len(columns["event"]), default[name])
        for name in RUN_COLUMNS
    ]
    rows = np.column_stack((*runs, halves(exact(columns["event"], file.name, "event"))))
    step = np.diff(rows, axis=0)
    first = np.argmax(step != 0, axis=1) if len(step) else np.zeros(0, dtype=np.int64)
    change = step[np.arange(len(step)), first] if len(step) else np.zeros(0, dtype=np.int64)
    if np.any(change < 0):
        row = int(np.flatnonzero(change < 0)[0]) + 1
        raise InputError(
            f"{file.name}: row {row} goes back to an earlier event; sort the rows by experiment, run, event"
        )
    first_rows = np.concatenate(([0], np.flatnonzero(change) + 1, [len(rows)]))
    return EventKeys(rows, first_rows if len(rows) else first_rows[:1])


def _of_runs(file: KLMFile, columns: Mapping[str, AnyArray], name: str) -> IntArray:
    values = exact(columns[name], file.name, name)
    if np.any(bits(values) != values):
        raise InputError(f"{file.name}: column '{name}' is 2^63 or more; no conditions have such numbers. Mend it.")
    return bits(values)


def table_of(tracks: Candidates, hits: KLMHits) -> tuple[dict[str, Any], dict[str, Any]]:
    """The two tables as columns, as `read_tracks` and `read_hits` read them; regions and sections as numbers."""
    states = tracks.states
    x, p = states.position.T, states.momentum.T
    first: dict[str, Any] = {"event": tracks.event, "track": tracks.track, "charge": states.charge.astype(np.int64)}
    first |= dict(zip(("x", "y", "z", "px", "py", "pz"), (*x, *p), strict=True))
    if states.covariance is not None:
        first[COVARIANCE] = states.covariance[:, UPPER[0], UPPER[1]]
    if tracks.halves is not None:
        first |= dict(zip(HALVES, tracks.halves.T, strict=True))
    places = ("event", "region", "section", "sector", "layer")
    second: dict[str, Any] = {name: getattr(hits, name) for name in places}
    numbers = (*hits.position.T, hits.time, *hits.width.T)
    return first, second | dict(zip(("x", "y", "z", "t", "width_phi", "width_z"), numbers, strict=True))


def worded(columns: Mapping[str, AnyArray]) -> dict[str, Any]:
    """Columns with words, for Arrow, in place of positions in WORDS."""
    return {name: _spelt(values, name) if name in WORDS else values for name, values in columns.items()}


def _spelt(values: AnyArray, name: str) -> "pa.Array":
    return pa.DictionaryArray.from_arrays(pa.array(values.astype(np.int8)), list(WORDS[name])).dictionary_decode()


def truth_table(truth: KLMTruth) -> dict[str, Any]:
    """The table of truth as columns, as `read_truth` reads them; fates as numbers."""
    columns = {"event": truth.event, "track": truth.track, "pdg_id": truth.pdg_id}
    columns |= dict(zip(("x", "y", "z", "px", "py", "pz"), (*truth.position.T, *truth.momentum.T), strict=True))
    columns |= {"fate": truth.fate}
    return columns | dict(zip(("end_x", "end_y", "end_z", "soft_p"), (*truth.end.T, truth.soft), strict=True))
