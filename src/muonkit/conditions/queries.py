"""Queries of the store to the database, one function each. Rows become records here."""

import getpass
import os
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, and_, case, delete, insert, literal, select, text, tuple_, update

from muonkit.conditions.iov import OPEN, IoV
from muonkit.conditions.payload import AuditRow, Entry, GlobalTag, Payload
from muonkit.conditions.rules import LIMIT
from muonkit.conditions.tables import entries, global_tags, history, names, payloads

Record = TypeVar("Record", Payload, GlobalTag, Entry, AuditRow)
LAST_REVISION = text("SELECT COALESCE(MAX(revision), 0) FROM payloads WHERE name = :name")
INSERT_TAG = text(
    "INSERT INTO global_tags (name, state, comment, created, author) "
    "VALUES (:name, 'open', :comment, :created, :author) ON CONFLICT DO NOTHING"
)
ENTRIES = select(entries, payloads.c.checksum, payloads.c.schema).join(
    payloads, (entries.c.name == payloads.c.name) & (entries.c.revision == payloads.c.revision)
)


def now() -> str:
    """Time now, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def who() -> str:
    """Name of the user, or the user's number where there is no name, as in many containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return f"uid {os.getuid()}"


def record(connection: Connection, what: str, details: str) -> None:
    """Add a line to the audit trail."""
    connection.execute(insert(history), {"time": now(), "who": who(), "what": what, "details": details})


def lock_name(connection: Connection, name: str) -> None:
    """Until this transaction ends, no other one can add a payload of this name."""
    connection.execute(text("INSERT INTO names (name) VALUES (:name) ON CONFLICT DO NOTHING"), {"name": name})
    connection.execute(select(names).where(names.c.name == name).with_for_update())


def insert_payload(connection: Connection, fields: dict[str, str | int]) -> Payload:
    """Insert and return the next revision of a name that is locked; `fields`: all but revision, time and author."""
    last = connection.scalar(LAST_REVISION, {"name": fields["name"]})
    row = {**fields, "revision": last + 1, "created": now(), "author": who()}
    connection.execute(insert(payloads), row)
    return Payload(**row)


def payload_of(connection: Connection, name: str, checksum: str) -> Payload | None:
    """The revision of `name` with this content; None if there is none."""
    question = select(payloads).where(payloads.c.name == name, payloads.c.checksum == checksum)
    row = connection.execute(question).one_or_none()
    return None if row is None else _payload(row)


def payload_at(connection: Connection, name: str, revision: int) -> Payload | None:
    """This revision of `name`; None if there is none."""
    question = select(payloads).where(payloads.c.name == name, payloads.c.revision == revision)
    row = connection.execute(question).one_or_none()
    return None if row is None else _payload(row)


def all_payloads(connection: Connection, name: str | None = None) -> list[Payload]:
    """All payloads, or those of one name, by name and revision."""
    question = select(payloads).order_by(payloads.c.name, payloads.c.revision)
    if name is not None:
        question = question.where(payloads.c.name == name)
    return [_payload(row) for row in connection.execute(question)]


def all_tags(connection: Connection) -> list[GlobalTag]:
    """All global tags, by name."""
    question = select(global_tags).order_by(global_tags.c.name)
    return [_typed(GlobalTag(**row._mapping)) for row in connection.execute(question)]


def tag_named(connection: Connection, tag: str, *, lock: bool = False) -> GlobalTag | None:
    """The global tag, or None. With `lock` no other transaction can change it or its entries until this one ends."""
    question = select(global_tags).where(global_tags.c.name == tag)
    row = connection.execute(question.with_for_update() if lock else question).one_or_none()
    return None if row is None else _typed(GlobalTag(**row._mapping))


def insert_tag(connection: Connection, tag: str, comment: str) -> bool:
    """Insert a new, open tag. False if another transaction has just made one of that name."""
    row = {"name": tag, "comment": comment, "created": now(), "author": who()}
    return connection.execute(INSERT_TAG, row).rowcount == 1


def entries_of(connection: Connection, tag: str, name: str | None = None) -> list[Entry]:
    """All entries of a tag, or those of one name, by name and interval."""
    question = ENTRIES.where(entries.c.tag == tag).order_by(entries.c.name, entries.c.first_exp, entries.c.first_run)
    if name is not None:
        question = question.where(entries.c.name == name)
    return [_entry(row) for row in connection.execute(question)]


def entry_meeting(connection: Connection, tag: str, name: str, iov: IoV) -> Entry | None:
    """An entry of this name whose interval has a run in common with `iov`; None if there is none."""
    question = ENTRIES.where(entries.c.tag == tag, entries.c.name == name, meets(iov)).limit(1)
    row = connection.execute(question).one_or_none()
    return None if row is None else _entry(row)


def meets(iov: IoV) -> ColumnElement[bool]:
    """`IoV.overlaps` in SQL, for the intervals of the entries."""
    ends = (case((column == OPEN, LIMIT), else_=column) for column in (entries.c.final_exp, entries.c.final_run))
    starts_before_it_ends = tuple_(entries.c.first_exp, entries.c.first_run) <= tuple_(*map(literal, iov.last))
    return and_(starts_before_it_ends, tuple_(*ends) >= tuple_(*map(literal, iov.first)))


def insert_entry(connection: Connection, tag: str, entry: Entry) -> None:
    """Add an entry to a tag that is locked."""
    connection.execute(
        insert(entries), {"tag": tag, "name": entry.name, "revision": entry.revision, **asdict(entry.iov)}
    )


def close_entry(connection: Connection, tag: str, entry: Entry, iov: IoV) -> None:
    """Give an entry of a tag that is locked the end of `iov`."""
    end = {"final_exp": iov.final_exp, "final_run": iov.final_run}
    connection.execute(update(entries).where(_is(tag, entry)).values(**end))


def remove_entry(connection: Connection, tag: str, entry: Entry) -> None:
    """Take an entry out of a tag that is locked."""
    connection.execute(delete(entries).where(_is(tag, entry)))


def _is(tag: str, entry: Entry) -> ColumnElement[bool]:
    row, first = entries.c, entry.iov.first
    return and_(row.tag == tag, row.name == entry.name, row.first_exp == first[0], row.first_run == first[1])


def all_history(connection: Connection) -> list[AuditRow]:
    """All lines of the audit trail, oldest first."""
    question = select(history.c.time, history.c.who, history.c.what, history.c.details).order_by(history.c.id)
    return [_typed(AuditRow(*row)) for row in connection.execute(question)]


def _payload(row: Row[Any]) -> Payload:
    return _typed(Payload(**row._mapping))


def _entry(row: Row[Any]) -> Entry:
    iov = IoV(row.first_exp, row.first_run, row.final_exp, row.final_run)
    return _typed(Entry(row.name, row.revision, iov, row.checksum, row.schema))


def _typed(record: Record) -> Record:
    """The record. Raises TypeError for texts and numbers that are none, as in a damaged SQLite."""
    for part in fields(record):
        value = getattr(record, part.name)
        if part.type in (str, int) and not isinstance(value, part.type):
            raise TypeError(f"{part.name} is {value!r}")
    return record
