"""Tables that `muonkit identify` wrote, joined with the truth of their tracks on (event, track), and on experiment and
run where both have them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from muonkit.core.arrays import AnyArray, IntArray
from muonkit.core.errors import InputError
from muonkit.data.klm import KLMTruth
from muonkit.io.basf2.tables import open_table
from muonkit.io.ids import exact, halves, joined
from muonkit.io.klm import RUN_COLUMNS, KLMFile, describe, kind_faults, open_truth, read_columns, read_truth
from muonkit.io.names import close

KEY = ("event", "track")
FLAGS = ("is_forward", "junk", "efficiency_missing")
WHOLE = ("status", *RUN_COLUMNS, *KEY)  # never empty
Forms = tuple[str, str]
MUONKIT = ("muonkit", "muonkit")


@dataclass(frozen=True, slots=True)
class Joined:
    """A table and the truth of its tracks; rows (n,): of the truth, for every row of the table; unused: tracks of the
    truth that the table does not have."""

    table: KLMFile
    truth: KLMFile
    rows: IntArray
    unused: int


def open_identified(path: Path, columns: tuple[str, ...], form: str = "muonkit") -> KLMFile:
    """A table with these columns, or the records of Muid in a file of basf2. Raises InputError if it cannot be read or
    lacks one."""
    if form == "basf2":
        return _records(path, columns)
    layout = describe(path)
    missing = [name for name in columns if name not in layout.columns]
    if missing:
        near = [(name, close(name, layout.columns)) for name in missing]
        meant = ", ".join(f"'{name}'" + (f" (is it '{other}'?)" if other else "") for name, other in near)
        found = ", ".join(layout.columns)
        raise InputError(f"{path}: has no column {meant}. Found {found}. Give a table of `muonkit identify`.")
    faults = kind_faults(path, layout, {name: name for name in columns})
    if faults:
        raise InputError(faults)
    rows, span = (layout.pieces[0].stop, layout.pieces[0].span) if layout.pieces else (0, None)
    known = (*(name for name in RUN_COLUMNS if name in layout.columns), *columns)
    return KLMFile(path, str(path), tuple((name, name) for name in known), rows, span, layout.tree, layout.origin)


def _records(path: Path, columns: tuple[str, ...]) -> KLMFile:
    """The records of Muid in a file of basf2, with these columns."""
    table = open_table(path, "records")
    known = [name for name, _ in table.columns]
    missing = [name for name in columns if name not in known]
    if missing:
        raise InputError(f"{path}: records of Muid have no column {', '.join(missing)}; take it out of [[score]]")
    return replace(table, columns=tuple((name, name) for name in (*RUN_COLUMNS, *columns)))


def join(identified: Path, truth: Path, columns: tuple[str, ...], forms: Forms = MUONKIT) -> Joined:
    """Open both and find every track's truth; forms: of both files. Raises InputError for the truth of another sample,
    and for tracks without truth or that stand twice."""
    table = open_identified(identified, columns, forms[0])
    other = open_table(truth, "truth") if forms[1] == "basf2" else open_truth(truth)
    if table.origin and other.origin and table.origin != other.origin:
        raise InputError(f"{other.name}: is the truth of another sample than that of {table.name}; give its own truth")
    names = tuple(name for name in (*RUN_COLUMNS, *KEY) if {(name, name)} <= set(table.columns) & set(other.columns))
    wanted, known = (_keys(file, names) for file in (table, other))
    rows = np.arange(len(wanted)) if np.array_equal(wanted, known) else places(wanted, known)
    lost: IntArray = np.flatnonzero(rows < 0)
    if len(lost):
        event, track = (joined(wanted[lost[0], at : at + 2 or None]) for at in (-4, -2))
        raise InputError(
            f"{table.name}: {len(lost)} of {len(wanted)} tracks are not in {other.name}, first track {track} of event "
            f"{event}. Give the truth of the same sample."
        )
    return Joined(table, other, rows, len(known) - len(wanted))


def _keys(file: KLMFile, names: tuple[str, ...]) -> IntArray:
    """The columns `names` by halves, event and track last (n, k). Raises InputError for a track that stands twice."""
    columns = read_columns(file, 0, file.rows, names)
    keys = np.column_stack([halves(exact(columns[name], file.name, name)) for name in names])
    order = np.lexsort(keys.T[::-1])
    twice = np.flatnonzero(np.all(np.diff(keys[order], axis=0) == 0, axis=1))
    if len(twice):
        event, track = (joined(keys[order[twice[0]], at : at + 2 or None]) for at in (-4, -2))
        raise InputError(
            f"{file.name}: track {track} of event {event} stands twice ({len(twice)} rows too many); remove them"
        )
    return keys


def places(wanted: IntArray, known: IntArray) -> IntArray:
    """Row (n,) among `known` (m, k) of each key of `wanted` (n, k); -1 where there is none. Keys are unique."""
    both = np.concatenate((known, wanted))
    order = np.lexsort(both.T[::-1])  # stable: the known one stands first
    sorted_keys = both[order]
    same = np.zeros(len(both), dtype=np.bool_)
    same[1:] = np.all(sorted_keys[1:] == sorted_keys[:-1], axis=1)
    places = np.full(len(wanted), -1)
    second = np.flatnonzero(same)
    places[order[second] - len(known)] = order[second - 1]
    return places


def pieces(joined: Joined, size: int) -> Iterator[tuple[dict[str, AnyArray], KLMTruth]]:
    """Columns and truth, row by row the same tracks, `size` at a time; NaN where nothing was computed."""
    for start in range(0, len(joined.rows), size):
        rows = joined.rows[start : start + size]
        first, last = int(rows.min()), int(rows.max()) + 1
        truth = read_truth(joined.truth, first, last)[rows - first]
        yield numbers(joined.table, start, start + len(rows)), truth


def numbers(file: KLMFile, start: int, stop: int) -> dict[str, AnyArray]:
    """Columns of rows [start, stop) as numbers, NaN where nothing stands. Raises InputError for anything else."""
    found = {}
    for name, values in read_columns(file, start, stop, words=FLAGS).items():
        try:
            found[name] = exact(values, file.name, name) if name in WHOLE else _number(values, name)
        except (TypeError, ValueError) as error:
            raise InputError(f"{file.name}: column '{name}' does not hold numbers. Mend the file.") from error
    return found


def _number(values: AnyArray, name: str) -> AnyArray:
    """As floats; flags as they come from Parquet (True, False, None) and CSV (words)."""
    if name in FLAGS and values.dtype.kind in "OU":
        words = {True: 1.0, False: 0.0, "true": 1.0, "false": 0.0, None: np.nan, "": np.nan}
        try:
            return np.array([words[value] for value in values.tolist()])
        except KeyError as error:
            raise ValueError(name) from error
    return np.asarray(values, dtype=np.float64)
