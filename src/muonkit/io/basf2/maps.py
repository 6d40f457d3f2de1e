"""A dump of the payload KLMLikelihoodParameters: five maps from an id to numbers, as text, XML or ROOT.

Text has a line for every entry, `NAME ID NUMBER ...`, or a line `NAME` and then lines `ID NUMBER ...`; commas and
colons are spaces, # begins a comment. XML is that of the generator (`io.basf2.maps_xml`). ROOT holds the object
itself, or a tree for every map with the branches `id` and `values`. Ids are those of `data.muid`."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

from muonkit.core import limits
from muonkit.core.arrays import FloatArray
from muonkit.core.errors import InputError
from muonkit.core.files import atomic
from muonkit.io import root
from muonkit.io.basf2 import maps_xml
from muonkit.io.basf2.maps_xml import Maps

LONGITUDINAL, TRANSVERSE = "LongitudinalPDF", "TransversePDF"
THRESHOLD, SCALE_X, SCALE_Y = "TransverseThreshold", "TransverseScaleX", "TransverseScaleY"
NAMES = (LONGITUDINAL, TRANSVERSE, THRESHOLD, SCALE_X, SCALE_Y)
OBJECT = "KLMLikelihoodParameters"
ENDINGS = (".txt", ".xml", ".root")
MOST = 50_000_000  # bytes of text; all tables take 7 million
SHOWN = 3  # lines that are quoted
SPACES = re.compile(r"[\s,:;{}\[\]]+")


def read_maps(path: Path) -> Maps:
    """The maps of a file. Raises InputError, a line for every kind of fault, if it cannot be read."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such dump. Correct the path.")
    kind = ending(path)
    if kind == ".root":
        return _from_root(path)
    text = limits.read_text(path, MOST, "dump of KLMLikelihoodParameters")
    return maps_xml.parse(text, str(path)) if kind == ".xml" else parse_text(text, str(path))


def write_maps(path: Path, maps: Maps) -> None:
    """Write a dump, atomically, by the ending of the name. Raises InputError for another ending."""
    kind = ending(path)
    with atomic(path) as temporary:
        if kind == ".root":
            _to_root(temporary, maps)
        else:
            lines = maps_xml.lines(maps) if kind == ".xml" else text_lines(maps)
            temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def ending(path: Path) -> str:
    """Which of ENDINGS. Raises InputError for another one."""
    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"{path}: unknown kind of dump; give a name that ends in {', '.join(ENDINGS)}")
    return path.suffix.lower()


def parse_text(text: str, name: str) -> Maps:
    """The maps of a text. Raises InputError for lines that are no entries."""
    maps: Maps = {known: {} for known in NAMES}
    section, faults = "", list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        words = [word for word in SPACES.split(line.partition("#")[0]) if word]
        if words and words[0].removeprefix("m_") in NAMES:
            section, words = words[0].removeprefix("m_"), words[1:]
        if words and not _put(maps.get(section), words):
            faults.append(f"{name}: line {number} is no entry of a map ({limits.shown(line, 40)}). Mend it.")
    if len(faults) > SHOWN:
        faults = [*faults[:SHOWN], f"{name}: {len(faults) - SHOWN} more lines are no entries of a map. Mend them."]
    if faults:
        raise InputError(faults)
    return maps


def _put(entries: dict[int, FloatArray] | None, words: list[str]) -> bool:
    """Add an entry of these words, id first; False if they are none, or the id stands twice."""
    try:
        code, values = int(words[0]), np.array([float(word) for word in words[1:]])
    except ValueError:
        return False
    if entries is None or not len(values) or code in entries:
        return False
    entries[code] = values
    return True


def text_lines(maps: Maps) -> Iterable[str]:
    """A line for every entry, with all digits."""
    for name, entries in maps.items():
        for code, values in sorted(entries.items()):
            yield " ".join([name, str(code), *(repr(float(value)) for value in values)])


def _from_root(path: Path) -> Maps:
    with root.opened(path, str(path)) as file, limits.reading(str(path), root.KIND):
        found = {key.split(";")[0]: key for key in file.keys(recursive=True)}
        if set(NAMES) <= set(found):
            return {name: _of_tree(file[found[name]]) for name in NAMES}
        if OBJECT in found:
            return of_object(file[found[OBJECT]])
    listed = ", ".join(found) or "nothing"
    raise InputError(f"{path}: holds neither {OBJECT} nor the trees {', '.join(NAMES)} (found {listed})")


def _of_tree(tree: Any) -> dict[int, FloatArray]:
    ids, rows = tree["id"].array(library="np"), tree["values"].array(library="np")
    if len(np.unique(ids)) != len(ids):
        raise ValueError(f"an id stands twice in the tree {tree.name}")
    return _plain(zip(ids, rows, strict=True))


def of_object(stored: Any) -> Maps:
    """The maps of the object as uproot reads it by the streamer information of its file."""
    return {name: _plain(_items(stored.member(f"m_{name}"))) for name in NAMES}


def _plain(items: Iterable[tuple[Any, Any]]) -> dict[int, FloatArray]:
    return {int(code): np.atleast_1d(values).astype(np.float64) for code, values in items}


def _items(stored: Any) -> Iterable[tuple[Any, Any]]:
    """Pairs of a map of C++."""
    found = stored if isinstance(stored, Mapping) else dict(zip(stored.keys(), stored.values(), strict=True))
    return found.items()


def _to_root(path: Path, maps: Maps) -> None:
    with uproot.recreate(path) as file:
        for name, entries in maps.items():
            codes = sorted(entries)
            rows = ak.unflatten(
                np.concatenate([entries[code] for code in codes]), [len(entries[code]) for code in codes]
            )
            tree = file.mktree(name, {"id": np.dtype(np.int32), "values": "var * float64"})
            tree.extend({"id": np.array(codes, dtype=np.int32), "values": rows})
