"""Field maps in files: `.npz` (never pickled) or a plain text table, gzipped or not. Lengths cm, field tesla.

    (r, z)      npz: r (nr,), z (nz,), Br, Bz (nr, nz)                 text: r z Br Bz
    (x, y, z)   npz: x, y, z, Bx, By, Bz (nx, ny, nz)                  text: x y z Bx By Bz
    factors     npz: r, z, factor (nr, nz), or x, y, z, factor         text: r z factor, or x y z factor

The rows of a text table are the nodes of a full grid in any order; `#` begins a comment. Nodes may be rounded (see
`nodes`). Files are read within the limits of `core.limits`."""

import warnings
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import numpy as np

from muonkit.core import limits
from muonkit.core.arrays import FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.limits import shown
from muonkit.detector.bounds import MOST_NODES
from muonkit.detector.fields.nodes import evened, merged

GZIP = b"\x1f\x8b"
MOST_LINE = 10_000  # characters
SCATTERED = 4  # so many times more nodes than rows: the rows are no grid


class Table(NamedTuple):
    """Nodes of every axis (n0,), (n1,), ..., and values (n0, n1[, n2], columns)."""

    axes: tuple[FloatArray, ...]
    values: FloatArray


def read_table(path: Path, axes: tuple[str, ...], columns: tuple[str, ...], where: str) -> Table:
    """Read a map with these axes and columns; `where` is the key that names the file. Axes rise in even steps.
    Raises InputError, with key and file, if it is not there, not readable, too large, not a full grid with even steps,
    or has values that are not finite."""
    if not path.is_file():
        raise InputError(f"{where}: {path}: there is no such file. Give its path relative to the description.")
    try:
        table = _from_npz(path, axes, columns) if path.suffix == ".npz" else _from_text(path, axes, columns)
        even = tuple(evened(values, name) for name, values in zip(axes, table.axes, strict=True))
        return Table(even, _finite(table, axes, columns))
    except InputError as error:
        raise InputError([f"{where}: {path}: {fault.removeprefix(f'{path}: ')}" for fault in error.faults]) from error
    except (ValueError, TypeError, MemoryError) as error:
        raise InputError(f"{where}: {path}: {shown(str(error), 400)}") from error


def _from_npz(path: Path, axes: tuple[str, ...], columns: tuple[str, ...]) -> Table:
    try:
        file = limits.load_npz(limits.read_bytes(path, what="field map"), "it")
    except InputError as error:
        shape = ", ".join((*axes, *columns))
        raise ValueError(f"is not an .npz with {shape}, nor a text table: {error.faults[0]}") from error
    missing = [name for name in (*axes, *columns) if name not in file]
    if missing:
        raise ValueError(f"{missing[0]} is missing; it has {', '.join(file)}")
    for name in (*axes, *columns):
        if file[name].dtype.kind not in "fiu":
            raise ValueError(f"{name} is of type {file[name].dtype}, not a real number")
    for name in axes:
        if file[name].ndim != 1 or not len(file[name]):
            raise ValueError(f"{name} has shape {file[name].shape}; give the nodes of the axis, one after the other")
    nodes = [np.asarray(file[name], np.float64) for name in axes]
    grid, sizes = [np.asarray(file[name], np.float64) for name in columns], tuple(len(axis) for axis in nodes)
    for name, values in zip(columns, grid, strict=True):
        if values.shape != sizes:
            hint = "; is it transposed?" if values.shape == sizes[::-1] else ""
            raise ValueError(f"{name} has shape {values.shape}, the axes {sizes}{hint}")
    values = np.stack(grid, axis=-1)
    for k, axis in enumerate(nodes):
        if axis[0] > axis[-1]:
            nodes[k], values = axis[::-1], np.flip(values, k)
    return Table(tuple(nodes), values)


