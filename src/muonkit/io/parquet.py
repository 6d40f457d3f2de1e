"""Parquet files: layout from the footer, rows from the row groups that hold them. Lists, and lists of records
(`Muon` with the member `pt` is the column `Muon.pt`), are awkward arrays."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import awkward as ak
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from muonkit.core.arrays import AnyArray
from muonkit.core.limits import reading
from muonkit.io import places
from muonkit.io.layout import Layout, cut
from muonkit.io.origin import in_metadata
from muonkit.io.places import Place

KIND = "Parquet file"


@contextmanager
def opened(path: Place, name: str) -> Iterator[Any]:
    """The file as pq.ParquetFile. Raises InputError if it is damaged."""
    with reading(name, KIND):
        source = path if not isinstance(path, str) else places.opened(path)
        file = pq.ParquetFile(source)
    with file:
        yield file


def describe(path: Place, name: str, size: int) -> Layout:
    """Columns and pieces of `size` rows, from the footer alone. Raises InputError if the file is damaged."""
    with opened(path, name) as file, reading(name, KIND):
        columns: dict[str, str] = {}
        for field in file.schema_arrow:
            columns[field.name] = _kind(field.type)
            if _is_list(field.type) and pa.types.is_struct(field.type.value_type):
                columns |= {f"{field.name}.{member.name}": "list" for member in field.type.value_type}
        return Layout(columns, cut(file.metadata.num_rows, size), origin=in_metadata(file.schema_arrow.metadata))


def _is_list(kind: Any) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _kind(kind: Any) -> str:
    if pa.types.is_dictionary(kind):  # categories: read as their values
        return _kind(kind.value_type)
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return "number"
    return "list" if _is_list(kind) and not pa.types.is_struct(kind.value_type) else str(kind)


def read(path: Place, name: str, columns: Sequence[str], start: int, stop: int) -> dict[str, AnyArray]:
    """Columns (n,) of rows [start, stop); nulls are NaN. Raises InputError if the file is damaged."""
    with opened(path, name) as file, reading(name, KIND):
        table = rows(file, columns, start, stop)
        return {column: table[column].to_numpy() for column in columns}


def read_jagged(path: Place, name: str, columns: Mapping[str, str], start: int, stop: int) -> dict[str, Any]:
    """Columns of rows [start, stop) as awkward arrays with one entry per event; keys as in `columns`.
    Raises InputError if the file is damaged."""
    with opened(path, name) as file, reading(name, KIND):
        top = {column: top_of(column, file.schema_arrow.names) for column in columns.values()}
        table = rows(file, list(dict.fromkeys(top.values())), start, stop)
        whole = {column: awkward(table[column]) for column in table.column_names}
        return {
            key: whole[column] if column == top[column] else whole[top[column]][column[len(top[column]) + 1 :]]
            for key, column in columns.items()
        }


def top_of(column: str, names: Sequence[str]) -> str:
    """The column of the table in which `column` is: itself, or the list of records of which it is a member."""
    return column if column in names else column.rpartition(".")[0]


def awkward(column: Any) -> Any:
    """A pyarrow column as awkward array; a null number is NaN, a null list is empty."""
    array = ak.from_arrow(column)
    return ak.fill_none(ak.fill_none(array, [], axis=0), np.nan, axis=-1) if array.ndim > 1 else array


def rows(file: Any, columns: Sequence[str] | None, start: int, stop: int) -> Any:
    """Rows [start, stop) as a pyarrow table; all columns if `columns` is None. Raises ArrowException if the file is
    damaged, ValueError if it has fewer rows."""
    edges = np.cumsum([0, *(file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups))])
    groups = np.flatnonzero((edges[:-1] < stop) & (edges[1:] > start))
    table = file.read_row_groups(groups.tolist(), columns=columns, use_threads=False)
    table = table.slice(start - int(edges[groups[0]]), stop - start) if len(groups) else table
    if table.num_rows != stop - start:
        raise ValueError(f"{table.num_rows} rows instead of {stop - start}")
    return table
