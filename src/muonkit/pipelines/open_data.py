"""Published dimuons: which there are, and how they come to disk."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muonkit.core.errors import InputError
from muonkit.core.result import Result
from muonkit.io.opendata import RECORDS
from muonkit.io.opendata import fetch as download


@dataclass(frozen=True, slots=True)
class FetchResult(Result):
    """The file that is there now."""

    file: Path

    def report(self) -> str:
        return str(self.file)

    def to_json(self) -> dict[str, Any]:
        return {"file": str(self.file), "text": str(self)}


@dataclass(frozen=True, slots=True)
class RecordList(Result):
    """Names of the records that can be fetched."""

    records: tuple[str, ...]

    def report(self) -> str:
        known = ((name, RECORDS[name]) for name in self.records)
        return "\n".join(f"{name:20} {record.size:>12} bytes  {record.title}" for name, record in known)

    def to_json(self) -> dict[str, Any]:
        return {"records": list(self.records), "text": str(self)}


def fetch(name: str, out: Path) -> FetchResult:
    """Download a record into the folder `out`. Raises InputError for an unknown name or a failed download."""
    if name not in RECORDS:
        raise InputError(f"{name}: no such record; known are {', '.join(RECORDS)}")
    return FetchResult(download(RECORDS[name], out))


def known() -> RecordList:
    """The records that can be fetched."""
    return RecordList(tuple(RECORDS))
