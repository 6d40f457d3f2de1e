"""A map that remembers: each result is kept in a file, so that a killed run can continue where it stopped.

Results are dataclasses or mappings of arrays; `core.packing` makes them flat (`np.savez`, no pickle). Each file ends
with a digest of its content. A file that is empty, damaged or of another version is made again."""

import hashlib
import io
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from muonkit.core.errors import InputError
from muonkit.core.files import atomic, make_folder
from muonkit.core.limits import reading
from muonkit.core.packing import pack, unpack
from muonkit.core.streams import say
from muonkit.run.alone import alone

Arrays = Mapping[str, npt.NDArray[Any]]
Item = TypeVar("Item")
Kept = TypeVar("Kept")
Map = Callable[[Callable[[Item], Kept], Iterable[Item]], Iterable[Kept]]
STATE = 16  # digits of a state that stand in the name of its folder


@contextmanager
def unfinished(out: Path, state: str) -> Iterator[Path]:
    """A folder beside `out` for the results of pieces. `state` is a digest of all that they depend on; another state
    has another folder. If the block succeeds, the folders of all states are removed; if the input is refused, this one.

    Raises InputError while another run writes `out`."""
    folder = out.with_name(f".{out.name}.{state[:STATE]}")
    with alone(out):
        make_folder(folder)
        try:
            yield folder
        except InputError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        for each in [folder, *_of_other_states(out)]:
            shutil.rmtree(each, ignore_errors=True)


def _of_other_states(out: Path) -> list[Path]:
    """Folders that runs left which were killed, and never went on."""
    name = re.compile(re.escape(f".{out.name}.") + f"[0-9a-f]{{{STATE}}}")
    return [entry for entry in out.parent.iterdir() if name.fullmatch(entry.name)]


def remembered(
    run: Map[Item, Kept],
    folder: Path,
    name: str,
    kind: type[Kept],
    keep: Callable[[Kept], bool] = lambda _: True,
) -> Callable[[Callable[[Item], Kept], Iterable[Item]], Iterator[Kept]]:
    """A map like `run` that keeps result i, of type `kind`, in folder/name-i.npz. Results that are there already are
    read, not made again, unless they are damaged. Results that `keep` refuses are made again the next time.
    Raises RuntimeError if `run` gives more results than items."""

    def remembering(function: Callable[[Item], Kept], items: Iterable[Item]) -> Iterator[Kept]:
        work = list(items)
        paths = [folder / f"{name}-{i:05d}.npz" for i in range(len(work))]
        kept = whole(paths, kind)
        made = iter(run(function, [item for item, there in zip(work, kept, strict=True) if not there]))
        for path, there in zip(paths, kept, strict=True):
            if there:
                yield unpack(kind, load(path))
            else:
                result = next(made)
                if keep(result):
                    save(path, pack(result))
                yield result
        for _ in made:  # lets the map see its end
            raise RuntimeError("more results than items")

    return remembering


def whole(paths: list[Path], kind: type[Any]) -> list[bool]:
    """Which files hold a result of type `kind`. One line on stderr says how many are there and do not."""
    there = [path.exists() for path in paths]
    kept = [exists and is_whole(path, kind) for path, exists in zip(paths, there, strict=True)]
    damaged = [path for path, exists, good in zip(paths, there, kept, strict=True) if exists and not good]
    if damaged:
        shown = ", ".join(path.name for path in damaged[:3]) + (", ..." if len(damaged) > 3 else "")
        say(f"{damaged[0].parent}: damaged parts are made again, {len(damaged)} in all ({shown})")
    return kept


def is_whole(path: Path, kind: type[Any]) -> bool:
    """Whether a file can be read and holds a result of type `kind`."""
    try:
        with reading(str(path)):
            unpack(kind, load(path))
    except InputError:
        return False
    return True


def save(path: Path, arrays: Arrays) -> None:
    """Write arrays atomically, with a digest at the end. Raises OSError if the folder cannot be written."""
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **arrays)
    with atomic(path) as temporary:
        temporary.write_bytes(sealed(stream.getvalue()))


def sealed(content: bytes) -> bytes:
    """`content` with its digest behind it."""
    return content + hashlib.sha256(content).digest()


def load(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read arrays; code in the file is never run. Raises OSError or ValueError if the file is not as `save` wrote
    it."""
    read = path.read_bytes()
    content = read[: -hashlib.sha256().digest_size]
    if sealed(content) != read:
        raise ValueError("is not as it was written")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays)
