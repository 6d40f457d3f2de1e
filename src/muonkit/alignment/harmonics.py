"""A correction of the field that is a field: a few coefficients of solutions of Maxwell's equations without currents.

    dB = c_0 B + B0 sum_mn c_mn grad Phi_mn

B is the described field, B0 its size in the middle of the detector. Lengths are in units of a, the largest of half
length and radius. Around the axis (J. D. Jackson, Classical Electrodynamics, problem 3.4, as a series)

    Phi_mn = Re or Im (x + iy)^m sum_k (-1)^k m!/(4^k k! (k + m)!) (x^2 + y^2)^k f^(2k)(z).

m = 0: f' is the Chebyshev polynomial T_n, so Bz on the axis is B0 c T_n(z/a), n from 1 on. m > 0: f = T_n/m, so the
transverse field at a distance a in the middle plane is about B0 c: a dipole for m = 1, a quadrupole for m = 2. The sums
are finite, so the field obeys Maxwell's equations exactly. All terms are polynomials of a degree up to the order.

On a way of length L from one surface to the next a field dB turns a track by dt = 0.003 q/p L (t x dB). What is turned
at a share s of the way acts at its end as (1 - s) of what is turned at its beginning, plus s of what is turned
there."""

from dataclasses import asdict, dataclass
from functools import cached_property
from math import comb, factorial
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from numpy.polynomial import Chebyshev, Polynomial
from scipy.signal import convolve2d

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.indices import PHI, THETA
from muonkit.core.units import CURVATURE
from muonkit.detector.detector import Detector

PLACES, SHARES = 0.5 + np.polynomial.legendre.leggauss(3)[0] / 2, np.polynomial.legendre.leggauss(3)[1] / 2
"""Of Gauss and Legendre on a way: exact for polynomials of degree 5."""


class Ray(NamedTuple):
    """Points (k, 3) [cm] and unit vectors (k, 3)."""

    point: FloatArray
    direction: FloatArray


class Way(NamedTuple):
    """k ways of tracks: where they begin and end, q/p (k,) [1/GeV], Jacobian (k, 5, 5)."""

    first: Ray
    last: Ray
    qop: FloatArray
    jacobian: FloatArray


