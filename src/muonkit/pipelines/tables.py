"""The tables of a fit that stand in OUT/."""

from pathlib import Path

from muonkit.calibration.derive import Derived
from muonkit.calibration.tables import cell_columns, template_columns
from muonkit.io import columns


def write_cells(out: Path, derived: Derived) -> None:
    """masses.json.gz, cells.parquet and templates.parquet: one row, or one group of rows, per fitted cell."""
    data = derived.data
    variances = data.counts if data.known.any() else None
    columns.write_masses(out / "masses.json.gz", data.counts - data.known, data.edges, variances)
    columns.write_columns(out / "cells.parquet", cell_columns(derived))
    columns.write_columns(out / "templates.parquet", template_columns(derived))
