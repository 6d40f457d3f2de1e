"""What is known of the fitted cells besides their mass fits: eta bins, mean kinematics, flux through the walls."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from muonkit.calibration.accumulate import MEANS, SHIFT, CellMasses
from muonkit.calibration.binning import Binning, Merging
from muonkit.core.arrays import AnyArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Cells:
    """One row per fitted cell, each column (cells,): eta bins; means of k [1/GeV], pT [GeV], pT^2 and d ln m/d ln pT of
    each muon; `flux` = d ln(density)/d log(pT+/pT-) averaged over the cell; `angular` = mass variance by the angles."""

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
    angular: FloatArray

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, rows: AnyArray) -> Self:
        return type(self)(*(getattr(self, f.name)[rows] for f in fields(self)))

    @classmethod
    def from_sums(cls, sums: CellMasses, binning: Binning, merging: Merging, angular: CellMasses | None = None) -> Self:
        """Means over the entries of every fitted cell; `angular`: the simulation, if there is one."""
        entries, leaving = merging.sum(sums.entries), merging.sum(sums.leaving)
        means = merging.sum(sums.means) / entries[:, None]
        plus, minus = (bins[merging.first()] for bins in binning.eta_bins())
        flux = (leaving[:, 0] - leaving[:, 1]) / (SHIFT * entries)
        columns = dict(zip(MEANS, means.T, strict=True))
        return cls(plus, minus, entries, flux=flux, angular=_angular_variance(angular, merging), **columns)


def _angular_variance(sums: CellMasses | None, merging: Merging) -> FloatArray:
    if sums is None:
        return np.zeros(merging.count)
    n, x, xx = merging.sum(sums.angular).T
    n = np.maximum(n, 1)
    variance: FloatArray = np.maximum(xx / n - (x / n) ** 2, 0)
    return variance