@dataclass(frozen=True)
class Harmonics:
    """The terms: degree `order` at most, and terms without azimuth, or with cos and sin of m phi up to m = `azimuth`.
    length a, middle z0 [cm], strength B0 [T]."""

    order: int
    azimuth: int
    length: float
    middle: float
    strength: float

    @classmethod
    def of(cls, detector: Detector, order: int, azimuth: int = 0) -> Self:
        """The terms for a detector. Raises InputError if there is no field in its middle."""
        radius, low, high = detector.envelope
        middle = (low + high) / 2
        strength = float(np.linalg.norm(detector.field.value(np.array([[0.0, 0.0, middle]]))))
        if strength == 0:
            raise InputError(f"alignment: {detector.name} has no field in its middle; leave field_order out")
        return cls(order, azimuth, max(radius, (high - low) / 2), middle, strength)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names (t,) of the coefficients."""
        return names(self.order, self.azimuth)

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def _polynomials(self) -> tuple[IntArray, FloatArray]:
        """Powers (k, 3) of x, y, z and their coefficients (k, 3 (t - 1)) in B/B0 of every term but the scale."""
        size = self.order + 2
        wholes = [_potential(0, Chebyshev.basis(n).integ(lbnd=0), size).real for n in range(1, self.order + 1)]
        for m, n in _waves(self.order, self.azimuth):
            both = _potential(m, Chebyshev.basis(n) / m, size)
            wholes += [both.real, both.imag]
        if not wholes:
            return np.zeros((0, 3), dtype=np.int64), np.zeros((0, 0))
        fields = np.stack([_slope(whole, axis) for whole in wholes for axis in range(3)], axis=-1)
        used = np.argwhere((fields != 0).any(axis=-1))
        return used, fields[tuple(used.T)]

    def values(self, points: FloatArray) -> FloatArray:
        """dB (n, t - 1, 3) [T] at points (n, 3) [cm] for a coefficient of 1, of all terms but the scale."""
        powers, coefficients = self._polynomials
        x = (points - [0.0, 0.0, self.middle]) / self.length
        each = x[:, :, None] ** np.arange(self.order + 2)
        monomials = each[:, 0, powers[:, 0]] * each[:, 1, powers[:, 1]] * each[:, 2, powers[:, 2]]
        return self.strength * (monomials @ coefficients).reshape(len(points), len(self) - 1, 3)

    def change(self, detector: Detector, coefficients: FloatArray, points: FloatArray) -> FloatArray:
        """dB (n, 3) [T] at points (n, 3) [cm] for coefficients (t,)."""
        scale, terms = coefficients[0], coefficients[1:]
        return scale * detector.field.value(points) + np.einsum("ntj,t->nj", self.values(points), terms)

    def by_terms(self, way: Way) -> FloatArray:
        """Derivatives (k, 5, t - 1) of the states at the ends of ways by all coefficients but the scale."""
        t0, t1, n = way.first.direction, way.last.direction, len(way.qop)
        length, total, end = _length(way), np.zeros((n, 5, len(self) - 1)), np.eye(5)
        if not total.size:
            return total
        for place, share in zip(PLACES, SHARES, strict=True):
            t = (1 - place) * t0 + place * t1
            t /= np.linalg.norm(t, axis=1, keepdims=True)
            dB = self.values(_between(way, length, place))
            turn = (share * CURVATURE * way.qop * length)[:, None, None] * np.cross(t[:, None, :], dB)
            act = (1 - place) * way.jacobian[:, :, PHI : THETA + 1] + place * end[:, PHI : THETA + 1]
            total += act @ _angles(t, turn)
        return total


@dataclass(frozen=True, slots=True)
class FieldCorrection:
    """Coefficients (t,) of harmonics, relative to the field in the middle, with their covariance (t, t)."""

    harmonics: Harmonics
    values: FloatArray
    covariance: FloatArray

    @property
    def errors(self) -> FloatArray:
        """Standard deviations (t,)."""
        return np.sqrt(np.diag(self.covariance))

    def __str__(self) -> str:
        rows = zip(self.harmonics.names, self.values, self.errors, strict=True)
        return "\n".join(f"  {name:<30}{value:12.3g} +- {error:.2g}" for name, value, error in rows)

    def to_json(self) -> dict[str, Any]:
        """Everything but the covariance."""
        return {
            **asdict(self.harmonics),
            "values": dict(zip(self.harmonics.names, self.values.tolist(), strict=True)),
            "errors": dict(zip(self.harmonics.names, self.errors.tolist(), strict=True)),
        }


def _waves(order: int, azimuth: int) -> list[tuple[int, int]]:
    """m and n of the terms with azimuth."""
    return [(m, n) for m in range(1, azimuth + 1) for n in range(order + 2 - m)]


def names(order: int, azimuth: int) -> tuple[str, ...]:
    """Names (t,) of the coefficients: scale, z1, z2, ..., x0, y0, x1, ... (m = 1), cos2 z0, sin2 z0, ..."""
    found = ["scale", *(f"z{n}" for n in range(1, order + 1))]
    for m, n in _waves(order, azimuth):
        found.extend(f"{wave}{n}" for wave in (("x", "y") if m == 1 else (f"cos{m} z", f"sin{m} z")))
    return tuple(f"field {name}" for name in found)


def _potential(m: int, f: Chebyshev, size: int) -> npt.NDArray[np.complex128]:
    """Coefficients (size, size, size) of x, y, z in Phi: real parts have cos m phi, imaginary ones sin m phi."""
    whole = np.zeros((size, size, size), dtype=np.complex128)
    wave = np.zeros((m + 1, m + 1), dtype=np.complex128)
    for j in range(m + 1):
        wave[m - j, j] = comb(m, j) * 1j**j
    square = np.array([[0, 0, 1], [0, 0, 0], [1, 0, 0]])
    for k in range(size // 2 + 1):
        weight = (-1) ** k * factorial(m) / (4**k * factorial(k) * factorial(k + m))
        along = f.deriv(2 * k).convert(kind=Polynomial).coef
        if not along.any():
            break
        nx, ny, nz = *wave.shape, len(along)
        whole[:nx, :ny, :nz] += weight * wave[:, :, None] * along
        wave = convolve2d(wave, square)
    return whole


def _slope(whole: FloatArray, axis: int) -> FloatArray:
    """Coefficients of the derivative of a polynomial, in an array of the same shape."""
    slope = np.moveaxis(np.zeros_like(whole), axis, 0)
    factors = np.arange(1, len(slope))
    slope[:-1] = factors[:, None, None] * np.moveaxis(whole, axis, 0)[1:]
    return np.moveaxis(slope, 0, axis)


def _length(way: Way) -> FloatArray:
    """Lengths (k,) of the arcs [cm]: that of the chord by half of the angle over its sine."""
    (x0, t0), (x1, t1) = way.first, way.last
    half = np.arcsin(np.minimum(np.linalg.norm(t1 - t0, axis=1) / 2, 1.0))
    return np.linalg.norm(x1 - x0, axis=1) / np.sinc(half / np.pi)


def _between(way: Way, length: FloatArray, share: float) -> FloatArray:
    """Points (k, 3) at a share of the ways, by the cubic of Hermite."""
    (x0, t0), (x1, t1), s = way.first, way.last, share
    bent = s * (1 - s) * length[:, None] * ((1 - s) * t0 - s * t1)
    return (1 - s) ** 2 * (1 + 2 * s) * x0 + s**2 * (3 - 2 * s) * x1 + bent


def _angles(t: FloatArray, turn: FloatArray) -> FloatArray:
    """Changes (k, 2, t) of phi and theta by changes (k, t, 3) of directions t (k, 3)."""
    sin = np.hypot(t[:, 0], t[:, 1])
    c, s, zero = t[:, 0] / sin, t[:, 1] / sin, np.zeros(len(t))
    by_phi = np.column_stack((-s, c, zero)) / sin[:, None]
    by_theta = np.column_stack((t[:, 2] * c, t[:, 2] * s, -sin))
    return np.stack([np.einsum("ktj,kj->kt", turn, one) for one in (by_phi, by_theta)], axis=1)
