"""Interpolation on even grids by B-splines: order 1 is linear, order 3 the interpolating cubic spline (C2, error h^4).

Cubic coefficients c solve (c[i-1] + 4 c[i] + c[i+1])/6 = f[i], with one more at each end: a `free` end has a continuous
third derivative at the last node but one (not-a-knot; de Boor, A Practical Guide to Splines, chapter IV), an `even` or
`odd` one mirrors the function."""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from scipy.linalg import solve_banded

from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.detector.kernels.layout import CUBIC, LINEAR

End = Literal["free", "even", "odd"]
END_ROWS = {"free": (1.0, -4.0, 6.0, -4.0, 1.0), "even": (1.0, 0.0, -1.0), "odd": (1.0, -2.0, 1.0)}
BAND = 4


def coefficients(values: FloatArray, axis: int, start: End = "free", end: End = "free") -> FloatArray:
    """Cubic B-spline coefficients along one axis, n + 2 from n >= 4 values; the other axes keep their length."""
    moved = np.moveaxis(values, axis, 0)
    n = len(moved)
    right = np.zeros((n + 2, *moved.shape[1:]))
    right[1:-1] = moved
    solved = solve_banded((BAND, BAND), _banded(n, start, end), right.reshape(n + 2, -1))
    return np.moveaxis(solved.reshape(right.shape), 0, axis)


def _banded(n: int, start: End, end: End) -> FloatArray:
    """The matrix of n + 2 equations in the diagonal form of `solve_banded`."""
    matrix = np.zeros((2 * BAND + 1, n + 2))
    for shift, weight in ((-1, 1 / 6), (0, 4 / 6), (1, 1 / 6)):
        columns = np.arange(1, n + 1) + shift
        matrix[BAND - shift, columns] = weight
    for k, weight in enumerate(END_ROWS[start]):
        matrix[BAND - k, k] = weight
    for k, weight in enumerate(END_ROWS[end]):
        matrix[BAND + k, n + 1 - k] = weight
    return matrix


def weights(t: FloatArray, order: int) -> tuple[FloatArray, FloatArray]:
    """Values and derivatives by t, (n, order + 1) each, of the B-splines at t (n,) in [0, 1]."""
    s = 1 - t
    if order == LINEAR:
        return np.stack([s, t], axis=1), np.stack([-np.ones_like(t), np.ones_like(t)], axis=1)
    value = [s * s * s / 6, (3 * t * t * (t - 2) + 4) / 6, (3 * s * s * (s - 2) + 4) / 6, t * t * t / 6]
    slope = [-0.5 * s * s, 0.5 * t * (3 * t - 4), -0.5 * s * (3 * s - 4), 0.5 * t * t]
    return np.stack(value, axis=1), np.stack(slope, axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Functions on an even grid of d dimensions: origin, step, sizes (d,), order, coefficients (..., components)."""

    origin: tuple[float, ...]
    step: tuple[float, ...]
    sizes: tuple[int, ...]
    order: int
    coefficients: FloatArray

    @classmethod
    def of(
        cls, axes: tuple[FloatArray, ...], values: FloatArray, order: int, ends: tuple[tuple[End, End], ...] = ()
    ) -> Self:
        """From the nodes of every axis and values (n0, ..., components).
        Raises InputError if an axis has too few nodes or is not even."""
        origin, step = zip(*(_even(axis, order) for axis in axes), strict=True)
        solved = np.ascontiguousarray(values, np.float64)
        if order == CUBIC:
            for k in range(len(axes)):
                solved = coefficients(solved, k, *(ends[k] if ends else ("free", "free")))
        return cls(origin, step, values.shape[:-1], order, np.ascontiguousarray(solved))

    @property
    def end(self) -> tuple[float, ...]:
        """The last node of every axis."""
        return tuple(o + s * (n - 1) for o, s, n in zip(self.origin, self.step, self.sizes, strict=True))

    def covers(self, points: FloatArray) -> BoolArray:
        """Which points (n, d) are on the grid, its edges included."""
        u = self._position(points)
        return np.all((u >= 0) & (u <= np.array(self.sizes) - 1), axis=1)

    def evaluate(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Values (n, components) and derivatives (n, components, d) at points (n, d).
        Outside of the grid the value is that of the edge, and the derivative across the edge is 0."""
        top = np.array(self.sizes) - 1
        position = self._position(points)
        u = np.clip(position, 0, top)
        index = np.minimum(u.astype(np.int64), top - 1)
        pairs = [weights(u[:, k] - index[:, k], self.order) for k in range(len(self.sizes))]
        nodes = self._nodes(index)
        slopes = [self._contract(nodes, pairs, k) for k in range(len(self.sizes))]
        inverse = np.where(u == position, 1 / np.array(self.step), 0.0)
        return self._contract(nodes, pairs, -1), np.stack(slopes, axis=-1) * inverse[:, None, :]

    def _position(self, points: FloatArray) -> FloatArray:
        return (points - np.array(self.origin)) * (1 / np.array(self.step))

    def _nodes(self, index: IntArray) -> FloatArray:
        """The coefficients around every point: (n, order + 1, ..., components)."""
        d, width = len(self.sizes), self.order + 1
        places = []
        for k in range(d):
            shape = [-1 if j == k else 1 for j in range(d)]
            places.append(index[:, k].reshape(-1, *[1] * d) + np.arange(width).reshape(1, *shape))
        return self.coefficients[tuple(places)]

    def _contract(self, nodes: FloatArray, pairs: list[tuple[FloatArray, FloatArray]], slope_of: int) -> FloatArray:
        for k in reversed(range(len(pairs))):
            nodes = np.einsum("n...jc,nj->n...c", nodes, pairs[k][1 if k == slope_of else 0])
        return nodes


def _even(axis: FloatArray, order: int) -> tuple[float, float]:
    """First node and step. Raises InputError if the nodes are too few or not even."""
    if len(axis) < order + 1:
        raise InputError(f"the grid has {len(axis)} nodes on an axis; give at least {order + 1}")
    step = (axis[-1] - axis[0]) / (len(axis) - 1)
    if not step > 0 or np.max(np.abs(np.diff(axis) - step)) > 1e-6 * step:
        raise InputError("the nodes of the grid are not evenly spaced in rising order; give it on an even grid")
    return float(axis[0]), float(step)
