"""Parquet and CSV files copied piece by piece, with some columns replaced and their old values kept."""

import csv
import gzip
import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from muonkit.core.arrays import FloatArray
from muonkit.core.limits import reading
from muonkit.io import csvfile, parquet
from muonkit.io.chunks import Chunk
from muonkit.io.names import PT

Corrected = Callable[[Chunk], Mapping[str, FloatArray]]


def parquet_file(path_out: Path, chunks: Sequence[Chunk], corrected: Corrected, slim: bool) -> tuple[str, ...]:
    """Copy a Parquet file with the columns of `corrected(chunk)` replaced. `slim`: only the columns of the chunks.
    Returns (): no column is dropped. Raises InputError if the file is damaged."""
    with parquet.opened(chunks[0].path, chunks[0].name) as file:
        kept = _kept(file.schema_arrow.names, chunks[0]) if slim else None
        tables = (_replaced(_rows(file, c, kept), corrected(c)) for c in chunks)
        first = next(tables)
        with pq.ParquetWriter(path_out, first.schema) as writer:
            writer.write_table(first)
            for table in tables:
                writer.write_table(table)
    return ()


def _kept(names: Sequence[str], chunk: Chunk) -> list[str]:
    wanted = {parquet.top_of(column, names) for column in chunk.names.values()}
    return [name for name in names if name in wanted]


def _rows(file: Any, chunk: Chunk, columns: list[str] | None) -> Any:
    with reading(chunk.name, parquet.KIND):
        table = parquet.rows(file, columns, chunk.start, chunk.stop)
        # awkward's notes on the columns do not know those that are added
        notes = {key: value for key, value in (table.schema.metadata or {}).items() if b"awkward" not in key}
        return table.replace_schema_metadata(notes)


def _replaced(table: Any, columns: Mapping[str, FloatArray]) -> Any:
    for name, values in columns.items():
        top = parquet.top_of(name, table.column_names)
        place, old = table.column_names.index(top), table[top]
        if top != name:
            records = _with_member(_items(old), name.removeprefix(f"{top}."), values)
            table = table.set_column(place, top, _relisted(old, records))
            continue
        listed = pa.types.is_list(old.type) or pa.types.is_large_list(old.type)
        new = _relisted(old, _like(_items(old), values)) if listed else _like(old, values)
        table = table.set_column(place, name, new).append_column(f"{name.strip()}_original", old)
    return table


def _like(old: Any, values: FloatArray) -> Any:
    """`values` (n,) in the type of `old`, or as float64 if that is no float. Null stays null if it was read as NaN and
    has no value now."""
    kind = old.type if pa.types.is_floating(old.type) else pa.float64()
    return pa.array(values, mask=old.is_null().to_numpy(zero_copy_only=False) & np.isnan(values)).cast(kind)


def _whole(column: Any) -> Any:
    """A column as one array."""
    whole = column.combine_chunks()
    return pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole


def _items(column: Any) -> Any:
    """The items of all lists, one after the other."""
    return _whole(column).flatten()


def _relisted(column: Any, items: Any) -> Any:
    """`items` in lists of the lengths that the lists of `column` have."""
    old = _whole(column)
    lengths = pc.fill_null(pc.list_value_length(old), 0).to_numpy(zero_copy_only=False)
    large = pa.types.is_large_list(old.type)
    ends = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int64() if large else pa.int32())
    return (pa.LargeListArray if large else pa.ListArray).from_arrays(ends, items, mask=old.is_null())


def _with_member(records: Any, member: str, values: FloatArray) -> Any:
    """Records with `member` replaced; the old one is MEMBER_original."""
    members = {field.name: records.field(field.name) for field in records.type}
    members |= {member: _like(members[member], values), f"{member}_original": members[member]}
    return pa.StructArray.from_arrays(list(members.values()), names=list(members), mask=records.is_null())


def csv_file(path_out: Path, chunks: Sequence[Chunk], corrected: Corrected, slim: bool) -> tuple[str, ...]:
    """Copy a CSV file with the columns of `corrected(chunk)` replaced; the text of all others stays as it is. `slim`:
    only the columns of the chunks. Returns (): no column is dropped. Raises InputError if the file is damaged."""
    path, name = chunks[0].path, chunks[0].name
    with csvfile.opened(path) as stream, _text_to(path_out) as out:
        names, separator = csvfile.header(stream, name)
        writer = csv.writer(out, lineterminator="\n", delimiter=separator)
        columns = [chunks[0].names[key] for key in PT[chunks[0].format]]
        wanted = set(chunks[0].names.values())
        kept = [i for i, column in enumerate(names) if not slim or column in wanted]
        writer.writerow([*(names[i] for i in kept), *(f"{column.strip()}_original" for column in columns)])
        places = [names.index(column) for column in columns]
        for chunk in chunks:
            new, rows = corrected(chunk), _rows_of(stream, chunk)
            point = csvfile.decimal_point(rows, separator)
            values = [new[column] for column in columns]
            writer.writerows(_lines(_fields(rows, chunk, separator), places, values, kept, point))
    return ()


@contextmanager
def _text_to(path: Path) -> Iterator[IO[str]]:
    """A new text file; equal text gives equal bytes, gzipped or not. What is not UTF-8 stays as it was."""
    with path.open("wb") as stream:
        if path.name.lower().endswith(".gz"):
            with gzip.GzipFile("", "wb", fileobj=stream, mtime=0) as zipped, _text(zipped) as text:
                yield text
        else:
            with _text(stream) as text:
                yield text


def _text(stream: Any) -> Any:
    return io.TextIOWrapper(stream, "utf-8", "surrogateescape", newline="")


def _rows_of(stream: Any, chunk: Chunk) -> bytes:
    with reading(chunk.name, csvfile.KIND):
        return csvfile.content(stream, chunk.span or (0, 0))


def _fields(rows: bytes, chunk: Chunk, separator: str) -> Iterator[list[str]]:
    # what the consumer raises does not arrive in this block
    with reading(chunk.name, csvfile.KIND):
        text = rows.decode("utf-8", "surrogateescape")
        yield from (fields for fields in csv.reader(io.StringIO(text), delimiter=separator) if fields)


def _lines(
    old: Iterator[list[str]], places: Sequence[int], columns: Sequence[FloatArray], kept: Sequence[int], point: str
) -> Iterator[list[str]]:
    values = np.stack(columns, axis=1).tolist()
    for fields, row in zip(old, values, strict=True):
        before = [fields[place] for place in places]
        for place, text, value in zip(places, before, row, strict=True):
            if math.isfinite(value) and value != float(text.replace(point, ".")):  # else the text stays as it is
                fields[place] = repr(value).replace(".", point)
        yield [fields[place] for place in kept] + before
