"""Detector files with random mistakes: each is described, or refused with lines of text. Nothing else happens."""

import json
import random
import tomllib
import warnings
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from muonkit.core.errors import InputError
from muonkit.detector.detector import SHIPPED, shipped
from muonkit.pipelines.detector import show

ROUNDS = 150  # per detector
DEEP: Any = []
for _ in range(80):
    DEEP = [DEEP]
VALUES = (
    *(-1, 0, 1, float("nan"), float("inf"), -float("inf"), 1e308, -1e308, 1e-308, 10**12, -(10**12), 10**30, 2**63),
    *(
        "",
        "x",
        "{x",
        "{0.__class__}",
        "{n:999999999d}",
        "../../x",
        "a\nb",
        "\x1b[31m",
        "é" * 300,
        "vacuum",
        "{sector:02d}",
    ),
    *([], [[]], {}, True, False, [1, 0], [0, 0], ["x"], [-1e308, 1e308], {"x": 1}, [{}], DEEP, list(range(2000))),
)


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, str) else repr(value)


def written(content: dict[str, Any]) -> str:
    return "\n".join(f"{json.dumps(key)} = {toml(value)}" for key, value in content.items())


def places(content: Any) -> list[tuple[Any, Any]]:
    """All containers with their keys."""
    keys = list(content) if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else []
    return [one for key in keys for one in [(content, key), *places(content[key])]]


def mutate(content: dict[str, Any], dice: random.Random) -> str:
    """The text of a file with up to three mistakes in it."""
    content, extra = deepcopy(content), ""
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        where, key = dice.choice(places(content))
        match dice.choice(("value", "value", "value", "value", "remove", "rename", "double", "scale", "copy")):
            case "remove":
                del where[key]
            case "rename" if isinstance(where, dict):
                where[dice.choice((f"{key}s", "", "name", "x\ny"))] = where.pop(key)
            case "double" if isinstance(where, dict):
                extra = f"\n{json.dumps(key)} = {toml(where[key])}"
            case "copy" if isinstance(where, list):
                where.insert(key, deepcopy(where[key]))
            case "scale" if isinstance(where[key], int | float):
                where[key] = where[key] * dice.choice((-1, 1e-12, 1e-3, 1e3, 1e9, 1e200))
            case _:
                where[key] = deepcopy(dice.choice(VALUES))
    return written(content) + extra


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
