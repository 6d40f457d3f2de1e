"""Events of a basf2 file (mdst, cdst) by uproot: arrays of objects, their members by name, relations between them.

A member is found by the first word of its branch, the array, and by the last `m_...`, the member, whichever way the
branch is nested: `Tracks/Tracks.m_trackFitIndices[6]`, `Tracks.m_trackFitIndices` and `Tracks_m_trackFitIndices` are
the same. Members that nobody asks for are not looked at."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import awkward as ak
import numpy as np

from muonkit.core.arrays import AnyArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.limits import reading
from muonkit.io import root
from muonkit.io.names import close

TREE = "tree"
META = "EventMetaData"
OF_EVENT = ("m_experiment", "m_run", "m_event")
KIND = "basf2 ROOT file"
ARRAY = re.compile(r"[A-Za-z0-9]+")
MEMBER = re.compile(r"(?:^|(?<=[./_]))m_[A-Za-z0-9]")
WIDTH = re.compile(r"(\[\d+\])+$")
EXPANDED = 2000  # times: no compression makes more of a byte
LENGTHS = {
    "m_tau": 5, "m_cov5": 15, "m_trackFitIndices": 6, "m_Strip": 2, "m_LastStrip": 2, "m_LogL": 6,
    "m_GlobalPosition": 3,
}  # fmt: skip

Name = tuple[str, str]


class Members(NamedTuple):
    """Number of objects of an array in every event (n,), and the values (k,) or (k, width) of a member, object after
    object."""

    counts: IntArray
    values: AnyArray


class Links(NamedTuple):
    """Relations from objects of one array to those of another: number in every event (n,); origin, target (k,): places
    in the arrays of the event, the target being the one with the largest weight (k,)."""

    counts: IntArray
    origin: IntArray
    target: IntArray
    weight: FloatArray


@dataclass(frozen=True)
class EventTree:
    """A tree of events: branches by array and member; events (n, 3): experiment, run, event of every entry; order (n,):
    entries, sorted by them."""

    path: Path
    name: str
    tree: str
    branches: dict[Name, str]
    events: IntArray
    order: IntArray

    def has(self, array: str, *members: str) -> bool:
        """Whether the array is there, with all these members."""
        own = {member for other, member in self.branches if other == array}
        return bool(own) and set(members) <= own

    def require(self, array: str, *members: str) -> None:
        """Raises InputError, one line, for an array or members that are not there."""
        own = [member for other, member in self.branches if other == array]
        if not own:
            arrays = sorted({other for other, _ in self.branches})
            near = close(array, arrays)
            meant = f" (is it {near}?)" if near else ""
            raise InputError(f"{self.name}: has no {array}{meant}. Found {', '.join(arrays)}. Write {array} too.")
        missing = [member for member in members if member not in own]
        if missing:
            raise InputError(
                f"{self.name}: {array} has no {', '.join(missing)} (found {', '.join(own)}). Write the file again "
                "with a release that has them."
            )

    @contextmanager
    def opened(self) -> Iterator["OpenTree"]:
        """The tree, open for reading. Raises InputError for whatever is wrong with the file in the block."""
        with root.opened(self.path, self.name) as file, reading(self.name, KIND):
            yield OpenTree(self, file[self.tree])


class OpenTree(NamedTuple):
    """A tree, and the table of uproot. To open it takes 15 to 100 ms, so a piece opens it once."""

    tree: EventTree
    table: Any

    def read(self, array: str, members: tuple[str, ...], entries: slice) -> dict[str, Members]:
        """Members of the objects in some entries. Raises InputError if they are not there, or differ in number."""
        self.tree.require(array, *members)
        branches = self.tree.branches
        found = {member: _members(self.table, branches[array, member], entries, member) for member in members}
        first = next(iter(found.values()))
        differ = [member for member, one in found.items() if not np.array_equal(one.counts, first.counts)]
        if differ:
            raise InputError(
                f"{self.tree.name}: {array}: {differ[0]} has other lengths than {members[0]}; the file is damaged"
            )
        return found

    def links(self, relation: str, entries: slice) -> Links:
        """The links of a relation. Raises InputError if it is not there."""
        names = ("m_from", "m_to", "m_weights")
        self.tree.require(relation, *names)
        branches = self.tree.branches
        return _best(*(root.array(self.table, branches[relation, name], entries, "ak") for name in names))


def open_tree(path: Path, tree: str | None = None) -> EventTree:
    """A basf2 file. Raises InputError if it is not there, is damaged, or holds no events of basf2."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file. Correct the path in [input].")
    name, nothing = str(path), np.zeros((0, 3), dtype=np.int64)
    with root.opened(path, name) as file, reading(name, KIND):
        chosen = tree or (TREE if TREE in root.trees(file) else None)
        chosen = root.choose(file, name, chosen)
        table = file[chosen]
        keys = {split(key): key for key in table.keys(recursive=True)}
        branches = {named: key for named, key in keys.items() if named is not None}
        if not branches:
            raise InputError(
                f"{name}: tree '{chosen}' holds no objects of basf2. Give an mdst or cdst, or another format."
            )
        bare = EventTree(path, name, chosen, branches, nothing, nothing[:, 0])
        events = _events(OpenTree(bare, table), int(table.num_entries))
    return replace(bare, events=events, order=np.lexsort(events.T[::-1]))


