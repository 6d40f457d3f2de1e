"""Field maps in files: `.npz` (never pickled) or a plain text table, gzipped or not. Lengths cm, field tesla.

    (r, z)      npz: r (nr,), z (nz,), Br, Bz (nr, nz)                 text: r z Br Bz
    (x, y, z)   npz: x, y, z, Bx, By, Bz (nx, ny, nz)                  text: x y z Bx By Bz
    factors     npz: r, z, factor (nr, nz), or x, y, z, factor         text: r z factor, or x y z factor

The rows of a text table are the nodes of a full grid in any order; `#` begins a comment."""

import warnings
import zlib
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.core.errors import InputError


class Table(NamedTuple):
    """Nodes of every axis (n0,), (n1,), ..., and values (n0, n1[, n2], columns)."""

    axes: tuple[FloatArray, ...]
    values: FloatArray


def read_table(path: Path, axes: tuple[str, ...], columns: tuple[str, ...], where: str) -> Table:
    """Read a map with these axes [cm] and columns; `where` is the key that names the file.
    Raises InputError, with key and file, if it is not there, not readable, not a full grid, or has values that are not
    finite."""
    if not path.is_file():
        raise InputError(f"{where}: {path}: there is no such file. Give its path relative to the description.")
    try:
        return _from_npz(path, axes, columns) if path.suffix == ".npz" else _from_text(path, axes, columns)
    except (OSError, ValueError, TypeError, EOFError, BadZipFile, zlib.error) as error:
        shape = f"an .npz with {', '.join((*axes, *columns))}, or a text table with these columns"
        raise InputError(f"{where}: {path}: is not {shape} ({error})") from error


def _from_npz(path: Path, axes: tuple[str, ...], columns: tuple[str, ...]) -> Table:
    with path.open("rb") as handle, np.load(handle, allow_pickle=False) as file:
        missing = [name for name in (*axes, *columns) if name not in file]
        if missing:
            raise ValueError(f"{missing[0]} is missing")
        nodes = tuple(np.asarray(file[name], np.float64) for name in axes)
        values = np.stack([np.asarray(file[name], np.float64) for name in columns], axis=-1)
    if values.shape[:-1] != tuple(len(axis) for axis in nodes):
        raise ValueError(f"{columns[0]} has shape {values.shape[:-1]}, the axes {tuple(len(axis) for axis in nodes)}")
    return _finite(Table(nodes, values))


def _from_text(path: Path, axes: tuple[str, ...], columns: tuple[str, ...]) -> Table:
    with warnings.catch_warnings(action="ignore"):  # of an empty file, which is refused below
        rows = np.loadtxt(path, ndmin=2)
    dimension = len(axes)
    if rows.shape[1] != dimension + len(columns):
        raise ValueError(f"it has {rows.shape[1]} columns")
    nodes = tuple(np.unique(rows[:, k]) for k in range(dimension))
    sizes = tuple(len(axis) for axis in nodes)
    order = np.lexsort(rows[:, dimension - 1 :: -1].T)
    grid = rows[order]
    full = np.stack(np.meshgrid(*nodes, indexing="ij"), axis=-1).reshape(-1, dimension)
    if len(grid) != len(full) or not np.array_equal(grid[:, :dimension], full):
        raise ValueError(f"its {len(rows)} rows are not the {' x '.join(map(str, sizes))} nodes of a grid")
    return _finite(Table(nodes, grid[:, dimension:].reshape(*sizes, len(columns))))


def _finite(table: Table) -> Table:
    if not all(np.all(np.isfinite(part)) for part in (*table.axes, table.values)):
        raise ValueError("it has values that are not finite")
    return table
