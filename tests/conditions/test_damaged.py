"""A damaged SQLite is one line, whatever is wrong with it, and a lost one is not replaced by an empty one."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conditions.conftest import CONTENTS

from muonkit.cli import main
from muonkit.conditions.database import FILE
from muonkit.conditions.iov import IoV
from muonkit.conditions.store import create_store
from muonkit.core.errors import InputError

WORDS = (b"open", b"payload-name", b"published", b"K/1", b"main", b"entries", b"a comment")
COMMANDS = (
    "list",
    "list main",
    "check",
    "history",
    "create",
    "publish next",
    "clone main more",
    "close next a --last 5,5",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store with a published tag "main" and an open one."""
    with create_store(tmp_path / "store", contents=CONTENTS) as store:
        store.add("payload-name", b"content", "K/1", "a comment")
        store.create_tag("main")
        store.tag("main", "payload-name", 1, IoV(0, 0))
        store.publish("main")
        store.clone_tag("main", "next")
    return tmp_path / "store"


def cut(content: bytes, draw: random.Random) -> bytes:
    return content[: draw.randrange(len(content))]


def zeros(content: bytes, draw: random.Random) -> bytes:
    start, length = draw.randrange(len(content)), draw.choice((16, 512, 4096))
    return content[:start] + bytes(length) + content[start + length :]


def noise(content: bytes, draw: random.Random) -> bytes:
    used = [place for place, value in enumerate(content) if value]
    changed = bytearray(content)
    for place in draw.sample(used, draw.choice((1, 5, 20))):
        changed[place] = draw.randrange(256)
    return bytes(changed)


def words(content: bytes, draw: random.Random) -> bytes:
    word = draw.choice(WORDS)
    return content.replace(word, draw.randbytes(len(word)))


@pytest.mark.parametrize("harm", [cut, zeros, noise, words])
def test_no_damage_ends_in_a_traceback(
    folder: Path, capsys: pytest.CaptureFixture[str], harm: Callable[[bytes, random.Random], bytes]
) -> None:
    draw, whole = random.Random(5), (folder / FILE).read_bytes()
    for _ in range(12):
        (folder / FILE).write_bytes(harm(whole, draw))
        for command in COMMANDS:
            verb, *more = command.split()
            code = main(["conditions", verb, str(folder), *more])
            assert code in (0, 1, 2)
            assert (code == 2) == bool(capsys.readouterr().err)


def test_damage_names_the_way_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / FILE).write_bytes((folder / FILE).read_bytes()[:9000])
    assert main(["conditions", "list", str(folder)]) == 2
    assert capsys.readouterr().err.endswith("malformed; restore it from a backup\n")


def test_a_lost_database_is_not_made_anew_beside_its_payloads(folder: Path) -> None:
    (folder / FILE).write_bytes(b"")
    with pytest.raises(InputError, match=r"is empty, but there are payload files in .*; restore conditions"):
        create_store(folder)
    (folder / FILE).unlink()
    with pytest.raises(InputError, match="is empty, but there are payload files"):
        create_store(folder)
