"""What is known of a file before its rows are read: columns, kinds, pieces."""

from dataclasses import dataclass
from typing import NamedTuple

from muonkit.core.errors import InputError
from muonkit.io.places import Place, file_name


class Piece(NamedTuple):
    """Rows [start, stop) and, in a CSV file, the bytes that hold them."""

    start: int
    stop: int
    span: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns with their kind ("number", "list" or the type in the file), the pieces to read, the tree, and the sample
    that the table is of (see `io.origin`)."""

    columns: dict[str, str]
    pieces: tuple[Piece, ...]
    tree: str | None = None
    origin: str | None = None


def cut(rows: int, size: int) -> tuple[Piece, ...]:
    """Pieces of `size` rows; the last one has the rest."""
    return tuple(Piece(start, min(start + size, rows)) for start in range(0, rows, size))


ENDINGS = {".parquet": "Parquet", ".pq": "Parquet", ".root": "ROOT", ".csv": "CSV", ".csv.gz": "CSV"}


def kind_of(path: Place) -> str | None:
    """Parquet, ROOT or CSV, by the ending of the name; None for another ending."""
    return next((kind for ending, kind in ENDINGS.items() if file_name(path).lower().endswith(ending)), None)


def ending_of(path: Place) -> str:
    """The ending of the name that shows the kind, the longest that fits; empty for another ending."""
    return max((ending for ending in ENDINGS if file_name(path).lower().endswith(ending)), key=len, default="")


def kind_or_fault(path: Place, name: str) -> str:
    """Parquet, ROOT or CSV, by the ending of the name. Raises InputError for another ending."""
    kind = kind_of(path)
    if kind is None:
        raise InputError(f"{name}: unknown kind of file; give one that ends in .parquet, .root, .csv or .csv.gz")
    return kind
