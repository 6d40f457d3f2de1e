"""What is known of the fitted cells besides their mass fits: bins of muons, mean kinematics, flux through the walls."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

from muonkit.calibration.accumulate import MEANS, CellMasses
from muonkit.calibration.binning import Binning, Merging, MuonBins
from muonkit.calibration.weights import effective_entries
from muonkit.core.arrays import AnyArray, FloatArray, IntArray

FLUXES = ("flux", "flux_pt2_plus", "flux_pt2_minus")  # in the order of CellMasses.leaving


@dataclass(frozen=True, slots=True)
class Cells:
    """One row per fitted cell, each column (cells,): bins of both muons; effective entries, 0 where weights add up to 0
    or less; means of k [1/GeV], pT [GeV], pT^2 and d ln m/d ln pT of each muon; `flux`: density at the upper wall in
    log(pT+/pT-) less that at the lower, over the content; `flux_pt2_plus`, `flux_pt2_minus` [GeV^2]: the same of
    density x pT^2; `angular` = mass variance by the angles; `shared` = relative error of sigma by chance in a spectrum
    that cells of a sample share, 0 where the template is the cell's own, see `pooling`."""

    bin_plus: IntArray
    bin_minus: IntArray
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

    def in_eta(self, bins: MuonBins) -> Self:
        """The same cells, with the eta bins of the muons in place of their bins in `bins`."""
        plus, minus = (bins.along(index)["eta"] for index in (self.bin_plus, self.bin_minus))
        return replace(self, bin_plus=plus, bin_minus=minus)

    def mean_curvature(self, bins: int) -> FloatArray:
        """Mean k [1/GeV] of the muons in each of `bins` bins of muons (bins,); 0 where there are none."""
        muons = ((self.bin_plus, self.k_plus), (self.bin_minus, self.k_minus))
        weight = sum((np.bincount(row, self.entries, bins) for row, _ in muons), np.zeros(()))
        total = sum((np.bincount(row, self.entries * k, bins) for row, k in muons), np.zeros(()))
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
        plus, minus = (bins[merging.first()] for bins in binning.muon_bins())
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
