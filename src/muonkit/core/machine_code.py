"""Machine code on disk, as numba keeps it, with a digest at the end of each file.

Damaged machine code ends the interpreter, and a damaged index is a traceback of pickle. A file whose digest is wrong is
removed before anything reads it, and made again. A disk that is full costs the cache, not the run."""

import hashlib
import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile, UserProvidedCacheLocator

DIGEST = 32  # bytes


class _Files(IndexDataCacheFile):  # type: ignore[misc]
    """Index and data of one function. pickle does not read what stands behind its end, as the digest does."""

    def _load_index(self) -> Any:
        return super()._load_index() if is_whole(Path(self._index_path)) else {}

    def _load_data(self, name: str) -> Any:
        if not is_whole(Path(self._data_path(name))):
            raise FileNotFoundError(name)  # numba compiles again
        return super()._load_data(name)

    @contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[io.BytesIO]:
        content = io.BytesIO()
        yield content
        with super()._open_for_write(filepath) as stream:
            stream.write(content.getvalue() + hashlib.sha256(content.getvalue()).digest())


class _Place(CompileResultCacheImpl):  # type: ignore[misc]
    """numba's folder of choice only: in others, such as __pycache__, stale code would be found."""

    _locator_classes = (UserProvidedCacheLocator,)


class CheckedCache(FunctionCache):  # type: ignore[misc]
    """The cache of a dispatcher, over files with digests. Raises RuntimeError where numba's folder cannot be used."""

    _impl_class = _Place

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        locator = self._impl.locator
        self._cache_file = _Files(self._cache_path, self._impl.filename_base, locator.get_source_stamp())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """As numba's; None for what cannot be loaded, which is then compiled."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # whatever another version of a library may have written
            remove(Path(self._cache_file._index_path))
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """As numba's; a disk that cannot be written costs the next run time."""
        with suppress(OSError):
            super().save_overload(sig, data)


def is_whole(path: Path) -> bool:
    """Whether a file ends with the digest of its content; any other that is there is removed."""
    try:
        content = memoryview(path.read_bytes())
    except FileNotFoundError:
        return False
    except OSError:
        content = memoryview(b"")
    if len(content) > DIGEST and hashlib.sha256(content[:-DIGEST]).digest() == content[-DIGEST:]:
        return True
    remove(path)
    return False


def remove(path: Path) -> None:
    """Remove a file or a folder, if that is possible."""
    with suppress(OSError):
        path.unlink()
        return
    shutil.rmtree(path, ignore_errors=True)
