"""Results as plain JSON content and as tables, and as lines for a person."""

from typing import Any

import numpy as np
from scipy.stats import chi2 as chi2_distribution

from muonkit.calibration.accumulate import CellMasses, residual_correlations
from muonkit.calibration.derive import Derived
from muonkit.calibration.diagnostics import diagnose
from muonkit.calibration.extract import Extraction, rough_resolution
from muonkit.calibration.massfit import PARAMETERS, FitStatus
from muonkit.calibration.parameters import RESOLUTION
from muonkit.calibration.resolution import Resolution
from muonkit.core.arrays import AnyArray

Content = dict[str, Any]


def summarise(extraction: Extraction) -> dict[str, Any]:
    """Values and errors per eta bin, names, chi2, p-value."""
    layout, errors = extraction.layout, extraction.errors
    content: dict[str, Any] = {"eta_edges": extraction.eta_edges.tolist()}
    content |= {name: layout.of(extraction.vector, name).tolist() for name in layout.fitted}
    content["errors"] = {name: layout.of(errors, name).tolist() for name in layout.fitted}
    content |= {"parameter_names": layout.names, "covariance": extraction.covariance.tolist()}
    content |= {"chi2": extraction.chi2, "ndf": extraction.ndf}
    content["p_value"] = float(chi2_distribution.sf(extraction.chi2, extraction.ndf))
    return content


def calibration(derived: Derived, sums: CellMasses, fine_cells: int, before: CellMasses, after: CellMasses) -> Content:
    """The part of a result that comes from one fit to `sums`; `before` and `after` correction for the correlations."""
    content = summarise(derived.extraction)
    good = int(derived.fits.good.sum())
    populated = int((sums.entries > 0).sum())
    content["cells"] = {
        "fitted": good,
        "failed": len(derived.fits) - good,
        "skipped": populated - int((derived.merging.group[sums.entries > 0] >= 0).sum()),
        "fine": fine_cells,
        "populated": populated,
    }
    content["pairs"] = {"read": int(sums.pairs[0]), "selected": int(sums.pairs[1])}
    content["diagnostics"] = diagnose(derived.extraction, derived.cells)
    content["diagnostics"]["residual_correlations"] = residual_correlations(before)
    content["diagnostics"]["residual_correlations_corrected"] = residual_correlations(after)
    return content


def cell_columns(derived: Derived) -> dict[str, AnyArray]:
    """One row per fitted cell: the columns of cells.parquet."""
    cells, fits = derived.cells, derived.fits
    pulls = np.full(len(fits), np.nan)
    pulls[derived.extraction.used] = derived.extraction.pulls
    columns: dict[str, AnyArray] = {
        "cell": np.arange(len(fits)),
        "eta_plus_bin": cells.eta_plus,
        "eta_minus_bin": cells.eta_minus,
        "status": np.array([FitStatus(int(s)).name.lower() for s in fits.status]),
    }
    columns |= {
        name: getattr(cells, name)
        for name in ("entries", "k_plus", "k_minus", "pt_plus", "pt_minus", "flux", "angular")
    }
    columns |= {name: fits.theta[:, i] for i, name in enumerate(PARAMETERS)}
    columns |= {f"{name}_error": fits.errors[:, i] for i, name in enumerate(PARAMETERS)}
    columns["mu_template_error"] = np.sqrt(np.maximum(fits.template_covariance[:, 0, 0], 0))
    columns |= {"mu_sigma_covariance": fits.covariance[:, 0, 1], "chi2": fits.chi2, "pull": pulls}
    return columns


def template_columns(derived: Derived) -> dict[str, AnyArray]:
    """Generator masses and weights of every fitted cell: the columns of templates.parquet."""
    data = derived.data
    cell = np.repeat(np.arange(len(data)), np.diff(data.first))
    return {"cell": cell, "mass": data.node, "weight": data.weight, "variance": data.variance}


def with_resolution(fitted: tuple[str, ...]) -> tuple[str, ...]:
    """The parameters of a fit, with a and c where no resolution parameter is among them."""
    return fitted if any(name in RESOLUTION for name in fitted) else (*fitted, "a", "c")


def resolution_of(derived: Derived) -> Resolution:
    """The fitted resolution, or the rough one (a and c) where none was fitted."""
    extraction = derived.extraction
    if extraction.layout.fits_resolution:
        return extraction.values.resolution
    good = derived.fits.good
    return rough_resolution(derived.cells[good], derived.fits[good], extraction.layout.bins)
