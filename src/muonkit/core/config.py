"""Configuration: TOML read into frozen models; every fault is one line that names file, key and the way out."""

import json
from collections.abc import Mapping
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from muonkit.core import limits
from muonkit.core.errors import InputError
from muonkit.core.limits import shown

MOST_FAULTS, MOST_SHOWN = 50, 500  # lines of one file, characters of one reason


def rising(edges: tuple[float, ...]) -> tuple[float, ...]:
    """The edges, if there are at least two and they rise. Raises ValueError otherwise."""
    if len(edges) < 2:
        raise ValueError("needs at least two edges")
    for low, high in pairwise(edges):
        if not low < high:
            raise ValueError(f"edges must rise, but {low:g} is followed by {high:g}")
    return edges


Edges = Annotated[tuple[float, ...], AfterValidator(rising)]


def rising_pair(pair: tuple[float, float]) -> tuple[float, float]:
    if not pair[0] < pair[1]:
        raise ValueError(f"range must rise, but {pair[0]:g} is followed by {pair[1]:g}")
    return pair


Range = Annotated[tuple[float, float], AfterValidator(rising_pair)]


def drawable(label: str) -> str:
    """The text, if it can stand on a figure. Raises ValueError if it has control characters or its mathtext, between
    dollar signs, is wrong."""
    if not label.isprintable():
        raise ValueError("has control characters; leave them out")
    if "$" in label:
        from matplotlib.cbook import is_math_text
        from matplotlib.mathtext import MathTextParser

        try:
            if is_math_text(label):
                MathTextParser("path").parse(label)
        except ValueError as error:
            reason = str(error).strip().splitlines()[-1]
            raise ValueError(f"is not valid mathtext ({reason}); correct it, or write \\$ for a dollar sign") from None
    return label


Seed = Annotated[int, Field(ge=0, lt=2**63)]
MOST_EVENTS = 1_000_000_000  # of one sample

Label = Annotated[str, Field(max_length=200), AfterValidator(drawable)]


class Section(BaseModel):
    """A table of the configuration: frozen, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Model = TypeVar("Model", bound=BaseModel)


def load(path: Path, model: type[Model]) -> Model:
    """Read a TOML file as a `model`.
    Raises InputError, with one line per fault, if the file cannot be read, is not TOML, or does not fit the model."""
    return parse(read_text(path), model, str(path))


def read_text(path: Path) -> str:
    """The text of a configuration file. Raises InputError if it cannot be read or is too large."""
    return limits.read_text(path, what="TOML file")


def parse(text: str, model: type[Model], name: str = "config") -> Model:
    """Read the text of a TOML file, called `name` in messages, as a `model`.
    Raises InputError, with one line per fault, if it is not TOML, is nested too deep, or does not fit the model."""
    content = limits.parse_toml(text, name)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        faults = [_fault(name, content, model, fault) for fault in error.errors()[:MOST_FAULTS]]
        more = error.error_count() - len(faults)
        raise InputError([*faults, *([f"{name}: and {more} faults more"] if more else [])]) from None


def _fault(name: str, content: Any, model: type[BaseModel], fault: Any) -> str:
    key = shown(_key(content, fault["loc"]))
    begin = f"{name}: {key}" if key else name
    if fault["type"] == "extra_forbidden":
        return f"{begin}: unknown key{_suggestion(model, fault['loc'])}"
    if fault["type"] == "missing":
        return f"{begin}: is missing; add it"
    message = shown(fault["msg"].removeprefix("Value error, "), MOST_SHOWN)
    given = fault.get("input")
    found = "" if isinstance(given, dict) else f" (found {shown(repr(given))})"
    return f"{begin}: {message}{found}"


def _key(content: Any, location: tuple[Any, ...]) -> str:
    """Where a fault is. An entry of a list that has a name is called by it: `layers "TIB": radius`."""
    if len(location) > 1 and isinstance(location[1], int):
        entry = content[location[0]][location[1]]
        if isinstance(entry, dict) and isinstance(entry.get("name"), str):
            tags = [value for value in entry.values() if isinstance(value, str)]
            rest = [str(part) for part in location[2:] if part in entry or part not in tags]
            return ": ".join([f'{location[0]} "{entry["name"]}"', *([".".join(rest)] if rest else [])])
    return ".".join(str(part) for part in location)


def _suggestion(model: type[BaseModel], location: tuple[Any, ...]) -> str:
    sections = [model]
    for part in location[:-1]:
        if isinstance(part, str):
            inner = [field.annotation for each in sections for key, field in _keys(each).items() if key == part]
            sections = [one for kind in inner for one in _sections(kind)] or _tagged(sections, part)
    known = list(dict.fromkeys(key for section in sections for key in _keys(section)))
    close = get_close_matches(str(location[-1]), known, n=1)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known are {', '.join(known)}" if known else ""


def _keys(section: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or key: field for key, field in section.model_fields.items()}


def _sections(kind: Any) -> list[type[BaseModel]]:
    """The sections in a type: its own, those of a union, of a list, of a mapping."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind]
    return [section for part in get_args(kind) for section in _sections(part)]


def _tagged(sections: list[type[BaseModel]], tag: str) -> list[type[BaseModel]]:
    """Those that a tag of a union means: it is their name, or their value of a key like `kind`."""
    values = [[part for field in _keys(one).values() for part in get_args(field.annotation)] for one in sections]
    return [one for one, known in zip(sections, values, strict=True) if tag == one.__name__ or tag in known]


def as_toml(content: Mapping[str, Any]) -> str:
    """The text of a TOML file: numbers, texts and lists first, then a table for each mapping; what is None is left
    out."""
    tables = {key: value for key, value in content.items() if isinstance(value, Mapping)}
    lines = [_line(key, value) for key, value in content.items() if key not in tables and value is not None]
    for name, table in tables.items():
        lines += ["", f"[{name}]", *(_line(key, value) for key, value in table.items() if value is not None)]
    return "\n".join(lines).lstrip("\n") + "\n"


def _line(key: str, value: Any) -> str:
    return f"{json.dumps(key, ensure_ascii=False) if '.' in key or not key.isidentifier() else key} = {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(_line(key, one) for key, one in value.items() if one is not None) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
