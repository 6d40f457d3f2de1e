"""Mistakes in what TOML and JSON hold: wrong values, keys that are removed, renamed or stand twice."""

import json
import random
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

DEEP: Any = []
for _ in range(80):
    DEEP = [DEEP]
NUMBERS = (
    *(-1, 0, 1, float("nan"), float("inf"), -float("inf"), 1e308, -1e308, 1e-308, 10**12, -(10**12), 10**30, 2**63),
    *(2**31, 2**64, -(2**63) - 1, 0.5, 1e-12),
)
TEXTS = (
    *("", "x", "{x", "{0.__class__}", "{n:999999999d}", "../../x", "a\nb", "\x1b[31m", "é" * 300, "vacuum"),
    *("{sector:02d}", "*", "[", "$\\alhpa$", "a$b$", "/", ".", "..", "\x00", "data.parquet", "https://[", "root://x"),
    *("default", "none", "~", "%s", "<script>", "'; --", "postgresql+pg8000://[/", "::"),
)
VALUES = (
    *NUMBERS,
    *TEXTS,
    *([], [[]], {}, None, True, False, [1, 0], [0, 0], ["x"], [-1e308, 1e308], {"x": 1}, [{}], DEEP, list(range(2000))),
)


def toml(value: Any) -> str:
    """A value as TOML writes it; null, which TOML has not, as it is."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, str | None) else repr(value)


def written(content: dict[str, Any]) -> str:
    """All of a file of TOML."""
    return "\n".join(f"{json.dumps(key)} = {toml(value)}" for key, value in content.items())


def places(content: Any) -> list[tuple[Any, Any]]:
    """All containers with their keys."""
    keys = list(content) if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else []
    return [one for key in keys for one in [(content, key), *places(content[key])]]


def mistaken(content: Any, dice: random.Random) -> tuple[Any, tuple[str, Any] | None]:
    """A copy with up to three mistakes in it, and a key that stands twice."""
    content, twice = deepcopy(content), None
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        there = places(content)
        if not there:
            return deepcopy(dice.choice(VALUES)), None
        where, key = dice.choice(there)
        match dice.choice(("value", "value", "value", "value", "remove", "rename", "double", "scale", "copy")):
            case "remove":
                del where[key]
            case "rename" if isinstance(where, dict):
                where[dice.choice((f"{key}s", "", "name", "x\ny"))] = where.pop(key)
            case "double" if isinstance(where, dict):
                twice = key, where[key]
            case "copy" if isinstance(where, list):
                where.insert(key, deepcopy(where[key]))
            case "scale" if isinstance(where[key], int | float):
                where[key] = where[key] * dice.choice((-1, 1e-12, 1e-3, 1e3, 1e9, 1e200))
            case _:
                where[key] = deepcopy(dice.choice(VALUES))
    return content, twice


def calm(content: Any, most: Mapping[str, tuple[int, float]]) -> None:
    """Numbers that only ask for much work, named by `most`, are made small: key -> (small, largest that is allowed)."""
    for where, key in places(content):
        small, largest = most.get(str(key), (0, 0.0))
        if isinstance(where[key], int | float) and small < where[key] <= largest:
            where[key] = small


def mutate(content: dict[str, Any], dice: random.Random, most: Mapping[str, tuple[int, float]] | None = None) -> str:
    """The text of a file of TOML with up to three mistakes in it."""
    wrong, twice = mistaken(content, dice)
    calm(wrong, most or {})
    if not isinstance(wrong, dict):
        return toml(wrong)
    return written(wrong) + (f"\n{json.dumps(twice[0])} = {toml(twice[1])}" if twice else "")


def mutate_json(content: Any, dice: random.Random) -> str:
    """The text of a file of JSON with up to three mistakes in it."""
    wrong, twice = mistaken(content, dice)
    text = json.dumps(wrong)
    if twice and text.startswith("{") and len(text) > 2:
        text = f"{{{json.dumps(twice[0])}: {json.dumps(twice[1])}, {text[1:]}"
    return text
