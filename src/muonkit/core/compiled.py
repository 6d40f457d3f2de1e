"""The decorators of the compiled kernels.

numba's cache does not notice edits of a compiled function that stands in another file, so the cache directory is
named by a digest of the sources of all kernels. NUMBA_CACHE_DIR, where set, is its parent."""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba import njit

Function = Callable[..., Any]
PACKAGE = Path(__file__).resolve().parents[1]


@cache
def cache_directory() -> str:
    """Where the machine code of these sources is kept."""
    digest = hashlib.sha256()
    for source in sorted({*PACKAGE.rglob("kernels.py"), *PACKAGE.rglob("kernels/*.py")}):
        digest.update(source.read_bytes())
    parent = Path(numba.config.CACHE_DIR or Path.home() / ".cache" / "muonkit")
    return str(parent / digest.hexdigest()[:16])


def compiled(function: Function) -> Any:
    """Compile at first use, without the GIL, with IEEE division; kept on disk."""
    return _compile(function)


def leaf(function: Function) -> Any:
    """The same without reference counts, for functions that allocate nothing and return no array: arrays are borrowed.

    Counting took 190 of 200 ns of a field evaluation: an atomic increment costs 5 ns, and numba drops the pairs only in
    functions with one way out."""
    return _compile(function, _nrt=False)


def inlined(function: Function) -> Any:
    """A leaf that becomes part of its callers: arrays and tuples pass through memory in a call."""
    return _compile(function, _nrt=False, forceinline=True)


def _compile(function: Function, **options: Any) -> Any:
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = cache_directory()
    try:
        return njit(cache=True, nogil=True, error_model="numpy", **options)(function)
    finally:
        numba.config.CACHE_DIR = before
