"""Which simulated sample a table is of. All parts of a sample, and what `identify` makes of them, carry the same name
for it: a digest of all that is in the tables. It stands in the metadata of Parquet, in the title of a TTree, and in a
column of CSV. Tables that people made themselves have none."""

import csv
import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from muonkit.core.arrays import AnyArray
from muonkit.io import csvfile
from muonkit.io.places import Place

KEY = "muonkit_sample"
ORIGIN = re.compile(r"s[0-9a-f]{15}")


def origin_of(*parts: Iterable[Mapping[str, AnyArray]]) -> str:
    """The origin of a sample of these parts, each given in pieces of columns; how they are cut changes nothing."""
    found = hashlib.sha256()
    for part in parts:
        pieces = list(part)
        for name in pieces[0] if pieces else ():
            found.update(name.encode())
            for piece in pieces:
                found.update(np.ascontiguousarray(piece[name]).tobytes())
    return f"s{found.hexdigest()[:15]}"


def known(text: Any) -> str | None:
    """The origin that a text is; None if it is none."""
    return text if isinstance(text, str) and ORIGIN.fullmatch(text) else None


def in_metadata(metadata: Mapping[bytes, bytes] | None) -> str | None:
    """The origin in the metadata of a Parquet file."""
    return known((metadata or {}).get(KEY.encode(), b"").decode("ascii", "replace"))


def title(origin: str | None) -> str:
    """The title of a TTree of this origin."""
    return "" if origin is None else f"{KEY} {origin}"


def in_title(text: Any) -> str | None:
    """The origin in the title of a TTree."""
    return known(str(text).removeprefix(f"{KEY} "))


def in_csv(path: Place, name: str) -> str | None:
    """The origin in the first row of a CSV file. Raises InputError if its first line is damaged."""
    with csvfile.opened(path) as stream:
        names, separator = csvfile.header(stream, name)
        if KEY not in names:
            return None
        row = stream.readline(csvfile.LINE_BYTES).decode("utf-8", "replace").rstrip("\r\n")
    fields = next(csv.reader([row], delimiter=separator), [])
    return known(fields[names.index(KEY)]) if len(fields) == len(names) else None
