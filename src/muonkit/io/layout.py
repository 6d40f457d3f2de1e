"""What a file says of itself before its rows are read."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from muonkit.core.errors import InputError


class Piece(NamedTuple):
    """Rows [start, stop) and, in a CSV file, the bytes that hold them."""

    start: int
    stop: int
    span: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns with their kind ("number", "list" or what else they hold), the tree, and the pieces to read."""

    columns: dict[str, str]
    pieces: tuple[Piece, ...]
    tree: str | None = None


def cut(rows: int, size: int) -> tuple[Piece, ...]:
    """Pieces of `size` rows; the last one takes what is left."""
    return tuple(Piece(start, min(start + size, rows)) for start in range(0, rows, size))


ENDINGS = {".parquet": "Parquet", ".pq": "Parquet", ".root": "ROOT", ".csv": "CSV", ".csv.gz": "CSV"}


def kind_of(path: Path) -> str | None:
    """Parquet, ROOT or CSV by the ending of the name; None if it is another."""
    return next((kind for ending, kind in ENDINGS.items() if path.name.lower().endswith(ending)), None)


def ending_of(path: Path) -> str:
    """What of the name tells the kind, the longest that fits; nothing if it is another."""
    return max((ending for ending in ENDINGS if path.name.lower().endswith(ending)), key=len, default="")


def kind_or_fault(path: Path, name: str) -> str:
    """As `kind_of`. Raises InputError for other endings."""
    kind = kind_of(path)
    if kind is None:
        raise InputError(f"{name}: unknown kind of file; give one that ends in .parquet, .root, .csv or .csv.gz")
    return kind


def unreadable(name: str, kind: str) -> InputError:
    """The fault of a file that is not what its ending says, or not whole."""
    return InputError(f"{name}: is not a {kind} file, or is damaged. Copy or write it again.")
