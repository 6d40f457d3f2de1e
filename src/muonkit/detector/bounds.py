"""What the numbers and names of a detector file may be: wide enough for every detector, narrow enough to end mistakes
of units and sizes that no computer holds. Lengths cm, field tesla."""

import re
from string import Formatter
from typing import Annotated

from pydantic import AfterValidator, Field, Strict

from muonkit.core.config import Range
from muonkit.core.limits import shown

MOST_LENGTH = 1e6  # cm
LEAST_LENGTH = 1e-9  # cm
MOST_FIELD = 50.0  # T; no magnet that stands still has more
MOST_FACTOR = 1e6  # of a field: a map may be given for 1 A or in gauss
MOST_SURFACES, MOST_BLOCKS, MOST_SLICES, MOST_NODES = 100_000, 2000, 100_000, 10_000_000
PLACEHOLDERS = ("n", "sector", "side")
FORM = re.compile(r"0?\d{0,2}d?")


def _printable(name: str) -> str:
    if not name.isprintable():
        raise ValueError("a name has no control characters; use letters, digits, '-', '_', '/' and '.'")
    return name


def _pattern(name: str) -> str:
    """The name of a layer, if its braces hold placeholders and nothing else."""
    try:
        fields = [(field, form or "", turn) for _, field, form, turn in Formatter().parse(name) if field is not None]
    except ValueError as error:
        raise ValueError(f"braces do not match ({error}); known are {{n}}, {{sector}}, {{side}}") from error
    for placeholder, form, conversion in fields:
        if placeholder not in PLACEHOLDERS:
            raise ValueError(f"'{shown(placeholder)}' is no placeholder; known are {{n}}, {{sector}}, {{side}}")
        if conversion or not FORM.fullmatch(form):
            raise ValueError(f"{{{placeholder}}} cannot be written as '{shown(form)}'; leave that out, or use ':02d'")
    return name


def _not_tiny(size: float) -> float:
    if size < LEAST_LENGTH:
        raise ValueError(f"must be at least {LEAST_LENGTH:g} cm")
    return size


def _within(span: tuple[float, float]) -> tuple[float, float]:
    if max(abs(span[0]), abs(span[1])) > MOST_LENGTH:
        raise ValueError(f"must lie between {-MOST_LENGTH:g} and {MOST_LENGTH:g} cm")
    return span


Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
Pattern = Annotated[Name, AfterValidator(_pattern)]
Title = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_printable)]
Path = Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(_printable)]
Count = Annotated[int, Strict(), Field(ge=1, le=10_000)]
Coordinate = Annotated[float, Strict(), Field(ge=-MOST_LENGTH, le=MOST_LENGTH)]
Thickness = Annotated[float, Strict(), Field(ge=0, le=MOST_LENGTH)]
Size = Annotated[float, Strict(), Field(gt=0, le=MOST_LENGTH), AfterValidator(_not_tiny)]
Number = Annotated[float, Strict(), Field(ge=-1e6, le=1e6)]
Tesla = Annotated[float, Strict(), Field(ge=-MOST_FIELD, le=MOST_FIELD)]
Factor = Annotated[float, Strict(), Field(ge=-MOST_FACTOR, le=MOST_FACTOR)]
Span = Annotated[Range, AfterValidator(_within)]
Vector = tuple[Coordinate, Coordinate, Coordinate]
