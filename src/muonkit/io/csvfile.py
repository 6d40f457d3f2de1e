"""CSV files, gzipped or not, separated by commas, semicolons or tabs. A first pass finds where each piece begins, so
that each can be read without the rest. Where no comma separates, numbers may have a decimal comma.

A quotation mark that is not closed makes a parser take the next lines for one field. So the rows that come out of every
piece are compared with the lines that went in. Only as much as a line is unpacked at once, so that a small gzipped file
cannot fill the memory."""

import csv
import gzip
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any, NamedTuple

import pyarrow as pa
import pyarrow.csv as pc

from muonkit.core.arrays import AnyArray
from muonkit.core.errors import InputError
from muonkit.core.limits import reading
from muonkit.io import places
from muonkit.io.layout import Layout, Piece
from muonkit.io.places import Place, file_name

INTEGERS = ("run", "luminosityBlock", "event")
KINDS = dict.fromkeys(INTEGERS, "integer")
LINE_BYTES = 1_000_000  # longest line
SEPARATORS = ",;\t"
TYPES = {"integer": pa.int64(), "number": pa.float64(), "word": pa.string(), "unsigned": pa.uint64()}
KIND = "CSV file"


class Header(NamedTuple):
    """The names in the first line, as they are written there, and what separates them."""

    names: list[str]
    separator: str


@contextmanager
def opened(path: Place) -> Iterator[IO[bytes]]:
    """The bytes of the file, unzipped. Raises OSError if it cannot be opened."""
    with places.opened(path) as stream:
        if file_name(path).lower().endswith(".gz"):
            with gzip.open(stream) as unzipped:
                yield io.BufferedReader(unzipped, 1 << 17)
        else:
            yield stream


def header(stream: IO[bytes], name: str) -> Header:
    """The first line. Raises InputError if it is too long, is not UTF-8 or does not end as lines do."""
    content = stream.readline(LINE_BYTES + 1)
    if b"\0" in content:
        raise InputError(f"{name}: the first line holds bytes of value 0. Is it a {KIND}? Save it as UTF-8 text.")
    if b"\r" in content.rstrip(b"\r\n"):
        raise InputError(f"{name}: lines end with CR alone. Save the file with line ends LF.")
    if len(content) > LINE_BYTES:
        raise InputError(f"{name}: the first line is longer than {LINE_BYTES / 1e6:g} MB. Is it a {KIND}?")
    line = content.decode("utf-8-sig").rstrip("\r\n")
    if not line.strip():
        return Header([], ",")
    separator = max(SEPARATORS, key=re.sub(r'"[^"]*"', "", line).count)
    return Header(next(csv.reader([line], delimiter=separator)), separator)


def describe(path: Place, name: str, size: int) -> Layout:
    """The columns from the first line, and pieces of `size` rows from counting the others.
    Raises InputError if the file is damaged."""
    with reading(name, KIND), opened(path) as stream:
        columns = header(stream, name).names
        return Layout(dict.fromkeys(columns, "number"), tuple(_pieces(stream, name, size)))


def _pieces(stream: IO[bytes], name: str, size: int) -> Iterator[Piece]:
    rows, first_row = 0, 0
    begin = position = stream.tell()
    while line := stream.readline(LINE_BYTES + 1):
        if len(line) > LINE_BYTES:
            raise InputError(f"{name}: row {rows}, counted from 0, is longer than {LINE_BYTES / 1e6:g} MB. Mend it.")
        if rows - first_row == size:
            yield Piece(first_row, rows, (begin, position))
            begin, first_row = position, rows
        position += len(line)
        rows += not is_blank(line)
    if rows > first_row:
        yield Piece(first_row, rows, (begin, position))


def content(stream: IO[bytes], span: tuple[int, int]) -> bytes:
    """The bytes `span`. Raises OSError if there are fewer."""
    stream.seek(span[0])
    found = stream.read(span[1] - span[0])
    if len(found) != span[1] - span[0]:
        raise OSError("the file is shorter than when it was opened")
    return found


