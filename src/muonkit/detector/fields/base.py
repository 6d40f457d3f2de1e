"""What a magnetic field has: value and gradient at points, the region where it is known, and arrays for the kernels.

Points (n, 3) in cm, field in tesla, gradient[:, i, j] = dB_i/dx_j in T/cm. Where a field is not known (beyond the
edge of a map) `inside` is False and value and gradient are 0."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray
from muonkit.detector.kernels.layout import (
    FACTOR,
    N_OFFSETS,
    N_PARAMS,
    ORDER,
    OWN,
    SIZE0,
    FieldArrays,
)


class Field(ABC):
    """A magnetic field."""

    @abstractmethod
    def value(self, points: FloatArray) -> FloatArray:
        """B (n, 3) [T] at points (n, 3) [cm]."""

    @abstractmethod
    def gradient(self, points: FloatArray) -> FloatArray:
        """dB_i/dx_j (n, 3, 3) [T/cm] at points (n, 3) [cm]."""

    @abstractmethod
    def arrays(self) -> FieldArrays:
        """The same field as the compiled `detector.kernels.field` needs it."""

    def inside(self, points: FloatArray) -> BoolArray:
        """Where the field is known, (n,), at points (n, 3) [cm]."""
        return np.ones(len(points), np.bool_)


class Polar(NamedTuple):
    """A field without azimuth: Br, Bz [T], Br/r and the derivatives in r and z [T/cm], each (n,)."""

    br: FloatArray
    bz: FloatArray
    over_r: FloatArray
    dr_dr: FloatArray
    dr_dz: FloatArray
    dz_dr: FloatArray
    dz_dz: FloatArray


class Axisymmetric(Field):
    """A field that does not change under rotations around the z axis."""

    @abstractmethod
    def polar(self, r: FloatArray, z: FloatArray) -> Polar:
        """Components [T] and derivatives [T/cm] at r, z (n,) [cm]; 0 where the field is not known."""

    def value(self, points: FloatArray) -> FloatArray:
        """B (n, 3) [T] at points (n, 3) [cm]."""
        return turned_value(points, self.polar(radius(points), points[:, 2]))

    def gradient(self, points: FloatArray) -> FloatArray:
        """dB_i/dx_j (n, 3, 3) [T/cm] at points (n, 3) [cm]."""
        return turned_gradient(points, self.polar(radius(points), points[:, 2]))


def turned_value(points: FloatArray, polar: Polar) -> FloatArray:
    """B (n, 3) [T] at points (n, 3) [cm] from its components in r and z."""
    c, s = _direction(points)
    return np.stack([polar.br * c, polar.br * s, polar.bz], axis=1)


def turned_gradient(points: FloatArray, p: Polar) -> FloatArray:
    """dB_i/dx_j (n, 3, 3) [T/cm] at points (n, 3) [cm] from the derivatives in r and z."""
    c, s = _direction(points)
    d = p.dr_dr - p.over_r
    rows = (
        (p.over_r + d * c * c, d * c * s, p.dr_dz * c),
        (d * c * s, p.over_r + d * s * s, p.dr_dz * s),
        (p.dz_dr * c, p.dz_dr * s, p.dz_dz),
    )
    return np.stack([np.stack(row, axis=1) for row in rows], axis=1)


def radius(points: FloatArray) -> FloatArray:
    """Distance from the z axis, (n,) [cm], of points (n, 3)."""
    x, y = points[:, 0], points[:, 1]
    return np.sqrt(x * x + y * y)


def _direction(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Cosine and sine of the azimuth; on the axis the direction does not matter."""
    r = radius(points)
    safe = np.where(r > 0, r, 1.0)
    return np.where(r > 0, points[:, 0] / safe, 1.0), np.where(r > 0, points[:, 1] / safe, 0.0)


def single(
    kind: int, own: tuple[float, ...], sizes: tuple[int, ...] = (), order: int = 0, data: FloatArray | None = None
) -> FieldArrays:
    """Arrays of one part: its own numbers, the sizes of its grid or table, the order of its interpolation, its data."""
    params = np.zeros((1, N_PARAMS))
    params[0, FACTOR] = 1.0
    params[0, OWN : OWN + len(own)] = own
    offsets = np.zeros((1, N_OFFSETS), np.int64)
    offsets[0, ORDER] = order
    offsets[0, SIZE0 : SIZE0 + len(sizes)] = sizes
    pool = np.zeros(0) if data is None else np.ascontiguousarray(data, np.float64).ravel()
    return FieldArrays(np.array([kind], np.int64), params, offsets, pool)
