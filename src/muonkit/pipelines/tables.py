"""The tables of a fit that stand in OUT/."""

from pathlib import Path

from muonkit.calibration.derive import Derived
from muonkit.calibration.tables import cell_columns, template_columns
from muonkit.io import columns

CELLS, MASSES, CURVES, TEMPLATES = NAMES = ("cells.parquet", "masses.json.gz", "curves.json.gz", "templates.parquet")


def write_cells(out: Path, derived: Derived) -> None:
    """masses.json.gz and curves.json.gz (what was fitted, and the fitted curves), cells.parquet and templates.parquet:
    one row, or one group of rows, per fitted cell."""
    data, all_counts = derived.data, derived.data.counts.sum(axis=1, keepdims=True)
    variances = data.counts if data.known.any() else None
    columns.write_masses(out / MASSES, data.counts - data.known, data.edges, variances)
    columns.write_masses(out / CURVES, all_counts * derived.fits.shares - data.known, data.edges)
    columns.write_columns(out / CELLS, cell_columns(derived))
    columns.write_columns(out / TEMPLATES, template_columns(derived))
