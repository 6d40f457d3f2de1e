"""Fields made of fields: a `Sum`, one `Confined` to a region, one `Scaled` by a factor or by a map of factors."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray
from muonkit.detector.fields.base import Field, radius
from muonkit.detector.fields.maps import ORDERS, Interpolation
from muonkit.detector.fields.splines import End, Grid
from muonkit.detector.kernels.layout import (
    BOX,
    CORRECTION,
    CORRECTIONS,
    CYLINDER,
    DATA,
    DIMENSION,
    FACTOR,
    HEADER,
    IN_BOX,
    IN_CYLINDER,
    INTERPOLATION,
    N_OFFSETS,
    N_PARAMS,
    REGION,
    SIZE,
    FieldArrays,
)


@dataclass(frozen=True, slots=True)
class Sum(Field):
    """The sum of its parts; known where all of them are. No parts: no field."""

    parts: tuple[Field, ...]

    def value(self, points: FloatArray) -> FloatArray:
        """B (n, 3) [T] at points (n, 3) [cm]; 0 where a part is not known."""
        total = sum((part.value(points) for part in self.parts), np.zeros((len(points), 3)))
        return np.where(self.inside(points)[:, None], total, 0.0)

    def gradient(self, points: FloatArray) -> FloatArray:
        """dB_i/dx_j (n, 3, 3) [T/cm] at points (n, 3) [cm]; 0 where a part is not known."""
        total = sum((part.gradient(points) for part in self.parts), np.zeros((len(points), 3, 3)))
        return np.where(self.inside(points)[:, None, None], total, 0.0)

    def inside(self, points: FloatArray) -> BoolArray:
        """Where all parts are known, (n,), at points (n, 3) [cm]."""
        return np.all([np.ones(len(points), np.bool_), *(part.inside(points) for part in self.parts)], axis=0)

    def arrays(self) -> FieldArrays:
        """The parts one after the other, for the kernels."""
        return merged([part.arrays() for part in self.parts])


@dataclass(frozen=True, slots=True)
class Cylinder:
    """r_min <= r < r_max, z_min <= z < z_max [cm]."""

    r_min: float = 0.0
    r_max: float = math.inf
    z_min: float = -math.inf
    z_max: float = math.inf

    def contains(self, points: FloatArray) -> BoolArray:
        """Which points (n, 3) [cm] are in it, (n,)."""
        r, z = radius(points), points[:, 2]
        return (self.r_min <= r) & (r < self.r_max) & (self.z_min <= z) & (z < self.z_max)

    @property
    def bounds(self) -> tuple[float, ...]:
        """(r_min, r_max, z_min, z_max) [cm]."""
        return self.r_min, self.r_max, self.z_min, self.z_max


@dataclass(frozen=True, slots=True)
class Box:
    """x_min <= x < x_max, and so on [cm]."""

    x_min: float = -math.inf
    x_max: float = math.inf
    y_min: float = -math.inf
    y_max: float = math.inf
    z_min: float = -math.inf
    z_max: float = math.inf

    def contains(self, points: FloatArray) -> BoolArray:
        """Which points (n, 3) [cm] are in it, (n,)."""
        low, high = np.array(self.bounds[0::2]), np.array(self.bounds[1::2])
        return np.all((low <= points) & (points < high), axis=1)

    @property
    def bounds(self) -> tuple[float, ...]:
        """(x_min, x_max, y_min, y_max, z_min, z_max) [cm]."""
        return self.x_min, self.x_max, self.y_min, self.y_max, self.z_min, self.z_max


@dataclass(frozen=True, slots=True)
class Confined(Field):
    """A field inside a region; outside of the region it is known to be 0. The gradient does not contain the step at the
    border."""

    field: Field
    region: Cylinder | Box

    def value(self, points: FloatArray) -> FloatArray:
        """B (n, 3) [T] at points (n, 3) [cm]; 0 outside of the region."""
        return np.where(self.region.contains(points)[:, None], self.field.value(points), 0.0)

    def gradient(self, points: FloatArray) -> FloatArray:
        """dB_i/dx_j (n, 3, 3) [T/cm] at points (n, 3) [cm]; 0 outside of the region."""
        return np.where(self.region.contains(points)[:, None, None], self.field.gradient(points), 0.0)

    def inside(self, points: FloatArray) -> BoolArray:
        """Where the field is known or the point is outside of the region, (n,), at points (n, 3) [cm]."""
        return self.field.inside(points) | ~self.region.contains(points)

    def arrays(self) -> FieldArrays:
        """The parts of the field, each with the region, for the kernels."""
        arrays = self.field.arrays()
        params, offsets = arrays.params.copy(), arrays.offsets.copy()
        bit, first = (IN_CYLINDER, CYLINDER) if isinstance(self.region, Cylinder) else (IN_BOX, BOX)
        for i in range(len(params)):
            _intersect(
                params[i, first : first + len(self.region.bounds)], self.region.bounds, bool(offsets[i, REGION] & bit)
            )
            offsets[i, REGION] |= bit
        return arrays._replace(params=params, offsets=offsets)


def _intersect(row: FloatArray, bounds: Sequence[float], bounded: bool) -> None:
    new = np.array(bounds)
    row[0::2] = np.maximum(row[0::2], new[0::2]) if bounded else new[0::2]
    row[1::2] = np.minimum(row[1::2], new[1::2]) if bounded else new[1::2]


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """Factors around 1 on a grid in (r, z) or (x, y, z). Beyond the edge of the grid the factor is that of the edge."""

    grid: Grid

    @classmethod
    def of(cls, axes: tuple[FloatArray, ...], factors: FloatArray, interpolation: Interpolation = "cubic") -> Self:
        """From the nodes of two axes (r, z) or three (x, y, z) [cm] and factors (n0, n1[, n2]).
        In (r, z) the factor is even in r if the grid begins on the axis. Raises InputError if the nodes are too few or
        not even."""
        even = len(axes) == 2 and axes[0][0] == 0
        ends: tuple[tuple[End, End], ...] = (("even", "free"), ("free", "free")) if even else ()
        return cls(Grid.of(axes, factors[..., None], ORDERS[interpolation], ends))

    def value(self, points: FloatArray) -> FloatArray:
        """The factor (n,) at points (n, 3) [cm]."""
        return self.grid.evaluate(self._place(points))[0][:, 0]

    def gradient(self, points: FloatArray) -> FloatArray:
        """Its derivatives (n, 3) [1/cm] at points (n, 3) [cm]."""
        slope = self.grid.evaluate(self._place(points))[1][:, 0]
        if len(self.grid.sizes) == 3:
            return slope
        r = radius(points)
        over = np.where(r > 0, slope[:, 0] / np.where(r > 0, r, 1.0), 0.0)
        return np.stack([over * points[:, 0], over * points[:, 1], slope[:, 1]], axis=1)

    def _place(self, points: FloatArray) -> FloatArray:
        return points if len(self.grid.sizes) == 3 else np.stack([radius(points), points[:, 2]], axis=1)

    def pool(self) -> FloatArray:
        """Header and coefficients (k,) for the kernels."""
        g, pad = self.grid, [0.0] * (3 - len(self.grid.sizes))
        inverse = [1 / step for step in g.step]
        header = [len(g.sizes), g.order, *g.sizes, *pad, *g.origin, *pad, *inverse, *pad]
        return np.concatenate([np.array(header, np.float64), g.coefficients.ravel()])


@dataclass(frozen=True, slots=True)
class Scaled(Field):
    """A field times a constant, or times a map of factors (then its gradient follows the product rule)."""

    field: Field
    factor: float | Correction

    def value(self, points: FloatArray) -> FloatArray:
        """B (n, 3) [T] at points (n, 3) [cm]."""
        return self._factor(points)[:, None] * self.field.value(points)

    def gradient(self, points: FloatArray) -> FloatArray:
        """dB_i/dx_j (n, 3, 3) [T/cm] at points (n, 3) [cm], by the product rule."""
        scaled = self._factor(points)[:, None, None] * self.field.gradient(points)
        if not isinstance(self.factor, Correction):
            return scaled
        return scaled + self.field.value(points)[:, :, None] * self.factor.gradient(points)[:, None, :]

    def inside(self, points: FloatArray) -> BoolArray:
        """Where the field is known, (n,), at points (n, 3) [cm]."""
        return self.field.inside(points)

    def _factor(self, points: FloatArray) -> FloatArray:
        return self.factor.value(points) if isinstance(self.factor, Correction) else np.full(len(points), self.factor)

    def arrays(self) -> FieldArrays:
        """The parts of the field with the factor, or with the map appended to their corrections, for the kernels."""
        arrays = self.field.arrays()
        if isinstance(self.factor, Correction):
            return _corrected(arrays, self.factor.pool())
        params = arrays.params.copy()
        params[:, FACTOR] *= self.factor
        return arrays._replace(params=params)


def _corrected(arrays: FieldArrays, block: FloatArray) -> FieldArrays:
    """Every part with one more correction map at the end of its chain."""
    offsets, pool = arrays.offsets.copy(), [arrays.pool]
    end = len(arrays.pool)
    for row in offsets:
        chain = np.concatenate([_chain(arrays.pool, row[CORRECTION], row[CORRECTIONS]), block])
        row[CORRECTION], row[CORRECTIONS] = end, row[CORRECTIONS] + 1
        pool.append(chain)
        end += len(chain)
    return arrays._replace(offsets=offsets, pool=np.concatenate(pool))


def _chain(pool: FloatArray, start: int, maps: int) -> FloatArray:
    end = start
    for _ in range(maps):
        dimension, order = int(pool[end + DIMENSION]), int(pool[end + INTERPOLATION])
        end += HEADER + int(np.prod(pool[end + SIZE : end + SIZE + dimension] + order - 1))
    return pool[start:end]


def merged(parts: Sequence[FieldArrays]) -> FieldArrays:
    """The arrays of a sum: the parts one after the other, with offsets into the joined pool."""
    begins = np.cumsum([0, *(len(part.pool) for part in parts)])
    moved = [np.zeros((0, N_OFFSETS), np.int64)]
    for part, begin in zip(parts, begins, strict=False):
        offsets = part.offsets.copy()
        offsets[:, [DATA, CORRECTION]] += begin
        moved.append(offsets)
    return FieldArrays(
        np.concatenate([np.zeros(0, np.int64), *(part.kinds for part in parts)]),
        np.concatenate([np.zeros((0, N_PARAMS)), *(part.params for part in parts)]),
        np.concatenate(moved),
        np.concatenate([np.zeros(0), *(part.pool for part in parts)]),
    )
