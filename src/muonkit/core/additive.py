"""Sums that are made piece by piece: what two pieces have counted, added, is what both together would have."""

from typing import Any, ClassVar, Self


class Additive:
    """Base of dataclasses whose fields are all arrays of counts, sums, Additive themselves, or None."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __add__(self, other: Self) -> Self:
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in self.__dataclass_fields__}
        return type(self)(**{name: None if a is None else a + b for name, (a, b) in pairs.items()})
