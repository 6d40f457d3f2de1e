"""Files with muon pairs, in any of the formats: `open_dimuons` finds the pieces, `read` reads one, `refuse` decides
whether too many rows were bad."""

import glob
import os
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

from muonkit.core.errors import InputError
from muonkit.io import csvfile, names, nanoaod, pairs, parquet, root
from muonkit.io.checks import check_units
from muonkit.io.chunks import BadRows, Checked, Chunk, Summary
from muonkit.io.config import Input
from muonkit.io.layout import Layout, kind_or_fault

__all__ = ["BadRows", "Checked", "Chunk", "Summary", "open_dimuons", "read", "recognised", "refuse"]

MARKS = {"nanoaod": "Muon_pt", "cms-csv": "pt1"}  # a column that only this format has


def open_dimuons(patterns: Sequence[str], choice: Input, *, simulation: bool, base: Path = Path()) -> list[Chunk]:
    """The pieces, of about choice.chunk_size rows, of all files that fit `patterns` (relative to `base`), in the order
    of the patterns and then of the names. Raises InputError with one line for every fault of every file."""
    faults = names.mapping_faults(choice)
    chunks: list[Chunk] = []
    for name in _expand(patterns, base, faults):
        try:
            chunks += inspect(base / name, name, choice, simulation)
        except InputError as error:
            faults += error.faults
    if faults:
        raise InputError(faults)
    return chunks


def _expand(patterns: Sequence[str], base: Path, faults: list[str]) -> list[str]:
    found: dict[str, None] = {}  # a file that two patterns name is read once
    for pattern in patterns:
        if (base / pattern).exists():
            found[pattern] = None
        elif matches := sorted(glob.glob(pattern, root_dir=base, recursive=True)):  # noqa: PTH207 (may be absolute)
            found |= dict.fromkeys(matches)
        else:
            faults.append(_nothing_there(pattern, base))
    return list(found)


def _nothing_there(pattern: str, base: Path) -> str:
    if glob.has_magic(pattern):
        return f"{pattern}: no file matches. Correct the pattern in [input]."
    folder = (base / pattern).parent
    near = get_close_matches(Path(pattern).name, [path.name for path in folder.glob("*")], n=1, cutoff=0.8)
    way_out = f"; did you mean '{near[0]}'?" if near else ". Correct the path in [input]."
    return f"{pattern}: there is no such file{way_out}"


def inspect(path: Path, name: str, choice: Input, simulation: bool) -> list[Chunk]:
    """The pieces of one file, called `name` in messages.
    Raises InputError if it cannot be read, has no rows, or if columns are missing or of another kind."""
    about = layout(path, name, choice)
    found, missing = names.resolve(choice, simulation, about.columns)
    if missing:
        raise InputError(f"{name}: {names.missing_fault(missing, choice, list(about.columns))}")
    faults = [f"{name}: {fault}" for fault in _kind_faults(found, about, choice.format)]
    if not about.pieces:
        faults.append(f"{name}: has no rows. Leave it out.")
    if faults:
        raise InputError(faults)
    columns = tuple(found.items())
    return [
        Chunk(path, name, choice.format, columns, start, stop, simulation, about.tree, span)
        for start, stop, span in about.pieces
    ]


def layout(path: Path, name: str, choice: Input) -> Layout:
    """Columns, kinds and pieces of a file. Raises InputError if it is absent, empty, damaged or of an unknown kind."""
    _check_file(path, name)
    kind = kind_or_fault(path, name)
    if choice.format == "nanoaod" and kind != "ROOT":
        raise InputError(f'{name}: format = "nanoaod" is read from .root files only. Choose another format.')
    if kind == "ROOT":
        return root.describe(path, name, choice.chunk_size, choice.tree)
    return (parquet if kind == "Parquet" else csvfile).describe(path, name, choice.chunk_size)


