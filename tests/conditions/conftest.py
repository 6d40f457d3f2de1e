"""Every claim about the store is tested on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.conditions.servers import Server, running_server

from muonkit.conditions.contents import Contents
from muonkit.conditions.store import Store, create_store, open_store
from muonkit.core.errors import InputError


def read_anything(content: bytes, name: str) -> bytes:
    """Refuses what begins with "bad", and breaks over what begins with "break"."""
    if content.startswith(b"bad"):
        raise InputError(f"{name}: is bad")
    if content.startswith(b"break"):
        raise KeyError("broken reader")
    return content


CONTENTS = Contents(dict.fromkeys(("K/1", "KLMLikelihoodParameters/1", "K/2"), read_anything))


@dataclass(frozen=True)
class Place:
    """Where a store is, or will be."""

    location: str
    payloads: Path | None
    files: Path

    def create(self) -> Store:
        return create_store(self.location, self.payloads, CONTENTS)

    def open(self) -> Store:
        return open_store(self.location, self.payloads, CONTENTS)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with running_server() as found:
        yield found


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return place_of(request, tmp_path)


def place_of(request: pytest.FixtureRequest, folder: Path) -> Place:
    """A place for a new store of the kind that the fixture is asked for."""
    if request.param == "sqlite":
        return Place(str(folder / "store"), None, folder / "store" / "payloads")
    found: Server = request.getfixturevalue("server")
    return Place(found.new_database(), folder / "files", folder / "files")


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    with place.create() as made:
        yield made
