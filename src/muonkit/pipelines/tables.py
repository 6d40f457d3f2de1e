"""The tables of a fit that stand in OUT/."""

from pathlib import Path

from muonkit.calibration.derive import Derived
from muonkit.calibration.tables import cell_columns, template_columns
from muonkit.io import columns

CELLS, MASSES, TEMPLATES = NAMES = ("cells.parquet", "masses.json.gz", "templates.parquet")


def write_cells(out: Path, derived: Derived) -> None:
    """masses.json.gz, cells.parquet and templates.parquet: one row, or one group of rows, per fitted cell."""
    columns.write_masses(out / MASSES, derived.data.counts, derived.data.edges)
    columns.write_columns(out / CELLS, cell_columns(derived))
    columns.write_columns(out / TEMPLATES, template_columns(derived))
