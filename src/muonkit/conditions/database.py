"""The database: SQLite in a folder, or a PostgreSQL server by URL. Transactions wait for locks and are tried again.

SQLite: every commit is on disk before it returns, and writers take the lock at BEGIN, so that two cannot both read and
then both write. It uses a rollback journal. With a write-ahead log readers need not wait for a writer, but nobody can
read from a folder without the right to write to it, and most people have no such right.
PostgreSQL: READ COMMITTED, and each verb locks the row of the name or tag that it changes. A transaction that the
database refuses in favour of another (busy, deadlock, serialisation) has changed nothing. It runs again after a random,
growing pause."""

import errno
import logging
import os
import random
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from muonkit.core.errors import InputError
from muonkit.core.files import make_folder

Answer = TypeVar("Answer")
FILE = "conditions.sqlite"
PATIENCE_MS = 15_000  # how long a transaction waits for a lock
NETWORK_TIMEOUT_S = 60  # longer than PATIENCE_MS, so that the server reports first
SILENT = logging.NullHandler()
ATTEMPTS = 5
FIRST_PAUSE_S = 0.01
URL_OPTIONS = {"unix_sock", "application_name"}  # of pg8000, those that are text
TURNED_AWAY = {"40001", "40P01"}  # PostgreSQL: serialisation failure, deadlock
TOO_LONG = "55P03"  # PostgreSQL: lock not available
SQLITE_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
BACKUP = "restore it from a backup"
SQLITE_TURNED_AWAY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


@dataclass(frozen=True, slots=True)
class Database:
    """`shown`: its place without the password. `reading`, `writing`: the options of a transaction. `file`: that of
    SQLite."""

    engine: Engine
    shown: str
    reading: Mapping[str, Any]
    writing: Mapping[str, Any]
    file: Path | None = None

    def read(self, work: Callable[[Connection], Answer]) -> Answer:
        """The result of `work`, done in one transaction that sees one state. Raises InputError if the database
        fails."""
        return self._run(work, self.reading)

    def write(self, work: Callable[[Connection], Answer]) -> Answer:
        """The result of `work`, done in one transaction, completely or not at all; `work` may run more than once.
        Raises InputError if the database fails."""
        return self._run(work, self.writing)

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()

    def _run(self, work: Callable[[Connection], Answer], options: Mapping[str, Any]) -> Answer:
        def once() -> Answer:
            with self.engine.connect().execution_options(**options) as connection, connection.begin():
                return work(connection)

        try:
            return patiently(once)
        except DBAPIError as error:
            if "disk is full" in _reason(error):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.shown) from error
            raise InputError(f"{self.shown}: the database says: {_reason(error)}{_way_out(error)}") from error
        except (ValueError, TypeError, LookupError, SQLAlchemyError) as error:  # of rows that are no rows of ours
            reason = " ".join(str(error).split())[:120]
            raise InputError(f"{self.shown}: the database is damaged ({reason}); {BACKUP}") from error


def patiently(once: Callable[[], Answer]) -> Answer:
    """The result of `once`, tried again, at most ATTEMPTS times, while the database refuses it in favour of another
    transaction. Raises DBAPIError if it fails for another reason, or each time."""
    attempt = 0
    while True:
        attempt += 1
        try:
            return once()
        except DBAPIError as error:
            if attempt == ATTEMPTS or not turned_away(error):
                raise
        time.sleep(FIRST_PAUSE_S * 2**attempt * random.uniform(0.5, 1))


def turned_away(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed if it is tried again. It has changed nothing."""
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_code(error) in SQLITE_TURNED_AWAY
    return bool(TURNED_AWAY & {_fields(error).get("C")})


def is_url(location: str | Path) -> bool:
    """Whether the store is named by a URL, not by a folder."""
    return "://" in str(location)


def sqlite(folder: Path) -> Database:
    """The SQLite database in `folder`, which exists. If the folder cannot be written, the store can only be read."""
    path = (folder / FILE).absolute()
    mode = "rw" if os.access(folder, os.W_OK) and os.access(path, os.W_OK) else "ro"
    url = URL.create("sqlite", database=f"file:{quote(str(path))}", query={"uri": "true", "mode": mode})
    engine = create_engine(url)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return Database(engine, str(folder), {}, {"takes_lock": True}, path)


def new_sqlite(folder: Path) -> Database:
    """The SQLite database in `folder`, which is made if absent. Raises InputError if it cannot be made."""
    try:
        make_folder(folder)
        (folder / FILE).touch()  # an empty file is an empty database
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror}). Give a folder you may write to.") from error
    return sqlite(folder)


def server(location: str) -> Database:
    """The PostgreSQL database at a URL. Raises InputError for another kind of URL, unknown options, or a missing
    driver."""
    url = _postgresql_url(location)
    shown = url.set(query={}).render_as_string(hide_password=True)  # a mistaken query may hold a password too
    wrong = sorted(name for name, value in url.query.items() if name not in URL_OPTIONS or not isinstance(value, str))
    if wrong:
        raise InputError(
            f"{shown}: its option {', '.join(wrong)} is unknown; known are {', '.join(sorted(URL_OPTIONS))}"
        )
    try:
        engine = create_engine(url, pool_pre_ping=True, connect_args={"timeout": NETWORK_TIMEOUT_S})
    except ModuleNotFoundError as error:
        raise InputError(f"{shown}: needs the extra: pip install 'muonkit[postgresql]'") from error
    event.listen(engine, "begin", _begin_postgresql)
    # a lost connection is reported by an error; without a handler SQLAlchemy's tracebacks of it would go to stderr
    logging.getLogger("sqlalchemy.pool").addHandler(SILENT)
    return Database(engine, shown, {"isolation_level": "REPEATABLE READ"}, {"isolation_level": "READ COMMITTED"})


def _postgresql_url(location: str) -> URL:
    kind = location.partition("://")[0]
    if kind not in ("postgresql", "postgresql+pg8000"):
        raise InputError(
            f"{kind}://...: not a place for conditions; give a folder or postgresql+pg8000://USER@HOST/DATABASE"
        )
    try:
        return make_url(location).set(drivername="postgresql+pg8000")
    except (ArgumentError, ValueError):
        # from None: the error could show the password
        raise InputError(f"{kind}://...: not a URL; write postgresql+pg8000://USER@HOST:PORT/DATABASE") from None


def _set_up_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # BEGIN is ours: see _begin_sqlite
    for pragma in (f"busy_timeout = {PATIENCE_MS}", "foreign_keys = ON", "synchronous = EXTRA"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    takes_lock = connection.get_execution_options().get("takes_lock", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if takes_lock else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {PATIENCE_MS}")


def _fields(error: DBAPIError) -> Mapping[str, str]:
    """What PostgreSQL says of an error: M message, D details, C code."""
    arguments = getattr(error.orig, "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], dict) else {}


def _reason(error: DBAPIError) -> str:
    fields = _fields(error)
    return fields.get("M") or str(error.orig).partition("\n")[0]


def _sqlite_code(error: DBAPIError) -> int:
    """The kind of an error of SQLite, 0 for other databases."""
    return int(getattr(error.orig, "sqlite_errorcode", 0)) & 0xFF


def _way_out(error: DBAPIError) -> str:
    if _sqlite_code(error) in SQLITE_DAMAGED:
        return f"; {BACKUP}"
    if error.connection_invalidated:
        return "; the connection is lost, try again"
    if turned_away(error) or _fields(error).get("C") == TOO_LONG:
        return "; another writer has held the lock for too long, try again or look for a writer that hangs"
    return ""
