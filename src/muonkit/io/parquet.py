"""Parquet files: layout from the footer, rows from the row groups that hold them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from muonkit.core.arrays import AnyArray
from muonkit.io.layout import Layout, cut, unreadable


@contextmanager
def guarded(name: str) -> Iterator[None]:
    """Raises InputError for whatever goes wrong in the block while reading. Nothing should be written in it."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise unreadable(name, "Parquet") from error


@contextmanager
def opened(path: Path, name: str) -> Iterator[Any]:
    """The file as pq.ParquetFile. Raises InputError if it is damaged."""
    with guarded(name):
        file = pq.ParquetFile(path)
    with file:
        yield file


def describe(path: Path, name: str, size: int) -> Layout:
    """Columns and pieces of `size` rows, from the footer alone. Raises InputError if the file is damaged."""
    with opened(path, name) as file, guarded(name):
        columns = {field.name: _kind(field.type) for field in file.schema_arrow}
        return Layout(columns, cut(file.metadata.num_rows, size))


def _kind(kind: Any) -> str:
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return "number"
    return "list" if pa.types.is_list(kind) or pa.types.is_large_list(kind) else str(kind)


def read(path: Path, name: str, columns: Sequence[str], start: int, stop: int) -> dict[str, AnyArray]:
    """Columns (n,) of rows [start, stop); nulls are NaN. Raises InputError if the file is damaged."""
    with opened(path, name) as file, guarded(name):
        table = rows(file, columns, start, stop)
        return {column: table[column].to_numpy() for column in columns}


def rows(file: Any, columns: Sequence[str] | None, start: int, stop: int) -> Any:
    """Rows [start, stop) as a pyarrow table; all columns if `columns` is None. Raises ArrowException if the file is
    damaged."""
    edges = np.cumsum([0, *(file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups))])
    groups = np.flatnonzero((edges[:-1] < stop) & (edges[1:] > start))
    table = file.read_row_groups(groups.tolist(), columns=columns, use_threads=False)
    return table.slice(start - int(edges[groups[0]]), stop - start) if len(groups) else table
