"""Files of corrections (correctionlib, schema 2), checked before the library sees them.

correctionlib trusts its input: a formula with thousands of parentheses, JSON that is nested deep, or an index beyond
the list it points to end the whole process. So size, depth, structure, formulas and indices are checked here, and what
does not pass is one line."""

import re
import warnings
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from muonkit.core import limits
from muonkit.core.errors import InputError

MOST_BYTES = 200_000_000
DEPTH = 40
GZIP = b"\x1f\x8b"
FORMULA_LENGTH = 5000  # characters; those of muonkit have 100
FORMULA_DEPTH = 40  # parentheses
PARAMETER = re.compile(r"\[\s*(\d+)\s*\]")
MOST = 10**9  # a parameter of more digits is counted as this one
WHAT = "correctionlib file of muonkit"
NODES = ("binning", "multibinning", "category", "formula", "formularef", "transform", "hashprng")


def read_corrections(path: Path) -> tuple[str, dict[str, Any]]:
    """Text and content of a file, `.json` or `.json.gz`. Raises InputError if the file is not corrections of schema 2
    or passes a limit of size, depth or length."""
    return parse_corrections(unpacked_corrections(path), str(path))


def unpacked_corrections(path: Path) -> bytes:
    """The bytes of a file, unpacked if its name says that it is gzipped. Raises InputError if it cannot be read or
    passes the limit of size."""
    packed = path.name.lower().endswith(".gz")
    read = limits.read_gzip if packed else limits.read_bytes
    return read(path, MOST_BYTES, WHAT)


def read_payload(content: bytes, name: str, needed: Iterable[str] = ()) -> dict[str, Any]:
    """The content of a file called `name`, gzipped or not. Raises InputError as `read_corrections`, and if a correction
    that is `needed` is not there."""
    packed = content.startswith(GZIP)
    text, found = parse_corrections(limits.unpack_gzip(content, name, MOST_BYTES, WHAT) if packed else content, name)
    with limits.reading(name, WHAT):
        import correctionlib

        correctionlib.CorrectionSet.from_string(text)  # refuses formulas that it cannot read
    missing = sorted(set(needed) - {correction["name"] for correction in found["corrections"]})
    if missing:
        raise InputError(f"{name}: lacks the corrections {', '.join(missing)}; is it another correctionlib file?")
    return found


def parse_corrections(unpacked: bytes, name: str) -> tuple[str, dict[str, Any]]:
    """Text and content of the JSON called `name`. Raises InputError if it is not corrections of schema 2 or passes a
    limit of depth or length."""
    with limits.reading(name, WHAT):
        text = unpacked.decode("utf-8")
        content = limits.parse_json(text, name, DEPTH)
        _check_structure(content)
    if faults := sorted(set(_faults(content)))[:5]:
        raise InputError(f"{name}: {fault}; give corrections that muonkit wrote" for fault in faults)
    return text, content


def _check_structure(content: Any) -> None:
    """What the schema says. Raises pydantic's ValidationError."""
    from correctionlib.schemav2 import CorrectionSet

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about names that are to be replaced in later versions of the schema
        CorrectionSet.model_validate(content)


def _faults(content: dict[str, Any]) -> Iterator[str]:
    if not content["corrections"]:
        yield "holds no corrections"
    for correction in content["corrections"]:
        general = correction.get("generic_formulas") or []
        nodes = [*general, *_nodes(correction["data"])]
        for node in nodes:
            yield from _node_faults(node, general, f"correction {correction['name'][:40]!r}")


def _nodes(data: Any) -> Iterator[dict[str, Any]]:
    """All nodes of a tree, without recursion."""
    waiting = [data]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if "nodetype" in part:
                yield part
            waiting += part.values()
        elif isinstance(part, list):
            waiting += (each for each in part if isinstance(each, dict | list))


def _node_faults(node: dict[str, Any], general: list[dict[str, Any]], where: str) -> Iterator[str]:
    if node["nodetype"] not in NODES:
        yield f"{where} has a node of type '{node['nodetype']}'"
    if node["nodetype"] == "formularef":
        if node["index"] >= len(general):
            yield f"{where} points to formula {node['index']} of {len(general)}"
            return
        node = general[node["index"]] | {"parameters": node["parameters"]}
    if "expression" in node:
        yield from (f"{where} {fault}" for fault in _formula_faults(node["expression"], node.get("parameters")))


def _formula_faults(expression: str, parameters: list[float] | None) -> Iterator[str]:
    """What is wrong with a formula; without `parameters`, those come with each reference to it."""
    yield from _text_faults(expression)
    highest = _highest_parameter(expression)
    if parameters is not None and highest >= len(parameters):
        yield f"has a formula with parameter [{highest}] of {len(parameters)}"


@lru_cache(maxsize=64)  # thousands of nodes refer to one formula
def _text_faults(expression: str) -> tuple[str, ...]:
    if len(expression) > FORMULA_LENGTH:
        return (f"has a formula of {len(expression)} characters, more than {FORMULA_LENGTH}",)
    depth = deepest = 0
    for letter in expression:
        depth += (letter == "(") - (letter == ")")
        deepest = max(deepest, depth)
    if deepest > FORMULA_DEPTH or depth != 0:
        return (f"has a formula with {deepest} levels of parentheses, {depth} of them open at its end",)
    return ()


@lru_cache(maxsize=64)
def _highest_parameter(expression: str) -> int:
    found = PARAMETER.findall(expression[: FORMULA_LENGTH + 1])
    return max((int(index) if len(index) < 10 else MOST for index in found), default=-1)
