"""Files -> sums, chunk by chunk: each chunk is read, checked, corrected, counted and forgotten."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from operator import add

from muonkit.calibration.accumulate import (
    CellMasses,
    Corrector,
    CountSettings,
    GenMasses,
    accumulate,
    accumulate_generator,
)
from muonkit.data.dimuons import Dimuons
from muonkit.io import source
from muonkit.simulation.dimuons.generate import EventBlock, make_block

DimuonPiece = source.Chunk | EventBlock


@dataclass(frozen=True, slots=True)
class Count:
    """What is counted of the pairs: corrected by `corrector`, or as they are; all, or every other one (`half` 0, 1)."""

    corrector: Corrector | None = None
    half: int | None = None

    def of(self, table: Dimuons) -> Dimuons:
        """The pairs that are counted."""
        part = table if self.half is None else table[self.half :: 2]
        return part if self.corrector is None else self.corrector(part)


@dataclass(frozen=True, slots=True)
class CountTask:
    """One chunk of a file, or one block of the built-in generator; what to count in it, and whether generator masses
    are counted too."""

    piece: DimuonPiece
    settings: CountSettings
    counts: tuple[Count, ...] = (Count(),)
    generator: bool = False


@dataclass(frozen=True, slots=True)
class PieceCounts:
    """The sums of one task: one CellMasses per count; generator masses where asked for; what was wrong in the rows."""

    masses: tuple[CellMasses, ...]
    generator: GenMasses | None
    summary: source.Summary


Map = Callable[[Callable[[CountTask], PieceCounts], Iterable[CountTask]], Iterable[PieceCounts]]


@dataclass(frozen=True, slots=True)
class Counted:
    """Sums over all chunks: one CellMasses per count, generator masses, what was wrong in the files."""

    masses: tuple[CellMasses, ...]
    generator: GenMasses | None
    warnings: tuple[str, ...]

    @property
    def gen_masses(self) -> GenMasses:
        """The generator masses. Raises ValueError if they were not asked for."""
        if self.generator is None:
            raise ValueError("these tasks did not count generator masses")
        return self.generator


def count(tasks: list[CountTask], run: Map, max_bad_share: float) -> Counted:
    """Add up all tasks in their order. Raises InputError when too many rows are bad."""
    parts = list(run(count_piece, tasks))
    warnings = source.refuse([part.summary for part in parts], max_bad_share)
    masses = tuple(reduce(add, same) for same in zip(*(part.masses for part in parts), strict=True))
    generators = [part.generator for part in parts if part.generator is not None]
    return Counted(masses, reduce(add, generators) if generators else None, tuple(warnings))


def count_piece(task: CountTask) -> PieceCounts:
    """The sums of one task; module-level, so that it can travel to another process."""
    table, summary = load(task.piece)
    masses = tuple(accumulate(each.of(table), task.settings) for each in task.counts)
    return PieceCounts(masses, accumulate_generator(table, task.settings) if task.generator else None, summary)


def load(piece: DimuonPiece) -> tuple[Dimuons, source.Summary]:
    """The pairs of a piece and what was wrong with its rows."""
    if isinstance(piece, EventBlock):
        table = make_block(piece)
        return table, source.Summary(len(table))
    checked = source.read(piece)
    return checked.table, checked.summary
