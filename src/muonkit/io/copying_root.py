"""ROOT files copied piece by piece; TTree and RNTuple stay what they are. In one tree some columns are replaced
and their old values kept. What uproot cannot write is left out and reported."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot
from uproot.writing import _cascadetree

from muonkit.core.arrays import FloatArray
from muonkit.core.limits import reading
from muonkit.io import root
from muonkit.io.chunks import Chunk
from muonkit.io.copying import Corrected
from muonkit.io.places import Place

MEMORY = "100 MB"


def entries(path: Place, name: str, tree: str | None) -> int:
    """Number of rows of a tree that fill about MEMORY with all their columns, at least 1.
    Raises InputError if the file is damaged or the choice of the tree is not clear."""
    with root.opened(path, name) as file, reading(name, root.KIND):
        return max(1, int(file[root.choose(file, name, tree)].num_entries_for(MEMORY)))


def root_file(path_out: Path, chunks: Sequence[Chunk], corrected: Corrected, slim: bool) -> tuple[str, ...]:
    """Copy all trees of a ROOT file, with the columns of `corrected(chunk)` replaced in the tree of the chunks.
    `slim`: only the columns of the chunks, and no other tree.

    Returns the names of what could not be written: other objects, and columns. Raises InputError if the file is
    damaged."""
    first = chunks[0]
    with root.opened(first.path, first.name) as file, uproot.recreate(path_out) as out:
        with reading(first.name, root.KIND):
            kinds = root.trees(file)
            classes = file.classnames(recursive=True, cycle=False)
        if slim:
            kinds, classes = {str(first.tree): kinds[str(first.tree)]}, {}
        dropped = [name for name, cls in classes.items() if name not in kinds and cls != "TDirectory"]
        for tree, kind in kinds.items():
            with reading(first.name, root.KIND):
                table = file[tree]
            copied = Copied(first.name, table, kind, out, tree, tuple(first.names.values()) if slim else ())
            if tree == first.tree:
                pieces = ((slice(c.start, c.stop), corrected(c)) for c in chunks)
                dropped += copied.rows(pieces, len(chunks))
            else:
                with reading(first.name, root.KIND):
                    slices = _slices(table)
                dropped += (f"{tree}/{name}" for name in copied.rows(((rows, {}) for rows in slices), len(slices)))
    return tuple(dropped)


@dataclass(frozen=True, slots=True)
class Copied:
    """A tree that is copied from one file (called `name` in messages) to the file `out`; `only` some columns, or, if
    that is empty, all."""

    name: str
    table: Any
    kind: str
    out: Any
    tree: str
    only: tuple[str, ...] = ()

    def rows(self, pieces: Iterable[tuple[slice, Mapping[str, FloatArray]]], count: int) -> list[str]:
        """Copy `count` pieces; returns the columns that could not be written. Raises InputError if the file is
        damaged."""
        with reading(self.name, root.KIND):
            names, lost = _columns(self.table, self.kind, self.only)
        writer: Any = None
        for rows, new in pieces:
            with reading(self.name, root.KIND):
                content = _content(self.table, names, rows, new)
            if not content:
                return lost or ["all, for it has no columns"]
            writer = writer or self._made(content, count)
            writer.extend(content)
        return lost

    def _made(self, content: Mapping[str, Any], count: int) -> Any:
        types = {name: array.type.content for name, array in content.items()}
        if self.kind == "RNTuple":
            return self.out.mkrntuple(self.tree, types)
        counters = {b.name: b.count_branch.name for b in self.table.branches if b.count_branch is not None}

        def counter(name: str) -> str:
            return counters.get(name.removesuffix("_original"), f"n{name}")

        # room for all baskets: otherwise uproot writes the description of all branches again (seconds)
        room = max(10, count)
        with _described_as(self.table):
            return self.out.mktree(
                self.tree, types, self.table.title, counter_name=counter, initial_basket_capacity=room
            )


@contextmanager
def _described_as(table: Any) -> Iterator[None]:
    """New trees get the titles that branches of the same name have in `table`, and counters without sign stay so.

    uproot has no argument for either, so its class for trees is replaced meanwhile."""
    titles = {branch.name: branch.title for branch in table.branches}
    unsigned = {branch.name for branch in table.branches if branch.typename == "uint32_t"}
    plain = _cascadetree.Tree

    class Described(_cascadetree.Tree):  # type: ignore[misc]
        def write_anew(self, sink: Any) -> None:
            for branch in self._branch_data:
                name, old = branch["fName"], branch["fName"].removesuffix("_original")
                if old in titles:
                    branch["fTitle"] = titles.get(name, f"{titles[old]} before correction")
                if branch["kind"] == "counter" and name in unsigned:
                    branch["dtype"] = np.dtype(">u4")
            super().write_anew(sink)

    _cascadetree.Tree = Described
    try:
        yield
    finally:
        _cascadetree.Tree = plain


def _slices(table: Any) -> list[slice]:
    step = max(1, int(table.num_entries_for(MEMORY))) if table.num_entries else 1
    return [slice(i, min(i + step, table.num_entries)) for i in range(0, max(1, table.num_entries), step)]


def _content(table: Any, names: Sequence[str], rows: slice, new: Mapping[str, FloatArray]) -> dict[str, Any]:
    content = {name: root.array(table, name, rows, "ak") for name in names}
    for name, values in new.items():
        if name in content:
            old = content[name]
            content[name] = _like(old, values)
            content[f"{name}_original"] = old
        else:
            record, _, member = name.rpartition(".")
            old = content[record][member]
            content[record] = ak.with_field(content[record], _like(old, values), member)
            content[record] = ak.with_field(content[record], old, f"{member}_original")
    return content


def _like(old: Any, values: FloatArray) -> Any:
    """`values` in the shape and, if that is a float, the type of `old`."""
    shaped = ak.unflatten(values, ak.num(old)) if old.ndim > 1 else ak.Array(values)
    return ak.values_astype(shaped, "float32") if "float32" in str(old.type) else shaped


def _columns(table: Any, kind: str, only: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names of the columns that can be written, and of those that cannot."""
    written: list[str] = []
    lost: list[str] = []
    names = root.own_columns(table)
    wanted = {column if column in names else column.rpartition(".")[0] for column in only} or names
    for name in names:
        if name in wanted:
            (written if _can_write(table, name, kind) else lost).append(name)
    return written, lost


def _can_write(table: Any, name: str, kind: str) -> bool:
    try:
        return _type_can_be_written(str(root.array(table, name, slice(0, 1), "ak").type.content), kind)
    except Exception:  # a class that uproot does not know: whatever its parser stumbles over
        return False


@cache
def _type_can_be_written(of: str, kind: str) -> bool:
    """Tried out in memory: uproot has no list of what it can write."""
    with uproot.recreate(io.BytesIO()) as scratch:
        make = scratch.mkrntuple if kind == "RNTuple" else scratch.mktree
        try:
            make("t", {"x": ak.types.from_datashape(of, highlevel=False)})
        except (TypeError, ValueError, NotImplementedError):
            return False
    return True
