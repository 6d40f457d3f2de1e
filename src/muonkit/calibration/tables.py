"""Fitted cells as columns, one row per cell (or per node of its template): what stands in the Parquet files of OUT/."""

import numpy as np

from muonkit.calibration.derive import Derived
from muonkit.calibration.massfit import PARAMETERS, FitStatus
from muonkit.core.arrays import AnyArray

MEANS = ("entries", "k_plus", "k_minus", "pt_plus", "pt_minus", "flux", "angular")


def cell_columns(derived: Derived, sample: str) -> dict[str, AnyArray]:
    """The columns of cells.parquet for one sample, by its name; each (cells,)."""
    cells, fits = derived.cells, derived.fits
    pulls = np.full(len(fits), np.nan)
    pulls[derived.extraction.used] = derived.extraction.pulls
    columns: dict[str, AnyArray] = {
        "sample": np.full(len(fits), sample),
        "cell": np.arange(len(fits)),
        **_places(derived),
        "status": np.array([FitStatus(int(s)).name.lower() for s in fits.status]),
    }
    columns |= {name: getattr(cells, name) for name in MEANS}
    columns |= {name: fits.theta[:, i] for i, name in enumerate(PARAMETERS)}
    columns |= {f"{name}_error": fits.errors[:, i] for i, name in enumerate(PARAMETERS)}
    columns["mu_template_error"] = np.sqrt(np.maximum(fits.template_covariance[:, 0, 0], 0))
    columns |= {"mu_sigma_covariance": fits.covariance[:, 0, 1], "chi2": fits.chi2, "pull": pulls}
    return columns


def _places(derived: Derived) -> dict[str, AnyArray]:
    """Bins of both muons: of eta, and of phi if there are several."""
    cells, bins = derived.cells, derived.extraction.bins
    plus, minus = bins.along(cells.bin_plus), bins.along(cells.bin_minus)
    return {f"{axis}_{sign}_bin": rows[axis] for axis in plus for sign, rows in (("plus", plus), ("minus", minus))}


def template_columns(derived: Derived, sample: str) -> dict[str, AnyArray]:
    """The columns of templates.parquet, each (nodes,): generator masses [GeV] and weights of every fitted cell."""
    data = derived.data
    cell = np.repeat(np.arange(len(data)), np.diff(data.first))
    name = np.full(len(cell), sample)
    return {"sample": name, "cell": cell, "mass": data.node, "weight": data.weight, "variance": data.variance}
