"""Tables with one row per pair -> Dimuons: the package's own columns, and those of the CMS Open Data."""

from collections.abc import Mapping

import numpy as np

from muonkit.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from muonkit.core.kinematics import MuonArrays
from muonkit.data.dimuons import Dimuons, Identity
from muonkit.io.checks import check_charges, examine
from muonkit.io.chunks import Checked, Chunk, Summary
from muonkit.io.names import IDENTITY

TOO_LARGE = 2.0**63  # for an int64

Columns = Mapping[str, AnyArray]


def dimuons(raw: Columns, chunk: Chunk) -> Checked:
    """The good pairs of a chunk, and what was found. `raw`: canonical name -> column (n,), one row per pair.
    Raises InputError if charges are unsigned and hold -1."""
    check_charges(raw, chunk)
    good, bad = examine(raw, chunk)
    dropped = int((~good).sum())
    kept = {key: column[good] for key, column in raw.items()} if dropped else raw
    if chunk.format == "dimuon":
        return Checked(_table(_muon(kept, "plus_"), _muon(kept, "minus_"), kept), Summary(len(good), dropped, bad))
    opposite = kept["Q1"] != kept["Q2"]  # both are +1 or -1, of any type
    same_sign = int((~opposite).sum())
    kept = {key: column[opposite] for key, column in kept.items()}
    return Checked(_by_charge(kept), Summary(len(good), dropped, bad, same_sign))


def _by_charge(columns: Columns) -> Dimuons:
    # pt, eta, phi only: in some rows E and p come from another fit of the same track
    first, second = (_numbered(columns, number) for number in "12")
    plus_first = columns["Q1"] > 0
    return _table(_where(plus_first, first, second), _where(plus_first, second, first), columns)


def _numbered(columns: Columns, number: str) -> MuonArrays:
    return MuonArrays(*(_floats(columns[f"{name}{number}"]) for name in ("pt", "eta", "phi")))


def _where(mask: BoolArray, yes: MuonArrays, no: MuonArrays) -> MuonArrays:
    return MuonArrays(*(np.where(mask, a, b) for a, b in zip(yes, no, strict=True)))


def _muon(columns: Columns, prefix: str) -> MuonArrays:
    return MuonArrays(*(_floats(columns[f"{prefix}{name}"]) for name in ("pt", "eta", "phi")))


def _floats(column: AnyArray) -> FloatArray:
    return column.astype(np.float64)


def _table(plus: MuonArrays, minus: MuonArrays, columns: Columns) -> Dimuons:
    generator = "plus_gen_pt" in columns
    return Dimuons(
        plus,
        minus,
        weight(columns, len(plus.pt)),
        identity(columns, len(plus.pt)),
        _muon(columns, "plus_gen_") if generator else None,
        _muon(columns, "minus_gen_") if generator else None,
    )


def weight(columns: Columns, rows: int) -> FloatArray:
    """The column `weight`, or ones; (rows,)."""
    return _floats(columns["weight"]) if "weight" in columns else np.ones(rows)


def identity(columns: Columns, rows: int) -> Identity | None:
    """Run, luminosity block and event, (rows,) each; None without run or event. A missing luminosity block is 0."""
    if not {"run", "event"} <= set(columns):
        return None
    zero = np.zeros(rows, dtype=np.int64)
    return Identity(*(integers(columns[key]) if key in columns else zero for key in IDENTITY))


def integers(column: AnyArray) -> IntArray:
    """A column (n,) as int64, with 0 for floating point numbers that no int64 holds."""
    if column.dtype.kind in "iub":
        return column.astype(np.int64)
    values = column.astype(np.float64, copy=False)
    return np.where(np.abs(values) < TOO_LARGE, values, 0).astype(np.int64)
