"""The tables of a fit that stand in OUT/."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from muonkit.calibration.derive import Derived
from muonkit.calibration.tables import cell_columns, template_columns
from muonkit.core.arrays import AnyArray
from muonkit.io import columns

CELLS, TEMPLATES = NAMES = ("cells.parquet", "templates.parquet")


def masses_and_curves(samples: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """Name of a sample -> its files of masses and of curves; with several samples their names stand in those of the
    files."""
    return {
        name: (f"masses{suffix}.json.gz", f"curves{suffix}.json.gz")
        for name, suffix in ((name, "" if len(samples) == 1 else f"-{name}") for name in samples)
    }


def names(samples: tuple[str, ...]) -> tuple[str, ...]:
    """Names of all tables of a run with these samples."""
    return (*NAMES, *(name for pair in masses_and_curves(samples).values() for name in pair))


def write_cells(out: Path, samples: Mapping[str, Derived]) -> None:
    """masses.json.gz and curves.json.gz (what was fitted, and the fitted curves) of each sample, by its name;
    cells.parquet and templates.parquet: one row, or one group of rows, per fitted cell."""
    for sample, (masses, curves) in masses_and_curves(tuple(samples)).items():
        derived = samples[sample]
        data, all_counts = derived.data, derived.data.counts.sum(axis=1, keepdims=True)
        variances = data.counts if data.known.any() else None
        columns.write_masses(out / masses, data.counts - data.known, data.edges, variances)
        columns.write_masses(out / curves, all_counts * derived.fits.shares - data.known, data.edges)
    columns.write_columns(out / CELLS, _joined(cell_columns, samples))
    columns.write_columns(out / TEMPLATES, _joined(template_columns, samples))


def _joined(of: Callable[[Derived, str], dict[str, AnyArray]], samples: Mapping[str, Derived]) -> dict[str, AnyArray]:
    parts = [of(derived, name) for name, derived in samples.items()]
    return {column: np.concatenate([part[column] for part in parts]) for column in parts[0]}
