"""Files -> sums, chunk by chunk: each chunk is read, checked, corrected, counted and forgotten."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial, reduce
from operator import add
from time import sleep
from typing import Self

from muonkit.calibration.accumulate import (
    CellMasses,
    Corrector,
    CountSettings,
    accumulate,
)
from muonkit.calibration.drift import RunPairs, SliceMasses, Slicing
from muonkit.calibration.export import Corrections
from muonkit.calibration.kernels.counting import Slices
from muonkit.calibration.reach import PtCounts, ReachCounts
from muonkit.calibration.response import Truth, accumulate_truth
from muonkit.calibration.summary import RowCounts
from muonkit.core.arrays import FloatArray
from muonkit.core.errors import InputError, UnreadableError
from muonkit.core.streams import say
from muonkit.data.dimuons import Dimuons
from muonkit.io import source
from muonkit.io.repeated import Repeats, repeats
from muonkit.pipelines.looks import Looked, Softest
from muonkit.simulation.dimuons.generate import EventBlock, make_block

DimuonPiece = source.Chunk | EventBlock
PAUSES = (0.5, 2.0)  # s, before an unreadable chunk is read again: servers and disks have bad moments


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
    """One chunk of a file, or one block of the built-in generator; what to count in it, whether generated muons are
    counted too, and whether repeated pairs are looked for, among one pair in `one_in` (0: not at all). With `slicing`
    the first of the counts is also made in slices of runs. `runs`: first and last of those whose pairs are counted."""

    piece: DimuonPiece
    settings: CountSettings
    counts: tuple[Count, ...] = (Count(),)
    truth: bool = False
    one_in: int = 0
    slicing: Slicing | None = None
    runs: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Sums:
    """What adds up: one CellMasses per count; generated muons and slices of runs, where asked for; what was wrong in
    the rows."""

    masses: tuple[CellMasses, ...]
    truth: Truth | None
    summary: source.Summary
    slices: SliceMasses | None = None

    def __add__(self, other: Self) -> Self:
        masses = tuple(map(add, self.masses, other.masses))
        truth = None if self.truth is None or other.truth is None else self.truth + other.truth
        slices = None if self.slices is None or other.slices is None else self.slices + other.slices
        return type(self)(masses, truth, self.summary + other.summary, slices)


@dataclass(frozen=True, slots=True)
class PieceCounts:
    """The sums of one task, and what the pairs show, where asked for; no sums if the chunk could not be read."""

    sums: Sums | None
    looked: Looked | None = None
    unread: source.Unread | None = None

    @property
    def is_read(self) -> bool:
        """Whether the chunk could be read."""
        return self.unread is None


Map = Callable[[Callable[[CountTask], PieceCounts], Iterable[CountTask]], Iterable[PieceCounts]]


@dataclass(frozen=True, slots=True)
class Counted:
    """Sums over all chunks that could be read: one CellMasses per count, generated muons, what was wrong in the files,
    numbers of rows, the softest muons of every piece with the name of its file, the pT of the selected muons, how many
    of them the corrections reach that are tested, the runs of every piece; masses in slices of runs, where asked for.
    Then the chunks that could not be read."""

    masses: tuple[CellMasses, ...]
    truth: Truth | None
    warnings: tuple[str, ...]
    rows: RowCounts
    softest: tuple[tuple[str, Softest], ...]
    pt: PtCounts | None
    reach: ReachCounts
    runs: tuple[RunPairs, ...]
    slices: SliceMasses | None
    unread: tuple[source.Unread, ...] = ()

    @property
    def all_runs(self) -> RunPairs:
        """The runs of all pieces."""
        return reduce(add, self.runs, RunPairs.none())

    @property
    def sample(self) -> FloatArray:
        """Smallest and largest pT (bins, 2) [GeV] of the selected muons. Raises ValueError if nobody looked."""
        if self.pt is None:
            raise ValueError("these tasks did not look at pT")
        return self.pt.range

    @property
    def known_truth(self) -> Truth:
        """What was counted of generated muons. Raises ValueError if that was not asked for."""
        if self.truth is None:
            raise ValueError("these tasks did not count generated muons")
        return self.truth


def count(tasks: list[CountTask], run: Map, max_bad_share: float) -> Counted:
    """Add up all tasks in their order, each as it comes: memory does not grow with their number. Shares of bad rows are
    those of all runs: a part of the runs is not refused.

    Raises InputError when too many rows are bad, too many pairs repeated, or no chunk could be read."""
    seen = _Seen()
    parts = _sums(tasks, run, seen)
    begin = next(parts, None)
    if begin is None:
        raise InputError(sorted({each.reason for each in seen.unread}))
    sums, looked = reduce(add, parts, begin), seen.looked
    total = sums.summary
    max_bad_share = max_bad_share if tasks[0].runs is None else 1.0
    warnings = source.refuse([total], max_bad_share)
    found = repeats([(name, each.hashes) for name, each in looked], max(tasks[0].one_in, 1))
    warnings += refuse_repeated(found, max_bad_share)
    if isinstance(first := tasks[0].piece, source.Chunk):
        warnings += source.refuse_fallback(total, first, strict=tasks[0].runs is None)
    rows = RowCounts(
        total.rows, total.dropped, total.same_sign, total.unmatched, found.pairs, total.fell_back, total.mixed
    )
    return Counted(
        sums.masses,
        sums.truth,
        tuple(warnings),
        rows,
        tuple((name, each.softest) for name, each in looked),
        reduce(add, (each.pt for _, each in looked)) if looked else None,
        reduce(add, (each.reach for _, each in looked), ReachCounts()),
        tuple(seen.runs),
        sums.slices,
        tuple(seen.unread),
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is kept of the pieces: what their pairs show, with the name of the file; the runs of every piece; those that
    could not be read."""

    looked: list[tuple[str, Looked]] = field(default_factory=list)
    runs: list[RunPairs] = field(default_factory=list)
    unread: list[source.Unread] = field(default_factory=list)

    def add(self, piece: DimuonPiece, part: PieceCounts) -> None:
        """Keep what one piece shows."""
        self.runs.append(part.looked.runs if part.looked else RunPairs.none())
        if part.unread is not None:
            self.unread.append(part.unread)
        if part.looked is not None and isinstance(piece, source.Chunk):
            self.looked.append((piece.name, part.looked))


