"""Files -> sums, chunk by chunk: each chunk is read, checked, corrected, counted and forgotten."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import reduce
from operator import add
from typing import Any, TypeVar

import numpy as np

from muonkit.calibration.accumulate import (
    CellMasses,
    Corrector,
    CountSettings,
    GenMasses,
    accumulate,
    accumulate_generator,
)
from muonkit.core.arrays import AnyArray
from muonkit.data.dimuons import Dimuons
from muonkit.io import source
from muonkit.simulation.dimuons.generate import Block, make_block

Arrays = Mapping[str, AnyArray]
Piece = source.Chunk | Block
Sums = TypeVar("Sums", CellMasses, GenMasses)
Map = Callable[[Callable[[Any], Arrays], Iterable[Any]], Iterable[Arrays]]


@dataclass(frozen=True, slots=True)
class Task:
    """One chunk of a file, or one block of the built-in generator, and what to count in it.

    `corrections`: one count each; None stands for muons as they are. `half` picks every other pair (0, 1) or all."""

    piece: Piece
    settings: CountSettings
    counts: tuple[tuple[Corrector | None, int | None], ...] = ((None, None),)
    generator: bool = False


@dataclass(frozen=True, slots=True)
class Counted:
    """Sums over all chunks: one CellMasses per count, generator masses, what was wrong in the files."""

    masses: tuple[CellMasses, ...]
    generator: GenMasses | None
    warnings: tuple[str, ...]

    @property
    def gen_masses(self) -> GenMasses:
        """The generator masses, where they were asked for."""
        if self.generator is None:
            raise ValueError("these tasks did not count generator masses")
        return self.generator


def count(tasks: list[Task], run: Map, max_bad_share: float) -> Counted:
    """Add up all tasks in their order. Raises InputError when too many rows are bad."""
    parts = list(run(count_piece, tasks))
    warnings = source.refuse([source.Summary.from_json(str(part["summary"])) for part in parts], max_bad_share)
    masses = tuple(
        reduce(add, (_unpack(CellMasses, part, f"m{i}") for part in parts)) for i in range(len(tasks[0].counts))
    )
    generator = reduce(add, (_unpack(GenMasses, part, "g") for part in parts)) if tasks[0].generator else None
    return Counted(masses, generator, tuple(warnings))


def count_piece(task: Task) -> dict[str, AnyArray]:
    """The sums of one task as flat arrays; module-level, so that it can travel to another process."""
    table, summary = load(task.piece)
    arrays: dict[str, AnyArray] = {"summary": np.array(summary.to_json())}
    for i, (corrector, half) in enumerate(task.counts):
        part = table if half is None else table[half::2]
        arrays |= _pack(accumulate(part if corrector is None else corrector(part), task.settings), f"m{i}")
    if task.generator:
        arrays |= _pack(accumulate_generator(table, task.settings), "g")
    return arrays


def load(piece: Piece) -> tuple[Dimuons, source.Summary]:
    """The pairs of a piece and what was wrong with its rows."""
    if isinstance(piece, Block):
        table = make_block(piece)
        return table, source.Summary(len(table))
    checked = source.read(piece)
    return checked.table, checked.summary


def _pack(sums: CellMasses | GenMasses, prefix: str) -> dict[str, AnyArray]:
    return {f"{prefix}.{f.name}": np.asarray(getattr(sums, f.name)) for f in fields(sums)}


def _unpack(cls: type[Sums], arrays: Arrays, prefix: str) -> Sums:
    values = {f.name: arrays[f"{prefix}.{f.name}"] for f in fields(cls)}
    plain: dict[str, Any] = {name: value if value.ndim else int(value) for name, value in values.items()}
    return cls(**plain)
