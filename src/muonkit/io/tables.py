"""Tables are written as Parquet, ROOT TTree or CSV, by the ending of the name. They are written one by one, so that
only one is in memory."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import uproot

from muonkit.core.arrays import AnyArray
from muonkit.core.errors import InputError
from muonkit.core.files import atomic
from muonkit.core.kinematics import MuonArrays
from muonkit.data.dimuons import Dimuons
from muonkit.io.layout import kind_or_fault
from muonkit.io.origin import KEY, title

TREE = "Events"
Columns = Mapping[str, AnyArray]
Write = Callable[[Columns], None]


def write_dimuons(path: Path, tables: Iterator[Dimuons]) -> int:
    """Write all pairs, atomically, and return their number. The first table decides which columns there are.

    Raises InputError for an unknown ending, if there is no table, or if a later table has other columns."""
    return write_tables(path, map(columns, tables))


def write_tables(path: Path, tables: Iterator[Columns], origin: str | None = None) -> int:
    """As `write_dimuons`, for tables of columns (n,) or (n, k). Masked values are left empty (ROOT: NaN). `origin`: the
    sample that they are of (see `io.origin`). Raises InputError as `write_dimuons`."""
    kind = kind_or_fault(path, str(path))
    first = next(tables, None)
    if first is None:
        raise InputError(f"{path}: there is nothing to write; give at least one table")
    rows = 0
    with atomic(path) as temporary, WRITERS[kind](temporary, first, origin) as write:
        for content in chain([first], tables):
            if list(content) != list(first):
                differ = ", ".join(sorted(set(first) ^ set(content)))
                raise InputError(f"{path}: tables differ in their columns ({differ}); give all the same")
            write(content)
            rows += len(next(iter(content.values())))
    return rows


def columns(table: Dimuons) -> dict[str, AnyArray]:
    """Canonical name -> column (n,)."""
    content: dict[str, AnyArray] = {**_muon("plus", table.plus), **_muon("minus", table.minus), "weight": table.weight}
    if table.identity is not None:
        where = table.identity
        content |= {"run": where.run, "luminosityBlock": where.luminosity_block, "event": where.event}
    if table.gen_plus is not None and table.gen_minus is not None:
        content |= _muon("plus_gen", table.gen_plus) | _muon("minus_gen", table.gen_minus)
    return content


def _muon(prefix: str, muon: MuonArrays) -> dict[str, AnyArray]:
    return {f"{prefix}_{name}": column for name, column in zip(muon._fields, muon, strict=True)}


def _arrow(content: Columns) -> "pa.Table":
    return pa.table({name: _arrow_column(column) for name, column in content.items()})


def _arrow_column(column: "AnyArray | pa.Array") -> "pa.Array":
    if isinstance(column, pa.Array):
        return column
    if column.ndim == 1:
        return pa.array(column)
    ends = np.arange(len(column) + 1, dtype=np.int32) * column.shape[1]
    return pa.ListArray.from_arrays(ends, column.ravel())


def _flat(content: Columns) -> Columns:
    """Columns of lists as NAME_0, NAME_1 ..., a number each."""
    out: dict[str, AnyArray] = {}
    for name, column in content.items():
        split = isinstance(column, np.ndarray) and column.ndim == 2
        out |= {f"{name}_{i}": part for i, part in enumerate(column.T)} if split else {name: column}
    return out


@contextmanager
def _parquet(path: Path, first: Columns, origin: str | None) -> Iterator[Write]:
    schema = _arrow(first).schema.with_metadata(None if origin is None else {KEY: origin})
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        yield lambda content: writer.write_table(_arrow(content).replace_schema_metadata(schema.metadata))


@contextmanager
def _csv(path: Path, first: Columns, origin: str | None) -> Iterator[Write]:
    def flat(content: Columns) -> Columns:
        rows = len(next(iter(content.values())))
        return _flat(content if origin is None else {**content, KEY: pa.repeat(origin, rows)})

    compression = "gzip" if path.name.lower().endswith(".gz") else None
    # the header is written here: pyarrow would quote the names
    options = pc.WriteOptions(include_header=False)
    with pa.output_stream(path, compression=compression) as stream:
        stream.write((",".join(flat(first)) + "\n").encode())
        with pc.CSVWriter(stream, _arrow(flat(first)).schema, write_options=options) as writer:
            yield lambda content: writer.write_table(_arrow(flat(content)))


@contextmanager
def _root(path: Path, first: Columns, origin: str | None) -> Iterator[Write]:
    def plain(content: Columns) -> Columns:
        return {name: _filled(column) for name, column in content.items()}

    with uproot.recreate(path) as file:
        # by name: assignment to file[...] would write an RNTuple
        tree = file.mktree(
            TREE,
            {name: np.dtype((column.dtype, column.shape[1:])) for name, column in plain(first).items()},
            title=title(origin),
        )
        yield lambda content: tree.extend(plain(content))


def _filled(column: AnyArray) -> AnyArray:
    """A column without mask: what is masked is NaN."""
    if isinstance(column, np.ma.MaskedArray):
        return np.ma.filled(column.astype(np.float64), np.nan)
    return column


WRITERS: dict[str, Callable[[Path, Columns, str | None], AbstractContextManager[Write]]] = {
    "Parquet": _parquet,
    "CSV": _csv,
    "ROOT": _root,
}