def _sums(tasks: list[CountTask], run: Map, seen: _Seen) -> Iterator[Sums]:
    """The sums of all tasks that could be read, one after the other."""
    for task, part in zip(tasks, run(count_piece, tasks), strict=True):
        seen.add(task.piece, part)
        if part.sums is not None:
            yield part.sums


def refuse_repeated(found: Repeats, max_share: float) -> list[str]:
    """One line for every two files that share pairs. Raises InputError if more than `max_share` of all pairs stand in
    the files before."""
    lines = found.described()
    if found.share > max_share:
        end = f"{found.share:.2%} of all pairs are repeated, {max_share:.2%} is allowed"
        way_out = "leave out what is there twice, or raise input.max_bad_share"
        raise InputError(f"{line}. {end}: {way_out}" for line in lines)
    return [f"{line}; counted twice" for line in lines]


def count_piece(task: CountTask) -> PieceCounts:
    """The sums of one task, or why it could not be read; module-level, so that it can travel to another process."""
    try:
        table, summary = load(task.piece)
    except UnreadableError as error:
        chunk = task.piece
        if not isinstance(chunk, source.Chunk):
            raise
        return PieceCounts(None, unread=source.Unread(chunk.name, chunk.start, chunk.stop, error.faults[0]))
    table = table if task.runs is None else _of_runs(table, *task.runs)
    first, *others = (each.of(table) for each in task.counts)
    sliced = _slices(first, task)
    masses = (accumulate(first, task.settings, sliced), *(accumulate(each, task.settings) for each in others))
    truth = accumulate_truth(table, task.settings) if task.truth else None
    tested = next((each.corrector for each in task.counts if isinstance(each.corrector, Corrections)), None)
    looked = Looked.at(table, task.settings, task.one_in, tested) if task.one_in else None
    slices = SliceMasses(sliced.masses, sliced.weight2) if sliced else None
    return PieceCounts(Sums(masses, truth, summary, slices), looked)


def _of_runs(table: Dimuons, first: int, last: int) -> Dimuons:
    if table.identity is None:
        return table
    return table[(table.identity.run >= first) & (table.identity.run <= last)]


def _slices(table: Dimuons, task: CountTask) -> Slices | None:
    """Empty slices of runs for the pairs of a piece, where they are asked for."""
    if task.slicing is None or table.identity is None:
        return None
    empty = SliceMasses.empty(len(task.slicing), task.settings.mass_bins)
    return Slices(task.slicing.rows(table.identity.run), task.slicing.classes, empty.masses, empty.weight2)


def rows_of(pieces: Iterable[DimuonPiece]) -> int:
    """Rows (events for NanoAOD) of those pieces that are in files."""
    return sum(piece.stop - piece.start for piece in pieces if isinstance(piece, source.Chunk))


def load(piece: DimuonPiece) -> tuple[Dimuons, source.Summary]:
    """The pairs of a piece and what was wrong with its rows. A chunk that cannot be read is tried again after PAUSES.
    Raises UnreadableError if that does not help."""
    if isinstance(piece, EventBlock):
        table = make_block(piece)
        return table, source.Summary(len(table))
    checked = retried(partial(source.read, piece))
    return checked.table, checked.summary


def retried(read: Callable[[], source.Checked]) -> source.Checked:
    """What `read` returns, at last after PAUSES and a line on stderr each. Raises UnreadableError."""
    for pause in PAUSES:
        try:
            return read()
        except UnreadableError as error:
            say(f"{error.faults[0]} It is read again in {pause:g} s.")
            sleep(pause)
    return read()
