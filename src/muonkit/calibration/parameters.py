"""The parameters of the extraction: their order, and how cells depend on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from muonkit.calibration.bias import Bias, scale, scale_dparameters
from muonkit.calibration.binning import MuonBins
from muonkit.calibration.cells import Cells
from muonkit.calibration.resolution import Resolution, variance, variance_dparameters
from muonkit.core.arrays import BoolArray, FloatArray, IntArray

SCALE = ("A", "e", "M")
RESOLUTION = ("a", "c", "g", "d")
SQUARED = ("a", "c")  # the variance is linear in their squares


def with_resolution(fitted: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The parameters of a fit, with resolution parameters if there are none: what to try, one after the other.

    Cells of few different pT fix a, but not a and c."""
    return [fitted] if any(name in RESOLUTION for name in fitted) else [(*fitted, "a", "c"), (*fitted, "a")]


@dataclass(frozen=True, slots=True)
class ParameterValues:
    """All seven parameters per bin of muons, see `binning.MuonBins`, each (bins,); those not fitted are 0."""

    bias: Bias
    resolution: Resolution

    def at(self, index: IntArray) -> Self:
        """The rows `index`: from bins to muons."""
        return type(self)(self.bias.at(index), self.resolution.at(index))

    def over_phi(self, bins: MuonBins) -> Self:
        """Means over phi of the bias and of the variance, each (eta bins,); that of the variance is exact where g and d
        are the same. The signs of a and c, which do not matter, stay."""
        bias, found = self.bias, self.resolution
        mean = (bins.over_phi(values) for values in (bias.A, bias.e, bias.M))
        a, c = (np.copysign(np.sqrt(bins.over_phi(x**2)), bins.over_phi(x)) for x in (found.a, found.c))
        return type(self)(Bias(*mean), Resolution(a, c, bins.over_phi(found.g), bins.over_phi(found.d)))


