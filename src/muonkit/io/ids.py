"""Numbers that name things (experiment, run, event, track): whole numbers of any type, kept exactly.

Inside, they are int64; an unsigned number from 2^63 on keeps its bits. NumPy compares int64 with uint64 as floating
point numbers, so where the order matters, or numbers of two files meet, they are compared by halves."""

import numpy as np

from muonkit.core.arrays import AnyArray, BoolArray, IntArray
from muonkit.core.errors import InputError

HALF = 32  # bits


def exact(values: AnyArray, name: str, column: str) -> AnyArray:
    """Whole numbers (n,): integers as they are, whole floating point numbers as int64.

    Raises InputError, with the file `name` and the `column`, for other values and where floating point is not exact."""
    if values.dtype.kind in "iu":
        return values
    if values.dtype.kind != "f":
        raise InputError(f"{name}: column '{column}' does not hold numbers. Mend the file.")
    largest = 2.0 ** (np.finfo(values.dtype).nmant + 1)
    whole = np.isfinite(values) & (np.floor(values) == values)
    _refuse(~whole, f"{name}: column '{column}' is not a whole number", "mend it")
    beyond = f"{name}: column '{column}' is beyond {largest:g}, where {values.dtype} is not exact,"
    _refuse(np.abs(values) > largest, beyond, "store integers")
    return values.astype(np.int64)


def _refuse(bad: BoolArray, fault: str, way_out: str) -> None:
    rows: IntArray = np.flatnonzero(bad)
    if len(rows):
        raise InputError(f"{fault} in {len(rows)} rows, first in row {rows[0]}; {way_out}")


def bits(numbers: AnyArray) -> IntArray:
    """Whole numbers (n,) as int64; of unsigned ones from 2^63 on the same bits."""
    return numbers.astype(np.int64)


def halves(numbers: AnyArray) -> IntArray:
    """High and low half (n, 2) of whole numbers (n,) of any type; rows have the order of the numbers."""
    high = numbers >> numbers.dtype.type(HALF) if numbers.dtype.itemsize == 8 else np.where(numbers < 0, -1, 0)
    return np.column_stack((bits(high), bits(numbers) & ((1 << HALF) - 1)))


def joined(halved: AnyArray) -> int:
    """The number of two halves (2,)."""
    return (int(halved[0]) << HALF) + int(halved[1])
