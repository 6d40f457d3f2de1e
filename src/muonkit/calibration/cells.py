"""What is known of the fitted cells besides their mass fits: eta bins, mean kinematics, flux through the walls."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from muonkit.calibration.accumulate import MEANS, CellMasses
from muonkit.calibration.binning import Binning, Merging
from muonkit.calibration.weights import effective_entries
from muonkit.core.arrays import AnyArray, FloatArray, IntArray

FLUXES = ("flux", "flux_pt2_plus", "flux_pt2_minus")  # in the order of CellMasses.leaving


@dataclass(frozen=True, slots=True)
class Cells:
    """One row per fitted cell, each column (cells,): eta bins; effective entries, 0 where weights add up to 0 or less;
    means of k [1/GeV], pT [GeV], pT^2 and d ln m/d ln pT of each muon; `flux`: density at the upper wall in
    log(pT+/pT-) less that at the lower, over the content; `flux_pt2_plus`, `flux_pt2_minus` [GeV^2]: the same of
    density x pT^2; `angular` = mass variance by the angles; `shared` = relative error of sigma by chance in a spectrum
    that cells of a sample share, 0 where the template is the cell's own, see `pooling`."""

    eta_plus: IntArray
    eta_minus: IntArray
    entries: FloatArray
    k_plus: FloatArray
    k_minus: FloatArray
    pt_plus: FloatArray
    pt_minus: FloatArray
    pt2_plus: FloatArray
    pt2_minus: FloatArray
    response_plus: FloatArray
    response_minus: FloatArray
    flux: FloatArray
    flux_pt2_plus: FloatArray
    flux_pt2_minus: FloatArray
    angular: FloatArray
    shared: FloatArray

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, rows: AnyArray) -> Self:
        return type(self)(*(getattr(self, f.name)[rows] for f in fields(self)))

    @classmethod
    def joined(cls, samples: Sequence[Self]) -> Self:
        """The cells of several samples, one after the other."""
        return cls(*(np.concatenate([getattr(each, f.name) for each in samples]) for f in fields(cls)))

    def mean_curvature(self, bins: int) -> FloatArray:
        """Mean k [1/GeV] of the muons in each of `bins` eta bins (bins,); 0 where there are none."""
        muons = ((self.eta_plus, self.k_plus), (self.eta_minus, self.k_minus))
        weight = sum((np.bincount(eta, self.entries, bins) for eta, _ in muons), np.zeros(()))
        total = sum((np.bincount(eta, self.entries * k, bins) for eta, k in muons), np.zeros(()))
        mean: FloatArray = total / np.maximum(weight, 1)
        return mean

    @classmethod
    def from_sums(cls, sums: CellMasses, binning: Binning, merging: Merging, angular: CellMasses | None = None) -> Self:
        """Means over the entries of every fitted cell; `angular`: the simulation, if there is one."""
        content, leaving = merging.sum(sums.entries), merging.sum(sums.leaving)
        filled = content > 0
        entries = np.where(filled, effective_entries(content, merging.sum(sums.weight2)), 0)
        content = np.where(filled, content, np.inf)  # means of an empty cell are 0
        means = merging.sum(sums.means) / content[:, None]
        plus, minus = (bins[merging.first()] for bins in binning.eta_bins())
        columns = dict(zip(MEANS, means.T, strict=True))
        columns |= dict(zip(FLUXES, leaving.T / content, strict=True))
        more = {"angular": _angular_variance(angular, merging), "shared": np.zeros(merging.count)}
        return cls(plus, minus, entries, **columns, **more)


def _angular_variance(sums: CellMasses | None, merging: Merging) -> FloatArray:
    if sums is None:
        return np.zeros(merging.count)
    n, x, xx = merging.sum(sums.angular).T
    n = np.where(n > 0, n, np.inf)
    variance: FloatArray = np.maximum(xx / n - (x / n) ** 2, 0)
    return variance
