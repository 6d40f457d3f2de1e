"""What a verb of the store looks up before it acts. What is not there is an InputError that says what there is."""

from difflib import get_close_matches

from sqlalchemy import Connection

from muonkit.conditions import queries
from muonkit.conditions.iov import IoV
from muonkit.conditions.payload import Entry, GlobalTag, Payload
from muonkit.core.errors import InputError


def named(connection: Connection, tag: str, *, lock: bool = False) -> GlobalTag:
    """The global tag; with `lock`, nobody else can change it or its entries until this transaction ends. Raises
    InputError if there is none."""
    found = queries.tag_named(connection, tag, lock=lock)
    if found is None:
        there_are = _suggest(tag, [known.name for known in queries.all_tags(connection)])
        raise InputError(f"global tag {tag!r}: there is no such tag; {there_are}")
    return found


def changeable(connection: Connection, tag: str) -> None:
    """Lock a tag that is open. Raises InputError if it is not."""
    state = named(connection, tag, lock=True).state
    if state != "open":
        raise InputError(
            f"global tag {tag!r} is {state} and never changes again; clone it under a new name, and change the clone"
        )


def payload_at(connection: Connection, name: str, revision: int) -> Payload:
    """The payload. Raises InputError if there is none."""
    found = queries.payload_at(connection, name, revision)
    if found:
        return found
    there_are = queries.all_payloads(connection, name)
    if there_are:
        raise InputError(f"payload {name}: there is no revision {revision}; the last is {there_are[-1].revision}")
    names = sorted({payload.name for payload in queries.all_payloads(connection)})
    raise InputError(f"payload {name!r}: there is no such name; {_suggest(name, names)}")


def missing(connection: Connection, tag: str, name: str, where: str) -> str:
    """The line for a name that does not hold `where`: what there is instead."""
    entries = queries.entries_of(connection, tag)
    intervals = [f"revision {entry.revision} for {entry.iov}" for entry in entries if entry.name == name]
    if intervals:
        return f"global tag {tag!r}: no {name} for {where}; there are {'; '.join(intervals)}. Tag one for this run."
    names = sorted({entry.name for entry in entries})
    return f"global tag {tag!r}: no {name} for {where}, nor for any other; {_suggest(name, names)}"


def _suggest(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there are {', '.join(known)}" if known else "there are none yet"


def entry_at(connection: Connection, tag: str, name: str, iov: IoV) -> Entry:
    """The entry with exactly this interval. Raises InputError if there is none."""
    entries = named_entries(connection, tag, name)
    for entry in entries:
        if entry.iov == iov:
            return entry
    there_are = "; ".join(f"{entry.iov} (revision {entry.revision})" for entry in entries)
    raise InputError(f"global tag {tag!r}: no entry of {name} has the interval {iov}; there are {there_are}")


def named_entries(connection: Connection, tag: str, name: str) -> list[Entry]:
    """The entries of a name, by interval. Raises InputError if there are none."""
    entries = queries.entries_of(connection, tag, name)
    if not entries:
        names = sorted({entry.name for entry in queries.entries_of(connection, tag)})
        raise InputError(f"global tag {tag!r}: has no entry of {name}; {_suggest(name, names)}")
    return entries
