"""Fields on grids: `MapRZ` in (r, z), `MapXYZ` in space; linear, or cubic (C2, as adaptive steps need).

An interpolated map obeys Maxwell's equations only up to its spacing h: the cubic one to h^3, the linear one to h."""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray
from muonkit.core.errors import InputError
from muonkit.detector.fields.base import Axisymmetric, Field, Polar, radius, single
from muonkit.detector.fields.splines import End, Grid
from muonkit.detector.kernels.layout import CUBIC, LINEAR, ON_AXIS, RZ_MAP, XYZ_MAP, FieldArrays

Interpolation = Literal["linear", "cubic"]
SYMMETRIC = 1e-9  # of the largest field
TURN = np.array([[0.6, -0.8, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 1.0]])
ORDERS: dict[Interpolation, int] = {"linear": LINEAR, "cubic": CUBIC}


@dataclass(frozen=True, slots=True, eq=False)
class MapRZ(Axisymmetric):
    """Br and Bz on a grid in (r, z - z0). `mirrored`: given for z >= z0 only, Bz is even and Br odd around z0."""

    grid: Grid
    z0: float = 0.0
    mirrored: bool = False

    @classmethod
    def of(
        cls,
        r: FloatArray,
        z: FloatArray,
        Br: FloatArray,
        Bz: FloatArray,
        interpolation: Interpolation = "cubic",
        z0: float = 0.0,
        mirrored: bool = False,
    ) -> Self:
        """From nodes r (nr,), z (nz,) [cm] and Br, Bz (nr, nz) [T]. On the axis Br is set to 0.
        Raises InputError if the nodes are too few or not even, if r is negative, or if a mirrored map does not begin at
        z = 0."""
        if r[0] < 0:
            raise InputError(f"r begins at {r[0]:g}; a radius is not negative")
        if mirrored and z[0] != 0:
            raise InputError(f"a mirrored map begins at z = 0, not {z[0]:g}; shift it with z0")
        order = ORDERS[interpolation]
        if r[0] == 0:
            Br = np.concatenate([np.zeros_like(Br[:1]), Br[1:]])
        at_axis: tuple[End, End] = ("odd", "even") if r[0] == 0 else ("free", "free")
        at_middle: tuple[End, End] = ("odd", "even") if mirrored else ("free", "free")
        both = [
            Grid.of((r, z), B[:, :, None], order, ((axis, "free"), (middle, "free")))
            for B, axis, middle in zip((Br, Bz), at_axis, at_middle, strict=True)
        ]
        joined = np.concatenate([grid.coefficients for grid in both], axis=2)
        return cls(Grid(both[0].origin, both[0].step, both[0].sizes, order, joined), z0, mirrored)

    @classmethod
    def sampled(
        cls, field: Field, r: FloatArray, z: FloatArray, interpolation: Interpolation = "cubic", mirrored: bool = False
    ) -> Self:
        """A map of another field without azimuth, from its values at nodes r (nr,), z (nz,) [cm].
        Raises InputError if the field is not symmetric around z, or for the reasons of `of`."""
        nodes = np.stack(np.meshgrid(r, [0.0], z, indexing="ij"), axis=-1).reshape(-1, 3)
        B = field.value(nodes)
        if np.max(np.abs(field.value(nodes @ TURN.T) - B @ TURN.T)) > SYMMETRIC * np.max(np.abs(B)):
            raise InputError("the field is not symmetric around z; no map in (r, z) can hold it")
        Br, Bz = B[:, 0].reshape(len(r), -1), B[:, 2].reshape(len(r), -1)
        return cls.of(r, z, Br, Bz, interpolation, mirrored=mirrored)

    def polar(self, r: FloatArray, z: FloatArray) -> Polar:
        """Components [T] and derivatives [T/cm] at r, z (n,) [cm]; 0 outside of the grid."""
        place, sign = self._place(r, z)
        known = self.grid.covers(place)
        B, dB = self.grid.evaluate(place)
        B, dB = np.where(known[:, None], B, 0.0), np.where(known[:, None, None], dB, 0.0)
        dr_dr = sign * dB[:, 0, 0]
        over_r = np.where(r > ON_AXIS, sign * B[:, 0] / np.where(r > ON_AXIS, r, 1.0), dr_dr)
        return Polar(sign * B[:, 0], B[:, 1], over_r, dr_dr, dB[:, 0, 1], dB[:, 1, 0], sign * dB[:, 1, 1])

    def inside(self, points: FloatArray) -> BoolArray:
        """Which points (n, 3) [cm] are on the grid, (n,)."""
        return self.grid.covers(self._place(radius(points), points[:, 2])[0])

    def reach(self) -> tuple[float, float, float, float]:
        """r_min, r_max, z_min, z_max [cm] of the grid, z in the frame of the detector."""
        (r_min, z_min), (r_max, z_max) = self.grid.origin, self.grid.end
        return r_min, r_max, self.z0 + (-z_max if self.mirrored else z_min), self.z0 + z_max

    def _place(self, r: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        sign = np.where(self.mirrored & (z < self.z0), -1.0, 1.0)
        return np.stack([r, sign * (z - self.z0)], axis=1), sign

    def arrays(self) -> FieldArrays:
        """One part for the kernels; its data are the coefficients."""
        g = self.grid
        own = (*g.origin, 1 / g.step[0], 1 / g.step[1], self.z0, float(self.mirrored))
        return single(RZ_MAP, own, g.sizes, g.order, g.coefficients)


@dataclass(frozen=True, slots=True, eq=False)
class MapXYZ(Field):
    """Bx, By, Bz on a grid in (x, y, z)."""

    grid: Grid

    @classmethod
    def of(
        cls, x: FloatArray, y: FloatArray, z: FloatArray, B: FloatArray, interpolation: Interpolation = "cubic"
    ) -> Self:
        """From nodes x (nx,), y (ny,), z (nz,) [cm] and B (nx, ny, nz, 3) [T].
        Raises InputError if the nodes are too few or not even."""
        return cls(Grid.of((x, y, z), B, ORDERS[interpolation]))

    @classmethod
    def sampled(
        cls, field: Field, x: FloatArray, y: FloatArray, z: FloatArray, interpolation: Interpolation = "cubic"
    ) -> Self:
        """A map of another field from its values at nodes x (nx,), y (ny,), z (nz,) [cm].
        Raises InputError if the nodes are too few or not even."""
        nodes = np.stack(np.meshgrid(x, y, z, indexing="ij"), axis=-1)
        return cls.of(x, y, z, field.value(nodes.reshape(-1, 3)).reshape(nodes.shape), interpolation)

    def value(self, points: FloatArray) -> FloatArray:
        """B (n, 3) [T] at points (n, 3) [cm]; 0 outside of the grid."""
        return np.where(self.inside(points)[:, None], self.grid.evaluate(points)[0], 0.0)

    def gradient(self, points: FloatArray) -> FloatArray:
        """dB_i/dx_j (n, 3, 3) [T/cm] at points (n, 3) [cm]; 0 outside of the grid."""
        return np.where(self.inside(points)[:, None, None], self.grid.evaluate(points)[1], 0.0)

    def inside(self, points: FloatArray) -> BoolArray:
        """Which points (n, 3) [cm] are on the grid, (n,)."""
        return self.grid.covers(points)

    def reach(self) -> tuple[float, ...]:
        """x_min, x_max, y_min, y_max, z_min, z_max [cm] of the grid."""
        return tuple(edge for pair in zip(self.grid.origin, self.grid.end, strict=True) for edge in pair)

    def arrays(self) -> FieldArrays:
        """One part for the kernels; its data are the coefficients."""
        g = self.grid
        own = (*g.origin, *(1 / step for step in g.step))
        return single(XYZ_MAP, own, g.sizes, g.order, g.coefficients)
