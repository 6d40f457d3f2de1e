"""A table of the material that a detector has against theta, made by another program: CSV with the columns of COLUMNS,
each the mean over azimuth."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.core.errors import InputError
from muonkit.core.limits import read_text, reading

THETA = "theta"
COLUMNS = {"X0": "real_mean_xX0", "lambda": "real_mean_xlam", "MeV": "real_mean_MeV"}
"""Measures of material, and their columns."""


@dataclass(frozen=True, slots=True)
class MaterialTable:
    """theta (n,) [deg], rising; `values`, each (n,): radiation lengths, interaction lengths, MeV that a muon loses."""

    theta: FloatArray
    values: dict[str, FloatArray]


def read_material(path: Path) -> MaterialTable:
    """Raises InputError if the file cannot be read, lacks a column, or has fewer than three angles or a value that is
    no positive number."""
    with reading(str(path), "table of material"):
        rows = list(csv.DictReader(io.StringIO(read_text(path))))
    missing = [name for name in (THETA, *COLUMNS.values()) if not rows or name not in rows[0]]
    if missing:
        raise InputError(f"{path}: column '{missing[0]}' is missing; give a table with {', '.join(COLUMNS.values())}")
    theta, *values = (_numbers(path, rows, name) for name in (THETA, *COLUMNS.values()))
    if len(theta) < 3 or np.any(np.diff(theta) <= 0) or theta[0] <= 0 or theta[-1] >= 180:
        raise InputError(f"{path}: theta must rise between 0 and 180 degrees over three rows or more")
    if min(column.min() for column in values) <= 0:
        raise InputError(f"{path}: a value is not positive; leave out angles without material")
    return MaterialTable(theta, dict(zip(COLUMNS, values, strict=True)))


def _numbers(path: Path, rows: list[dict[str, str]], name: str) -> FloatArray:
    try:
        column = np.array([float(row[name]) for row in rows])
    except (TypeError, ValueError):
        raise InputError(f"{path}: column '{name}' has something that is no number") from None
    if not np.all(np.isfinite(column)):
        raise InputError(f"{path}: column '{name}' has a value that is not finite")
    return column
