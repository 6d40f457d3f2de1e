"""Parquet and CSV files copied piece by piece, with some columns replaced and their old values kept."""

import csv
import gzip
import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from muonkit.core.arrays import FloatArray
from muonkit.io import csvfile, parquet
from muonkit.io.chunks import Chunk
from muonkit.io.names import PT

Corrected = Callable[[Chunk], Mapping[str, FloatArray]]


def parquet_file(path_out: Path, chunks: Sequence[Chunk], corrected: Corrected) -> tuple[str, ...]:
    """Copy a Parquet file with the columns of `corrected(chunk)` replaced. Returns (): no column is dropped.
    Raises InputError if the file is damaged."""
    with parquet.opened(chunks[0].path, chunks[0].name) as file:
        tables = (_replaced(_rows(file, c), corrected(c)) for c in chunks)
        first = next(tables)
        with pq.ParquetWriter(path_out, first.schema) as writer:
            writer.write_table(first)
            for table in tables:
                writer.write_table(table)
    return ()


def _rows(file: Any, chunk: Chunk) -> Any:
    with parquet.guarded(chunk.name):
        return parquet.rows(file, None, chunk.start, chunk.stop)


def _replaced(table: Any, columns: Mapping[str, FloatArray]) -> Any:
    for name, values in columns.items():
        old = table[name]
        kind = old.type if pa.types.is_floating(old.type) else pa.float64()
        # null stays null: to_numpy made it NaN
        new = pa.array(values, mask=old.is_null().to_numpy()).cast(kind)
        table = table.set_column(table.column_names.index(name), pa.field(name, kind), new)
        table = table.append_column(f"{name.strip()}_original", old)
    return table


def csv_file(path_out: Path, chunks: Sequence[Chunk], corrected: Corrected) -> tuple[str, ...]:
    """Copy a CSV file with the columns of `corrected(chunk)` replaced; the text of all others stays as it is. Returns
    (): no column is dropped. Raises InputError if the file is damaged."""
    path = chunks[0].path
    opener = gzip.open if path_out.name.lower().endswith(".gz") else open
    with csvfile.opened(path) as stream, opener(path_out, "wt", newline="") as out:
        names = csvfile.header(stream)
        writer = csv.writer(out, lineterminator="\n")
        columns = [chunks[0].names[key] for key in PT[chunks[0].format]]
        writer.writerow([*names, *(f"{name.strip()}_original" for name in columns)])
        places = [names.index(name) for name in columns]
        for chunk in chunks:
            new = corrected(chunk)
            writer.writerows(_lines(_text(stream, chunk), places, [new[name] for name in columns]))
    return ()


def _text(stream: Any, chunk: Chunk) -> Iterator[list[str]]:
    begin, end = chunk.span or (0, 0)
    with csvfile.guarded(chunk.name):
        stream.seek(begin)
        text = stream.read(end - begin).decode()
    return (fields for fields in csv.reader(io.StringIO(text)) if fields)


def _lines(old: Iterator[list[str]], places: Sequence[int], columns: Sequence[FloatArray]) -> Iterator[list[str]]:
    values = np.stack(columns, axis=1).tolist()
    for fields, row in zip(old, values, strict=True):
        before = [fields[place] for place in places]
        for place, text, value in zip(places, before, row, strict=True):
            if math.isfinite(value) and value != float(text):  # else the text stays as it is
                fields[place] = repr(value)
        yield fields + before
