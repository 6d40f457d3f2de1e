"""What a configuration says of payloads, and how they are read."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muonkit.conditions.store import Store
from muonkit.core.config import Section
from muonkit.core.errors import InputError

Run = tuple[int, int]  # experiment and run


class StoreChoice(Section):
    """Where payloads come from: a folder, or the URL of a database with the folder of its payload files, and a global
    tag; names of the payloads in it. Without channel_status or strip_efficiency everything works perfectly."""

    location: str
    payloads: str | None = None
    tag: str
    channel_status: str | None = None
    strip_efficiency: str | None = None

    def place(self, base: Path) -> tuple[str, Path | None]:
        """Location and folder of the payload files; `base`: folder of the configuration."""
        payloads = None if self.payloads is None else base / self.payloads
        return (self.location if "://" in self.location else str(base / self.location)), payloads


@dataclass(frozen=True)
class PayloadReader:
    """Reads each payload once, however many runs it holds for. parsed: contents by what they are called."""

    store: Store
    tag: str
    parsed: dict[str | None, Any]

    def read(self, name: str, schema: str, parse: Callable[[bytes, str], Any], run: Run) -> str:
        """Read what holds for a run, if that was not done yet; returns what it is called. Raises InputError if there is
        none, or if it is of another schema."""
        payload = self.store.find(self.tag, name, *run)
        label = f"{payload.name} revision {payload.revision}"
        if payload.schema != schema:
            raise InputError(f"{label}: has schema {payload.schema}, this version reads {schema}")
        if label not in self.parsed:
            self.parsed[label] = parse(self.store.read(payload), label)
        return label