@dataclass(frozen=True, slots=True)
class ParameterLayout:
    """Which parameters are fitted, in how many bins of muons; the vector (p,) holds them parameter by parameter."""

    fitted: tuple[str, ...]
    bins: int

    @property
    def names(self) -> list[str]:
        """Names of the elements of the vector: A_0, A_1, ..."""
        return [f"{name}_{i}" for name in self.fitted for i in range(self.bins)]

    @property
    def scale_rows(self) -> IntArray:
        """Places of A, e, M in the vector."""
        return np.array([i for i, name in enumerate(self.names) if name.split("_")[0] in SCALE])

    @property
    def resolution_terms(self) -> tuple[str, ...]:
        """The resolution parameters among `fitted`."""
        return tuple(name for name in self.fitted if name in RESOLUTION)

    @property
    def fits_resolution(self) -> bool:
        """Whether sigma^2 is fitted beside mu."""
        return len(self.resolution_terms) > 0

    def of(self, vector: FloatArray, name: str) -> FloatArray:
        """The values of one parameter per bin (bins,); 0 if it is not fitted."""
        if name not in self.fitted:
            return np.zeros(self.bins)
        start = self.fitted.index(name) * self.bins
        return vector[start : start + self.bins]

    def unpack(self, vector: FloatArray) -> ParameterValues:
        """The vector as bias and resolution."""
        bias = Bias(*(self.of(vector, name) for name in SCALE))
        return ParameterValues(bias, Resolution(*(self.of(vector, name) for name in RESOLUTION)))

    def outward(self, inner: FloatArray, k0: FloatArray) -> FloatArray:
        """The vector (p,) of one that holds A - e k0 in place of A; k0 (bins,) [1/GeV].

        At the mean curvature A - e k0 and e are hardly correlated, where A and e may be by 0.97."""
        vector = inner.copy()
        if "e" in self.fitted:
            self.of(vector, "A")[:] += k0 * self.of(inner, "e")
        return vector

    def inward(self, jacobian: FloatArray, k0: FloatArray) -> FloatArray:
        """Derivatives (m, p) by the vector that holds A - e k0, from those by the vector (m, p)."""
        if "e" in self.fitted:
            jacobian = jacobian.copy()
            self.of(jacobian.T, "e")[:] += k0[:, None] * self.of(jacobian.T, "A")
        return jacobian

    def squares(self, vector: FloatArray) -> FloatArray:
        """The vector (p,) with a^2 and c^2 in place of a and c."""
        return np.where(self._squared, vector**2, vector)

    def squares_dvector(self, vector: FloatArray) -> FloatArray:
        """Derivatives (p,) of `squares`, each by its own element of the vector."""
        return np.where(self._squared, 2 * vector, 1.0)

    @property
    def _squared(self) -> BoolArray:
        return np.repeat([name in SQUARED for name in self.fitted], self.bins)

    def start(self, rough: Resolution) -> FloatArray:
        """Start values (p,): no bias, the rough resolution, typical g and d."""
        one = np.ones(self.bins)
        begin = {"a": np.maximum(rough.a, 1e-3), "c": np.maximum(rough.c, 1e-5), "g": 5 * one, "d": 3 * one}
        return np.concatenate([begin.get(name, 0 * one) for name in self.fitted])

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Lower and upper limits (p,): resolution parameters are not negative."""
        lower = np.repeat([0.0 if name in RESOLUTION else -np.inf for name in self.fitted], self.bins)
        return lower, np.full(len(lower), np.inf)


@dataclass(frozen=True)
class Problem:
    """Whitened residuals of ln mu (n,) and sigma^2 (n,) of `cells`, whose covariance is (n, 2, 2), and of the priors,
    with their Jacobian. Without resolution parameters sigma^2 does not enter."""

    layout: ParameterLayout
    cells: Cells
    log_mu: FloatArray
    sigma2: FloatArray
    covariance: FloatArray
    priors: Mapping[str, tuple[float, float]]

    def residuals_of_cells(self, residuals: FloatArray) -> FloatArray:
        """Those of `residuals` that belong to cells (1 or 2, n): of ln mu, and of sigma^2 where it is fitted."""
        rows = 2 if self.layout.fits_resolution else 1
        return residuals[: rows * len(self.cells)].reshape(rows, -1)

    @cached_property
    def whitening(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Rows of the inverse Cholesky factor: r1 = w11 d1; r2 = w21 d1 + w22 d2."""
        v11, v12, v22 = self.covariance[:, 0, 0], self.covariance[:, 0, 1], self.covariance[:, 1, 1]
        w22 = 1 / np.sqrt(v22 - v12**2 / v11)
        return 1 / np.sqrt(v11), -w22 * v12 / v11, w22

    def residuals(self, vector: FloatArray) -> FloatArray:
        """(measured - predicted) in standard deviations (m,), cells first, then priors."""
        values = self.layout.unpack(vector)
        first, second = self.log_mu - self._log_mu(values.bias), self.sigma2 - self._sigma2(values.resolution)
        return np.concatenate([*self._whiten(first, second), *(r for r, _ in self._prior_rows(vector))])

    def jacobian(self, vector: FloatArray) -> FloatArray:
        """Derivatives (m, p) of the residuals."""
        values = self.layout.unpack(vector)
        first, second = self._log_mu_jacobian(values.bias), self._sigma2_jacobian(values.resolution)
        blocks = [np.asarray(block) for block in self._whiten(-first, -second)]
        return np.concatenate([*blocks, *(j for _, j in self._prior_rows(vector))])

    def moved(self, sigma2: FloatArray) -> FloatArray:
        """By how much the residuals change (m,) when sigma^2 of the cells changes by `sigma2` (n,)."""
        cells = np.concatenate(self._whiten(np.zeros_like(sigma2), sigma2))
        priors = sum(self.layout.bins for name in self.priors if name in self.layout.fitted)
        return np.concatenate([cells, np.zeros(priors)])

    def _whiten(self, first: FloatArray, second: FloatArray) -> list[FloatArray]:
        w11, w21, w22 = (w if first.ndim == 1 else w[:, None] for w in self.whitening)
        if not self.layout.fits_resolution:
            return [w11 * first]
        return [w11 * first, w21 * first + w22 * second]

    def _muons(self) -> list[tuple[int, IntArray, FloatArray, FloatArray, FloatArray, FloatArray]]:
        """Of both muons of every cell: charge, bin, means of k, of 1/k = pT and of pT^2, d ln m/d ln pT."""
        c = self.cells
        return [
            (1, c.bin_plus, c.k_plus, c.pt_plus, c.pt2_plus, c.response_plus),
            (-1, c.bin_minus, c.k_minus, c.pt_minus, c.pt2_minus, c.response_minus),
        ]

    def _log_mu(self, bias: Bias) -> FloatArray:
        return sum((w * np.log(scale(k, pt, q, bias.at(row))) for q, row, k, pt, _, w in self._muons()), np.zeros(()))

    def _log_mu_jacobian(self, bias: Bias) -> FloatArray:
        result, rows = np.zeros((len(self.cells), len(self.layout.names))), np.arange(len(self.cells))
        for q, row, k, pt, _, w in self._muons():
            factor = w / scale(k, pt, q, bias.at(row))
            for name, derivative in scale_dparameters(k, pt, q).items():
                self._add(result, rows, row, name, factor * derivative)
        return result

    def _sigma2(self, resolution: Resolution) -> FloatArray:
        return sum((w**2 * variance(pt2, resolution.at(row)) for _, row, _, _, pt2, w in self._muons()), np.zeros(()))

    def _sigma2_jacobian(self, resolution: Resolution) -> FloatArray:
        result, rows = np.zeros((len(self.cells), len(self.layout.names))), np.arange(len(self.cells))
        for _, row, _, _, pt2, w in self._muons():
            for name, derivative in variance_dparameters(pt2, resolution.at(row)).items():
                self._add(result, rows, row, name, w**2 * derivative)
        return result

    def _add(self, result: FloatArray, rows: IntArray, row: IntArray, name: str, values: FloatArray) -> None:
        if name in self.layout.fitted:
            result[rows, self.layout.fitted.index(name) * self.layout.bins + row] += values

    def _prior_rows(self, vector: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
        rows = []
        for name, (value, width) in self.priors.items():
            if name in self.layout.fitted:
                start = self.layout.fitted.index(name) * self.layout.bins
                jacobian = np.zeros((self.layout.bins, len(vector)))
                jacobian[np.arange(self.layout.bins), start + np.arange(self.layout.bins)] = 1 / width
                rows.append(((self.layout.of(vector, name) - value) / width, jacobian))
        return rows
