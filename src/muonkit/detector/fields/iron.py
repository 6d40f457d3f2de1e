"""The field in the iron of a muon detector: `KLMIron`, piecewise linear, as the Belle experiment parametrised it.

Octagonal barrel: in plate k Bz(|z|) and Br(|z|), 0 in the gaps. Endcaps: in plate k, and in the gap behind it, Bz(r)
and Br(r). z is relative to z0; Br is odd in it, Bz even. A table (plates, pieces, 3) has pieces (end, slope [T/cm],
intercept [T]), each valid up to its end; beyond the last the field is 0. Not Maxwellian, and it steps at every surface
of a plate."""

from dataclasses import dataclass

import numpy as np

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.detector.fields.base import Field, Polar, radius, single, turned_gradient, turned_value
from muonkit.detector.kernels.iron import HALF_SQRT2
from muonkit.detector.kernels.layout import KLM_IRON, FieldArrays


@dataclass(frozen=True, slots=True, eq=False)
class Barrel:
    """Plates of `thickness` every `pitch` from `first` on (distances from the axis along a normal of the octagon), the
    last up to `outer`, for |z| < half_length [cm]; tables Bz, Br (plates, 2, 3) in |z|."""

    first: float
    pitch: float
    thickness: float
    outer: float
    half_length: float
    Bz: FloatArray
    Br: FloatArray

    def plate(self, points: FloatArray) -> IntArray:
        """Number (n,) of the plate around points (n, 3) [cm]; -1 where there is none."""
        x, y = np.abs(points[:, 0]), np.abs(points[:, 1])
        distance = np.maximum(np.maximum(x, y), HALF_SQRT2 * (x + y))
        last = len(self.Bz) - 1
        plate = np.clip((distance - self.first) / self.pitch, 0, last).astype(np.int64)
        iron = (plate == last) | (distance - self.first - plate * self.pitch < self.thickness)
        return np.where((distance >= self.first) & (distance < self.outer) & iron, plate, -1)

    def polar(self, points: FloatArray) -> Polar:
        """Components [T] and derivatives [T/cm], (n,) each, at points (n, 3) [cm], z relative to z0."""
        z, plate = points[:, 2], self.plate(points)
        sign, zero = np.where(z < 0, -1.0, 1.0), np.zeros(len(z))
        bz, dz = linear_pieces(self.Bz, plate, np.abs(z))
        br, dr = linear_pieces(self.Br, plate, np.abs(z))
        over_r = _ratio(sign * br, radius(points))
        return Polar(sign * br, bz, over_r, zero, dr, zero, sign * dz)


@dataclass(frozen=True, slots=True, eq=False)
class Endcap:
    """Plates of `thickness` every `pitch` from |z| = `first` on, r > r_min [cm]; tables in r, (plates, 5, 3) for the
    iron and (plates - 1, 5, 3) for the gaps."""

    first: float
    pitch: float
    thickness: float
    r_min: float
    iron_Bz: FloatArray
    iron_Br: FloatArray
    gap_Bz: FloatArray
    gap_Br: FloatArray

    def polar(self, points: FloatArray) -> Polar:
        """Components [T] and derivatives [T/cm], (n,) each, at points (n, 3) [cm], z relative to z0."""
        r, depth = radius(points), np.abs(points[:, 2]) - self.first
        plate = np.clip(depth / self.pitch, 0, len(self.iron_Bz)).astype(np.int64)
        in_gap = depth - plate * self.pitch >= self.thickness
        iron = np.where((r > self.r_min) & ~in_gap & (plate < len(self.iron_Bz)), plate, -1)
        gap = np.where((r > self.r_min) & in_gap & (plate < len(self.gap_Bz)), plate, -1)
        bz, dz = _both(linear_pieces(self.iron_Bz, iron, r), linear_pieces(self.gap_Bz, gap, r))
        br, dr = _both(linear_pieces(self.iron_Br, iron, r), linear_pieces(self.gap_Br, gap, r))
        sign, zero = np.where(points[:, 2] < 0, -1.0, 1.0), np.zeros(len(r))
        return Polar(sign * br, bz, _ratio(sign * br, r), sign * dr, zero, dz, zero)


def linear_pieces(table: FloatArray, row: IntArray, t: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Value [T] and slope [T/cm] (n,) at t (n,) [cm] of the first piece of a row that ends above t. `table`
    (rows, pieces, 3). 0 for row -1 and beyond the last piece."""
    pieces = table[np.clip(row, 0, len(table) - 1)]
    below = t[:, None] < pieces[:, :, 0]
    one = pieces[np.arange(len(t)), np.argmax(below, axis=1)]
    known = (row >= 0) & np.any(below, axis=1)
    return np.where(known, one[:, 2] + one[:, 1] * t, 0.0), np.where(known, one[:, 1], 0.0)


def _both(first: tuple[FloatArray, FloatArray], second: tuple[FloatArray, FloatArray]) -> tuple[FloatArray, FloatArray]:
    return first[0] + second[0], first[1] + second[1]


def _ratio(br: FloatArray, r: FloatArray) -> FloatArray:
    return br / np.where(r > 0, r, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class KLMIron(Field):
    """Barrel and endcaps around z0 [cm]; 0 everywhere else."""

    z0: float
    barrel: Barrel
    endcap: Endcap

    def polar(self, points: FloatArray) -> Polar:
        """Components [T] and derivatives [T/cm], (n,) each, at points (n, 3) [cm]."""
        moved = points - np.array([0.0, 0.0, self.z0])
        depth = np.abs(moved[:, 2])
        both = (
            (self.barrel.polar(moved), depth < self.barrel.half_length),
            (
                self.endcap.polar(moved),
                (depth >= self.barrel.half_length) & (depth >= self.endcap.first),
            ),
        )
        parts = [[np.where(where, component, 0.0) for component in polar] for polar, where in both]
        return Polar(*(a + b for a, b in zip(*parts, strict=True)))

    def value(self, points: FloatArray) -> FloatArray:
        """B (n, 3) [T] at points (n, 3) [cm]."""
        return turned_value(points, self.polar(points))

    def gradient(self, points: FloatArray) -> FloatArray:
        """dB_i/dx_j (n, 3, 3) [T/cm] at points (n, 3) [cm]; the steps at the plates are not in it."""
        return turned_gradient(points, self.polar(points))

    def arrays(self) -> FieldArrays:
        """One part for the kernels: the geometry as its own numbers, the tables as data."""
        b, e = self.barrel, self.endcap
        barrel = (b.first, b.pitch, b.thickness, b.outer, b.half_length)
        own = (self.z0, *barrel, e.first, e.pitch, e.thickness, e.r_min)
        last = np.zeros((1, *e.gap_Bz.shape[1:]))  # behind the last plate there is no gap
        tables = [b.Bz, b.Br, e.iron_Bz, e.iron_Br, e.gap_Bz, last, e.gap_Br, last]
        pool = np.concatenate([table.ravel() for table in tables])
        return single(KLM_IRON, own, (len(b.Bz), len(e.iron_Bz)), data=pool)
