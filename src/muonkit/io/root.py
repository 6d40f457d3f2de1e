"""ROOT files: TTree and RNTuple, with jagged columns as awkward arrays. A member of a list of records is a column of
its own: `Muon` with the member `pt` is the column `Muon.pt`."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import awkward as ak
import uproot

from muonkit.core.arrays import AnyArray
from muonkit.core.errors import InputError
from muonkit.core.limits import reading
from muonkit.io import places
from muonkit.io.layout import Layout, cut
from muonkit.io.origin import in_title
from muonkit.io.places import Place

KIND = "ROOT file"
NUMBER = r"(?:std::)?(?:float|double|bool|char|(?:u?int\d+_t)|U?Long64_t|(?:unsigned )?(?:int|short|long|char))"
RECORDS = "records"
CARDINALITY = r"ROOT::RNTupleCardinality<.*>"
LIST = rf"{NUMBER}\[\]|(?:std::vector|ROOT::VecOps::RVec)<{NUMBER}>"


@contextmanager
def opened(path: Place, name: str) -> Iterator[Any]:
    """The file as uproot opens it. Raises InputError if it is damaged."""
    with reading(name, KIND):
        # uproot asks for many parts at once, which not every server has
        file = uproot.open(path if isinstance(path, Path) or places.has_parts(path) else places.opened(path))
    with file:
        yield file


def trees(file: Any) -> dict[str, str]:
    """Path in the file -> "TTree" or "RNTuple", for every tree of the file."""
    classes = file.classnames(recursive=True, cycle=False)
    kinds = {name: _tree_kind(cls) for name, cls in classes.items()}
    return {name: kind for name, kind in kinds.items() if kind}


def _tree_kind(cls: str) -> str | None:
    if cls.endswith("RNTuple"):
        return "RNTuple"
    return "TTree" if cls in ("TTree", "TNtuple", "TNtupleD", "TChain") else None


def choose(file: Any, name: str, tree: str | None) -> str:
    """The name of the tree to read: the one asked for, else Events, else the only one.
    Raises InputError if there is no such tree, or if there are none or several to choose from."""
    found = list(trees(file))
    listed = ", ".join(found) or "none"
    if tree is not None:
        if tree not in found:
            raise InputError(f"{name}: there is no tree '{tree}' (found {listed}). Correct input.tree.")
        return tree
    if "Events" in found:
        return "Events"
    if not found:
        raise InputError(f"{name}: there is no TTree or RNTuple in it. Give a file with a table of muons.")
    if len(found) > 1:
        raise InputError(f"{name}: there are several trees ({listed}). Choose one with input.tree.")
    return found[0]


def describe(path: Place, name: str, size: int, tree: str | None) -> Layout:
    """Columns, kinds and pieces of `size` rows of the tree, without reading its rows.
    Raises InputError if the file is damaged or the choice of the tree is not clear."""
    with opened(path, name) as file, reading(name, KIND):
        chosen = choose(file, name, tree)
        table = file[chosen]
        columns = {column: _kind(table[column].typename) for column in own_columns(table)}
        for record in [column for column, kind in columns.items() if kind == RECORDS]:
            columns |= _members(table, record)
        return Layout(columns, cut(int(table.num_entries), size), chosen, in_title(getattr(table, "title", "")))


def own_columns(table: Any) -> list[str]:
    """The columns, without members of records, and without an RNTuple's unnamed storage of lists."""
    return [column for column in table.keys(recursive=False) if not column.startswith("_collection")]


def _members(table: Any, record: str) -> dict[str, str]:
    """The members of a list of records, as columns of lists."""
    kind = _item(table, record)
    if not isinstance(kind, ak.types.ListType) or not isinstance(kind.content, ak.types.RecordType):
        return {}
    members = zip(kind.content.fields, kind.content.contents, strict=True)
    return {f"{record}.{name}": "list" for name, of in members if isinstance(of, ak.types.NumpyType)}


def _item(table: Any, column: str) -> Any:
    """The awkward type of one entry; None for a class that uproot cannot read."""
    try:
        return array(table, column, slice(0, 1), "ak").type.content
    except Exception:  # whatever its parser stumbles over: then nobody can name the members
        return None


def _kind(typename: str) -> str:
    if re.fullmatch(rf"{NUMBER}|{CARDINALITY}", typename):
        return "number"
    return "list" if re.fullmatch(LIST, typename) else typename or RECORDS


def read_flat(path: Place, name: str, tree: str, columns: Mapping[str, str], rows: slice) -> dict[str, AnyArray]:
    """Columns (n,) with one number per row; keys as in `columns`. Raises InputError if the file is damaged."""
    with opened(path, name) as file, reading(name, KIND):
        table = file[tree]
        return {key: array(table, column, rows, "np") for key, column in columns.items()}


def read_jagged(path: Place, name: str, tree: str, columns: Mapping[str, str], rows: slice) -> dict[str, Any]:
    """Columns as awkward arrays with one entry per event; keys as in `columns`. Raises InputError if the file is
    damaged."""
    with opened(path, name) as file, reading(name, KIND):
        table = file[tree]
        return {key: array(table, column, rows, "ak") for key, column in columns.items()}


def array(table: Any, column: str, rows: slice, library: str) -> Any:
    """Some rows of one column, as NumPy ("np") or awkward array ("ak").
    Raises ValueError if there are fewer rows, and whatever uproot raises for a damaged file."""
    found = table[column].array(entry_start=rows.start, entry_stop=rows.stop, library=library)
    expected = min(rows.stop, int(table.num_entries)) - rows.start
    if len(found) != expected:
        raise ValueError(f"column {column} has {len(found)} rows instead of {expected}")
    return found
