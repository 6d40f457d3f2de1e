"""Where a store is: wrong places are named, and a password is never shown."""

import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import pytest
from tests.conditions.conftest import Place
from tests.conditions.servers import Server

from muonkit.conditions.iov import IoV
from muonkit.conditions.store import create_store, open_store
from muonkit.core.errors import InputError

READ = """
import os, sys
from muonkit.conditions.store import open_store
from muonkit.core.errors import InputError
open_store(sys.argv[1]).close()  # loads all modules, which may lie where the other user cannot read
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
with open_store(sys.argv[1]) as store:
    print(store.read(store.find("main", "a", 0, 0)).decode(), store.check())
    for write in (lambda: store.add("a", b"new", "K/1", opaque=True), lambda: store.create_tag("new")):
        try:
            write()
        except InputError as error:
            print("refused:", error)
"""


def test_where_there_is_no_store_the_command_that_makes_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"make one: muonkit conditions create {tmp_path}"):
        open_store(tmp_path)
    assert list(tmp_path.iterdir()) == [], "looking makes nothing"


def test_a_strange_folder_name_is_no_trouble(tmp_path: Path) -> None:
    folder = tmp_path / "100% a?b#c 'd' é"
    with create_store(folder) as store:
        store.add("a", b"content", "K/1", opaque=True)
    with open_store(folder) as store:
        assert len(store.payloads()) == 1


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file/store: cannot be made"):
        create_store(tmp_path / "file" / "store")


def test_a_lost_folder_of_payload_files_is_named(place: Place) -> None:
    place.create().close()
    place.files.rmdir()
    with pytest.raises(InputError, match="there is no such folder of payload files"):
        place.open()
    with place.create() as store:  # a store without payloads has lost nothing
        store.add("a", b"content", "K/1")
    place.files.rename(place.files.with_name("elsewhere"))
    for verb in (place.open, place.create):
        with pytest.raises(InputError, match="restore it, or name the right one"):
            verb()


def test_the_folder_of_payload_files_belongs_to_a_url(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has its payload files there"):
        create_store(tmp_path, tmp_path / "other")
    with pytest.raises(InputError, match="add --payloads DIR") as caught:
        create_store("postgresql://me:s3cret@host/db")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("mysql://me:s3cret@host/db", "mysql://...: not a place for conditions"),
        ("sqlite:///s3cret.db", "sqlite://...: not a place for conditions"),
        ("postgresql://me:s3cret@host:port/db", "postgresql://...: not a URL"),
        (
            "postgresql://me:s3cret@127.0.0.1:1/db",
            r"pg8000://me:\*\*\*@127.0.0.1:1/db: the database says: ",
        ),
        (
            "postgresql://me@127.0.0.1:1/db?password=s3cret",
            "its option password is unknown; known are app",
        ),
    ],
)
def test_a_wrong_url_is_refused_without_its_password(tmp_path: Path, location: str, says: str) -> None:
    shown = failure(location, tmp_path, says)
    assert "s3cret" not in shown


def test_a_refused_password_is_not_shown(server: Server, tmp_path: Path) -> None:
    shown = failure(server.url().replace(server.password, "wrongword"), tmp_path, "password authentication failed")
    assert "wrongword" not in shown


def test_a_lost_database_is_named_without_the_password(server: Server, tmp_path: Path) -> None:
    shown = failure(server.url("nowhere"), tmp_path, 'database "nowhere" does not exist')
    assert server.password not in shown


def failure(location: str, payloads: Path, says: str) -> str:
    """All that a user can see of it, with the traceback of --verbose."""
    with pytest.raises(InputError, match=says) as caught:
        open_store(location, payloads)
    return "".join(traceback.format_exception(caught.value)).replace("password authentication", "")


LOST = """
import sys
from pathlib import Path
from muonkit.conditions.store import open_store
from muonkit.core.errors import InputError
END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
with open_store(sys.argv[1], Path(sys.argv[2])) as store:
    try:
        store.database.write(lambda connection: connection.exec_driver_sql(END))
    except InputError as error:
        print(error)
    print(store.add("a", b"content", "K/1", opaque=True), store.check())
"""


def test_a_lost_connection_is_told_in_one_line_and_made_again(server: Server, tmp_path: Path) -> None:
    url = server.new_database()
    create_store(url, tmp_path).close()
    done = subprocess.run([sys.executable, "-c", LOST, url, tmp_path], capture_output=True, text=True)
    assert done.stderr == ""
    told, again = done.stdout.splitlines()
    assert told.startswith("postgresql+pg8000://keeper:***@127.0.0.1:")
    assert told.endswith("try again")
    assert again == "a revision 1 []"


@pytest.mark.parametrize("writing", [False, True])
def test_who_may_only_read_the_folder_can_read_the_store(writing: bool) -> None:
    """Also while someone else has it open."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "store"
        with create_store(folder) as store:
            store.add("a", b"content", "K/1", opaque=True)
            store.create_tag("main")
            store.tag("main", "a", 1, IoV(0, 0))
            if writing:
                done = read_as_another(Path(name))
        if not writing:
            done = read_as_another(Path(name))
    lines = done.stdout.splitlines()
    assert done.stderr == ""
    assert lines[0] == "content []"
    assert lines[1].startswith("refused: ")
    assert lines[2] == "refused: " + f"{folder}: the database says: attempt to write a readonly database"


def read_as_another(folder: Path) -> subprocess.CompletedProcess[str]:
    """READ, as one who may not write to the folder."""
    closed = 0o755 if os.geteuid() == 0 else 0o555  # root gives itself up instead: nothing is closed to it
    folder.chmod(0o755)
    for path in (folder / "store", folder / "store" / "payloads"):
        path.chmod(closed)
    done = subprocess.run([sys.executable, "-c", READ, folder / "store"], capture_output=True, text=True)
    for path in (folder / "store", folder / "store" / "payloads"):
        path.chmod(0o755)
    return done
