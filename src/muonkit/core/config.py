"""Configuration: TOML read into frozen models; every fault is one line that names file, key and the way out."""

from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from muonkit.core import limits
from muonkit.core.errors import InputError


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
        raise InputError([_fault(name, model, fault) for fault in error.errors()]) from None


def _fault(name: str, model: type[BaseModel], fault: Any) -> str:
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"{name}: {key}: unknown key{_suggestion(model, fault['loc'])}"
    if fault["type"] == "missing":
        return f"{name}: {key}: is missing; add it"
    message = fault["msg"].removeprefix("Value error, ")
    given = fault.get("input")
    shown = "" if isinstance(given, dict) else f" (found {given!r})"
    return ": ".join(part for part in (name, key, f"{message}{shown}") if part)


def _suggestion(model: type[BaseModel], location: tuple[Any, ...]) -> str:
    section: Any = model
    for part in location[:-1]:
        field = section.model_fields.get(part)
        if field is None or not hasattr(field.annotation, "model_fields"):
            return ""
        section = field.annotation
    known = list(section.model_fields)
    close = get_close_matches(str(location[-1]), known, n=1)
    return f"; did you mean '{close[0]}'?" if close else f"; known are {', '.join(known)}"
