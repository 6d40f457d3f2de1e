"""Files with muon pairs, in any of the formats: `open_dimuons` finds the pieces, `read` reads one, `refuse` decides
whether too many rows were bad."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

from muonkit.core.errors import InputError
from muonkit.core.limits import reading
from muonkit.io import csvfile, names, nanoaod, pairs, parquet, root
from muonkit.io.checks import check_units
from muonkit.io.chunks import BadRows, Checked, Chunk, Summary, Unread
from muonkit.io.config import SHORT, Input
from muonkit.io.finding import check_file, find, has_no_bytes
from muonkit.io.layout import Layout, kind_or_fault
from muonkit.io.places import Place

__all__ = ["BadRows", "Checked", "Chunk", "Opened", "Summary", "Unread", "open_dimuons", "read", "recognised", "refuse"]

MARKS = {"nanoaod": ("Muon_pt", "Muon.pt"), "cms-csv": ("pt1",)}  # columns that only this format has


@dataclass(frozen=True, slots=True)
class Opened:
    """The pieces of files, in the order of the files; notes: one line for each thing that was left out or read once."""

    chunks: list[Chunk]
    notes: tuple[str, ...] = ()


def open_dimuons(patterns: Sequence[str], choice: Input, *, simulation: bool, base: Path = Path()) -> Opened:
    """The pieces, of about choice.chunk_size rows, of all files that fit `patterns` (relative to `base`), in the order
    of the patterns and then of the names. A file that is named twice is read once; one without rows is left out.

    Raises InputError with one line for every fault of every file, if a column that may be absent is in some files only,
    and if no file has rows."""
    own = choice.of_simulation() if simulation else choice
    apart = simulation and own.columns is choice.simulation_columns
    found = find(patterns, base)
    faults = [*names.mapping_faults(own, "input.simulation_columns" if apart else "input.columns"), *found.faults]
    chunks: list[Chunk] = []
    empty: dict[str, str] = {}
    for name, place in found.files.items():
        if has_no_bytes(place):
            empty[name] = "is empty (0 bytes)"
            continue
        try:
            pieces = inspect(place, name, own, simulation)
        except InputError as error:
            faults += error.faults
            continue
        chunks += pieces
        empty |= {} if pieces else {name: "has no rows"}
    faults += _differing(chunks)
    if not chunks:
        faults += [f"{name}: {what}. Leave it out, or write it again." for name, what in empty.items()]
    if faults:
        raise InputError(faults)
    return Opened(chunks, (*found.notes, *(f"{name}: {what}; left out" for name, what in empty.items())))


def _differing(chunks: Sequence[Chunk]) -> list[str]:
    """One line for every column that may be absent and is in some of the files only."""
    files = {chunk.name: chunk for chunk in reversed(chunks)}
    faults = []
    for key in dict.fromkeys(key for chunk in files.values() for key in chunk.names):
        having = [name for name in reversed(files) if key in files[name].names]
        lacking = [name for name in reversed(files) if key not in files[name].names]
        if lacking:
            faults.append(
                f"{lacking[0]}: has no column '{key}', but {having[0]} has '{files[having[0]].names[key]}'. "
                "Give it to all files, or to none."
            )
    return faults


def inspect(place: Place, name: str, choice: Input, simulation: bool) -> list[Chunk]:
    """The pieces of one file, called `name` in messages; none if it has no rows.
    Raises InputError if it cannot be read, or if columns are missing or of another kind."""
    about = layout(place, name, choice)
    found, missing = names.resolve(choice, simulation, about.columns)
    if missing:
        raise InputError(f"{name}: {names.missing_fault(missing, choice, list(about.columns))}")
    faults = [f"{name}: {fault}" for fault in _kind_faults(found, about, choice.format)]
    if faults:
        raise InputError(faults)
    columns = tuple(found.items())
    return [
        Chunk(place, name, choice.format, columns, start, stop, simulation, about.tree, span, choice.fallback)
        for start, stop, span in about.pieces
    ]


def layout(place: Place, name: str, choice: Input) -> Layout:
    """Columns, kinds and pieces of a file. Raises InputError if it is absent, empty, damaged or of an unknown kind."""
    check_file(place, name)
    kind = kind_or_fault(place, name)
    if choice.format == "nanoaod" and kind == "CSV":
        raise InputError(f'{name}: format = "nanoaod" is read from .root and .parquet files. Choose another format.')
    with reading(name, f"{kind} file"):
        if kind == "ROOT":
            return root.describe(place, name, choice.chunk_size, choice.tree)
        return (parquet if kind == "Parquet" else csvfile).describe(place, name, choice.chunk_size)


def recognised(place: Place, tree: str | None = None, columns: Mapping[str, str] | None = None) -> str:
    """The format whose columns a file has, or to which the keys of `columns` belong; "dimuon" if it is no other.
    Raises InputError if the file is absent, empty, damaged or of an unknown kind."""
    about = layout(place, str(place), Input(data=(str(place),), tree=tree))
    named = {SHORT.get(key, key) for key in columns or ()}
    by_key = [known for known, needed in names.REQUIRED.items() if named.intersection(needed)]
    by_key += ["nanoaod"] if names.PT_FACTOR in named else []
    if by_key:
        return by_key[0]
    found = {column.strip() for column in about.columns}
    return next((known for known, marks in MARKS.items() if found.intersection(marks)), "dimuon")


def _kind_faults(found: dict[str, str], about: Layout, file_format: str) -> list[str]:
    faults = []
    for key, column in found.items():
        kind, wanted = about.columns[column], "list" if names.is_list(key) else "number"
        if kind != wanted:
            needed = "a list of numbers per event" if wanted == "list" else "one number per row"
            faults.append(f"column '{column}' holds {kind}, but format = \"{file_format}\" needs {needed}")
    return faults


def read(chunk: Chunk) -> Checked:
    """Read a piece and drop its bad rows.
    Raises InputError if the file is damaged, if there is text instead of a number, if columns are in MeV or degrees,
    or if charges are unsigned and hold -1."""
    raw = jagged(chunk) if chunk.format == "nanoaod" else flat(chunk)
    with reading(chunk.name, f"{chunk.format} file"):
        checked = (nanoaod if chunk.format == "nanoaod" else pairs).dimuons(raw, chunk)
        check_units(checked.table, chunk)
    return checked


def jagged(chunk: Chunk) -> dict[str, Any]:
    """The columns of a piece of NanoAOD by canonical name; awkward arrays with one entry per event.
    Raises InputError if the file is damaged."""
    with reading(chunk.name):
        if chunk.tree is None:
            return parquet.read_jagged(chunk.path, chunk.name, chunk.names, chunk.start, chunk.stop)
        return root.read_jagged(chunk.path, chunk.name, chunk.tree, chunk.names, slice(chunk.start, chunk.stop))


def flat(chunk: Chunk) -> pairs.Columns:
    """The columns (n,) of a piece with one row per pair, by canonical name, with the values of the file.
    Raises InputError if the file is damaged or has text instead of a number."""
    with reading(chunk.name):
        columns = chunk.names
        if chunk.tree is not None:
            return root.read_flat(chunk.path, chunk.name, chunk.tree, columns, slice(chunk.start, chunk.stop))
        if chunk.span is not None:
            return csvfile.read(chunk.path, chunk.name, columns, chunk.start, chunk.span)
        found = parquet.read(chunk.path, chunk.name, list(dict.fromkeys(columns.values())), chunk.start, chunk.stop)
        return {key: found[name] for key, name in columns.items()}


def refuse(summaries: Iterable[Summary | Checked], max_share: float, what: str = "dropped") -> list[str]:
    """One line per file, column and reason for the rows that are bad; `what` becomes of them stands at its end.

    Raises InputError with these lines if more than `max_share` of all rows are bad."""
    parts = (part.summary if isinstance(part, Checked) else part for part in summaries)
    total = reduce(add, parts, Summary(0))
    share = total.dropped / total.rows if total.rows else 0.0
    if share > max_share:
        end = (
            f"{share:.2%} of all rows are bad, {max_share:.2%} is allowed: mend the files or raise input.max_bad_share"
        )
        raise InputError(f"{_described(bad)}. {end}" for bad in total.bad)
    return [f"{_described(bad)}; {what}" for bad in total.bad]


def refuse_fallback(total: Summary, chunk: Chunk, strict: bool = True) -> list[str]:
    """One line about the muons with standard columns in place of the chosen ones, if there are any. `chunk`: one of
    the pieces in which they are.

    Raises InputError if they are more than [input.fallback] allows and `strict`."""
    if chunk.fallback is None or not total.fell_back:
        return []
    share, standard = total.fell_back / total.rows, {key: name for key, name in chunk.columns if names.of_muons(key)}
    columns = ", ".join(f"'{name}'" for key, name in standard.items() if names.STANDARD + key in standard)
    columns = columns or f"'{standard[names.PT_FACTOR]}'"
    sample, number = "simulation" if chunk.simulation else "data", f"{total.fell_back} of {total.rows} muons"
    line = f"{sample}: {number} ({share:.2%}) are bad in {columns} and have the standard columns"
    if strict and share > chunk.fallback.max_share:
        raise InputError(
            f"{line}; {chunk.fallback.max_share:.2%} is allowed: look at input.fallback.require, choose other columns, "
            "or raise input.fallback.max_share"
        )
    return [f"{line}; {total.mixed} pairs have one such muon"]


def _described(bad: BadRows) -> str:
    numbers = ", ".join(str(row) for row in bad.first_rows)
    more = ", ..." if bad.count > len(bad.first_rows) else ""
    rows = "row" if bad.count == 1 else "rows"
    return f"{bad.file}: column '{bad.column}' is {bad.reason} in {bad.count} {rows} ({numbers}{more}, counted from 0)"
