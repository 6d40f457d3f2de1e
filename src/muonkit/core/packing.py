"""Dataclasses as flat mappings of names to arrays, and back: how intermediate results are kept in files without pickle.

A field `a` of a field `b` is named `b.a`. Fields are arrays, numbers, texts, or dataclasses, named tuples, tuples and
mappings of such. A field that is None is left out."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from muonkit.core.arrays import AnyArray

Packed = TypeVar("Packed")
SIZE, KEYS = "#", "@"  # names of the number of entries of a tuple, and of the keys of a mapping


def pack(value: Any) -> dict[str, AnyArray]:
    """Name -> array of everything in `value`; see the head of this file for the names."""
    return dict(_leaves(value, ""))


def unpack(kind: type[Packed], arrays: Mapping[str, AnyArray]) -> Packed:
    """The value of type `kind` that `pack` turned into `arrays`. Raises KeyError if a field is missing."""
    value: Packed = _build(kind, arrays, "")
    return value


def _leaves(value: Any, name: str) -> Iterator[tuple[str, AnyArray]]:
    if value is None:
        return
    if isinstance(value, Mapping):
        yield _join(name, KEYS), np.array(list(value), dtype=np.str_)
    elif isinstance(value, tuple) and not hasattr(value, "_fields"):
        yield _join(name, SIZE), np.array(len(value))
    elif not is_dataclass(value) and not hasattr(value, "_fields"):
        yield name, np.asarray(value)
        return
    for key, part in _parts(value):
        yield from _leaves(part, _join(name, key))


def _parts(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, tuple):
        return list(zip(getattr(value, "_fields", map(str, range(len(value)))), value, strict=True))
    return [(field.name, getattr(value, field.name)) for field in fields(value)]


def _build(kind: Any, arrays: Mapping[str, AnyArray], name: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        (kind,) = (choice for choice in arguments if choice is not NoneType)
        return _build(kind, arrays, name) if _holds(arrays, name) else None
    if is_dataclass(kind) or hasattr(kind, "_fields"):
        hints = get_type_hints(kind)
        names = kind._fields if hasattr(kind, "_fields") else [field.name for field in fields(kind)]
        return kind(**{part: _build(hints[part], arrays, _join(name, part)) for part in names})
    if origin is tuple:
        size = int(arrays[_join(name, SIZE)])
        kinds = arguments[:1] * size if arguments[-1] is Ellipsis else arguments
        return tuple(_build(each, arrays, _join(name, str(i))) for i, each in enumerate(kinds))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        keys = [str(key) for key in arrays[_join(name, KEYS)]]
        number = int if arguments[0] is int else str
        return {number(key): _build(arguments[1], arrays, _join(name, key)) for key in keys}
    return kind(arrays[name].item()) if kind in (int, float, bool, str) else arrays[name]


def _holds(arrays: Mapping[str, AnyArray], name: str) -> bool:
    return any(key == name or key.startswith(name + ".") for key in arrays)


def _join(name: str, part: str) -> str:
    return f"{name}.{part}" if name else part