def _from_text(path: Path, axes: tuple[str, ...], columns: tuple[str, ...]) -> Table:
    rows, dimension = _rows(path, len(axes) + len(columns), (*axes, *columns)), len(axes)
    for k, row in zip(range(dimension), rows.T, strict=False):
        if not np.all(np.isfinite(row)):
            raise ValueError(f"{axes[k]} is not finite in row {int(np.argmin(np.isfinite(row))) + 1}")
    found = [merged(rows[:, k]) for k in range(dimension)]
    nodes = tuple(one.nodes for one in found)
    sizes = tuple(len(axis) for axis in nodes)
    place = _places([one.number for one in found], nodes, axes)
    values = np.empty((len(rows), len(columns)))
    values[place] = rows[:, dimension:]
    return Table(nodes, values.reshape(*sizes, len(columns)))


def _rows(path: Path, width: int, names: tuple[str, ...]) -> FloatArray:
    """The numbers (rows, width) of a text table. Raises ValueError if it is not one."""
    packed = limits.read_bytes(path, what="field map")
    content = limits.read_gzip(path, what="field map") if packed.startswith(GZIP) else packed
    if b"\0" in content:
        raise ValueError("is neither a text table nor an .npz by its name")
    lines = content.decode("utf-8").splitlines()
    if max(map(len, lines), default=0) > MOST_LINE:
        raise ValueError(f"it has a line of more than {MOST_LINE} characters")
    try:
        with warnings.catch_warnings(action="ignore"):  # of an empty file, which is refused below
            rows = np.loadtxt(StringIO("\n".join(lines)), ndmin=2)
    except ValueError as error:
        raise ValueError(_reason(lines, width) or str(error)) from error
    if rows.shape[1] != width:
        raise ValueError(f"it has {rows.shape[1]} columns; give {width}: {' '.join(names)}")
    return rows


def _reason(lines: list[str], width: int) -> str:
    """What is wrong with the first line of a text table that is no row of numbers."""
    for number, line in enumerate(lines, 1):
        parts = line.partition("#")[0].split()
        if parts and len(parts) != width:
            return (
                f"line {number} has {len(parts)} columns, not {width}: '{shown(line, 40)}'; put # before what is no row"
            )
        try:
            [float(part) for part in parts]
        except ValueError as error:
            return f"line {number}: {error}; put # before what is no row"
    return ""


def _places(index: list[IntArray], nodes: tuple[FloatArray, ...], axes: tuple[str, ...]) -> IntArray:
    """The place (rows,) of every row in the grid. Raises ValueError if a node is missing or stands twice."""
    rows, sizes = len(index[0]), tuple(len(axis) for axis in nodes)
    begin = f"its {rows} rows are not the {' x '.join(map(str, sizes))} nodes of a grid"
    total = float(np.prod(np.array(sizes, np.float64)))
    if total > SCATTERED * rows + 1000:
        raise ValueError(f"{begin}; are columns swapped, or points scattered?")
    place = np.ravel_multi_index(tuple(index), sizes)
    count = np.bincount(place, minlength=int(total))
    for wrong, word in ((count > 1, "twice or more"), (count == 0, "not at all")):
        if wrong.any():
            at = np.unravel_index(int(np.argmax(wrong)), sizes)
            node = ", ".join(f"{name} = {axis[k]:g}" for name, axis, k in zip(axes, nodes, at, strict=True))
            raise ValueError(
                f"{begin}: {int(np.sum(wrong))} of them are there {word}, first {node}; give each node once"
            )
    return place


def _finite(table: Table, axes: tuple[str, ...], columns: tuple[str, ...]) -> FloatArray:
    if table.values.size > len(columns) * MOST_NODES:
        raise ValueError(f"it has more than {MOST_NODES} nodes; use a wider grid")
    wrong = ~np.isfinite(table.values)
    if wrong.any():
        *at, k = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
        node = ", ".join(f"{name} = {axis[i]:g}" for name, axis, i in zip(axes, table.axes, at, strict=True))
        raise ValueError(
            f"{int(np.sum(wrong))} values are not finite, first {columns[k]} at {node}; fill them in or cut the map"
        )
    return table.values
