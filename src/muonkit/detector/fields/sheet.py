"""`Uniform` fields, and the `Solenoid`: a finite current sheet, exact.

N. Derby and S. Olbert, Am. J. Phys. 78 (2010) 229, in complete elliptic integrals. For each end of the sheet one
arithmetic-geometric mean a_n, g_n, with 2 c_n = a_(n-1) - g_(n-1), gives all of them (DLMF 19.8; R. Bulirsch, Numer.
Math. 13 (1969) 305, for the third kind). With m = 1 - kc^2 the radial field needs

    (2 E - (2 - m) K)/m = -K sum_{n >= 1} 2^n c_n^2 / m = -K m T,      T = sum 2^n (c_n/m)^2 -> 1/8 on the axis,

which has no cancellation near the axis. dBz/dz and dBr/dz are those of the two current loops at the ends; dBr/dr
follows from div B = 0 and dBz/dr from curl B = 0."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.detector.fields.base import Axisymmetric, Field, Polar, single
from muonkit.detector.kernels.layout import SOLENOID, UNIFORM, FieldArrays
from muonkit.detector.kernels.sheet import CLOSE, ROUNDS, TINY


@dataclass(frozen=True, slots=True)
class Uniform(Field):
    """The same B [T] everywhere; `Confined` gives it a place, as in a magnetised plate."""

    B: tuple[float, float, float]

    def value(self, points: FloatArray) -> FloatArray:
        """B (n, 3) [T], the same at all points (n, 3)."""
        return np.tile(np.array(self.B), (len(points), 1))

    def gradient(self, points: FloatArray) -> FloatArray:
        """Zeros (n, 3, 3) [T/cm]."""
        return np.zeros((len(points), 3, 3))

    def arrays(self) -> FieldArrays:
        """One part for the kernels."""
        return single(UNIFORM, self.B)


@dataclass(frozen=True, slots=True)
class Solenoid(Axisymmetric):
    """A cylindrical current sheet around z: radius and length [cm], field B0 [T] in its centre (0, 0, z0).

    Exact inside and outside; at its two edges the field is infinite, and on the sheet it is the mean of both sides."""

    radius: float
    length: float
    B0: float
    z0: float = 0.0

    @property
    def strength(self) -> float:
        """mu0 n I [T], the field of the infinite solenoid."""
        return self.B0 * float(np.hypot(1, 2 * self.radius / self.length))

    def polar(self, r: FloatArray, z: FloatArray) -> Polar:
        """Components [T] and derivatives [T/cm] at r, z (n,) [cm]; Derby and Olbert (2010)."""
        right = _end(self.radius, r, z - self.z0 + self.length / 2)
        left = _end(self.radius, r, z - self.z0 - self.length / 2)
        over_r, bz, dr_dz, dz_dz = (self.strength / np.pi * (a - b) for a, b in zip(right, left, strict=True))
        return Polar(over_r * r, bz, over_r, -over_r - dz_dz, dr_dz, dr_dz, dz_dz)

    def arrays(self) -> FieldArrays:
        """One part for the kernels."""
        return single(SOLENOID, (self.radius, self.length / 2, self.strength, self.z0))


class _Means(NamedTuple):
    """K, T and the integral of (cos^2 + gamma sin^2)/(cos^2 + gamma^2 sin^2)/sqrt(cos^2 + kc^2 sin^2)."""

    K: FloatArray
    T: FloatArray
    third: FloatArray


def _means(kc: FloatArray, m: FloatArray, gamma: FloatArray) -> _Means:
    a, g, p = np.ones_like(kc), kc, np.maximum(np.abs(gamma), TINY)
    alpha, beta = np.ones_like(kc), np.sign(gamma)
    e, T = 0.5 / (1 + kc), np.zeros_like(kc)
    for n in range(1, ROUNDS + 1):
        close = bool(np.all(a - g <= CLOSE * a))
        product = a * g
        alpha, beta = (alpha + beta / p) / 2, (beta + alpha * product / p) / 2
        p = (p + product / p) / 2
        a, g = (a + g) / 2, np.sqrt(product)
        T = T + 2.0**n * e * e
        e = m * e * e / (2 * (a + g))
        if close:
            break
    return _Means(np.pi / 2 / a, T, np.pi / 2 * (beta + alpha * a) / (a * (a + p)))


def _end(a: float, r: FloatArray, zeta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Of the end at distance zeta: the terms of Br/r, Bz, dBr/dz, dBz/dz in units of mu0 n I / pi."""
    R2, D = zeta**2 + (a + r) ** 2, zeta**2 + (a - r) ** 2
    R, m = np.sqrt(R2), 4 * a * r / R2
    K, T, third = _means(np.sqrt(D / R2), m, (a - r) / (a + r))
    E = K * (1 - m / 2 - m**2 * T / 2)
    over_r = -4 * a**2 * K * T / (R2 * R)
    bz = zeta / R * third * a / (a + r)
    dr_dz = 8 * zeta * r * a**2 * K / (R2 * R * D) * (0.25 - (1 - m / 2) * T / 2)
    dz_dz = (K + (a**2 - r**2 - zeta**2) / D * E) / (2 * R)
    return over_r, bz, dr_dz, dz_dz
