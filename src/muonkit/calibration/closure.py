"""Does it close? Corrected muons, counted and fitted again, must give parameters compatible with 0."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2 as chi2_distribution

from muonkit.calibration.bias import LEAST, Bias
from muonkit.calibration.binning import MuonBins
from muonkit.calibration.extract import Extraction
from muonkit.calibration.kernels import counting
from muonkit.calibration.parameters import ParameterLayout
from muonkit.core.arrays import FloatArray
from muonkit.core.kinematics import MuonArrays
from muonkit.data.dimuons import Dimuons


@dataclass(frozen=True, slots=True)
class BiasCorrector:
    """Applies one bias per bin of muons; muons outside the eta range stay as they are."""

    bins: MuonBins
    bias: Bias

    def __call__(self, table: Dimuons) -> Dimuons:
        return table.with_pt(self._pt(table.plus, 1), self._pt(table.minus, -1))

    def _pt(self, muon: MuonArrays, q: int) -> FloatArray:
        result, bias = np.empty(len(muon.pt)), (self.bias.A, self.bias.e, self.bias.M)
        columns, of_bins = (tuple(map(np.ascontiguousarray, each)) for each in (muon, bias))
        counting.correct(columns, q, (self.bins.eta_edges, self.bins.phi_edges), of_bins, LEAST, result)
        return result


@dataclass(frozen=True, slots=True)
class ZeroTest:
    """Parameters against 0: chi2 of the vector with its covariance, p-value; name and pull of the one farthest off."""

    chi2: float
    ndf: int
    p_value: float
    worst: str
    worst_pull: float


def against_zero(extraction: Extraction, extra: FloatArray | None = None) -> ZeroTest:
    """Test of A, e, M against 0.

    `extra`: covariance of the corrections that were applied, where they are independent; its shape is that of the
    covariance of the extraction."""
    scale = extraction.layout.scale_rows
    names = np.array(extraction.layout.names)[scale]
    vector, covariance = extraction.vector[scale], extraction.covariance[np.ix_(scale, scale)]
    if extra is not None:
        covariance = covariance + extra[np.ix_(scale, scale)]
    pulls = vector / np.sqrt(np.diagonal(covariance))
    chi2 = float(vector @ np.linalg.solve(covariance, vector))
    worst, p_value = int(np.argmax(np.abs(pulls))), float(chi2_distribution.sf(chi2, len(scale)))
    return ZeroTest(chi2, len(scale), p_value, str(names[worst]), float(pulls[worst]))


SCALE_PT = (6.0, 20.0, 45.0)  # GeV: J/psi, Upsilon, Z and W


@dataclass(frozen=True, slots=True)
class ScaleOff:
    """A - e k, averaged over the bins of muons with the full covariance, at one pT [GeV]; its error."""

    pt: float
    value: float
    error: float


def scale_off(
    extraction: Extraction, extra: FloatArray | None = None, momenta: tuple[float, ...] = SCALE_PT
) -> tuple[ScaleOff, ...]:
    """How far the scale is off 1, at `momenta` [GeV]; `extra`: see `against_zero`."""
    layout, covariance = extraction.layout, extraction.covariance + (0 if extra is None else extra)
    return tuple(scale_at(layout, extraction.vector, covariance, pt) for pt in momenta)


def scale_at(layout: ParameterLayout, vector: FloatArray, covariance: FloatArray, pt: float) -> ScaleOff:
    """How far the scale is off 1 at one pT [GeV], from fitted parameters (p,) and their covariance (p, p)."""
    design = scale_design(layout, pt)
    weight = np.linalg.solve(design @ covariance @ design.T, np.ones(layout.bins))
    value = float(weight @ design @ vector / weight.sum())
    return ScaleOff(pt, value, float(1 / np.sqrt(weight.sum())))


def scale_design(layout: ParameterLayout, pt: float) -> FloatArray:
    """Derivatives (bins, p) of A - e/pT in every bin of muons, at one pT [GeV]."""
    design = np.zeros((layout.bins, len(layout.names)))
    for name, factor in (("A", 1.0), ("e", -1 / pt)):
        if name in layout.fitted:
            start = layout.fitted.index(name) * layout.bins
            design[np.arange(layout.bins), start + np.arange(layout.bins)] = factor
    return design
