"""A map that remembers: each result is kept in a file, so that a killed run can continue where it stopped.

Results are dataclasses or mappings of arrays; `core.packing` makes them flat (`np.savez`, no pickle)."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout

from muonkit.core.errors import InputError
from muonkit.core.files import atomic
from muonkit.core.packing import pack, unpack

Arrays = Mapping[str, npt.NDArray[Any]]
Item = TypeVar("Item")
Kept = TypeVar("Kept")
Map = Callable[[Callable[[Item], Kept], Iterable[Item]], Iterable[Kept]]


@contextmanager
def unfinished(out: Path, state: str) -> Iterator[Path]:
    """A folder beside `out` for the results of pieces, removed if the block succeeds, or if the input is refused.
    `state` is a digest of all that they depend on; another state has another folder.

    Raises InputError while another run does the same work."""
    folder = out.with_name(f".{out.name}.{state[:16]}")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "lock", timeout=0):
            try:
                yield folder
            except InputError:
                shutil.rmtree(folder)
                raise
            shutil.rmtree(folder)
    except Timeout:
        raise InputError(f"{out}: another run is writing it; wait until it ends, or stop it and start again") from None


def remembered(
    run: Map[Item, Kept], folder: Path, name: str, kind: type[Kept]
) -> Callable[[Callable[[Item], Kept], Iterable[Item]], Iterator[Kept]]:
    """A map like `run` that keeps result i, of type `kind`, in folder/name-i.npz. Results that are there already are
    read, not made again. Raises RuntimeError if `run` gives more results than items."""

    def remembering(function: Callable[[Item], Kept], items: Iterable[Item]) -> Iterator[Kept]:
        work = list(items)
        paths = [folder / f"{name}-{i:05d}.npz" for i in range(len(work))]
        kept = [path.exists() for path in paths]
        made = iter(run(function, [item for item, there in zip(work, kept, strict=True) if not there]))
        for path, there in zip(paths, kept, strict=True):
            if there:
                yield unpack(kind, load(path))
            else:
                result = next(made)
                save(path, pack(result))
                yield result
        for _ in made:  # lets the map see its end
            raise RuntimeError("more results than items")

    return remembering


def save(path: Path, arrays: Arrays) -> None:
    """Write arrays atomically. Raises OSError if the folder cannot be written."""
    with atomic(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)


def load(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read arrays; code in the file is never run. Raises OSError or ValueError if the file is not such."""
    with np.load(path, allow_pickle=False) as content:
        return dict(content)
