"""Generated against reconstructed curvature: where the core of k_reco/k_gen lies, and the A, e, M that describe it.

The location of a core is Huber's M-estimate (Ann. Math. Stat. 35 (1964) 73): the mean of values that are held at HUBER
times the width around it, the width being the median of absolute deviations, normalised to a Gaussian's. Its error
follows from its influence function. It is the mean for a Gaussian, with an error that is 2.6 % larger, and tails hardly
move it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.core.robust import HALF, HUBER

TO_SIGMA = 1 / HALF  # of a Gaussian's median absolute deviation
ITERATIONS = 50
LEAST = 10  # values, without which there is no location
SINGULAR = 1e-6  # singular value of the scaled cells below which A, e, M are not known apart


class Location(NamedTuple):
    """Where a core lies, its error, its width (sigma of a Gaussian), number of entries; NaN for fewer than LEAST."""

    value: float
    error: float
    width: float
    entries: int


def location(values: FloatArray) -> Location:
    """Of values (n,)."""
    n = len(values)
    if n < LEAST:
        return Location(np.nan, np.nan, np.nan, n)
    middle = float(np.median(values))
    width = TO_SIGMA * float(np.median(np.abs(values - middle)))
    limit = HUBER * width
    if not limit > 0:
        return Location(middle, 0.0, 0.0, n)
    for _ in range(ITERATIONS):
        held = np.clip(values - middle, -limit, limit)
        free = float(np.mean(np.abs(values - middle) < limit))
        step = float(held.mean()) / max(free, 0.1)
        middle += step
        if abs(step) < 1e-6 * width / np.sqrt(n):
            break
    held = np.clip(values - middle, -limit, limit)
    free = float(np.mean(np.abs(values - middle) < limit))
    return Location(middle, float(np.sqrt(np.mean(held**2) / n)) / free, width, n)


def number(value: float) -> float | None:
    """A number for JSON; None for NaN."""
    return float(value) if np.isfinite(value) else None


class BiasFit(NamedTuple):
    """A, e [GeV] and M [1/GeV] of one eta bin, those to apply; covariance (3, 3); chi2 and ndf. NaN where the cells do
    not tell all three: fewer than four, of one charge, or all of one k."""

    values: FloatArray
    covariance: FloatArray
    chi2: float
    ndf: int

    @property
    def errors(self) -> FloatArray:
        """Standard deviations (3,)."""
        return np.sqrt(np.diag(self.covariance))

    def to_json(self) -> dict[str, Any]:
        """None for NaN."""
        values, covariance = [number(one) for one in self.values], [[*map(number, row)] for row in self.covariance]
        errors = [number(one) for one in self.errors]
        return {
            "values": values,
            "errors": errors,
            "covariance": covariance,
            "ndf": self.ndf,
            "chi2": number(self.chi2),
        }

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> "BiasFit":
        """From what `to_json` gave."""
        values, covariance, chi2 = (np.array(content[name], np.float64) for name in ("values", "covariance", "chi2"))
        return cls(values, covariance, float(chi2), content["ndf"])


UNKNOWN = BiasFit(np.full(3, np.nan), np.full((3, 3), np.nan), np.nan, 0)


def fit_bias(ratio: FloatArray, k: FloatArray, charge: FloatArray, edges: FloatArray) -> BiasFit:
    """A, e, M from k_reco/k_gen - 1, (n,), of muons with the generated curvature k (n,) [1/GeV] and charge (n,).

    Cells of charge and of bins in k (edges), each with the location of its core, are fitted with -(A - e k + q M/k):
    k_gen = k_reco (1 + A - e k + q M/k) to first order. A mean of k_gen/k_reco would be shifted by sigma_k^2."""
    rows, y, weight = [], [], []
    which = bins_of(k, edges)
    for sign in (1.0, -1.0):
        for number in range(len(edges) - 1):
            cell = (charge == sign) & (which == number)
            found = location(ratio[cell])
            if np.isfinite(found.value) and found.error > 0:
                rows.append((-1.0, k[cell].mean(), -sign * (1 / k[cell]).mean()))
                y.append(found.value)
                weight.append(1 / found.error)
    if len(y) < 4 or len({row[2] > 0 for row in rows}) < 2:
        return UNKNOWN
    slope, target = np.array(rows) * np.array(weight)[:, None], np.array(y) * np.array(weight)
    scale = np.linalg.norm(slope, axis=0)
    if np.linalg.matrix_rank(slope / scale, tol=SINGULAR) < 3:
        return UNKNOWN
    normal = np.linalg.pinv((slope / scale).T @ (slope / scale), hermitian=True)
    values = normal @ (slope / scale).T @ target / scale
    chi2 = float(np.sum((target - slope @ values) ** 2))
    return BiasFit(values, normal / np.outer(scale, scale), chi2, len(y) - 3)


def along(ratio: FloatArray, values: FloatArray, edges: FloatArray) -> list[Location]:
    """Locations of k_reco/k_gen - 1, (n,), in bins of `values` (n,)."""
    which = bins_of(values, edges)
    return [location(ratio[which == number]) for number in range(len(edges) - 1)]


def bins_of(values: FloatArray, edges: FloatArray) -> IntArray:
    """Bin (n,) of values (n,), -1 outside and for NaN; the last bin holds its upper edge."""
    which: IntArray = np.digitize(values, edges) - 1
    which[values == edges[-1]] = len(edges) - 2
    which[(which == len(edges) - 1) | ~np.isfinite(values)] = -1
    return which
