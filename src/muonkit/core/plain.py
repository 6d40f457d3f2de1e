"""Dataclasses as the plain content of JSON, and back: how results stand in files for people and programs.

Arrays and tuples are lists, dataclasses and mappings are objects. A field whose default is None is left out while it
is None. A class with `to_json` and `from_json` of its own is written and read by these."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

Kind = TypeVar("Kind")


def plain(value: Any) -> Any:
    """`value` as numbers, texts, lists and dictionaries."""
    if hasattr(value, "to_json"):
        return value.to_json()
    if is_dataclass(value):
        return plain_fields(value)
    if isinstance(value, Mapping):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return [plain(part) for part in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def plain_fields(value: Any) -> dict[str, Any]:
    """The fields of a dataclass by name, each as plain content."""
    found = {field.name: (getattr(value, field.name), field.default) for field in fields(value)}
    return {name: plain(part) for name, (part, default) in found.items() if part is not None or default is not None}


def rebuilt(kind: type[Kind], content: Any) -> Kind:
    """The value of type `kind` that `plain` made `content` of. Raises KeyError with the names of missing fields."""
    value: Kind = _build(kind, content)
    return value


def rebuilt_fields(kind: type[Any], content: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a dataclass from their plain content; fields with a default may be missing.

    Raises KeyError with the names of those that must not."""
    hints, known = get_type_hints(kind), {field.name: field.default is MISSING for field in fields(kind)}
    missing = [name for name, needed in known.items() if needed and name not in content]
    if missing:
        raise KeyError(", ".join(missing))
    return {name: _part(name, hints[name], content[name]) for name in known if name in content}


def _part(name: str, kind: Any, content: Any) -> Any:
    try:
        return _build(kind, content)
    except KeyError as error:
        raise KeyError(f"{name}.{error.args[0]}") from error


def _build(kind: Any, content: Any) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        (kind,) = (choice for choice in arguments if choice is not NoneType)
        return None if content is None else _build(kind, content)
    if origin is Literal and content not in arguments:
        raise ValueError(f"a value is none of {', '.join(map(str, arguments))}")
    if hasattr(kind, "from_json"):
        return kind.from_json(content)
    if isinstance(kind, type) and is_dataclass(kind):
        return kind(**rebuilt_fields(kind, content))
    if origin is tuple:
        kinds = arguments[:1] * len(content) if arguments[-1] is Ellipsis else arguments
        return tuple(_build(each, part) for each, part in zip(kinds, content, strict=True))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {name: _part(name, arguments[1], part) for name, part in content.items()}
    if origin is np.ndarray:
        return np.array(content, dtype=get_args(arguments[1])[0])
    return kind(content) if kind in (int, float, bool, str) else content
