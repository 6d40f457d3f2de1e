"""Pieces of files, and what was found in them: plain values that can be sent to other processes."""

from dataclasses import dataclass
from typing import Self

from muonkit.data.dimuons import Dimuons
from muonkit.io.config import Fallback
from muonkit.io.places import Place

FIRST_ROWS = 5


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows [start, stop) of one file (events for NanoAOD). `name`: the file in messages. `columns`: canonical names and
    those in the file. `span`: for a CSV file, first byte of the rows and of what follows (uncompressed). `fallback`:
    see `io.chosen`."""

    path: Place
    name: str
    format: str
    columns: tuple[tuple[str, str], ...]
    start: int
    stop: int
    simulation: bool
    tree: str | None = None
    span: tuple[int, int] | None = None
    fallback: Fallback | None = None

    @property
    def names(self) -> dict[str, str]:
        """Canonical name -> name in the file."""
        return dict(self.columns)


@dataclass(frozen=True, slots=True)
class Unread:
    """Rows [start, stop) of a file that could not be read, and why."""

    file: str
    start: int
    stop: int
    reason: str


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
    """Number of rows (muons for NanoAOD) and of bad ones among them. Pairs that are left out without being faulty are
    counted apart: same-sign ones, and in simulation those in which a muon has no generator muon. Muons with standard
    columns in place of the chosen ones are counted in `fell_back`, pairs with one such muon in `mixed`."""

    rows: int
    dropped: int = 0
    bad: tuple[BadRows, ...] = ()
    same_sign: int = 0
    unmatched: int = 0
    fell_back: int = 0
    mixed: int = 0

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
            self.fell_back + other.fell_back,
            self.mixed + other.mixed,
        )


@dataclass(frozen=True, slots=True)
class Checked:
    """The good pairs of a chunk, and the summary of what was found."""

    table: Dimuons
    summary: Summary

    @property
    def rows(self) -> int:
        """Number of rows that were looked at."""
        return self.summary.rows

    @property
    def bad(self) -> tuple[BadRows, ...]:
        """What was wrong with the rows that were dropped."""
        return self.summary.bad

    @property
    def same_sign(self) -> int:
        """Number of same-sign pairs that were left out."""
        return self.summary.same_sign
