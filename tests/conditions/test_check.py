"""`check` finds what is broken; a killed writer breaks nothing, and what it leaves can be removed."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.conditions.conftest import Place

from muonkit.conditions import database
from muonkit.conditions.files import UNFINISHED, PayloadFiles
from muonkit.conditions.iov import IoV
from muonkit.conditions.store import Store
from muonkit.core.errors import InputError

KILLED = """
import os, signal, stat, sys
from pathlib import Path
from muonkit.conditions.files import PayloadFiles
os.fsync = lambda each: stat.S_ISREG(os.fstat(each).st_mode) and os.kill(os.getpid(), signal.SIGKILL)
PayloadFiles(Path(sys.argv[1])).write(b"content" * 10_000)
"""
HOUR = 3600


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Store]:
    """A SQLite store with a in three revisions, and "main" that holds two of them."""
    with Place(str(tmp_path), None, tmp_path / "payloads").create() as store:
        for number in range(3):
            store.add("a", b"content %d" % number, "K/1")
        store.create_tag("main")
        store.tag("main", "a", 1, IoV(0, 0, 0, -1))
        store.tag("main", "a", 2, IoV(1, 0, -1, -1))
        yield store


def break_in(store: Store, *statements: str) -> None:
    """Change the tables behind the back of the guards."""
    with closing(sqlite3.connect(Path(store.database.shown) / database.FILE)) as connection:
        for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        for statement in statements:
            connection.execute(statement)
        connection.commit()


@pytest.mark.parametrize(
    ("statement", "faults"),
    [
        ("DELETE FROM entries WHERE 0", []),
        ("DELETE FROM global_tags", ["entries of global tag 'main': there is no such tag"]),
        ("DELETE FROM names", ["payloads 'a': the name is not in the table of names"]),
        (
            "DELETE FROM payloads WHERE revision = 2",
            [
                "global tag 'main': its entry a revision 2 has no payload",
                "payload a: its revisions [1, 3] are not 1 to 2",
            ],
        ),
        (
            "UPDATE entries SET final_exp = 1 WHERE revision = 1",
            ["global tag 'main': a has overlapping intervals of validity 0,0,1,-1 and 1,0,-1,-1"],
        ),
    ],
)
def test_broken_rows_are_named(local: Store, statement: str, faults: list[str]) -> None:
    break_in(local, statement)
    assert local.examine().faults == faults


def test_a_damaged_database_file_is_noticed(local: Store) -> None:
    """Rows that break a rule of their table."""
    break_in(
        local,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = replace(sql, 'schema VARCHAR(200) NOT NULL', "
        "'schema VARCHAR(200) NOT NULL CHECK (schema = 0)') WHERE name = 'payloads'",
    )
    faults = local.examine().faults
    assert faults
    assert all(fault.startswith("SQLite: ") for fault in faults)


def test_files_without_row_are_notes_and_no_faults(store: Store, place: Place) -> None:
    PayloadFiles(place.files).write(b"no row")
    (place.files / "ab").mkdir(exist_ok=True)
    (place.files / "ab" / f"{UNFINISHED}x").write_bytes(b"half")
    (place.files / "README").write_text("ours")
    found = store.examine()
    assert found.faults == []
    assert len(found.notes) == 3
    assert sum("left by a writer" in note for note in found.notes) == 2
    assert store.check() == [f"note: {note}" for note in found.notes]


def test_clean_removes_old_leftovers_and_nothing_else(store: Store, place: Place) -> None:
    kept = store.add("a", b"kept", "K/1")
    files = PayloadFiles(place.files)
    old, young = (files.path(files.write(content)) for content in (b"old", b"young"))
    unfinished, foreign = old.with_name(f"{UNFINISHED}x"), place.files / "README"
    for path in (unfinished, foreign):
        path.write_bytes(b"x")
    for path in (old, unfinished, foreign, files.path(kept.checksum)):
        os.utime(path, (time.time() - 1.1 * HOUR,) * 2)
    os.utime(young, (time.time() - 0.9 * HOUR,) * 2)
    assert sorted(store.clean()) == sorted([old, unfinished])
    assert young.exists()
    assert foreign.exists()
    assert store.read(kept) == b"kept"
    assert store.history()[-1].details == "removed 2 files without a row"
    assert store.clean() == []


def test_a_writer_killed_in_the_middle_of_a_file_leaves_no_half_payload(store: Store, place: Place) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, place.files], capture_output=True)
    assert done.returncode == -signal.SIGKILL
    (left,) = (path for path in place.files.rglob("*") if path.is_file())
    assert left.name.startswith(UNFINISHED)
    payload = store.add("a", b"content" * 10_000, "K/1")
    assert store.read(payload) == b"content" * 10_000
    assert len(store.check()) == 1
    assert store.clean(older_than=-1) == [left]
    assert store.check() == []


def test_a_full_disk_is_told_and_leaves_nothing(store: Store, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(InputError, match=r"cannot be written \(No space left on device\)"):
            store.add("a", b"content", "K/1")
    assert [path for path in place.files.rglob("*") if path.is_file()] == []
    assert store.payloads() == []


def test_a_file_can_be_read_by_all_and_changed_by_nobody(store: Store) -> None:
    payload = store.add("a", b"content", "K/1")
    assert store.files.path(payload.checksum).stat().st_mode & 0o777 == 0o444
