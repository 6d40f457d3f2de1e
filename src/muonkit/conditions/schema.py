"""The version of the tables, and how a store is migrated to the version of this software.

A migration is done only on request (`muonkit conditions create`), never on opening: a shared store is used by several
versions of the software, and must not change by accident."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from muonkit.conditions.tables import metadata
from muonkit.core.errors import InputError

LATEST = 3
VERSION_TABLE = "conditions_version"  # Alembic's usual name may belong to another program in a shared database
CREATORS = 0x6D756F6E  # the PostgreSQL advisory lock that creators of a store take
MIGRATIONS = Path(__file__).parent / "migrations"


def found_version(connection: Connection, shown: str) -> int:
    """The version of the tables; 0 if there are none. Raises InputError if they belong to another program."""
    inspector = inspect(connection)
    if not inspector.has_table(VERSION_TABLE):
        foreign = sorted(set(inspector.get_table_names()) & set(metadata.tables))
        if foreign:
            raise InputError(
                f"{shown}: has tables of another program ({', '.join(foreign)}); give the store a database of its own"
            )
        return 0
    version = str(connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}")))
    if not version.isdecimal():
        raise InputError(
            f"{shown}: the version of its tables is {version!r}, which no muonkit has written; "
            "restore the database from a backup, or give another place"
        )
    return int(version)


def require_latest(connection: Connection, shown: str, create: str) -> None:
    """Raises InputError unless the tables have the version of this software; `create` is the command that makes
    them."""
    version = found_version(connection, shown)
    if version == 0:
        raise InputError(f"{shown}: there is no store of conditions; make one: {create}")
    if version < LATEST:
        raise InputError(
            f"{shown}: its schema is version {version}, this muonkit needs {LATEST}; "
            f"keep a copy, then migrate it: {create}"
        )
    _refuse_newer(version, shown)


def upgrade(connection: Connection, shown: str, to: int = LATEST) -> tuple[int, int]:
    """Bring the tables to version `to` in the transaction of the connection; returns the versions before and after.
    Raises InputError if they are newer than this software, or belong to another program."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": CREATORS})
    version = found_version(connection, shown)
    _refuse_newer(version, shown)
    if version < to:
        _run_alembic(connection, to)
    return version, max(version, to)


def _refuse_newer(version: int, shown: str) -> None:
    if version > LATEST:
        raise InputError(
            f"{shown}: its schema is version {version}, this muonkit knows {LATEST} at most; use a newer muonkit"
        )


def _run_alembic(connection: Connection, to: int) -> None:
    from alembic import command  # a slow import, needed only here
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    command.upgrade(config, str(to))
