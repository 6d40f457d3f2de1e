"""Corrections from one resonance, tested on another: the scale left per eta bin against 1.

The uncertainty of that scale has two parts: the entries of the validating resonance, and the corrections themselves,
whose eigen-variations are carried to its momenta."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2 as chi2_distribution

from muonkit.calibration.cells import Cells
from muonkit.calibration.export import Corrections
from muonkit.calibration.extract import Extraction
from muonkit.calibration.schema import are_errors
from muonkit.core.arrays import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class ScaleLeft:
    """Scale = 1 + A left per eta bin (bins,): reconstructed over true momentum. Errors: of the entries, of the
    corrections, and of both. chi2, ndf and p-value against 1, and the mean, with the full covariance of both."""

    eta_edges: FloatArray
    scale: FloatArray
    error: FloatArray
    corrections_error: FloatArray
    total_error: FloatArray
    chi2: float
    ndf: int
    p_value: float
    mean: float
    mean_error: float


def scale_left(extraction: Extraction, cells: Cells, corrections: Corrections | None) -> ScaleLeft:
    """From a fit of A alone; `corrections`: those that had been applied, whose errors count."""
    bins = extraction.layout.bins
    extra = np.zeros((bins, bins))
    if corrections is not None:
        shifts = np.array([_shift(corrections, name, cells, extraction.eta_edges) for name in _directions(corrections)])
        extra = shifts.T @ shifts
    scale = 1 + extraction.layout.of(extraction.vector, "A")
    return against_one(extraction.eta_edges, scale, extraction.covariance, extra)


def against_one(eta_edges: FloatArray, scale: FloatArray, covariance: FloatArray, extra: FloatArray) -> ScaleLeft:
    """The scale (bins,) with the covariances (bins, bins) of the entries and of the corrections, tested against 1."""
    total, residual = covariance + extra, scale - 1
    chi2 = float(residual @ np.linalg.solve(total, residual))
    weight = np.linalg.solve(total, np.ones(len(residual)))
    return ScaleLeft(
        eta_edges,
        scale,
        error=np.sqrt(np.diagonal(covariance)),
        corrections_error=np.sqrt(np.diagonal(extra)),
        total_error=np.sqrt(np.diagonal(total)),
        chi2=chi2,
        ndf=len(residual),
        p_value=float(chi2_distribution.sf(chi2, len(residual))),
        mean=float(1 + weight @ residual / weight.sum()),
        mean_error=float(1 / np.sqrt(weight.sum())),
    )


def _directions(corrections: Corrections) -> list[str]:
    return [name for name in corrections.variation_names if are_errors(name) and name.endswith("_up")]


def _shift(corrections: Corrections, variation: str, cells: Cells, eta_edges: FloatArray) -> FloatArray:
    """Change of ln pT per eta bin by one variation, averaged over the muons of the bin."""
    bins = len(eta_edges) - 1
    shift, weight = np.zeros(bins), np.zeros(bins)
    for eta_bin, pt, q in ((cells.eta_plus, cells.pt_plus, 1), (cells.eta_minus, cells.pt_minus, -1)):
        change = _log_change(corrections, variation, pt, eta_bin, q, eta_edges)
        shift += np.bincount(eta_bin, cells.entries * change, bins)
        weight += np.bincount(eta_bin, cells.entries, bins)
    return shift / np.maximum(weight, 1)


def _log_change(
    corrections: Corrections, variation: str, pt: FloatArray, eta_bin: IntArray, q: int, eta_edges: FloatArray
) -> FloatArray:
    """Averaged over four places in the bin, whose edges need not be those of the corrections."""
    charge = np.full(len(pt), q)
    changes = []
    for place in (0.125, 0.375, 0.625, 0.875):
        eta = eta_edges[eta_bin] + place * (eta_edges[eta_bin + 1] - eta_edges[eta_bin])
        varied, nominal = (corrections.factor(pt, eta, charge, name) for name in (variation, "nominal"))
        changes.append(np.log(varied / nominal))
    return np.mean(changes, axis=0)