def split(key: str) -> Name | None:
    """Array and member of the path of a branch; None if it names no member."""
    bare = WIDTH.sub("", key)
    array, members = ARRAY.match(bare), list(MEMBER.finditer(bare))
    if array is None or not members or members[-1].start() == 0:
        return None
    return array.group(), bare[members[-1].start() :]


def _events(here: OpenTree, entries: int) -> IntArray:
    """Experiment, run and event (n, 3) of every entry."""
    found = here.read(META, OF_EVENT, slice(0, entries))
    if any(np.any(one.counts != 1) for one in found.values()):
        raise InputError(f"{here.tree.name}: {META} does not stand once in every event; write the file again")
    return np.column_stack([one.values.astype(np.int64) for one in found.values()]).reshape(-1, 3)


def _members(table: Any, branch: str, entries: slice, member: str) -> Members:
    """Raises ValueError for what is no member with a fixed number of values."""
    _check_size(table[branch], branch)
    rows = root.array(table, branch, entries, "ak")
    if rows.ndim == 1:
        return Members(np.ones(len(rows), dtype=np.int64), _numbers(rows, branch))
    counts, length = ak.to_numpy(ak.num(rows, axis=1)).astype(np.int64), LENGTHS.get(member, 1)
    values = _numbers(ak.flatten(rows, axis=1), branch)
    if rows.ndim == 2 and length > 1:  # one list for all objects of an event
        if np.any(counts % length):
            raise ValueError(f"branch {branch} holds no {length} numbers for every object")
        return Members(counts // length, values.reshape(-1, length))
    if values.shape[1:] != (() if length == 1 else (length,)):
        raise ValueError(f"branch {branch} holds {values.shape[1:]} numbers for every object, not {length}")
    return Members(counts, values)


def _numbers(values: Any, branch: str) -> AnyArray:
    found: AnyArray = ak.to_numpy(values)
    if found.dtype.kind not in "biuf":
        raise ValueError(f"branch {branch} does not hold numbers")
    return found


def _check_size(branch: Any, name: str) -> None:
    """Raises ValueError for a branch that says to unpack to more than can be."""
    packed = getattr(branch, "compressed_bytes", None)
    if packed is not None and branch.uncompressed_bytes > EXPANDED * max(packed, 1):
        raise ValueError(f"branch {name} unpacks {packed} bytes to {branch.uncompressed_bytes}")


def _best(origin: Any, target: Any, weight: Any) -> Links:
    """Of every relation the target with the largest weight; those without a target are left out."""
    if target.ndim == 3:
        heaviest = ak.argmax(weight, axis=2, keepdims=True)
        target, weight = (ak.firsts(part[heaviest], axis=2) for part in (target, weight))
        there = ~ak.is_none(target, axis=1)
        origin, target, weight = (part[there] for part in (origin, target, weight))
    counts = ak.to_numpy(ak.num(origin, axis=1)).astype(np.int64)
    flat = (ak.flatten(part, axis=1) for part in (origin, target, weight))
    origin, target, weight = (ak.to_numpy(part, allow_missing=False) for part in flat)
    return Links(counts, origin.astype(np.int64), target.astype(np.int64), weight.astype(np.float64))
