"""`muonkit conditions`: a store from its making to an answer for a run, in words and in JSON."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conditions.servers import Server, running_server

from muonkit.cli import main
from muonkit.pipelines.payload_schemas import PAYLOAD_SCHEMAS

Shown = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as found:
        yield found


@pytest.fixture
def store(tmp_path: Path, capsys: Shown) -> str:
    """A store with the payload KLM in two revisions and the open tag "main"."""
    location = str(tmp_path / "store")
    good("create", location)
    for revision in (1, 2):
        (tmp_path / "file").write_bytes(b"content %d" % revision)
        good(
            "add",
            location,
            "KLM",
            str(tmp_path / "file"),
            "--schema",
            "KLM/1",
            "--opaque",
            "--comment",
            f"number {revision}",
        )
    good("tag", location, "main", "--comment", "for tests")
    good("tag", location, "main", "KLM", "2", "--iov", "1,0,1,99")
    capsys.readouterr()
    return location


def good(*arguments: str) -> None:
    assert main(["conditions", *arguments]) == 0


def told(capsys: Shown, *arguments: str) -> dict[str, Any]:
    """The answer of a command, as JSON."""
    good(*arguments, "--json")
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def fault(capsys: Shown, *arguments: str) -> str:
    """What a command says that fails."""
    assert main(["conditions", *arguments]) == 2
    return capsys.readouterr().err


def test_get_writes_the_content_that_holds_for_the_run(store: str, tmp_path: Path, capsys: Shown) -> None:
    out = tmp_path / "deep" / "out"
    found = told(capsys, "get", store, "main", "KLM", "--experiment", "1", "--run", "99", "-o", str(out))
    assert out.read_bytes() == b"content 2"
    assert (found["name"], found["revision"], found["schema"], found["file"]) == ("KLM", 2, "KLM/1", str(out))
    error = fault(capsys, "get", store, "main", "KLM", "--experiment", "2", "--run", "0", "-o", str(tmp_path / "no"))
    assert "no KLM for experiment 2, run 0; there are revision 2 for 1,0,1,99" in error
    assert not (tmp_path / "no").exists()


def test_list_shows_tags_payloads_and_entries(store: str, capsys: Shown) -> None:
    found = told(capsys, "list", store)
    assert [(tag["name"], tag["state"], tag["comment"]) for tag in found["tags"]] == [("main", "open", "for tests")]
    assert [(p["name"], p["revision"], p["comment"]) for p in found["payloads"]] == [
        ("KLM", 1, "number 1"),
        ("KLM", 2, "number 2"),
    ]
    entry = told(capsys, "list", store, "main")["entries"][0]
    assert (entry["name"], entry["revision"], entry["iov"]) == ("KLM", 2, "1,0,1,99")
    good("list", store)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:2] == ["main", "open"]
    assert lines[-1].split()[:4] == ["KLM", "2", "9", "KLM/1"]


def test_publish_freezes_and_invalidate_ends(store: str, capsys: Shown) -> None:
    assert told(capsys, "publish", store, "main")["entries"] == 1
    error = fault(capsys, "tag", store, "main", "KLM", "1", "--iov", "2,0,-1,-1")
    assert error.startswith("global tag 'main' is published and never changes again")
    assert "is published" in fault(capsys, "publish", store, "main")
    assert told(capsys, "invalidate", store, "main")["state"] == "invalid"
    assert told(capsys, "list", store)["tags"][0]["state"] == "invalid"


def test_history_tells_who_did_what(store: str, capsys: Shown) -> None:
    rows = told(capsys, "history", store)["history"]
    assert [row["what"] for row in rows] == ["create", "add", "add", "create tag", "tag"]
    good("history", store)
    assert "main: KLM revision 2 for 1,0,1,99" in capsys.readouterr().out


def test_check_ends_with_1_when_something_is_wrong(store: str, capsys: Shown) -> None:
    assert told(capsys, "check", store)["faults"] == []
    path = next(path for path in Path(store, "payloads").rglob("*") if path.is_file())
    path.unlink()
    assert main(["conditions", "check", store]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{path}: the file of KLM revision ")
    assert lines[-1] == "faults: 1"


def test_check_tells_what_it_checked(store: str, tmp_path: Path, capsys: Shown) -> None:
    (tmp_path / "dead.json").write_text('{"schema": "KLMChannelStatus/1", "dead": []}')
    good("add", store, "dead", str(tmp_path / "dead.json"), "--schema", "KLMChannelStatus/1")
    capsys.readouterr()
    found = told(capsys, "check", store)
    assert (found["checked"], found["schemas"], found["unknown"]) == (3, {"KLMChannelStatus/1": 1}, {"KLM/1": 2})
    good("check", store)
    assert capsys.readouterr().out.splitlines() == [
        "checked: 3 payloads by SHA-256; 1 intervals in 1 global tags",
        "checked by schema KLMChannelStatus/1: 1",
        "not checked, schema KLM/1: 2",
        "no faults in what was checked",
    ]


@pytest.mark.parametrize("schema", sorted(PAYLOAD_SCHEMAS.readers))
def test_a_file_that_is_not_of_its_schema_is_not_added(store: str, tmp_path: Path, capsys: Shown, schema: str) -> None:
    for content in (b"", b"x", b"{}", b"[1]", b"\x1f\x8b rest", b"PK\x03\x04 rest", b"\xff\xfe", b"null"):
        (tmp_path / "wrong").write_bytes(content)
        line = fault(capsys, "add", store, "wrong", str(tmp_path / "wrong"), "--schema", schema)
        assert "payload wrong" in line
        assert "Traceback" not in line
    assert [payload["name"] for payload in told(capsys, "list", store)["payloads"]] == ["KLM", "KLM"]


def test_a_schema_that_nobody_knows_is_named_with_the_way_out(store: str, tmp_path: Path, capsys: Shown) -> None:
    line = fault(capsys, "add", store, "wrong", str(tmp_path / "file"), "--schema", "KLMChannelStatus/2")
    assert "nobody knows the schema KLMChannelStatus/2 (did you mean KLMChannelStatus/1?)" in line
    assert "--opaque" in line


def test_a_published_tag_is_continued_in_a_clone(store: str, capsys: Shown) -> None:
    good("tag", store, "main", "KLM", "1", "--iov", "2,0,-1,-1")
    good("publish", store, "main")
    assert "clone it under a new name" in fault(capsys, "close", store, "main", "KLM", "--last", "3,5")
    assert "clone it under a new name" in fault(capsys, "remove", store, "main", "KLM", "--iov", "2,0,-1,-1")
    capsys.readouterr()
    assert told(capsys, "clone", store, "main", "next")["entries"] == 2
    assert told(capsys, "close", store, "next", "KLM", "--last", "3,5")["iov"] == "2,0,3,5"
    removed = told(capsys, "remove", store, "next", "KLM", "--iov", "1,0,1,99")
    assert (removed["change"], removed["revision"]) == ("removed", 2)
    assert [entry["iov"] for entry in told(capsys, "list", store, "next")["entries"]] == ["2,0,3,5"]
    assert "give experiment,run" in fault(capsys, "close", store, "next", "KLM", "--last", "soon")


def test_overlaps_are_shown_with_both_intervals(store: str, capsys: Shown) -> None:
    error = fault(capsys, "tag", store, "main", "KLM", "1", "--iov", "1,99,-1,-1")
    assert "KLM revision 1 for 1,99,-1,-1 overlaps revision 2 for 1,0,1,99" in error


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["other", "KLM"], "KLM: give its REVISION, and --iov"),
        (["other", "KLM", "1"], "KLM: give its REVISION, and --iov"),
        (["other", "--iov", "0,0,-1,-1"], "--iov: for which payload?"),
        (["main", "KLM", "1", "--iov", "5"], "give four whole numbers"),
        (["main", "KLM", "1", "--iov", "2,0,-1,-1", "--comment", "x"], "--comment: belongs to a new tag"),
    ],
)
def test_half_a_tag_command_is_explained(store: str, capsys: Shown, arguments: list[str], says: str) -> None:
    assert says in fault(capsys, "tag", store, *arguments)


def test_files_that_cannot_be_read_or_written_are_named(store: str, tmp_path: Path, capsys: Shown) -> None:
    assert "nothing: cannot be read" in fault(capsys, "add", store, "KLM", str(tmp_path / "nothing"), "--schema", "K/1")
    out = str(tmp_path / "file" / "below")
    error = fault(capsys, "get", store, "main", "KLM", "--experiment", "1", "--run", "0", "-o", out)
    assert f"{out}: cannot be written" in error


def test_a_place_without_a_store_names_the_command(tmp_path: Path, capsys: Shown) -> None:
    for verb in ("list", "check", "history"):
        assert f"make one: muonkit conditions create {tmp_path}" in fault(capsys, verb, str(tmp_path))


def test_a_store_on_a_server_never_shows_its_password(server: Server, tmp_path: Path, capsys: Shown) -> None:
    url, payloads = server.new_database(), ["--payloads", str(tmp_path / "files")]
    assert "add --payloads DIR" in fault(capsys, "create", url)
    good("create", url, *payloads)
    shown = capsys.readouterr().out
    (tmp_path / "file").write_bytes(b"content")
    good("add", url, "KLM", str(tmp_path / "file"), "--schema", "KLM/1", "--opaque", *payloads)
    for verb in ("create", "list", "check", "history"):
        good(verb, url, "--json", *payloads)
        captured = capsys.readouterr()
        shown += captured.out + captured.err
    wrong = url.replace(server.password, "wrong")
    assert "keeper:***@127.0.0.1" in fault(capsys, "list", wrong, *payloads)
    assert "***" in shown
    assert server.password not in shown


def test_the_command_line_loads_no_database_before_it_is_needed() -> None:
    code = "import sys, muonkit.cli as c; c.parser().format_help(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"sqlalchemy", "alembic", "pg8000", "sqlite3"} & set(loaded)
