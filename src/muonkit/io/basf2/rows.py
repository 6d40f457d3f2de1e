"""Objects of a basf2 file as rows of a table: those of one event after the other, events sorted by experiment, run and
number, whatever the order of the entries."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from muonkit.core.arrays import AnyArray, IntArray
from muonkit.core.errors import InputError
from muonkit.io.basf2.tree import EventTree, OpenTree

IDS = ("experiment", "run", "event", "track")
Columns = dict[str, AnyArray]


@dataclass(frozen=True)
class Rows:
    """A table of objects; first (n + 1,): row of the first object of every event, in the order of the events."""

    tree: EventTree
    first: IntArray
    names: ClassVar[tuple[str, ...]] = ()

    def __len__(self) -> int:
        return int(self.first[-1])

    def columns(self, here: OpenTree, entries: slice) -> tuple[IntArray, Columns]:
        """Number of rows of every entry, and all columns but IDS, entry by entry."""
        raise NotImplementedError

    def read(self, names: tuple[str, ...], start: int, stop: int) -> Columns:
        """Columns of rows [start, stop). Raises InputError for a damaged file."""
        rows = np.arange(start, min(stop, len(self)))
        event = np.searchsorted(self.first, rows, "right") - 1
        ids = self.tree.events[self.tree.order[event]]
        found = dict(zip(IDS, (*ids.T, rows - self.first[event]), strict=True))
        others = [name for name in names if name not in IDS]
        if others:
            found |= self._read(event, rows - self.first[event])
        return {name: found[name] for name in names}

    def _read(self, event: IntArray, place: IntArray) -> Columns:
        """All columns of the objects at these places of these events."""
        entry = self.tree.order[event]
        low, high = (int(entry.min()), int(entry.max()) + 1) if len(entry) else (0, 0)
        with self.tree.opened() as here:
            counts, columns = self.columns(here, slice(low, high))
        starts = np.concatenate(([0], np.cumsum(counts)))
        wanted = starts[entry - low] + place
        return {name: values[wanted] for name, values in columns.items()}


def first_rows(tree: EventTree, counts: IntArray) -> IntArray:
    """First rows (n + 1,) of the events in their order, of the numbers (n,) of objects in the entries."""
    return np.concatenate(([0], np.cumsum(counts[tree.order]))).astype(np.int64)


def starts_of(counts: IntArray) -> IntArray:
    """Where the objects of every entry start (n,)."""
    return np.cumsum(counts) - counts


def relate(here: OpenTree, relation: str, entries: slice, origins: IntArray, targets: IntArray) -> IntArray:
    """Row of the target of every object (k,), entry after entry, -1 without one; `origins`, `targets` (n,): numbers of
    objects in the entries. The heaviest link of an object counts, of equal ones the first. Raises InputError for a link
    to nowhere."""
    links = here.links(relation, entries)
    entry = np.repeat(np.arange(len(links.counts)), links.counts)
    wrong = (
        (links.origin >= origins[entry]) | (links.target >= targets[entry]) | (links.origin < 0) | (links.target < 0)
    )
    if np.any(wrong):
        raise InputError(
            f"{here.tree.name}: {relation}: {np.sum(wrong)} relations lead to nowhere; the file is damaged"
        )
    row = np.full(int(origins.sum()), -1)
    own, there = starts_of(origins)[entry] + links.origin, starts_of(targets)[entry] + links.target
    order = np.argsort(-links.weight, kind="stable")[::-1]  # the last one written stays
    row[own[order]] = there[order]
    return row
