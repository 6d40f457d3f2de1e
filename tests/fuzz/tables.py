"""Mistakes in tables and arrays: columns that are dropped, renamed or of another type, wrong values, lost rows."""

import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import uproot

Columns = dict[str, Any]
WRONG = (-1, 0, 13, float("nan"), float("inf"), -float("inf"), 1e308, 1e30, 2.0**53, 2.0**63, -(2.0**63), 1e-300)
TYPES: tuple[Callable[[Any], Any], ...] = (
    lambda column: [str(value) for value in column],
    lambda column: [f"x{value}" for value in column],
    lambda column: [[value, value] for value in column],
    lambda column: [{"x": value} for value in column],
    lambda column: [None] * len(column),
    lambda column: [None, *column[1:]],
    lambda column: [bool(value) for value in column],
    lambda column: [b"\xff\x00"] * len(column),
    lambda column: np.asarray(column).astype(np.float32),
    lambda column: np.asarray(column).astype(np.float16),
    lambda column: np.nan_to_num(np.asarray(column, dtype=float)).clip(-9e18, 9e18).astype(np.int64).astype(np.int8),
    lambda column: np.nan_to_num(np.asarray(column, dtype=float)).clip(-9e18, 9e18).astype(np.int64).astype(np.uint64),
    lambda column: np.asarray(column, dtype=float).astype(np.int64).astype("M8[s]"),
    lambda column: pa.array(list(column)).dictionary_encode(),
)


def table_mistakes(columns: Columns, dice: random.Random) -> Columns:
    """A copy of a table with up to three mistakes in it."""
    columns = dict(columns)
    for _ in range(dice.choice((1, 1, 2, 3))):
        if not columns:
            break
        name = dice.choice(list(columns))
        match dice.choice(("value", "value", "value", "type", "type", "drop", "rename", "swap", "rows")):
            case "value":
                columns[name] = _with_wrong_values(columns[name], dice)
            case "type":
                columns[name] = dice.choice(TYPES)(columns[name])
            case "drop":
                del columns[name]
            case "rename":
                columns[dice.choice((f"{name}s", name.upper(), "", " ", "x.y", "../x"))] = columns.pop(name)
            case "swap":
                other = dice.choice(list(columns))
                columns[name], columns[other] = columns[other], columns[name]
            case _:
                columns = _other_rows(columns, dice)
    return columns


def _with_wrong_values(column: Any, dice: random.Random) -> Any:
    if not isinstance(column, np.ndarray) or column.dtype.kind not in "iuf" or not column.size:
        return column
    wrong, value = column.astype(float), dice.choice(WRONG)
    rows = np.array([dice.random() < dice.choice((0.0, 0.5, 1.0)) for _ in range(len(column))])
    rows[dice.randrange(len(column))] = True
    wrong[rows] = value
    fits = column.dtype.kind in "iu" and abs(value) < 100 and not (column.dtype.kind == "u" and value < 0)
    return wrong.astype(column.dtype) if fits else wrong


def _other_rows(columns: Columns, dice: random.Random) -> Columns:
    rows = min(len(column) for column in columns.values())
    kind = dice.choice(("none", "one", "half", "twice", "backwards"))
    take = {
        "none": [],
        "one": [0],
        "half": range(rows // 2),
        "twice": [*range(rows), 0],
        "backwards": range(rows)[::-1],
    }
    chosen = [row for row in take[kind] if row < rows]
    return {name: _rows_of(column, chosen) for name, column in columns.items()}


def _rows_of(column: Any, rows: list[int]) -> Any:
    if isinstance(column, np.ndarray):
        return column[np.array(rows, dtype=int)]
    return column.take(pa.array(rows, pa.int64())) if isinstance(column, pa.Array) else [column[row] for row in rows]


def read_table(path: Path) -> Columns:
    """Columns of a good file."""
    if path.suffix == ".root":
        with uproot.open(path) as file:
            tree = file[next(key for key, kind in file.classnames().items() if kind in {"TTree", "ROOT::RNTuple"})]
            return {name: tree[name].array(library="np") for name in tree.keys(recursive=False)}
    table = pq.read_table(path) if path.suffix == ".parquet" else pc.read_csv(path)
    return {name: table[name].to_numpy() for name in table.column_names}


def write_table(path: Path, columns: Columns) -> None:
    """Write by ending. Raises what a writer does that cannot write such columns."""
    if path.suffix == ".root":
        arrays = {name: np.asarray(column) for name, column in columns.items()}
        with uproot.recreate(path) as file:
            file.mktree("Events", {name: column.dtype for name, column in arrays.items()}).extend(arrays)
        return
    arrays = [pa.array(list(column) if isinstance(column, list) else column) for column in columns.values()]
    table = pa.Table.from_arrays(arrays, names=list(columns))
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=17)
    else:
        pc.write_csv(table, path)


def npz_mistakes(content: bytes, dice: random.Random) -> bytes:
    """An npz file with a mistake: an array that is gone, renamed, of another type, shape or value."""
    with np.load(io.BytesIO(content)) as file:
        arrays = dict(file)
    name = dice.choice(list(arrays))
    array = arrays[name]
    match dice.choice(("drop", "rename", "type", "text", "shape", "empty", "value", "value", "rows")):
        case "drop":
            del arrays[name]
        case "rename":
            arrays[f"{name}s"] = arrays.pop(name)
        case "type":
            arrays[name] = array.astype(dice.choice((str, np.float16, complex))) if array.dtype.kind in "iuf" else array
        case "text":
            arrays[name] = np.array(dice.choice(("", "{}", "[]", "x", '{"schema": 1}', "NaN")))
        case "shape":
            arrays[name] = array.reshape(-1)[: dice.randrange(array.size + 1)]
        case "empty":
            arrays[name] = array[..., :0] if array.ndim else np.zeros(0)
        case "rows":
            arrays[name] = np.concatenate((array, array)) if array.ndim else np.array([array, array])
        case _:
            arrays[name] = _with_wrong_value(array, dice)
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **arrays)
    return stream.getvalue()


def _with_wrong_value(array: Any, dice: random.Random) -> Any:
    if array.dtype.kind == "f" and array.size:
        array = array.copy()
        array.reshape(-1)[dice.randrange(array.size)] = dice.choice(WRONG)
    elif array.dtype.kind in "iu" and array.size:
        array = array.copy()
        array.reshape(-1)[dice.randrange(array.size)] = dice.choice((0, 1, 100, np.iinfo(array.dtype).max))
    return array
