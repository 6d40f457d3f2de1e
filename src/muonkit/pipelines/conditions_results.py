"""What the commands on a store of conditions give back."""

from abc import abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from muonkit.conditions.check import Findings
from muonkit.conditions.payload import AuditRow, Entry, GlobalTag, Payload
from muonkit.core.result import Result, Status


class ConditionsResult(Result):
    """Base: numbers and names by key, and the words for them."""

    __slots__ = ()

    @abstractmethod
    def content(self) -> dict[str, Any]:
        """Everything but the text."""

    def to_json(self) -> dict[str, Any]:
        """The content and the text."""
        return self.content() | {"text": str(self)}


@dataclass(frozen=True, slots=True)
class StoreReady(ConditionsResult):
    """A store that was made or migrated: its place, the folder of its files, the last line of its history."""

    store: str
    payloads: Path
    last: AuditRow

    def content(self) -> dict[str, Any]:
        return {"store": self.store, "payloads": str(self.payloads), "last": asdict(self.last)}

    def report(self) -> str:
        return f"{self.store}: ready; payload files in {self.payloads}"


@dataclass(frozen=True, slots=True)
class PayloadAdded(ConditionsResult):
    """A payload that the store has kept; `opaque`: its content was not checked."""

    payload: Payload
    opaque: bool = False

    def content(self) -> dict[str, Any]:
        return asdict(self.payload) | {"content_checked": not self.opaque}

    def report(self) -> str:
        how = "content not checked" if self.opaque else f"content checked as {self.payload.schema}"
        return f"{self.payload}, {self.payload.size} bytes, SHA-256 {self.payload.checksum}, {how}"


@dataclass(frozen=True, slots=True)
class TagChanged(ConditionsResult):
    """A global tag that was created, published (with so many entries) or invalidated."""

    tag: str
    state: str
    entries: int | None = None

    def content(self) -> dict[str, Any]:
        number = {} if self.entries is None else {"entries": self.entries}
        return {"tag": self.tag, "state": self.state, **number}

    def report(self) -> str:
        words = {"open": "created, open", "invalid": "invalid from now on"}
        return f"{self.tag}: " + words.get(self.state, f"{self.state} with {self.entries} entries")


@dataclass(frozen=True, slots=True)
class TagCloned(ConditionsResult):
    """A new global tag with so many entries of another one."""

    tag: str
    new: str
    entries: int

    def content(self) -> dict[str, Any]:
        return asdict(self) | {"state": "open"}

    def report(self) -> str:
        return f"{self.new}: created, open, with {self.entries} entries of {self.tag}"


@dataclass(frozen=True, slots=True)
class EntryChanged(ConditionsResult):
    """An entry of a global tag that was added, closed or removed, as it is now or was last."""

    tag: str
    entry: Entry
    change: Literal["added", "closed", "removed"]

    def content(self) -> dict[str, Any]:
        return {"tag": self.tag, **_entry(self.entry), "change": self.change}

    def report(self) -> str:
        verb = {"added": "holds for", "closed": "is closed: it holds for", "removed": "is removed: it held for"}
        return f"{self.tag}: {self.entry} {verb[self.change]} {self.entry.iov}"


@dataclass(frozen=True, slots=True)
class StoreContent(ConditionsResult):
    """All global tags and payloads."""

    tags: tuple[GlobalTag, ...]
    payloads: tuple[Payload, ...]

    def content(self) -> dict[str, Any]:
        return {"tags": [asdict(tag) for tag in self.tags], "payloads": [asdict(one) for one in self.payloads]}

    def report(self) -> str:
        tags = [f"{tag.name:30} {tag.state:10} {tag.created}  {tag.comment}".rstrip() for tag in self.tags]
        payloads = [f"{p.name:30} {p.revision:8} {p.size:12} {p.schema:30} {p.comment}".rstrip() for p in self.payloads]
        heads = (
            f"{'global tag':30} {'state':10} {'created':25}  comment",
            f"{'payload':30} {'revision':>8} {'bytes':>12} {'schema':30} comment",
        )
        return "\n".join([heads[0], *tags, "", heads[1], *payloads])


@dataclass(frozen=True, slots=True)
class TagContent(ConditionsResult):
    """The entries of a global tag."""

    tag: str
    entries: tuple[Entry, ...]

    def content(self) -> dict[str, Any]:
        return {"tag": self.tag, "entries": [_entry(entry) for entry in self.entries]}

    def report(self) -> str:
        rows = [
            f"{one.name:30} {one.revision:8} {one.iov!s:24} {one.checksum[:12]} {one.schema}" for one in self.entries
        ]
        return "\n".join([f"{'payload':30} {'revision':>8} {'interval of validity':24} {'SHA-256':12} schema", *rows])


@dataclass(frozen=True, slots=True)
class PayloadWritten(ConditionsResult):
    """The payload of a run, written to a file."""

    payload: Payload
    file: Path

    def content(self) -> dict[str, Any]:
        return asdict(self.payload) | {"file": str(self.file)}

    def report(self) -> str:
        return f"{self.file}: {self.payload}, {self.payload.size} bytes"


@dataclass(frozen=True, slots=True)
class StoreChecked(ConditionsResult):
    """Faults and notes of a store, and the leftovers that were removed."""

    found: Findings
    removed: tuple[Path, ...]

    @property
    def status(self) -> Status:
        """ATTENTION if the store has a fault."""
        return "ATTENTION" if self.found.faults else "PASS"

    @property
    def message(self) -> str:
        """How many faults; the store is whole only if all contents were checked."""
        if self.found.faults:
            return f"faults: {len(self.found.faults)}"
        return "no faults in what was checked" if self.found.unknown else "the store is whole"

    def content(self) -> dict[str, Any]:
        removed = [str(path) for path in self.removed]
        return asdict(self.found) | {"removed": removed, "exit_code": self.exit_code}

    def report(self) -> str:
        found, removed = self.found, (f"removed {path}" for path in self.removed)
        lines = [*found.faults, *(f"note: {line}" for line in found.notes), *removed]
        lines += [
            f"checked: {found.checked} payloads by SHA-256; {found.entries} intervals in {found.tags} global tags"
        ]
        lines += [f"checked by schema {schema}: {count}" for schema, count in found.schemas.items()]
        return "\n".join(lines + [f"not checked, schema {name}: {count}" for name, count in found.unknown.items()])


@dataclass(frozen=True, slots=True)
class StoreHistory(ConditionsResult):
    """Every change of a store, oldest first."""

    rows: tuple[AuditRow, ...]

    def content(self) -> dict[str, Any]:
        return {"history": [asdict(row) for row in self.rows]}

    def report(self) -> str:
        return "\n".join(f"{row.when}  {row.who:12} {row.what:12} {row.details}" for row in self.rows)


def _entry(entry: Entry) -> dict[str, Any]:
    return asdict(entry) | {"iov": str(entry.iov)}
