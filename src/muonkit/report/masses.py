"""Which cells to show, and the curves of their fits from what was written beside them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from muonkit.calibration.binning import MuonBins
from muonkit.calibration.lineshape import exponential
from muonkit.calibration.massfit import PARAMETERS
from muonkit.core.arrays import AnyArray, FloatArray, IntArray
from muonkit.report.figures import MassSpectrum

Columns = Mapping[str, AnyArray]
NEEDED = ("status", "entries", "chi2", "pull", "pt_plus", "pt_minus", "mu", "mu_error", "sigma", "sigma_error")
STEEPEST = 50.0  # |slope x window| of a fit


@dataclass(frozen=True, slots=True)
class CellTables:
    """Columns per cell; counts, their variances and the fitted curve (cells, mass bins); mass edges (mass bins + 1,)
    [GeV]."""

    cells: Columns
    counts: FloatArray
    variances: FloatArray
    curves: FloatArray
    edges: FloatArray

    @property
    def ndf(self) -> IntArray:
        """Mass bins less free parameters, per cell."""
        free = np.where(self.cells["status"] == "no_background", 2, len(PARAMETERS))
        return self.counts.shape[1] - free

    @property
    def chi2_per_ndf(self) -> FloatArray:
        """Pearson chi2 of every cell over `ndf`."""
        return np.asarray(self.cells["chi2"] / self.ndf, dtype=np.float64)

    @property
    def pulls(self) -> FloatArray:
        """Pulls of the cells that the extraction used."""
        values = np.asarray(self.cells["pull"], dtype=np.float64)
        return values[np.isfinite(values)]


def chosen(tables: CellTables) -> list[tuple[str, int]]:
    """Cells worth a look, each once: the two largest, a typical one, the two worst fits."""
    entries, quality = tables.cells["entries"], tables.chi2_per_ndf
    sound = np.flatnonzero(np.isfinite(quality) & (entries > 0))
    by_size, by_quality = sound[np.argsort(-entries[sound])], sound[np.argsort(-quality[sound])]
    wanted = [
        *(("largest", cell) for cell in by_size[:2]),
        *(("typical size", cell) for cell in by_size[len(by_size) // 2 :][:1]),
        *(("worst χ²", cell) for cell in by_quality[:2]),
    ]
    first: dict[int, str] = {}
    for why, cell in wanted:
        first.setdefault(int(cell), why)
    return [(why, cell) for cell, why in first.items()]


def spectrum(tables: CellTables, cell: int, bins: MuonBins) -> MassSpectrum:
    """Counts of one cell and the fitted curve in the same bins."""
    cells, edges, counts, variances = tables.cells, tables.edges, tables.counts[cell], tables.variances[cell]
    theta = np.array([cells[name][cell] for name in PARAMETERS])
    width = edges[-1] - edges[0]
    value, _ = exponential((edges - edges[0]) / width, float(np.clip(theta[3] * width, -STEEPEST, STEEPEST)))
    total = counts.sum()
    background = total * theta[2] * np.diff(value)
    return MassSpectrum(edges, counts, variances, tables.curves[cell], background, _lines(tables, cell, bins))


def _lines(tables: CellTables, cell: int, bins: MuonBins) -> tuple[str, ...]:
    row: dict[str, Any] = {name: values[cell] for name, values in tables.cells.items()}
    plus, minus = (_where(row, sign, bins) for sign in ("plus", "minus"))
    return (
        rf"$\mu^+$  {plus}  $\langle p_T\rangle$ {row['pt_plus']:.1f} GeV",
        rf"$\mu^-$  {minus}  $\langle p_T\rangle$ {row['pt_minus']:.1f} GeV",
        rf"$\mu$ = {row['mu']:.5f} ± {row['mu_error']:.5f}",
        rf"$\sigma$ = ({row['sigma'] * 1e2:.3f} ± {row['sigma_error'] * 1e2:.3f}) %",
        rf"$\chi^2$/ndf = {row['chi2']:.0f}/{tables.ndf[cell]}",
        *([] if row["status"] in ("converged", "no_background") else [str(row["status"]).replace("_", " ")]),
    )


def _where(row: Mapping[str, Any], sign: str, bins: MuonBins) -> str:
    """The ranges of eta, and of phi if there are several, of one muon, in mathtext."""
    ranges = {axis: edges[row[f"{axis}_{sign}_bin"] :][:2] for axis, edges in bins.axes.items()}
    return "  ".join(rf"$\{axis}\in$[{low:g}, {high:g}]" for axis, (low, high) in ranges.items())
