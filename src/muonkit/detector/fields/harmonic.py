"""Fields from a profile on the axis. `Harmonic`: a sum of Gaussians f(z), continued by the Maxwell series (k <= order)

    Bz = sum_k (-1)^k/(k!)^2 (r/2)^2k f^(2k)(z),   Br = -sum_k (-1)^k/(k! (k+1)!) (r/2)^(2k+1) f^(2k+1)(z),

the solution of Laplace's equation around the axis. div B = 0 holds term by term. curl B is the one term that is cut
off. A Gaussian is entire, so this term vanishes at every r as the order grows.

`Parametrised`: the closed form of the CMS tracker field (V. Karimaki; cmssw MagneticField/ParametrizedEngine): a
current sheet to second order in r, and two empirical corrections that do not obey Maxwell's equations. `cms_like` is
the field that does: the exact sheet with the Gaussian correction continued as a Maxwell series."""

import math
from dataclasses import dataclass

import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.detector.fields.base import Axisymmetric, Polar, single
from muonkit.detector.fields.combine import Sum
from muonkit.detector.fields.sheet import Solenoid
from muonkit.detector.kernels.layout import HARMONIC, PARAMETRISED, FieldArrays

ORDER = 12  # of the series: its last term is below 1e-15 T for Gaussians of 1 T wider than twice the radius


@dataclass(frozen=True, slots=True)
class Gaussian:
    """height [T] exp(-(z - centre)^2/width^2), centre and width in cm."""

    height: float
    centre: float
    width: float

    def derivatives(self, z: FloatArray, order: int) -> list[FloatArray]:
        """f, f', ... f^(order) at z (n,) [cm], each (n,) [T/cm^k] (always at least f and f'), by the recursion of the
        Hermite polynomials (DLMF 18.9)."""
        u, scale = z - self.centre, 2 / self.width**2
        value = self.height * np.exp(-(u**2) / self.width**2)
        all_of_them = [value, -scale * u * value]
        for n in range(1, order):
            all_of_them.append(-scale * (u * all_of_them[n] + n * all_of_them[n - 1]))
        return all_of_them


@dataclass(frozen=True, slots=True)
class Harmonic(Axisymmetric):
    """A sum of Gaussians on the axis, around z0 [cm], with the Maxwell series to `order`."""

    gaussians: tuple[Gaussian, ...]
    z0: float = 0.0
    order: int = ORDER

    def polar(self, r: FloatArray, z: FloatArray) -> Polar:
        """Components [T] and derivatives [T/cm] at r, z (n,) [cm], by the Maxwell series above."""
        derivatives = [gaussian.derivatives(z - self.z0, 2 * self.order + 2) for gaussian in self.gaussians]
        f = [sum(one, np.zeros_like(r)) for one in zip(*derivatives, strict=True)]
        total = Polar(*(np.zeros_like(r) for _ in range(7)))
        for k in range(self.order + 1):
            total = Polar(*(a + b for a, b in zip(total, _term(k, r, f), strict=True)))
        return total

    def arrays(self) -> FieldArrays:
        """One part for the kernels; its data are height, centre and width of the Gaussians."""
        pool = np.array([(g.height, g.centre, g.width) for g in self.gaussians])
        return single(HARMONIC, (self.z0,), (len(self.gaussians),), self.order, pool)


def _term(k: int, r: FloatArray, f: list[FloatArray]) -> Polar:
    sign = (-1) ** k
    even = sign / math.factorial(k) ** 2 * (r / 2) ** (2 * k)
    slope = sign / math.factorial(k) ** 2 * k * (r / 2) ** (2 * k - 1) if k else np.zeros_like(r)
    over = -even / (2 * (k + 1))
    d_over = (2 * k + 1) * over
    return Polar(
        over * r * f[2 * k + 1],
        even * f[2 * k],
        over * f[2 * k + 1],
        d_over * f[2 * k + 1],
        over * r * f[2 * k + 2],
        slope * f[2 * k],
        even * f[2 * k + 1],
    )


