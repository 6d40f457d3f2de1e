"""Machine code on disk that is damaged is removed and made again; nothing else comes of it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.core.test_compiled import run

from muonkit.core.machine_code import is_whole

KERNEL = """
import json
from muonkit.core.compiled import compiled

@compiled
def thrice(x):
    return 3 * x

value = thrice(2.0)
print(json.dumps([value, sum(thrice.stats.cache_hits.values())]))
"""


def halved(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def one_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def zeros(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def empty(file: Path) -> None:
    file.write_bytes(b"")


def of_others(file: Path) -> None:
    """A pickle that would run code."""
    file.write_bytes(f"cos\nsystem\n(S'touch {file}.ran'\ntR.".encode())


def folder(file: Path) -> None:
    file.unlink()
    (file / "inside").mkdir(parents=True)


def unreadable(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.name)  # a loop: also root cannot read it


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Code that imports a module with a kernel; prints its value and the hits of the cache."""
    place = tmp_path_factory.mktemp("kernel")
    (place / "kernel.py").write_text(KERNEL)
    return f"import sys; sys.path.insert(0, {str(place)!r}); import kernel"


@pytest.fixture(scope="module")
def filled(kernel: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the kernel."""
    cache = tmp_path_factory.mktemp("filled")
    assert run(kernel, cache) == [6.0, 0]
    assert run(kernel, cache) == [6.0, 1]
    return cache


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", [halved, one_bit, zeros, empty, of_others, folder, unreadable])
def test_damaged_files_are_made_again(
    damage: Callable[[Path], None], kind: str, kernel: str, filled: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    shutil.copytree(filled, cache)
    for file in cache.rglob(f"*.{kind}"):
        damage(file)
    assert run(kernel, cache) == [6.0, 0]
    assert all(is_whole(file) for file in cache.rglob("*.nb?"))
    assert len(list(cache.rglob("*.nb?"))) == 2
    assert not list(cache.rglob("*.ran"))


def test_a_cache_that_is_a_file_is_another_place(kernel: str, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    (tmp_path / "tmp").mkdir()
    value, _ = run(kernel, tmp_path / "cache", TMPDIR=str(tmp_path / "tmp"))
    assert value == 6.0
    assert len(list((tmp_path / "tmp").rglob("*.nbc"))) == 1


def test_without_any_place_kernels_still_compile(kernel: str, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "file")
    (tmp_path / "file").write_text("")
    code = f"import tempfile; tempfile.gettempdir = lambda: {nowhere!r}; {kernel}"
    assert run(code, tmp_path / "file") == [6.0, 0]
