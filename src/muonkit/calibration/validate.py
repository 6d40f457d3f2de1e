"""Corrections from one resonance, tested on another: the scale left per bin of muons against 1.

The uncertainty of that scale has two parts: the entries of the validating resonance, and the corrections themselves,
whose eigen-variations are carried to its momenta."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2 as chi2_distribution

from muonkit.calibration.binning import MuonBins
from muonkit.calibration.cells import Cells
from muonkit.calibration.export import Corrections
from muonkit.calibration.extract import Extraction
from muonkit.calibration.schema import are_errors
from muonkit.core.arrays import FloatArray, IntArray

ETA_PLACES = 4  # in a bin
PLACES = {False: ETA_PLACES, True: 16}  # if the corrections depend on phi: a bin may hold several of theirs


@dataclass(frozen=True, slots=True, eq=False)
class ScaleLeft:
    """Scale = 1 + A left per bin of muons (bins,): reconstructed over true momentum. Errors: of the entries, of the
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
    phi_edges: FloatArray | None = None

    def __post_init__(self) -> None:
        """Raises ValueError if the arrays are not those of the bins."""
        errors = {name: getattr(self, name) for name in ("error", "corrections_error", "total_error")}
        self.bins.require(scale=self.scale, **errors)

    @property
    def bins(self) -> MuonBins:
        """The bins of muons."""
        return MuonBins.of_edges(self.eta_edges, self.phi_edges)


def scale_left(extraction: Extraction, cells: Cells, corrections: Corrections | None) -> ScaleLeft:
    """From a fit of A alone; `corrections`: those that had been applied, whose errors count."""
    bins = extraction.layout.bins
    extra = np.zeros((bins, bins))
    if corrections is not None:
        shifts = np.array([_shift(corrections, name, cells, extraction.bins) for name in _directions(corrections)])
        extra = shifts.T @ shifts
    scale = 1 + extraction.layout.of(extraction.vector, "A")
    return against_one(extraction.bins, scale, extraction.covariance, extra)


def against_one(bins: MuonBins, scale: FloatArray, covariance: FloatArray, extra: FloatArray) -> ScaleLeft:
    """The scale (bins,) with the covariances (bins, bins) of the entries and of the corrections, tested against 1."""
    total, residual = covariance + extra, scale - 1
    chi2 = float(residual @ np.linalg.solve(total, residual))
    weight = np.linalg.solve(total, np.ones(len(residual)))
    return ScaleLeft(
        scale=scale,
        error=np.sqrt(np.diagonal(covariance)),
        corrections_error=np.sqrt(np.diagonal(extra)),
        total_error=np.sqrt(np.diagonal(total)),
        chi2=chi2,
        ndf=len(residual),
        p_value=float(chi2_distribution.sf(chi2, len(residual))),
        mean=float(1 + weight @ residual / weight.sum()),
        mean_error=float(1 / np.sqrt(weight.sum())),
        **bins.edges,
    )


def _directions(corrections: Corrections) -> list[str]:
    return [name for name in corrections.variation_names if are_errors(name) and name.endswith("_up")]


def _shift(corrections: Corrections, variation: str, cells: Cells, bins: MuonBins) -> FloatArray:
    """Change of ln pT per bin of muons by one variation, averaged over the muons of the bin."""
    shift, weight = np.zeros(bins.count), np.zeros(bins.count)
    for row, pt, q in ((cells.bin_plus, cells.pt_plus, 1), (cells.bin_minus, cells.pt_minus, -1)):
        change = _log_change(corrections, variation, (row, pt, q), bins)
        shift += np.bincount(row, cells.entries * change, bins.count)
        weight += np.bincount(row, cells.entries, bins.count)
    return shift / np.maximum(weight, 1)


def _log_change(
    corrections: Corrections, variation: str, muons: tuple[IntArray, FloatArray, int], bins: MuonBins
) -> FloatArray:
    """Averaged over places in the bin, whose edges need not be those of the corrections; `muons`: bin and pT (n,)
    [GeV], charge."""
    row, pt, q = muons
    charge, (eta_bin, phi_bin) = np.full(len(pt), q), divmod(row, bins.shape[1])
    changes = []
    for place in range(places := PLACES[corrections.by_phi]):
        eta = _within(bins.eta_edges, eta_bin, (place % ETA_PLACES + 0.5) / ETA_PLACES)
        phi = _within(bins.phi_edges, phi_bin, (place + 0.5) / places)
        varied, nominal = (corrections.factor(pt, eta, charge, name, phi) for name in (variation, "nominal"))
        changes.append(np.log(varied / nominal))
    return np.mean(changes, axis=0)


def _within(edges: FloatArray, index: IntArray, place: float) -> FloatArray:
    low: FloatArray = edges[index]
    return low + place * (edges[index + 1] - low)