@dataclass(frozen=True, slots=True)
class Parametrised(Axisymmetric):
    """Sheet of radius a, length l [cm], field B0 [T] around z0 [cm], to second order in r; Br + r p z (|z| - q)^2
    (p in T/cm^4, q in cm), Bz - g (exp(-(z - d)^2/w^2) + exp(-(z + d)^2/w^2)) (g in T; d, w in cm).

    The defaults are the published ones at 3.8 T, for r < 115 cm and |z| < 280 cm."""

    a: float = 424.326
    l: float = 1502.01  # noqa: E741 (the letter of the source)
    B0: float = 3.81492
    z0: float = 1.78712
    p: float = 6.56527e-12
    q: float = 245.818
    g: float = 0.00778695
    d: float = 212.500
    w: float = 177.436

    def polar(self, r: FloatArray, z: FloatArray) -> Polar:
        """Components [T] and derivatives [T/cm] at r, z (n,) [cm], by the published form (V. Karimaki; cmssw)."""
        z = z - self.z0
        sheet, bumps, twist = self._sheet(r, z), self._bumps(z), self._twist(r, z)
        return Polar(*(a + b + c for a, b, c in zip(sheet, bumps, twist, strict=True)))

    def _sheet(self, r: FloatArray, z: FloatArray) -> Polar:
        a, c, h = self.a, self.B0 / 2 * math.hypot(1, 2 * self.a / self.l), self.l / (2 * self.a)
        u, v, s2 = _steps(h - z / a), _steps(h + z / a), (r / (2 * a)) ** 2
        over_r = c / (2 * a) * (u[1] - v[1] - (u[3] - v[3]) * s2 / 2)
        return Polar(
            over_r * r,
            c * (u[0] + v[0] - (u[2] + v[2]) * s2),
            over_r,
            over_r - c / (2 * a) * (u[3] - v[3]) * s2,
            r * c / (2 * a**2) * ((u[4] + v[4]) * s2 / 2 - u[2] - v[2]),
            -c * r / (2 * a**2) * (u[2] + v[2]),
            c / a * (v[1] - u[1] - (v[3] - u[3]) * s2),
        )

    def _bumps(self, z: FloatArray) -> Polar:
        zero = np.zeros_like(z)
        both = [Gaussian(-self.g, centre, self.w).derivatives(z, 1) for centre in (self.d, -self.d)]
        return Polar(zero, both[0][0] + both[1][0], zero, zero, zero, zero, both[0][1] + both[1][1])

    def _twist(self, r: FloatArray, z: FloatArray) -> Polar:
        zero, far = np.zeros_like(z), np.abs(z) - self.q
        over_r = self.p * z * far**2
        return Polar(over_r * r, zero, over_r, over_r, r * self.p * far * (far + 2 * np.abs(z)), zero, zero)

    def arrays(self) -> FieldArrays:
        """One part for the kernels."""
        own = (self.a, self.l, self.B0, self.z0, self.p, self.q, self.g, self.d, self.w)
        return single(PARAMETRISED, own)

    def maxwellian(self, order: int = ORDER) -> Sum:
        """The same sheet, exact, and the same Gaussians on the axis with a Maxwell series: a field that obeys Maxwell's
        equations."""
        pair = (Gaussian(-self.g, self.d, self.w), Gaussian(-self.g, -self.d, self.w))
        return Sum((Solenoid(self.a, self.l, self.B0, self.z0), Harmonic(pair, self.z0, order)))


def cms_like() -> Sum:
    """The CMS-like field, 3.8 T in the centre: the published fall-off and radial component, made Maxwellian."""
    return Parametrised().maxwellian()


def _steps(x: FloatArray) -> list[FloatArray]:
    """F(x) = x / sqrt(1 + x^2) and its first four derivatives."""
    s = 1 / (1 + x**2)
    f1 = s**1.5
    return [x * np.sqrt(s), f1, -3 * x * f1 * s, -3 * (1 - 4 * x**2) * f1 * s**2, 15 * x * (3 - 4 * x**2) * f1 * s**3]
