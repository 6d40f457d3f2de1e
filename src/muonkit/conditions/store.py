"""The store of conditions: results of calibrations, kept for the runs for which they hold, so that an analysis can say
years later which numbers it used.

Payloads never change: new content is a new revision. A global tag says which revision holds for which runs; once
published it never changes either. Contents are in files named by their SHA-256, everything else is in an SQL database.
The file is on disk before the row that names it is visible, so that no reader ever sees half a payload.

    with muonkit.create_store("conditions") as store:  # or create_store(..., contents=...), with readers of your own
        payload = store.add("KLMLikelihoodParameters", content, schema="KLMLikelihoodParameters/1")
        store.create_tag("data_2026a")
        store.tag("data_2026a", payload.name, payload.revision, IoV.parse("0,0,-1,-1"))
        store.publish("data_2026a")

Threads may share a store; a new process opens its own."""

from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, update

from muonkit.conditions import check, database, lookups, queries, schema
from muonkit.conditions.check import Findings
from muonkit.conditions.contents import Contents
from muonkit.conditions.database import Database
from muonkit.conditions.files import PayloadFiles
from muonkit.conditions.iov import IoV
from muonkit.conditions.payload import AuditRow, Entry, GlobalTag, Payload, State
from muonkit.conditions.rules import check_comment, check_name, check_schema, whole
from muonkit.conditions.tables import global_tags
from muonkit.core.errors import InputError

PAYLOADS = "payloads"  # the folder of the files, beside the SQLite file
LEFTOVER_AGE_S = 3600
NOTHING_KNOWN = Contents()


def open_store(location: str | Path, payloads: Path | None = None, contents: Contents = NOTHING_KNOWN) -> "Store":
    """The store in a folder, or at a PostgreSQL URL with its folder of payload files. `contents`: readers that check
    what is added, published and examined.

    Raises InputError if there is none, or if its schema is not the version of this software."""
    files = _files(location, payloads)
    url = database.is_url(location)
    if not url and not (Path(location) / database.FILE).is_file():
        raise InputError(f"{location}: there is no store of conditions; make one: {_create(str(location))}")
    if not files.root.is_dir():
        raise InputError(_no_folder(files))
    opened = database.server(str(location)) if url else database.sqlite(Path(location))
    store = Store(opened, files, contents)
    try:
        opened.read(lambda connection: schema.require_latest(connection, opened.shown, _create(opened.shown)))
    except BaseException:
        store.close()
        raise
    return store


def create_store(location: str | Path, payloads: Path | None = None, contents: Contents = NOTHING_KNOWN) -> "Store":
    """As `open_store`, but made if absent, and migrated if its schema is older. Raises InputError if that fails."""
    files = _files(location, payloads)
    opened = database.server(str(location)) if database.is_url(location) else database.new_sqlite(Path(location))
    store = Store(opened, files, contents)
    try:
        opened.write(lambda connection: _upgrade(connection, store))
        _make_folder(store)
    except BaseException:
        store.close()
        raise
    return store


