"""Sums that are made piece by piece: the counts of two pieces add up to the counts of both together."""

from typing import Any, ClassVar, Self


class Additive:
    """Base of dataclasses that can be added field by field. A field is an array of counts or sums, an Additive, or
    None."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __add__(self, other: Self) -> Self:
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in self.__dataclass_fields__}
        return type(self)(**{name: None if a is None else a + b for name, (a, b) in pairs.items()})