def recognised(path: Path) -> str:
    """The format whose columns a file has; "dimuon" if it is no other.
    Raises InputError if the file is absent, empty, damaged or of an unknown kind."""
    columns = {column.strip() for column in layout(path, path.name, Input(data=(str(path),))).columns}
    return next((known for known, column in MARKS.items() if column in columns), "dimuon")


def _check_file(path: Path, name: str) -> None:
    if path.is_dir():
        raise InputError(f"{name}: is a directory. Give files, such as '{name}/*.parquet'.")
    if not path.exists():
        raise InputError(f"{name}: there is no such file. Correct the path.")
    if not os.access(path, os.R_OK):
        raise InputError(f"{name}: cannot be read: you have no permission. Change its permissions.")
    if path.stat().st_size == 0:
        raise InputError(f"{name}: is empty (0 bytes). Leave it out, or write it again.")


def _kind_faults(found: dict[str, str], about: Layout, file_format: str) -> list[str]:
    lists = (*names.NANO, *names.NANO_GENERATOR, names.NANO_MATCH)
    faults = []
    for key, column in found.items():
        kind, wanted = about.columns[column], "list" if key in lists else "number"
        if kind != wanted:
            needed = "a list of numbers per event" if wanted == "list" else "one number per row"
            faults.append(f"column '{column}' holds {kind}, but format = \"{file_format}\" needs {needed}")
    return faults


def read(chunk: Chunk) -> Checked:
    """Read a piece and drop its bad rows.
    Raises InputError if the file is damaged, if there is text instead of a number, or if columns are in MeV or
    degrees."""
    checked = nanoaod.dimuons(jagged(chunk), chunk) if chunk.format == "nanoaod" else pairs.dimuons(flat(chunk), chunk)
    check_units(checked.table, chunk)
    return checked


def jagged(chunk: Chunk) -> dict[str, Any]:
    """The columns of a piece of NanoAOD by canonical name; awkward arrays with one entry per event.
    Raises InputError if the file is damaged."""
    return root.read_jagged(chunk.path, chunk.name, chunk.tree or "", chunk.names, slice(chunk.start, chunk.stop))


def flat(chunk: Chunk) -> pairs.Columns:
    """The columns (n,) of a piece with one row per pair, by canonical name, with the values of the file.
    Raises InputError if the file is damaged or has text instead of a number."""
    columns = chunk.names
    if chunk.tree is not None:
        return root.read_flat(chunk.path, chunk.name, chunk.tree, columns, slice(chunk.start, chunk.stop))
    if chunk.span is not None:
        return csvfile.read(chunk.path, chunk.name, columns, chunk.start, chunk.span)
    found = parquet.read(chunk.path, chunk.name, list(dict.fromkeys(columns.values())), chunk.start, chunk.stop)
    return {key: found[name] for key, name in columns.items()}


def refuse(summaries: Iterable[Summary | Checked], max_share: float) -> list[str]:
    """One line per file, column and reason for the rows that were dropped.

    Raises InputError with these lines if more than `max_share` of all rows are bad."""
    parts = (part.summary if isinstance(part, Checked) else part for part in summaries)
    total = reduce(add, parts, Summary(0))
    share = total.dropped / total.rows if total.rows else 0.0
    if share > max_share:
        end = (
            f"{share:.2%} of all rows are bad, {max_share:.2%} is allowed: mend the files or raise input.max_bad_share"
        )
        raise InputError(f"{_described(bad)}. {end}" for bad in total.bad)
    return [f"{_described(bad)}; dropped" for bad in total.bad]


def _described(bad: BadRows) -> str:
    numbers = ", ".join(str(row) for row in bad.first_rows)
    more = ", ..." if bad.count > len(bad.first_rows) else ""
    rows = "row" if bad.count == 1 else "rows"
    return f"{bad.file}: column '{bad.column}' is {bad.reason} in {bad.count} {rows} ({numbers}{more}, counted from 0)"
