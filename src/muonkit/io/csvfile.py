"""CSV files, gzipped or not. A first pass finds where each piece begins, so that each can be read without the rest."""

import gzip
import io
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.csv as pc

from muonkit.core.arrays import AnyArray
from muonkit.core.errors import InputError
from muonkit.io.layout import Layout, Piece, unreadable

INTEGERS = ("run", "luminosityBlock", "event")
KINDS = dict.fromkeys(INTEGERS, "integer")
HEADER_BYTES = 1_000_000
TYPES = {"integer": pa.int64(), "number": pa.float64(), "word": pa.string()}


@contextmanager
def guarded(name: str) -> Iterator[None]:
    """Raises InputError for whatever goes wrong in the block while reading. Nothing should be written in it."""
    try:
        yield
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise unreadable(name, "CSV") from error


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of the file, unzipped. Raises OSError if it cannot be opened."""
    with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as stream:
        yield stream  # type: ignore[misc]


def header(stream: IO[bytes]) -> list[str]:
    """The names in the first line, as they are written there. Raises OSError or UnicodeDecodeError for binary
    content."""
    line = stream.readline(HEADER_BYTES).decode("utf-8-sig")
    if "\0" in line:
        raise OSError("binary content")
    return [name.strip('"') for name in line.rstrip("\r\n").split(",")] if line.strip() else []


def describe(path: Path, name: str, size: int) -> Layout:
    """The columns from the first line, and pieces of `size` rows from counting the others.
    Raises InputError if the file is damaged."""
    with opened(path) as stream, guarded(name):
        columns = header(stream)
        return Layout(dict.fromkeys(columns, "number"), tuple(_pieces(stream, size)))


def _pieces(stream: IO[bytes], size: int) -> Iterator[Piece]:
    rows, first_row = 0, 0
    begin = position = stream.tell()
    for line in stream:
        if rows - first_row == size:
            yield Piece(first_row, rows, (begin, position))
            begin, first_row = position, rows
        position += len(line)
        rows += not line.isspace()
    if rows > first_row:
        yield Piece(first_row, rows, (begin, position))


def read(
    path: Path,
    name: str,
    columns: dict[str, str],
    start: int,
    span: tuple[int, int],
    kinds: Mapping[str, str] = KINDS,
) -> dict[str, AnyArray]:
    """Columns (n,) of the rows in the bytes `span`, for `columns`: canonical name -> name in the file. Empty fields are
    NaN. `kinds` by canonical name: integer or word; other columns are numbers.

    Raises InputError if the file is damaged or a field is not of its kind; the message has the number of the row."""
    with opened(path) as stream, guarded(name):
        names = header(stream)
        stream.seek(span[0])
        content = stream.read(span[1] - span[0])
    types = {column: TYPES[kinds.get(key, "number")] for key, column in columns.items()}
    try:
        table = pc.read_csv(
            io.BytesIO(content),
            # one thread: with several, messages about bad rows have no row number
            read_options=pc.ReadOptions(column_names=names, use_threads=False),
            convert_options=pc.ConvertOptions(column_types=types, include_columns=list(types)),
        )
    except pa.ArrowInvalid as error:
        raise InputError(f"{name}: {_explained(str(error), names, start)}") from error
    return {key: table[column].to_numpy() for key, column in columns.items()}


def _explained(message: str, names: Sequence[str], start: int) -> str:
    value = re.search(r"In CSV column #(\d+): Row #(\d+): .*invalid value '(.*)'", message, re.DOTALL)
    if value:
        column, row, text = names[int(value[1])], start + int(value[2]) - 1, value[3]
        return f"column '{column}' is not a number in row {row}, counted from 0 (found '{text}'). Mend the file."
    width = re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+)", message)
    if width:
        row = start + int(width[1]) - 1
        return f"row {row}, counted from 0, has {width[3]} fields instead of {width[2]}. Mend the file."
    return f"is not a readable CSV file ({message.splitlines()[0]}). Mend the file."
