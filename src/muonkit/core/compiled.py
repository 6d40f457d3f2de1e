"""The decorators of the compiled kernels.

`compiled` is for what Python calls; `part`, `leaf`, `shared` and `inlined` are for what kernels call. numba's cache
does not notice edits of what stands in another file, neither of a function nor of a constant. So the cache directory is
named by a digest of every source that a kernel can reach. NUMBA_CACHE_DIR, where set, is its parent; else it is in the
user's folder of caches, see `caches`. `machine_code` guards against damaged files.

MUONKIT_PLAIN_NUMBA=1 compiles every function alone, as numba does: the results are the same, the first run takes twice
as long. See `whole`."""

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import numba
from numba import njit

from muonkit.core.caches import can_be_written, machine_code_folder
from muonkit.core.machine_code import CheckedCache

try:
    from muonkit.core import whole

    WHOLE = whole.SUPPORTED and not os.environ.get("MUONKIT_PLAIN_NUMBA")
except (AttributeError, ImportError):  # another numba
    WHOLE = False

Function = Callable[..., Any]
PACKAGE = Path(__file__).resolve().parents[1]
NOPYTHON = {"nopython": True, "boundscheck": None}  # what njit adds
OPTIONS = {"nogil": True, "error_model": "numpy"}
IMPORT = re.compile(r"^[ \t]*(?:from +([\w.]+) +)?import +(\([^)]*\)|[^\n#]*)", re.MULTILINE)
DECORATED = re.compile(r"^from \w+\.core\.compiled import", re.MULTILINE)


def compiled(function: Function) -> Any:
    """Compile at first use, without the GIL, with IEEE division; kept on disk. For what Python calls."""
    return _compile(function)


def part(function: Function) -> Any:
    """The same for what kernels call."""
    return _inner(function)


def leaf(function: Function) -> Any:
    """A part that allocates nothing and returns no array: without reference counts.

    Counting took 190 of 200 ns of a field evaluation: an atomic increment costs 5 ns, and numba drops the pairs only in
    functions with one way out."""
    return _inner(function, _nrt=False, forceinline=False)


def inlined(function: Function) -> Any:
    """A leaf that becomes part of its callers: arrays and tuples pass through memory in a call."""
    return _inner(function, _nrt=False, forceinline=True)


def shared(function: Function) -> Any:
    """A leaf with a long body and several callers, which stays one function: less to compile and no slower.

    LLVM drops the arguments that it does not use: 15 of 300 are left to a part of the field, 43 of 650 to a step.
    Inlined, they were five and thirteen copies, and half of the machine code of `identify`. numba lets what an inlined
    function calls be inlined too, where it is not told otherwise."""
    return _inner(function, apart=True, _nrt=False, forceinline=False)


def _inner(function: Function, apart: bool = False, **options: Any) -> Any:
    if not WHOLE or numba.config.DISABLE_JIT:
        return _compile(function, **options)
    alone = cache(partial(_compile, **options))
    return whole.inner(function, alone, NOPYTHON | OPTIONS | options, apart)


def _compile(function: Function, **options: Any) -> Any:
    alone = not WHOLE or numba.config.DISABLE_JIT
    dispatcher = njit(**OPTIONS, **options)(function) if alone else whole.outer(function, NOPYTHON | OPTIONS | options)
    folder = cache_directory()
    if folder is not None and not numba.config.DISABLE_JIT:
        _keep(dispatcher, folder)
    return dispatcher


def _keep(dispatcher: Any, folder: str) -> None:
    """Keep the machine code of a dispatcher in this folder and nowhere else."""
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = folder
    try:
        with suppress(RuntimeError):  # a function that does not stand in a file
            dispatcher._cache = CheckedCache(dispatcher.py_func)
    finally:
        numba.config.CACHE_DIR = before


@cache
def cache_directory() -> str | None:
    """Where the machine code of these sources is kept. None if no folder can be written."""
    digest = hashlib.sha256(b"whole" if WHOLE else b"plain")
    for source in reachable_sources(PACKAGE):
        digest.update(source.read_bytes())
    parent = machine_code_folder(numba.config.CACHE_DIR)
    folder = parent and parent / digest.hexdigest()[:16]
    return str(folder) if folder and can_be_written(folder) else None


def reachable_sources(package: Path) -> list[Path]:
    """The modules with kernels and all that they import from the package, in order."""
    files = {_module(source, package): source for source in package.rglob("*.py")}
    texts = {module: source.read_text(encoding="utf-8") for module, source in files.items()}
    found: set[str] = set()
    waiting = {module for module, text in texts.items() if DECORATED.search(text)}
    while waiting:
        found |= waiting
        waiting = {name for module in waiting for name in _imports(texts[module]) if name in files} - found
    return sorted(files[module] for module in found)


def _module(source: Path, package: Path) -> str:
    """Dotted name of the module in a file."""
    return ".".join(source.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")


def _imports(text: str) -> Iterator[str]:
    """Modules that are imported, or from which something is imported: one of both exists for each name."""
    for module, names in IMPORT.findall(text):
        for name in re.findall(r"[\w.]+", names):
            yield from (module, f"{module}.{name}") if module else (name,)
