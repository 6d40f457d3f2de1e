"""A store of another age, or of another program: a clear answer, and a way to migrate."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from tests.conditions.conftest import CONTENTS, Place

from muonkit.conditions import database, schema
from muonkit.conditions.database import Database
from muonkit.conditions.files import PayloadFiles
from muonkit.conditions.iov import IoV
from muonkit.conditions.store import Store
from muonkit.conditions.tables import metadata
from muonkit.core.errors import InputError


def bare(place: Place) -> Database:
    """The database of a place, without any table."""
    return database.new_sqlite(Path(place.location)) if place.payloads is None else database.server(place.location)


def old_store(place: Place) -> Store:
    """A store with the tables of version 1, which had no guards."""
    opened = bare(place)
    opened.write(lambda connection: schema.upgrade(connection, "old", to=1))
    place.files.mkdir()
    return Store(opened, PayloadFiles(place.files), CONTENTS)


def set_version(store: Store, version: str) -> None:
    def work(connection: Connection) -> None:
        connection.execute(text(f"UPDATE {schema.VERSION_TABLE} SET version_num = :version"), {"version": version})

    store.database.write(work)


def test_an_older_store_names_the_command_that_migrates_it(place: Place) -> None:
    old_store(place).close()
    with pytest.raises(InputError) as caught:
        place.open()
    assert "its schema is version 1, this muonkit needs 3" in str(caught.value)
    assert "migrate it: muonkit conditions create " in str(caught.value)


def test_migration_keeps_everything_and_adds_the_guards(place: Place) -> None:
    with old_store(place) as old:
        payload = old.add("a", b"content", "K/1")
        old.create_tag("main")
        old.tag("main", "a", 1, IoV(0, 0))
    with place.create() as store:
        assert store.payloads() == [payload]
        assert store.read(payload) == b"content"
        assert store.find("main", "a", 3, 4) == payload
        assert [row.what for row in store.history()] == ["add", "create tag", "tag", "migrate"]
        assert store.history()[-1].details == "schema 1 to 3"
        with pytest.raises(DBAPIError, match="never change or vanish"), store.database.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM payloads")
    with place.open() as store:
        assert store.check() == []


def test_creating_twice_changes_nothing(place: Place) -> None:
    with place.create() as store:
        store.add("a", b"content", "K/1")
        before = store.history()
    with place.create() as store:
        assert store.history() == before


def test_a_migration_that_breaks_leaves_the_old_store(place: Place) -> None:
    def broken(connection: Connection) -> None:
        schema.upgrade(connection, "store")
        raise RuntimeError("power cut")

    with old_store(place) as store:
        store.add("a", b"content", "K/1")
        with pytest.raises(RuntimeError):
            store.database.write(broken)
        assert store.database.read(lambda connection: schema.found_version(connection, "store")) == 1
        assert len(store.payloads()) == 1
    place.create().close()


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("99", "its schema is version 99, this muonkit knows 3 at most; use a newer muonkit"),
        ("3ab9", "which no muonkit"),
    ],
)
def test_a_version_of_the_future_or_of_nobody_is_refused(place: Place, version: str, says: str) -> None:
    with place.create() as store:
        set_version(store, version)
    for verb in (place.open, place.create):
        with pytest.raises(InputError, match=says):
            verb()


def test_tables_of_another_program_are_left_alone(place: Place) -> None:
    opened = bare(place)
    opened.write(lambda connection: connection.exec_driver_sql("CREATE TABLE payloads (x INTEGER)") and None)
    opened.close()
    with pytest.raises(InputError, match=r"has tables of another program \(payloads\); give the store a database of"):
        place.create()


def test_a_database_without_tables_says_how_to_make_them(place: Place) -> None:
    bare(place).close()
    place.files.mkdir()
    with pytest.raises(InputError, match="there is no store of conditions; make one: muonkit conditions create"):
        place.open()


def test_the_steps_lead_to_the_tables_the_store_uses(place: Place) -> None:
    with place.create() as store, store.database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": schema.VERSION_TABLE})
        assert compare_metadata(context, metadata) == []


def test_the_newest_step_is_the_version_this_software_knows() -> None:
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == str(schema.LATEST)


def test_a_file_that_is_not_sqlite_is_named(tmp_path: Path) -> None:
    (tmp_path / database.FILE).write_text("no database " * 100)
    (tmp_path / "payloads").mkdir()
    place = Place(str(tmp_path), None, tmp_path / "payloads")
    for verb in (place.open, place.create):
        with pytest.raises(InputError, match=f"{tmp_path}.*file is not a database"):
            verb()


def test_sqlite_waits_for_the_disk_and_keeps_its_journal(tmp_path: Path) -> None:
    with Place(str(tmp_path), None, tmp_path / "payloads").create() as store:
        pragmas = ("journal_mode", "synchronous", "foreign_keys")
        found = store.database.read(
            lambda connection: [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas]
        )
    assert found == ["delete", 3, 1]
    with closing(sqlite3.connect(tmp_path / database.FILE)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
