"""Compiled kernels follow their sources, wherever a constant stands, and are compiled whole or alone to the same."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from muonkit.core import compiled
from muonkit.core.compiled import PACKAGE, reachable_sources

LARGEST_TRANSFER = """
import json
from muonkit.simulation.kernels.matter import largest_transfer
print(json.dumps(largest_transfer(0.001, 0.1)))
"""


def run(code: str, cache: Path, sources: Path = PACKAGE.parent, **environment: str) -> Any:
    """What the code prints in a process of its own."""
    given = os.environ | {"PYTHONPATH": str(sources), "NUMBA_CACHE_DIR": str(cache)} | environment
    done = subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy of the package that may be changed."""
    shutil.copytree(PACKAGE, tmp_path / "src" / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "src"


def test_a_constant_of_another_file_changes_what_is_compiled(sources, tmp_path):
    before = run(LARGEST_TRANSFER, tmp_path, sources)
    units = sources / PACKAGE.name / "core" / "units.py"
    text = units.read_text()
    assert "ELECTRON_MASS = 0.51099895069e-3" in text
    units.write_text(text.replace("ELECTRON_MASS = 0.51099895069e-3", "ELECTRON_MASS = 1.02199790138e-3"))
    after = run(LARGEST_TRANSFER, tmp_path, sources)
    assert after / before == pytest.approx(2, rel=0.02)


def imported(module: ast.Module) -> set[str]:
    """All names of modules in import statements, as the parser sees them."""
    found = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import is not found by the digest"
            found |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def module(file: Path) -> str:
    """Dotted name."""
    return ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


def test_digest_covers_all_that_kernels_import():
    """The sources are closed: nothing of the package that they import is left out."""
    found = reachable_sources(PACKAGE)
    names, everything = ({module(file) for file in files} for files in (found, PACKAGE.rglob("*.py")))
    assert {"muonkit.core.units", "muonkit.calibration.kernels.records", "muonkit.transport.kernels.step"} <= names
    for file in found:
        assert imported(ast.parse(file.read_text())) & everything <= names, file


def test_all_kernels_are_under_the_decorators():
    """A bare njit would be cached where numba likes, under its own stale name."""
    bare = [file for file in PACKAGE.rglob("*.py") if "@njit" in file.read_text() or "@numba" in file.read_text()]
    assert bare == []


DIAMOND = """
import json
import numpy as np
from pathlib import Path
from muonkit.core.compiled import cache_directory, compiled, inlined, leaf, part

@inlined
def square(x):
    return x * x

@leaf
def left(x):
    return square(x) + 1

@leaf
def right(x):
    return square(x) / 3

@part
def both(x):
    out = np.zeros(3)
    out[0], out[1] = left(x), right(x)
    return out

@part
def fail(x):
    if x < 0:
        raise ValueError("below zero")
    return both(x)

@compiled
def outer(x):
    return fail(x).sum() + left(x) + left(np.float64(3))

try:
    outer(-0.5)
except ValueError as error:
    message = str(error)
files = [file.name for file in Path(cache_directory()).rglob("*.nbc")]
print(json.dumps([outer(0.1), left(0.1), message, files]))
"""


@pytest.fixture
def diamond(tmp_path: Path) -> str:
    """numba keeps on disk what stands in a file."""
    (tmp_path / "diamond.py").write_text(DIAMOND)
    return f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import diamond"


@pytest.mark.skipif(not compiled.WHOLE, reason="this numba compiles every function alone")
def test_whole_and_alone_compute_the_same(diamond, tmp_path):
    whole = run(diamond, tmp_path / "whole")
    assert whole[2] == "below zero"
    assert [name.split("-")[0] for name in whole[3]] == ["diamond.outer"]
    assert run(diamond, tmp_path / "whole")[:3] == whole[:3]
    plain = run(diamond, tmp_path / "plain", MUONKIT_PLAIN_NUMBA="1")
    assert plain[:3] == whole[:3]
    assert len(plain[3]) > 1
