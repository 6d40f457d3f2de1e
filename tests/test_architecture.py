"""ARCHITECTURE.md is true: its layers are those of the import contract; it names every folder, and only real files."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "muonkit"
PAGE = (ROOT / "ARCHITECTURE.md").read_text()
FOLDERS = sorted(
    f"{path.parent.relative_to(PACKAGE)}/" for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE
)
UNPLACED = {"pyproject.toml", "kernels/", "kernels.py", "kernels/__init__.py"}  # of no single folder
NAMED = sorted(set(re.findall(r"`([\w/]+(?:/|\.py|\.toml))`", PAGE)) - UNPLACED)


def layers_of_the_contract() -> list[list[str]]:
    content = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return [re.split(r"\s*\|\s*", line) for line in content["tool"]["importlinter"]["contracts"][0]["layers"]]


def test_layers_are_those_of_the_import_contract() -> None:
    block = PAGE.partition("## Layers")[2].partition("\n    ")[2].partition("\n\n")[0]
    found = [re.split(r"\s{2,}", line.strip())[0].split(" | ") for line in block.splitlines()]
    assert found == layers_of_the_contract()


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_is_named(folder: str) -> None:
    assert f"`{folder}`" in PAGE


@pytest.mark.parametrize("name", NAMED)
def test_what_is_named_exists(name: str) -> None:
    places = [PACKAGE / name, ROOT / name]
    bare = list(PACKAGE.rglob(name)) if "/" not in name.rstrip("/") else []
    assert any(place.exists() for place in places) or bare, name
