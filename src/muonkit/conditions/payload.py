"""What the store returns: frozen records of payloads, global tags, their entries and the audit trail.

Times are UTC, ISO 8601. `checksum` is the SHA-256 of the content, in hex: it is also the name of the file."""

from dataclasses import dataclass
from typing import Literal

from muonkit.conditions.iov import IoV

State = Literal["open", "published", "invalid"]


@dataclass(frozen=True, slots=True)
class Payload:
    """One revision of a named content. `schema`: kind of content and its version; `size` [bytes]. Never changes."""

    name: str
    revision: int
    checksum: str
    size: int
    schema: str
    comment: str
    created: str
    author: str

    def __str__(self) -> str:
        return f"{self.name} revision {self.revision}"


@dataclass(frozen=True, slots=True)
class GlobalTag:
    """A named set of entries: open (entries can be added), published (frozen for ever) or invalid (do not use)."""

    name: str
    state: State
    comment: str
    created: str
    author: str


@dataclass(frozen=True, slots=True)
class Entry:
    """In some global tag, this payload holds for these runs."""

    name: str
    revision: int
    iov: IoV
    checksum: str
    schema: str

    def __str__(self) -> str:
        return f"{self.name} revision {self.revision}"


@dataclass(frozen=True, slots=True)
class AuditRow:
    """Who changed what, and when."""

    when: str
    who: str
    what: str
    details: str
