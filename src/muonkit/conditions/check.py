"""Checks of the store: every payload has its file, every file its checksum and its schema, every row its partner, every
run one answer. What was checked is counted; runs without an answer are notes.

A writer that was killed leaves at most a file without a row. That is harmless, and is reported as a note, not as a
fault."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from pathlib import Path
from typing import Self

from sqlalchemy import Connection, select, text
from sqlalchemy.sql import exists

from muonkit.conditions import queries
from muonkit.conditions.contents import Contents
from muonkit.conditions.database import Database
from muonkit.conditions.files import UNFINISHED, PayloadFiles, age
from muonkit.conditions.iov import overlapping
from muonkit.conditions.payload import Entry, Payload
from muonkit.conditions.tables import entries, global_tags, names, payloads
from muonkit.core.errors import InputError

OURS = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Findings:
    """Lines of text: faults must be mended, notes are only worth knowing. checked: how many payloads were read;
    schemas: schema -> payloads whose content was checked by it; unknown: schema -> payloads of which only the checksum
    was checked; tags and entries: whose intervals were compared."""

    faults: list[str]
    notes: list[str]
    checked: int = 0
    schemas: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    tags: int = 0
    entries: int = 0


@dataclass(frozen=True, slots=True)
class _Rows:
    """What the tables say, at one moment."""

    payloads: list[Payload]
    entries: dict[str, list[Entry]]
    faults: list[str]
    notes: list[str]

    @classmethod
    def read(cls, connection: Connection) -> Self:
        tags = queries.all_tags(connection)
        by_tag = {tag.name: queries.entries_of(connection, tag.name) for tag in tags}
        used = {tag.name: by_tag[tag.name] for tag in tags if tag.state != "invalid"}
        return cls(queries.all_payloads(connection), by_tag, list(_table_faults(connection)), list(_run_gaps(used)))


def examine(database: Database, files: PayloadFiles, contents: Contents) -> Findings:
    """Check the whole store without changing it; reads every payload. Raises InputError if the database cannot be
    read."""
    present = list(files.all())  # before the rows: a writer at work must not look like a fault
    rows = database.read(_Rows.read)
    faults = rows.faults + [line for payload in rows.payloads for line in payload_faults(files, contents, payload)]
    counts = Counter(payload.schema for payload in rows.payloads)
    known = {schema: count for schema, count in counts.items() if schema in contents.readers}
    unknown = {schema: count for schema, count in counts.items() if schema not in known}
    notes = [*rows.notes, *(_note(path) for path in _without_row(present, rows.payloads))]
    in_tags = sum(map(len, rows.entries.values()))
    return Findings(faults, notes, len(rows.payloads), known, unknown, len(rows.entries), in_tags)


def payload_faults(files: PayloadFiles, contents: Contents, payload: Payload | Entry) -> list[str]:
    """What is wrong with the file of a payload: it is absent, damaged, or not of its schema."""
    try:
        return contents.check(payload, files.read(payload.checksum, str(payload)))
    except InputError as error:
        return error.faults


def remove_leftovers(database: Database, files: PayloadFiles, older_than: float) -> list[Path]:
    """Remove files of killed writers that have not changed for `older_than` [s]; returns their paths. Other files stay.
    Raises InputError if the database cannot be used."""

    def work(connection: Connection) -> list[Path]:
        # a writer inserts its row, looks for its file, commits: all before this lock, or all after this transaction
        if connection.dialect.name == "postgresql":
            connection.execute(text("LOCK TABLE payloads IN SHARE ROW EXCLUSIVE MODE"))
        left = _without_row(files.all(), queries.all_payloads(connection))
        removed = [path for path in left if _made_by_writer(path) and age(path) > older_than]
        for path in removed:
            path.unlink(missing_ok=True)
        if removed:
            queries.record(connection, "clean", f"removed {len(removed)} files without a row")
        return removed

    return database.write(work)


def _without_row(present: Iterator[Path] | list[Path], kept: list[Payload]) -> list[Path]:
    known = {payload.checksum for payload in kept}
    return [path for path in present if path.name not in known]


def _made_by_writer(path: Path) -> bool:
    return path.name.startswith(UNFINISHED) or (
        OURS.fullmatch(path.name) is not None and path.parent.name == path.name[:2]
    )


def _note(path: Path) -> str:
    if _made_by_writer(path):
        return f"{path}: no row points to it, it was left by a writer that was killed; --clean removes it after an hour"
    return f"{path}: does not belong among the payload files; move it away"


def _table_faults(connection: Connection) -> Iterator[str]:
    if connection.dialect.name == "sqlite":
        found = connection.execute(text("PRAGMA integrity_check")).scalars()
        yield from (f"SQLite: {line}; restore the database from a backup" for line in found if line != "ok")
    yield from _orphans(connection)
    yield from _gaps(connection)
    yield from _overlaps(connection)


def _orphans(connection: Connection) -> Iterator[str]:
    """Rows that point to nothing; the database prevents them as long as its guards are on."""
    of_payload = exists().where(payloads.c.name == entries.c.name, payloads.c.revision == entries.c.revision)
    for tag, name, revision in connection.execute(
        select(entries.c.tag, entries.c.name, entries.c.revision).where(~of_payload)
    ):
        yield f"global tag {tag!r}: its entry {name} revision {revision} has no payload"
    of_tag = exists().where(global_tags.c.name == entries.c.tag)
    for tag in connection.scalars(select(entries.c.tag).where(~of_tag).distinct()):
        yield f"entries of global tag {tag!r}: there is no such tag"
    of_name = exists().where(names.c.name == payloads.c.name)
    for name in connection.scalars(select(payloads.c.name).where(~of_name).distinct()):
        yield f"payloads {name!r}: the name is not in the table of names"


def _gaps(connection: Connection) -> Iterator[str]:
    for name, group in groupby(queries.all_payloads(connection), key=lambda payload: payload.name):
        revisions = [payload.revision for payload in group]
        if revisions != list(range(1, len(revisions) + 1)):
            yield f"payload {name}: its revisions {revisions} are not 1 to {len(revisions)}"


def _overlaps(connection: Connection) -> Iterator[str]:
    for tag in queries.all_tags(connection):
        for name, group in groupby(queries.entries_of(connection, tag.name), key=lambda entry: entry.name):
            for one, other in overlapping([entry.iov for entry in group]):
                yield f"global tag {tag.name!r}: {name} has overlapping intervals of validity {one} and {other}"


def _run_gaps(by_tag: Mapping[str, list[Entry]]) -> Iterator[str]:
    """A line for every name that holds for no run somewhere between its intervals."""
    for tag, rows in by_tag.items():
        for name, group in groupby(rows, key=lambda entry: entry.name):
            gaps = [(one.iov, other.iov) for one, other in pairwise(group) if not other.iov.follows(one.iov)]
            if gaps:
                one, other = gaps[0]
                yield (
                    f"global tag {tag!r}: {name} holds for no run between {one} and {other}"
                    + (f", and in {len(gaps) - 1} more gaps" if gaps[1:] else "")
                )
