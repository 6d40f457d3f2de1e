"""Names for the array types in signatures."""

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
AnyArray = npt.NDArray[Any]


def sums(index: IntArray, values: FloatArray, size: int) -> FloatArray:
    """Sum (size,) of `values` (n,) for every index 0 ... size - 1. `index` (n,) says where each value belongs; all are
    below `size`. Raises ValueError if an index is negative."""
    return np.bincount(index, values, size).astype(np.float64)
