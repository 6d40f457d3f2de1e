"""Detector files with random mistakes: each is described, or refused with lines of text. Nothing else happens."""

import random
import tomllib
import warnings
from pathlib import Path

import pytest
from tests.fuzz.values import mutate

from muonkit.core.errors import InputError
from muonkit.detector.detector import SHIPPED, shipped
from muonkit.pipelines.detector import show

ROUNDS = 150  # per detector


def outcome(path: Path, text: str, out: Path | None) -> list[str]:
    """The lines in which a file is refused; none if it is described. Raises what else happens."""
    path.write_text(text, encoding="utf-8")
    try:
        with warnings.catch_warnings(action="error"):
            str(show(str(path), out))
    except InputError as error:
        return error.faults or [""]
    return []


def clear(path: Path, line: str) -> bool:
    return line.isprintable() and str(path) in line and len(line) < 2000


@pytest.mark.parametrize("name", shipped())
def test_a_detector_with_mistakes_is_described_or_refused(name: str, tmp_path: Path) -> None:
    content = tomllib.loads((SHIPPED / f"{name}.toml").read_text())
    if name == "belle2":  # long lists of layers say nothing new
        content["layers"] = content["layers"][::6]
    path = tmp_path / "mine.toml"
    for seed in range(ROUNDS):
        try:
            lines = outcome(path, mutate(content, random.Random(f"{name} {seed}")), None)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {type(error).__name__}: {error}") from error
        assert all(clear(path, line) for line in lines), (seed, lines)
