"""Rows that cannot be muons, and columns in the wrong unit."""

from collections.abc import Iterator, Mapping

import numpy as np

from muonkit.core.arrays import AnyArray, BoolArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.kinematics import mass
from muonkit.data.dimuons import Dimuons
from muonkit.io.chunks import FIRST_ROWS, BadRows, Chunk
from muonkit.io.names import PHI, PT, in_file

CHARGES = ("Q1", "Q2", "Muon_charge", "charge")
ETA_MAX = 20.0
"""Beyond it cosh(eta) has no meaning: a muon with pT = 1 GeV would carry 1e8 GeV."""

PT_MIN, PT_MAX, WEIGHT_MAX = 1e-9, 1e9, 1e30
"""No unit brings a muon beyond these. Squares of what is beyond overflow."""

MIN_ROWS = 10  # fewer rows say nothing about a unit
MEV_PT, MEV_MASS = 500.0, 200.0
"""Medians above which pT and mass are taken to be in MeV: no resonance of the package lies there in GeV."""

PHI_MAX = 2 * np.pi + 0.1
DEGREES_SHARE = 0.01


def examine(
    values: Mapping[str, AnyArray], chunk: Chunk, rows: IntArray | None = None
) -> tuple[BoolArray, tuple[BadRows, ...]]:
    """Mask (n,) of good rows, and what is wrong with the others, one entry per column and fault.
    `values`: canonical name -> column (n,). `rows` (n,): number in the file of every row, if they do not simply follow
    chunk.start."""
    good = np.ones(len(next(iter(values.values()))), dtype=np.bool_)
    found: list[BadRows] = []
    for key, column in values.items():
        for reason, bad in _faults(key, column):
            if bad.any():
                good &= ~bad
                places = np.flatnonzero(bad)
                numbers = places + chunk.start if rows is None else rows[places]
                first = tuple(int(number) for number in numbers[:FIRST_ROWS])
                found.append(BadRows(chunk.name, chunk.names[key], reason, len(places), first))
    return good, tuple(found)


def _faults(key: str, column: AnyArray) -> Iterator[tuple[str, BoolArray]]:
    column = column.astype(np.float32) if column.dtype == np.float16 else column  # its largest number is 65504
    finite = np.isfinite(column)
    yield "not finite", ~finite
    if key.startswith("pt") or key.endswith("_pt"):
        yield "not positive", finite & (column <= 0)
        yield f"not between {PT_MIN:g} and {PT_MAX:g}", finite & (column > 0) & ((column < PT_MIN) | (column > PT_MAX))
    if key.startswith("eta") or key.endswith("_eta"):
        yield f"not between -{ETA_MAX:g} and {ETA_MAX:g}", finite & (np.abs(column) > ETA_MAX)
    if key == "weight":
        yield f"beyond {WEIGHT_MAX:g}", finite & (np.abs(column) > WEIGHT_MAX)
    if key in CHARGES:
        zero = column == 0
        yield "0 instead of +1 or -1", zero
        yield "not +1 or -1", finite & ~zero & (column != 1) & (column != -1)


def check_charges(columns: Mapping[str, AnyArray], chunk: Chunk) -> None:
    """Raises InputError if charges of -1 were stored as the largest unsigned number (255 in a byte)."""
    faults = []
    for key, column in columns.items():
        if key in CHARGES and column.dtype.kind == "u":
            largest = np.iinfo(column.dtype).max
            count = int((column == largest).sum())
            if count:
                faults.append(
                    f"{chunk.name}: column '{chunk.names[key]}' is {largest} in {count} entries: -1 as an unsigned "
                    f"number. Store charges as signed numbers."
                )
    if faults:
        raise InputError(faults)


def check_units(table: Dimuons, chunk: Chunk) -> None:
    """Raises InputError if pT looks like MeV or phi like degrees. Tables with fewer than MIN_ROWS rows pass."""
    if len(table) < MIN_ROWS:
        return
    faults = []
    phi = np.abs(np.concatenate([table.plus.phi, table.minus.phi]))
    if np.mean(phi > PHI_MAX) > DEGREES_SHARE:
        faults.append(f"{_look(chunk, PHI)} like degrees (largest {phi.max():.4g}); give radians")
    median = float(np.median(table.plus.pt))
    if median > MEV_PT and float(np.median(_mass(table))) > MEV_MASS:
        faults.append(f"{_look(chunk, PT)} like MeV (median {median:.4g}); give GeV")
    if faults:
        raise InputError(f"{chunk.name}: {fault}" for fault in faults)


def _mass(table: Dimuons) -> AnyArray:
    with np.errstate(over="ignore", invalid="ignore"):
        return mass(table.plus, table.minus)


def _look(chunk: Chunk, columns: Mapping[str, tuple[str, ...]]) -> str:
    names = in_file(chunk.names, columns[chunk.format])
    listed = ", ".join(f"'{name}'" for name in names)
    return f"column {listed} looks" if len(names) == 1 else f"columns {listed} look"
