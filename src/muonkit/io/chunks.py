"""What is read, and what was found in it: plain values that can travel between processes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from muonkit.data.dimuons import Dimuons

FIRST_ROWS = 5


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows [start, stop) of one file (events for NanoAOD). `name` is what messages call the file; `columns` maps
    canonical names to those in the file; `span` are the bytes of the rows in a CSV file (uncompressed)."""

    path: Path
    name: str
    format: str
    columns: tuple[tuple[str, str], ...]
    start: int
    stop: int
    simulation: bool
    tree: str | None = None
    span: tuple[int, int] | None = None

    @property
    def names(self) -> dict[str, str]:
        """Canonical name -> name in the file."""
        return dict(self.columns)


@dataclass(frozen=True, slots=True)
class BadRows:
    """`count` rows of `file` in which `column` has the fault `reason`; `first_rows` are row numbers from 0."""

    file: str
    column: str
    reason: str
    count: int
    first_rows: tuple[int, ...]

    def __add__(self, other: Self) -> Self:
        rows = tuple(sorted(self.first_rows + other.first_rows))[:FIRST_ROWS]
        return type(self)(self.file, self.column, self.reason, self.count + other.count, rows)


@dataclass(frozen=True, slots=True)
class Summary:
    """Rows looked at (muons for NanoAOD), bad ones among them, and pairs left out without being faulty:
    same-sign ones, and in simulation those without a generator muon for each of the two."""

    rows: int
    dropped: int = 0
    bad: tuple[BadRows, ...] = ()
    same_sign: int = 0
    unmatched: int = 0

    def __add__(self, other: Self) -> Self:
        merged: dict[tuple[str, str, str], BadRows] = {}
        for row in self.bad + other.bad:
            key = (row.file, row.column, row.reason)
            merged[key] = merged[key] + row if key in merged else row
        return type(self)(
            self.rows + other.rows,
            self.dropped + other.dropped,
            tuple(merged.values()),
            self.same_sign + other.same_sign,
            self.unmatched + other.unmatched,
        )


@dataclass(frozen=True, slots=True)
class Checked:
    """The good pairs of a chunk, and what was found on the way."""

    table: Dimuons
    summary: Summary

    @property
    def rows(self) -> int:
        return self.summary.rows

    @property
    def bad(self) -> tuple[BadRows, ...]:
        return self.summary.bad

    @property
    def same_sign(self) -> int:
        return self.summary.same_sign