@dataclass(frozen=True, slots=True)
class Store:
    """An open store; use `open_store` or `create_store`. All verbs raise InputError if the database or a file fails."""

    database: Database
    files: PayloadFiles
    contents: Contents = NOTHING_KNOWN

    def add(self, name: str, content: bytes, schema: str, comment: str = "", *, opaque: bool = False) -> Payload:
        """Keep `content` as the next revision of `name`. The same content again returns the revision that it already
        has. `schema`: kind of content and its version, KIND/VERSION; `opaque`: it is unknown, and nobody has checked
        the content.

        Raises InputError if the content is empty or not of its schema, if name, schema or comment are not allowed, or
        if the content is known with another schema."""
        check_name("payload", name)
        check_schema(schema)
        check_comment(comment)
        if not content:
            raise InputError(f"payload {name}: the content is empty")
        self.contents.require(content, schema, f"payload {name}", opaque)
        checksum = self.files.write(content)
        fields: dict[str, str | int] = {
            "name": name,
            "checksum": checksum,
            "size": len(content),
            "schema": schema,
            "comment": comment,
        }

        def work(connection: Connection) -> Payload:
            queries.lock_name(connection, name)
            known = queries.payload_of(connection, name, checksum)
            payload = known or queries.insert_payload(connection, fields)
            if not self.files.path(checksum).exists():  # `check --clean` has removed it in between
                self.files.write(content)
            if not known:
                note = ", opaque: content not checked" if opaque else ""
                queries.record(connection, "add", f"{payload}, {schema}, {checksum}{note}")
            return payload

        payload = self.database.write(work)
        if payload.schema != schema:
            raise InputError(
                f"{payload}: has the same content, but with schema {payload.schema}, not {schema}; a payload never "
                "changes: give that schema, or write the new schema into the content"
            )
        return payload

    def read(self, payload: Payload | Entry) -> bytes:
        """The content, verified by its checksum. Raises InputError if the file is absent or damaged."""
        return self.files.read(payload.checksum, str(payload))

    def payloads(self, name: str | None = None) -> list[Payload]:
        """All payloads, or those of one name, by name and revision."""
        return self.database.read(lambda connection: queries.all_payloads(connection, name))

    def create_tag(self, tag: str, comment: str = "") -> None:
        """Make a new, open global tag. Raises InputError if it exists, or if name or comment are not allowed."""
        check_name("global tag", tag)
        check_comment(comment)

        def work(connection: Connection) -> None:
            _insert_tag(connection, tag, comment)
            queries.record(connection, "create tag", tag)

        self.database.write(work)

    def tags(self) -> list[GlobalTag]:
        """All global tags, by name."""
        return self.database.read(queries.all_tags)

    def tag(self, tag: str, name: str, revision: int, iov: IoV) -> Entry:
        """Let this payload hold for these runs in the open global tag.
        Raises InputError if the tag is absent or not open, if there is no such payload, or if intervals of one name
        would overlap."""
        number = whole("revision", revision, 1)

        def work(connection: Connection) -> Entry:
            lookups.changeable(connection, tag)
            payload = lookups.payload_at(connection, name, number)
            entry = Entry(name, number, iov, payload.checksum, payload.schema)
            other = queries.entry_meeting(connection, tag, name, iov)
            if other:
                raise InputError(
                    f"global tag {tag!r}: {entry} for {iov} overlaps revision {other.revision} for {other.iov}; "
                    "choose an interval beside it"
                )
            queries.insert_entry(connection, tag, entry)
            queries.record(connection, "tag", f"{tag}: {entry} for {iov}")
            return entry

        return self.database.write(work)

    def clone_tag(self, tag: str, new: str, comment: str = "") -> list[Entry]:
        """Make a new, open global tag with the same entries; returns them. The old tag may be in any state.
        Raises InputError if there is no such tag, if the new one exists, or if its name or comment are not allowed."""
        check_name("global tag", new)
        check_comment(comment)

        def work(connection: Connection) -> list[Entry]:
            lookups.named(connection, tag, lock=True)
            found = queries.entries_of(connection, tag)
            _insert_tag(connection, new, comment)
            for entry in found:
                queries.insert_entry(connection, new, entry)
            queries.record(connection, "clone tag", f"{tag} to {new}, {len(found)} entries")
            return found

        return self.database.write(work)

    def close_interval(self, tag: str, name: str, experiment: int, run: int) -> Entry:
        """Give the last interval of a name in an open global tag, which is open, its last run (-1: the last one of the
        experiment); returns the entry as it is now.
        Raises InputError if the tag is absent or not open, if it has no such name, if its last interval has an end, or
        if the run is not inside of it."""

        def work(connection: Connection) -> Entry:
            lookups.changeable(connection, tag)
            entry = lookups.named_entries(connection, tag, name)[-1]
            try:
                closed = replace(entry, iov=entry.iov.closed(experiment, run))
            except InputError as error:
                raise InputError(f"global tag {tag!r}: {entry}: {fault}" for fault in error.faults) from None
            queries.close_entry(connection, tag, entry, closed.iov)
            queries.record(connection, "close", f"{tag}: {entry} for {entry.iov} now ends: {closed.iov}")
            return closed

        return self.database.write(work)

    def remove(self, tag: str, name: str, iov: IoV) -> Entry:
        """Take the entry of a name with this interval out of an open global tag; returns it. The payload stays.
        Raises InputError if the tag is absent or not open, or if it has no such entry."""

        def work(connection: Connection) -> Entry:
            lookups.changeable(connection, tag)
            entry = lookups.entry_at(connection, tag, name, iov)
            queries.remove_entry(connection, tag, entry)
            queries.record(connection, "remove", f"{tag}: {entry} for {iov}")
            return entry

        return self.database.write(work)

    def publish(self, tag: str) -> None:
        """Freeze an open global tag, after the files of all its payloads have been verified, by checksum and schema.
        Raises InputError if the tag is absent, not open or empty, or if a file is absent, damaged or not of its
        schema."""
        verified = self.entries(tag)  # most reading is done before the lock, so that writers need not wait
        self._verify(tag, verified)

        def work(connection: Connection) -> None:
            lookups.changeable(connection, tag)
            found = queries.entries_of(connection, tag)
            if not found:
                raise InputError(f"global tag {tag!r} has no entries; tag a payload before publishing")
            self._verify(tag, [entry for entry in found if entry not in verified])
            _set_state(connection, tag, "published")
            queries.record(connection, "publish", f"{tag}, {len(found)} entries")

        self.database.write(work)

    def invalidate(self, tag: str) -> None:
        """Mark a global tag as not to be used; this cannot be undone. Raises InputError if it is absent or already
        invalid."""

        def work(connection: Connection) -> None:
            if lookups.named(connection, tag, lock=True).state == "invalid":
                raise InputError(f"global tag {tag!r} is invalid already; there is nothing to do")
            _set_state(connection, tag, "invalid")
            queries.record(connection, "invalidate", tag)

        self.database.write(work)

    def entries(self, tag: str) -> list[Entry]:
        """The entries of the global tag, by name and interval. Raises InputError if there is no such tag."""

        def work(connection: Connection) -> list[Entry]:
            lookups.named(connection, tag)
            return queries.entries_of(connection, tag)

        return self.database.read(work)

    def find(self, tag: str, name: str, experiment: int, run: int) -> Payload:
        """The payload of this name that holds for this run, by the global tag.
        Raises InputError if the tag is absent or invalid, or if no payload of this name holds for this run."""
        experiment, run = whole("experiment", experiment), whole("run", run)

        def work(connection: Connection) -> Payload:
            if lookups.named(connection, tag).state == "invalid":
                raise InputError(f"global tag {tag!r} is invalid: it must not be used; choose another")
            found = queries.entry_meeting(connection, tag, name, IoV(experiment, run, experiment, run))
            if found is None:
                raise InputError(lookups.missing(connection, tag, name, f"experiment {experiment}, run {run}"))
            return lookups.payload_at(connection, name, found.revision)

        return self.database.read(work)

    def history(self) -> list[AuditRow]:
        """Every change of the store, oldest first."""
        return self.database.read(queries.all_history)

    def examine(self) -> Findings:
        """Faults and notes, separately; reads every payload."""
        return check.examine(self.database, self.files, self.contents)

    def check(self) -> list[str]:
        """Faults, then harmless leftovers as lines that begin with "note: "; empty if all is well. Reads every
        payload."""
        found = self.examine()
        return [*found.faults, *(f"note: {line}" for line in found.notes)]

    def clean(self, older_than: float = LEFTOVER_AGE_S) -> list[Path]:
        """Remove files that killed writers left and that have not changed for `older_than` [s]; returns their paths."""
        return check.remove_leftovers(self.database, self.files, older_than)

    def paths(self) -> list[Path]:
        """What belongs to the store here: the folder of the payloads and, if it is SQLite, the database and its
        journal."""
        file = self.database.file
        return [self.files.root, *((file, file.with_name(f"{file.name}-journal")) if file else ())]

    def close(self) -> None:
        """Close the connections."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _verify(self, tag: str, entries: list[Entry]) -> None:
        faults = [line for entry in entries for line in check.payload_faults(self.files, self.contents, entry)]
        if faults:
            way_out = "take an entry out with `muonkit conditions remove`, or restore its file"
            raise InputError([f"global tag {tag!r} is not published; {way_out}:", *dict.fromkeys(faults)])


def _files(location: str | Path, payloads: Path | None) -> PayloadFiles:
    """Raises InputError if a URL comes without a folder of files, or a folder with another one."""
    if not database.is_url(location):
        if payloads is not None:
            raise InputError(f"{location}: a store in a folder has its payload files there; leave out --payloads")
        return PayloadFiles(Path(location) / PAYLOADS)
    if payloads is None:
        kind = str(location).partition("://")[0]
        raise InputError(f"{kind}://...: a store on a server needs a folder for its payload files; add --payloads DIR")
    return PayloadFiles(payloads)


def _make_folder(store: Store) -> None:
    """Raises InputError where the folder has been lost or its name is misspelt: a new one would hide that."""
    if not store.files.root.is_dir() and store.payloads():
        raise InputError(_no_folder(store.files))
    store.files.make()


def _no_folder(files: PayloadFiles) -> str:
    return f"{files.root}: there is no such folder of payload files; restore it, or name the right one"


def _create(shown: str) -> str:
    """The command that makes or migrates the store at this place."""
    return f"muonkit conditions create {shown}" + (" --payloads DIR" if database.is_url(shown) else "")


def _upgrade(connection: Connection, store: Store) -> None:
    """Raises InputError where the database has been lost, but not the payload files: a new one would hide that."""
    shown, root = store.database.shown, store.files.root
    before, after = schema.upgrade(connection, shown)
    if not before and store.database.file and any(store.files.all()):
        way_out = f"restore {database.FILE} from a backup, or move the files away"
        raise InputError(f"{shown}: the database is empty, but there are payload files in {root}; {way_out}")
    if before < after:
        queries.record(connection, "migrate" if before else "create", f"schema {before} to {after}")


def _insert_tag(connection: Connection, tag: str, comment: str) -> None:
    if queries.tag_named(connection, tag) or not queries.insert_tag(connection, tag, comment):
        raise InputError(f"global tag {tag!r} exists already; choose another name")


def _set_state(connection: Connection, tag: str, state: State) -> None:
    connection.execute(update(global_tags).where(global_tags.c.name == tag).values(state=state))
