"""How k_fit/k_true - 1 = y of one track is distributed: a Gaussian, hard losses, and hard kicks.

Losses by single electrons move y by u > 0 with the rate w (1 - u/U)/u^2 du, up to the hardest, u = U. Kicks by single
nuclei move it by u cos(phi), with the rate 2 c^2 du/u^3 e^2/(u^2 + e^2): above e they feel that a nucleus is no point.
Both are weak beside the core: w << sigma, c < sigma. To first order in them location and width of the core are sums
over them, with numbers of the estimators alone. The location is Huber's estimate, psi(x) = max(-HUBER, min(x, HUBER)),
the width the median of |y| (`calibration.curvature` measures both); z is normal, t = u/sigma, Phi and phi are the
normal distribution and its density:

    location:  chi(t) = <psi(z + t)>/P(|z| < HUBER),       dm/sigma = rate chi
    width:     omega(t) = [1/2 - P(|z + t| < h)]/(h phi(h)),  dsigma^2/sigma^2 = rate omega,  h = 0.6745

Equation numbers and a comparison with simulation: docs/physics.md, "Core and tails of every track"."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.integrate import cumulative_simpson
from scipy.special import k0, ndtr, sici

from muonkit.core.arrays import AnyArray, FloatArray
from muonkit.core.robust import HALF, HUBER

SOFTEST, HARDEST, NODES = 1e-4, 1e6, 2001  # of t, even in ln t
KICK = 0.2853910730701707  # mean of ln s over s sin(h s) exp(-s^2/2): a kick's rate has no scale but the logarithm's
EULER = float(np.euler_gamma)
FARTHEST, FREQUENCIES = 8.0, 160  # of sigma x frequency: there the Gaussian is 1e-14
ITERATIONS = 4  # of the width, on which tails depend by a logarithm
SMALLEST = 0.05  # e/sigma: smaller nuclei of kicks are not met
FAR = 15.0  # of sigma: beyond, y is one hard loss or kick


class Integrals(NamedTuple):
    """Over t from 0 to T, on a grid of ln T: (chi - t)/t^2, (chi - t)/t, omega/t^2, omega/t."""

    log_t: FloatArray
    first: FloatArray
    second: FloatArray
    third: FloatArray
    fourth: FloatArray


def chi(t: FloatArray) -> FloatArray:
    """By how many sigma / rate jumps of t sigma (n,) move Huber's location."""

    def rest(x: FloatArray) -> FloatArray:
        return x * ndtr(x) + normal(x)

    held = HUBER - (rest(HUBER - t) - rest(-HUBER - t))
    return np.asarray(held / (2 * ndtr(HUBER) - 1))


def omega(t: FloatArray) -> FloatArray:
    """By how many sigma^2 / rate jumps of t sigma (n,) widen the core."""
    return np.asarray((0.5 - ndtr(HALF - t) + ndtr(-HALF - t)) / (HALF * normal(HALF)))


def normal(x: FloatArray | float) -> AnyArray:
    """Density of the normal distribution."""
    return np.asarray(np.exp(-0.5 * np.square(x)) / np.sqrt(2 * np.pi))


@cache
def integrals() -> Integrals:
    """Computed once."""
    log_t = np.linspace(np.log(SOFTEST), np.log(HARDEST), NODES)
    t = np.exp(log_t)
    below, wider = chi(t) - t, omega(t)
    parts = (below / t, below, wider / t, wider)
    return Integrals(log_t, *(cumulative_simpson(part, x=log_t, initial=0.0) for part in parts))


def location(T: FloatArray, cut: FloatArray, beta2: FloatArray | float = 1.0) -> FloatArray:
    """Of y/w (k,) where losses up to T sigma happen, and the mean of those up to `cut` sigma is subtracted.

    Rate (1 - beta^2 t/T)/t^2. Large T: ln(3.815/cut), so losses up to 3.8 sigma count in the mean."""
    known, log_t = integrals(), np.log(T)
    cut = np.minimum(cut, T)
    first, second = (np.interp(log_t, known.log_t, column) for column in (known.first, known.second))
    return np.asarray(first - beta2 * second / T + np.log(T / cut) - beta2 * (1 - cut / T))


