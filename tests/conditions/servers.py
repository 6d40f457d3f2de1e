"""A real PostgreSQL server for the tests, with a password, on a free port; it stops with the tests."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from pwd import getpwnam
from typing import Any

import pytest

USERS = ("postgres", "nobody")  # PostgreSQL refuses to run as root


@dataclass(frozen=True)
class Server:
    """A running server; `password` is a word that appears nowhere else."""

    port: int
    password: str

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+pg8000://keeper:{self.password}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"conditions_{secrets.token_hex(6)}"
        self.run(f"CREATE DATABASE {name}")
        return self.url(name)

    def run(self, statement: str) -> None:
        import pg8000.native

        arguments = {"password": self.password, "host": "127.0.0.1", "port": self.port, "database": "postgres"}
        with closing(pg8000.native.Connection("keeper", **arguments)) as connection:
            connection.run(statement)


@contextmanager
def running_server() -> Iterator[Server]:
    """Skips the test where there is no PostgreSQL."""
    pytest.importorskip("pg8000", reason="no PostgreSQL driver here: pip install pg8000")
    initdb = _program("initdb")
    password = f"secret{secrets.token_hex(8)}"
    with _folder() as (folder, user):
        word = folder / "word"
        word.write_text(password)
        word.chmod(0o644)
        options = ["-A", "scram-sha-256", "-U", "keeper", f"--pwfile={word}", "-E", "UTF8", "--locale=C", "--no-sync"]
        subprocess.run([initdb, "-D", folder / "data", *options], check=True, capture_output=True, **user)
        server = Server(_free_port(), password)
        # fsync off: clients are killed in these tests, never the server or the machine
        settings = ["-c", "fsync=off", "-c", "listen_addresses=127.0.0.1", "-k", str(folder), "-p", str(server.port)]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [_program("postgres"), "-D", folder / "data", *settings], stdout=log, stderr=log, **user
            )
            try:
                _wait(server, process, folder / "log")
                yield server
            finally:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _program(name: str) -> str:
    found = shutil.which(name)
    for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}")):
        found = str(path)
    if found is None:
        pytest.skip(f"no PostgreSQL server here: {name} is not found")
    return found


@contextmanager
def _folder() -> Iterator[tuple[Path, dict[str, Any]]]:
    """A folder that the user of the server may write to, and how to become that user."""
    with tempfile.TemporaryDirectory(prefix="conditions-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # pytest's own are closed to other users
        if os.geteuid() != 0:
            yield folder, {"cwd": folder}
            return
        user = next((user for user in USERS if _exists(user)), None)
        if user is None:
            pytest.skip("PostgreSQL does not run as root, and there is no user 'postgres' or 'nobody' to run it")
        shutil.chown(folder, user)
        yield folder, {"cwd": folder, "user": user, "group": getpwnam(user).pw_gid, "extra_groups": []}


def _exists(user: str) -> bool:
    try:
        getpwnam(user)
    except KeyError:
        return False
    return True


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as found:
        return int(found.getsockname()[1])


def _wait(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    import pg8000.exceptions

    for _ in range(200):
        if process.poll() is not None:
            break
        try:
            server.run("SELECT 1")
        except (pg8000.exceptions.Error, OSError):
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"PostgreSQL does not start: {log.read_text()[-2000:]}")
