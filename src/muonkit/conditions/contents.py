"""What a payload must be: a reader for each schema, which refuses a content that it cannot read.

The store knows no subject, so the readers are given to it when it is opened (`pipelines.payload_schemas` has those of
muonkit). A content of another schema is kept only on request, as opaque: nobody has looked into it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from muonkit.conditions.payload import Entry, Payload
from muonkit.core.errors import InputError
from muonkit.core.limits import reading

Reader = Callable[[bytes, str], object]
"""Reads a content; the text is what messages call it. Raises InputError if it is not what its schema says."""


@dataclass(frozen=True, slots=True)
class Contents:
    """Readers by schema, KIND/VERSION."""

    readers: Mapping[str, Reader] = field(default_factory=dict)

    def require(self, content: bytes, schema: str, name: str, opaque: bool) -> None:
        """Raises InputError if the content is not of its schema; or if nobody knows the schema and the content is not
        `opaque`; or if it is opaque although the schema is known."""
        known = schema in self.readers
        if known and opaque:
            raise InputError(f"{name}: its schema {schema} is known, so its content is checked; it cannot be opaque")
        if not known and not opaque:
            raise InputError(
                f"{name}: nobody knows the schema {schema} ({self._suggest(schema)}); "
                "give one of these, or --opaque to keep the file unchecked"
            )
        if faults := self.faults(content, schema, name):
            raise InputError(faults)

    def faults(self, content: bytes, schema: str, name: str) -> list[str]:
        """What is wrong with a content of this schema; none if the schema is unknown."""
        if schema not in self.readers:
            return []
        try:
            with reading(name, f"payload of schema {schema}"):
                self.readers[schema](content, name)
        except InputError as error:
            return [f"schema {schema}: {line}" for line in error.faults]
        return []

    def check(self, payload: Payload | Entry, content: bytes) -> list[str]:
        """What is wrong with the content of a payload."""
        return self.faults(content, payload.schema, str(payload))

    def _suggest(self, schema: str) -> str:
        close = get_close_matches(schema, self.readers, n=1)
        if close:
            return f"did you mean {close[0]}?"
        return f"known are {', '.join(sorted(self.readers)) or 'none here'}"