def read(
    path: Place,
    name: str,
    columns: dict[str, str],
    start: int,
    span: tuple[int, int],
    kinds: Mapping[str, str] = KINDS,
) -> dict[str, AnyArray]:
    """Columns (n,) of the rows in the bytes `span`, for `columns`: canonical name -> name in the file. Empty fields are
    NaN. `kinds` by canonical name: integer or word; other columns are numbers.

    Raises InputError if the file is damaged, a field is not of its kind, or rows are lost; the message has the number
    of the row."""
    with reading(name, KIND):
        with opened(path) as stream:
            first = header(stream, name)
            rows = content(stream, span)
        wanted = {column: TYPES[kinds.get(key, "number")] for key, column in columns.items()}
        for column in wanted:
            if first.names.count(column) > 1:
                raise InputError(f"{name}: column '{column}' stands twice in the first line. Rename one of them.")
        table = _parsed(rows, first, wanted, name, start)
        return {key: table[column].to_numpy() for key, column in columns.items()}


def _parsed(rows: bytes, first: Header, wanted: Mapping[str, Any], name: str, start: int) -> Any:
    """The table of the columns `wanted`: name -> type. Raises InputError for what does not fit."""
    if b"\0" in rows:
        row = start + _number_of_rows(rows[: rows.index(b"\0")].rpartition(b"\n")[0])
        raise InputError(f"{name}: row {row}, counted from 0, holds bytes of value 0. Mend the file.")
    try:
        table = pc.read_csv(
            io.BytesIO(rows),
            # one thread: with several, messages about bad rows have no row number
            read_options=pc.ReadOptions(column_names=first.names, use_threads=False),
            parse_options=pc.ParseOptions(delimiter=first.separator),
            convert_options=pc.ConvertOptions(
                column_types=dict(wanted),
                include_columns=list(wanted),
                decimal_point=decimal_point(rows, first.separator),
            ),
        )
    except pa.ArrowInvalid as error:
        # what a parser says of a row is of no use after a quotation mark that is not closed
        fault = _broken_row(rows, start) or _explained(str(error), first.names, start)
        raise InputError(f"{name}: {fault} Mend the file.") from error
    lines = rows.count(b"\n") + (not rows.endswith(b"\n"))
    if table.num_rows != lines and table.num_rows != (lines := _number_of_rows(rows)):
        fault = _broken_row(rows, start) or f"{lines} rows, but {table.num_rows} can be read, from row {start} on."
        raise InputError(f"{name}: {fault} Mend the file.")
    return table


def decimal_point(rows: bytes, separator: str) -> str:
    """A comma if numbers are written so (1,5) and none has a point (1.5), in rows that no comma separates."""
    if separator == "," or b"," not in rows:
        return "."
    return "," if re.search(rb"\d,\d", rows) and not re.search(rb"\d\.\d", rows) else "."


def _number_of_rows(rows: bytes) -> int:
    """Number of lines that are not blank."""
    return sum(not is_blank(line) for line in rows.split(b"\n"))


def is_blank(line: bytes) -> bool:
    """Whether nothing stands in a line; a tab or a blank may be a row of empty fields."""
    return not line.strip(b"\r\n")


def _broken_row(rows: bytes, start: int) -> str:
    """What is wrong with the first row in which a quotation mark is not closed, or that holds a CR; empty if there is
    none."""
    row = start
    for line in rows.split(b"\n"):
        if line.count(b'"') % 2:
            return f"row {row}, counted from 0, has a quotation mark that is not closed."
        if b"\r" in line.rstrip(b"\r"):
            return f"row {row}, counted from 0, has a CR within it."
        row += not is_blank(line)
    return ""


def _explained(message: str, names: Sequence[str], start: int) -> str:
    value = re.search(r"In CSV column #(\d+): Row #(\d+): .*invalid value '(.*)'", message, re.DOTALL)
    if value:
        column, row, text = names[int(value[1])], start + int(value[2]) - 1, value[3]
        shown = text if len(text) <= 60 else f"{text[:60]}..."
        return f"column '{column}' is not a number in row {row}, counted from 0 (found {shown!r})."
    width = re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+)", message)
    if width:
        row = start + int(width[1]) - 1
        return f"row {row}, counted from 0, has {width[3]} fields instead of {width[2]}."
    return f"is not a readable CSV file ({message.splitlines()[0][:200]})."