def widening(T: FloatArray, beta2: FloatArray | float = 1.0) -> FloatArray:
    """Of sigma^2/(w sigma), (k,), by losses up to T sigma. Large T: 2.709, so losses up to 2.7 sigma count in the
    variance."""
    known, log_t = integrals(), np.log(T)
    third, fourth = (np.interp(log_t, known.log_t, column) for column in (known.third, known.fourth))
    return np.asarray(third - beta2 * fourth / T)


@cache
def _narrower() -> tuple[FloatArray, FloatArray]:
    """ln(e/sigma), and what `narrowing` gives there: a mean over s sin(h s) exp(-s^2/2), as KICK is."""
    log_e = np.linspace(np.log(SMALLEST), np.log(HARDEST), NODES // 4)
    x, w = np.polynomial.legendre.leggauss(FREQUENCIES)
    x, w = FARTHEST / 2 * (1 + x), w * (1 + x) * np.sin(HALF * FARTHEST / 2 * (1 + x))
    w = w * np.exp(-0.5 * x**2)
    e = np.exp(log_e)[:, None]
    return log_e, (w * 2 * _missing(e * x) / np.square(e * x)).sum(axis=1) * 2 / w.sum()


def narrowing(e: FloatArray) -> FloatArray:
    """Of sigma^2/c^2, (k,): what the size of nuclei, e sigma, takes from the core; 0 for points."""
    return np.asarray(np.interp(np.log(np.maximum(e, SMALLEST)), *_narrower()))


def _missing(z: FloatArray) -> FloatArray:
    """ln(z/2) + gamma + K0(z): integral of (1 - J0(z v)) (1/v - v/(v^2 + 1)) over v."""
    return np.asarray(np.log(z / 2) + EULER + k0(z))


@dataclass(frozen=True, slots=True)
class Law:
    """Of n tracks, all relative to k: sigma of the core; loss w and hardest loss U; kick c, and the kick e above which
    nuclei are no points. (n,) each. The location of the core is 0. loss and kick are 0 where there are no tails."""

    sigma: FloatArray
    loss: FloatArray
    hardest: FloatArray
    kick: FloatArray
    size: FloatArray

    def __getitem__(self, rows: AnyArray | slice) -> "Law":
        return Law(self.sigma[rows], self.loss[rows], self.hardest[rows], self.kick[rows], self.size[rows])

    def beyond(self, distance: float) -> tuple[FloatArray, FloatArray]:
        """Expected numbers (n,) of losses and of kicks, of both signs, by more than so many sigma."""
        u = distance * self.sigma
        return self._losses(u), 2 * self._kicks(u)

    def tail(self, distance: float) -> tuple[FloatArray, FloatArray]:
        """Share (n,) of losses and kicks by more than so many sigma, and the mean of y (n,) of these."""
        u = distance * self.sigma
        losses, kicks = self.beyond(distance)
        U = np.maximum(self.hardest, u)
        moment = self.loss * (np.log(U / u) - 1 + u / U)
        share = losses + kicks
        return share, moment / np.where(share > 0, share, 1.0)

    def mean(self) -> FloatArray:
        """<y> (n,): that of the losses, the location being 0. It is rarely what is wanted."""
        return np.asarray(-self.loss * location(T := self._hardest / self.sigma, T))

    def variance(self) -> FloatArray:
        """Of the Gaussian part (n,): the core without what losses and kicks add to it."""
        wider = self.loss * self.sigma * widening(self._hardest / self.sigma)
        return np.asarray(self.sigma**2 + (KICK + narrowing(self._size / self.sigma)) * self.kick**2 - wider)

    @property
    def _hardest(self) -> FloatArray:
        return np.maximum(self.hardest, SOFTEST * self.sigma)

    @property
    def _size(self) -> FloatArray:
        return np.maximum(self.size, SMALLEST * self.sigma)

    def _losses(self, u: FloatArray) -> FloatArray:
        U = np.maximum(self.hardest, u)
        return np.asarray(self.loss * (1 / u - 1 / U - np.log(U / u) / U))

    def _kicks(self, u: FloatArray) -> FloatArray:
        e = self._size  # projected: c^2 (1/(2 y^3) - (1/y - 1/(y^2 + e^2)^1/2)/e^2) dy
        fewer = (np.log(e / (2 * u)) + np.arcsinh(u / e)) / np.square(e)
        return np.asarray(np.square(self.kick) * np.maximum(1 / (4 * np.square(u)) - fewer, 0.0))

    def cdf(self, y: FloatArray) -> FloatArray:
        """Probability (n,) of less than y (n,)."""
        near = np.clip(y, -FAR * self.sigma, FAR * self.sigma)
        s, weight, phi = self._characteristic()
        wave = phi * np.exp(-1j * s * near[:, None])
        known = 0.5 - (weight * wave.imag / s).sum(axis=1) / np.pi
        u = np.maximum(np.abs(y), self.sigma)
        far = np.where(y > 0, 1 - self._losses(u) - self._kicks(u), self._kicks(u))
        return np.asarray(np.where(np.abs(y) > FAR * self.sigma, far, np.clip(known, 0, 1)))

    def pdf(self, y: FloatArray) -> FloatArray:
        """Density (n,) at y (n,), within FAR sigma."""
        s, weight, phi = self._characteristic()
        return np.asarray((weight * (phi * np.exp(-1j * s * y[:, None])).real).sum(axis=1) / np.pi)

    def _characteristic(self) -> tuple[FloatArray, FloatArray, AnyArray]:
        """Frequencies s (n, m), their weights, and <exp(i s y)> there."""
        x, w = np.polynomial.legendre.leggauss(FREQUENCIES)
        x, w = FARTHEST / 2 * (1 + x), FARTHEST / 2 * w
        sigma, T = self.sigma[:, None], (self._hardest / self.sigma)[:, None]
        loss, c2 = self.loss[:, None] / sigma, np.square(self.kick[:, None] / sigma)
        variance, mean = self.variance()[:, None] / sigma**2, self.mean()[:, None] / sigma
        log_phi = -0.5 * x**2 * (variance - c2 * np.log(x)) + 1j * mean * x + loss / T * _losses_at(x * T)
        e = self._size[:, None] / sigma
        log_phi += c2 * 2 / np.square(e) * _missing(x * e)
        return x / sigma, w / sigma, np.exp(log_phi)


def combined(laws: Sequence[Law], weights: Sequence[FloatArray], sigma: FloatArray) -> tuple[Law, FloatArray]:
    """Law of the sum of independent y with weights (n,), and where its core lies (n,): sums of such laws are such
    laws. sigma (n,): of the sum, as of Gaussians of the widths of the cores, if more is known than these. A weight
    below 0 is small: that of the slower of two muons so close that the mass falls with its momentum. Its losses are
    taken on the side of the others."""
    parts = [_scaled(law, np.abs(weight)) for law, weight in zip(laws, weights, strict=True)]
    loss = np.sum([part.loss for part in parts], axis=0)
    kick2 = np.sum([part.kick**2 for part in parts], axis=0)
    log = np.sum([part.loss * np.log(part._hardest) for part in parts], axis=0)
    hardest = np.where(loss > 0, np.exp(log / np.where(loss > 0, loss, 1.0)), 0.0)
    own = np.sum([part.variance() - part.sigma**2 - part.kick**2 * np.log(part.sigma) for part in parts], axis=0)
    log_e = np.sum([part.kick**2 * np.log(part._size) for part in parts], axis=0)
    size = np.where(kick2 > 0, np.exp(log_e / np.where(kick2 > 0, kick2, 1.0)), 0.0)
    now = Law(sigma, loss, hardest, np.sqrt(kick2), size)
    for _ in range(ITERATIONS):  # the Gaussian part of kicks is that at the frequency 1/sigma
        variance = sigma**2 + own + kick2 * np.log(now.sigma)
        now = replace(now, sigma=np.sqrt(variance + now.sigma**2 - now.variance()))
    return now, np.sum([part.mean() for part in parts], axis=0) - now.mean()


def _scaled(law: Law, weight: FloatArray) -> Law:
    return Law(law.sigma * weight, law.loss * weight, law.hardest * weight, law.kick * weight, law.size * weight)


def _losses_at(x: FloatArray) -> AnyArray:
    """Integral over v from 0 to 1 of (1 - v)/v^2 (exp(i x v) - 1 - i x v)."""
    sine, cosine = sici(x)
    B = 1j * sine - (EULER + np.log(x) - cosine)
    return np.asarray(1 - np.exp(1j * x) + 2j * x + (1j * x - 1) * B)
