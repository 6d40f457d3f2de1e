"""What a payload, a tag and a revision promise, on SQLite and on PostgreSQL."""

import re
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError
from tests.conditions.conftest import Place, place_of

from muonkit.conditions import queries
from muonkit.conditions.iov import IoV
from muonkit.conditions.store import Store
from muonkit.conditions.tables import entries
from muonkit.core.errors import InputError

KLM = "KLMLikelihoodParameters"
ALWAYS = IoV(0, 0)


def filled(store: Store, revisions: int = 3) -> Store:
    """KLM in `revisions` revisions, an open tag "main"."""
    for revision in range(1, revisions + 1):
        store.add(KLM, b"content %d" % revision, f"{KLM}/1")
    store.create_tag("main")
    return store


def test_a_payload_comes_back_as_it_went_in(store: Store) -> None:
    content = bytes(range(256)) * 100
    payload = store.add(KLM, content, f"{KLM}/1", "gun of January")
    assert (payload.name, payload.revision, payload.size, payload.schema) == (KLM, 1, 25600, f"{KLM}/1")
    assert payload.checksum == sha256(content).hexdigest()
    assert payload.comment == "gun of January"
    assert payload.author
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", payload.created)
    assert store.read(payload) == content
    assert store.payloads() == store.payloads(KLM) == [payload]


def test_it_is_there_after_closing_and_opening(place: Place) -> None:
    with place.create() as store:
        payload = store.add(KLM, b"content", f"{KLM}/1")
    with place.open() as store:
        assert store.payloads() == [payload]
        assert store.read(payload) == b"content"


def test_revisions_count_per_name(store: Store) -> None:
    made = [store.add(name, content, "K/1") for name, content in product("ab", (b"1", b"2"))]
    assert [(payload.name, payload.revision) for payload in made] == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
    assert store.payloads("a") == made[:2]


def test_the_same_content_again_is_the_same_payload(store: Store) -> None:
    first = store.add(KLM, b"content", f"{KLM}/1", "first")
    store.add(KLM, b"other", f"{KLM}/1")
    assert store.add(KLM, b"content", f"{KLM}/1", "again") == first
    assert [row.what for row in store.history()] == ["create", "add", "add"]


def test_the_same_content_under_another_schema_is_refused(store: Store) -> None:
    store.add(KLM, b"content", f"{KLM}/1")
    with pytest.raises(InputError, match=f"with schema {KLM}/1, not K/2"):
        store.add(KLM, b"content", "K/2")


def test_two_names_share_one_file(store: Store, place: Place) -> None:
    store.add("a", b"content", "K/1")
    store.add("b", b"content", "K/1")
    assert len([path for path in place.files.rglob("*") if path.is_file()]) == 1
    assert store.check() == []


def test_a_wrong_checksum_names_file_and_both_sums(store: Store, place: Place) -> None:
    payload = store.add(KLM, b"content", f"{KLM}/1")
    path = damage(place.files, b"contend")
    with pytest.raises(InputError) as caught:
        store.read(payload)
    for word in (str(path), f"{KLM} revision 1", payload.checksum, sha256(b"contend").hexdigest()):
        assert word in str(caught.value)
    assert store.check() == caught.value.faults


def test_a_lost_file_is_named(store: Store, place: Place) -> None:
    payload = store.add(KLM, b"content", f"{KLM}/1")
    only_file(place.files).unlink()
    with pytest.raises(InputError, match="cannot be read \\(No such file"):
        store.read(payload)
    assert len(store.check()) == 1


@pytest.mark.parametrize("harm", ["damaged", "lost"])
def test_adding_the_content_again_mends_the_file(store: Store, place: Place, harm: str) -> None:
    payload = store.add(KLM, b"content", f"{KLM}/1")
    damage(place.files, b"") if harm == "damaged" else only_file(place.files).unlink()
    assert store.add(KLM, b"content", f"{KLM}/1") == payload
    assert store.read(payload) == b"content"
    assert store.check() == []


def test_find_gives_the_revision_of_the_run(store: Store) -> None:
    filled(store)
    for revision, iov in ((1, IoV(0, 0, 0, -1)), (3, IoV(1, 0, 1, 99)), (2, IoV(2, 5, -1, -1))):
        store.tag("main", KLM, revision, iov)
    runs = {(0, 0): 1, (0, 10**6): 1, (1, 0): 3, (1, 99): 3, (2, 5): 2, (50, 0): 2}
    assert {run: store.find("main", KLM, *run).revision for run in runs} == runs
    assert store.find("main", KLM, np.int64(1), np.int64(7)).revision == 3
    assert [entry.revision for entry in store.entries("main")] == [1, 3, 2]
    assert store.read(store.entries("main")[1]) == b"content 3"


def test_a_run_without_payload_shows_the_intervals_there_are(store: Store) -> None:
    filled(store).tag("main", KLM, 1, IoV(1, 0, 1, 99))
    with pytest.raises(InputError) as caught:
        store.find("main", KLM, 1, 100)
    assert str(caught.value).startswith(
        f"global tag 'main': no {KLM} for experiment 1, run 100; there are revision 1 for 1,0,1,99"
    )


def test_a_wrong_name_suggests_the_right_one(store: Store) -> None:
    filled(store).tag("main", KLM, 1, ALWAYS)
    with pytest.raises(InputError, match=f"nor for any other; did you mean '{KLM}'"):
        store.find("main", "KLMLikelyhoodParameters", 0, 0)
    with pytest.raises(InputError, match="there is no such tag; did you mean 'main'"):
        store.find("mian", KLM, 0, 0)
    with pytest.raises(InputError, match=f"there is no such name; did you mean '{KLM}'"):
        store.tag("main", "KLMLikelyhoodParameters", 1, ALWAYS)
    with pytest.raises(InputError, match="there is no revision 4; the last is 3"):
        store.tag("main", KLM, 4, ALWAYS)


def test_overlapping_intervals_are_refused_and_both_shown(store: Store) -> None:
    filled(store).tag("main", KLM, 1, IoV(0, 0, 1, 9))
    with pytest.raises(InputError, match=r"revision 2 for 1,9,-1,-1 overlaps revision 1 for 0,0,1,9"):
        store.tag("main", KLM, 2, IoV(1, 9))
    store.tag("main", KLM, 2, IoV(1, 10))
    store.create_tag("other")
    store.tag("other", KLM, 2, IoV(1, 9))
    assert store.check() == []


def test_sql_and_python_agree_on_what_overlaps(store: Store) -> None:
    ends = [(0, 0), (0, 5), (1, 0), (1, 5), (1, -1), (2, -1), (-1, -1)]
    starts = [(0, 0), (0, 5), (0, 6), (1, 4), (1, 5), (2, 0)]
    made = [IoV(*start, *end) for start, end in product(starts, ends) if end == (-1, -1) or start[0] < end[0]]
    store.create_tag("main")
    for number, iov in enumerate(made):  # a name for each, as those of one may not overlap
        store.add(f"name{number}", b"content", "K/1")
        store.tag("main", f"name{number}", 1, iov)

    def meeting(connection: Connection, iov: IoV) -> set[str]:
        return set(connection.scalars(select(entries.c.name).where(queries.meets(iov))))

    for iov in made:
        expected = {f"name{number}" for number, other in enumerate(made) if iov.overlaps(other)}
        assert len(expected) > 0
        assert store.database.read(partial(meeting, iov=iov)) == expected


def test_a_published_tag_never_changes(store: Store) -> None:
    filled(store).tag("main", KLM, 1, IoV(0, 0, 0, -1))
    store.publish("main")
    assert [tag.state for tag in store.tags()] == ["published"]
    with pytest.raises(InputError, match="'main' is published and never changes again"):
        store.tag("main", KLM, 2, IoV(1, 0))
    with pytest.raises(InputError, match="'main' is published and never changes again"):
        store.publish("main")
    assert store.find("main", KLM, 0, 5).revision == 1
    assert len(store.entries("main")) == 1


def test_publishing_needs_whole_payloads(store: Store, place: Place) -> None:
    store.add(KLM, b"content", f"{KLM}/1")
    store.create_tag("main")
    with pytest.raises(InputError, match="has no entries"):
        store.publish("main")
    store.tag("main", KLM, 1, ALWAYS)
    damage(place.files, b"half")
    with pytest.raises(InputError) as caught:
        store.publish("main")
    assert len(caught.value.faults) == 2
    assert "is damaged" in caught.value.faults[1]
    assert store.tags()[0].state == "open"


@pytest.mark.parametrize("published", [False, True])
def test_an_invalid_tag_is_not_used_again(store: Store, published: bool) -> None:
    filled(store).tag("main", KLM, 1, ALWAYS)
    if published:
        store.publish("main")
    store.invalidate("main")
    for verb in (
        lambda: store.find("main", KLM, 0, 0),
        lambda: store.tag("main", KLM, 2, ALWAYS),
        lambda: store.publish("main"),
        lambda: store.invalidate("main"),
    ):
        with pytest.raises(InputError, match="'main' is invalid"):
            verb()
    assert len(store.entries("main")) == 1, "it can still be looked at"


def test_a_tag_is_created_once(store: Store) -> None:
    store.create_tag("main", "first")
    with pytest.raises(InputError, match="'main' exists already"):
        store.create_tag("main")
    assert store.tags()[0].comment == "first"


def test_history_tells_every_change_in_order(store: Store) -> None:
    filled(store, 1).tag("main", KLM, 1, ALWAYS)
    store.publish("main")
    store.invalidate("main")
    with pytest.raises(InputError):
        store.publish("main")
    rows = store.history()
    assert [row.what for row in rows] == ["create", "add", "create tag", "tag", "publish", "invalidate"]
    assert rows[3].details == f"main: {KLM} revision 1 for 0,0,-1,-1"
    assert all(row.who and row.when.endswith("+00:00") for row in rows)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("", b"x", "K/1"), "payload: '' cannot be a name"),
        (("../x", b"x", "K/1"), "cannot be a name"),
        (("a\n", b"x", "K/1"), "cannot be a name"),
        (("é", b"x", "K/1"), "cannot be a name"),
        (("a" * 201, b"x", "K/1"), "cannot be a name"),
        (("a", b"", "K/1"), "the content is empty"),
        (("a", b"x", "K"), "'K' is not KIND/VERSION"),
        (("a", b"x", "K/0"), "is not KIND/VERSION"),
        (("a", b"x", "K/1", "two\nlines"), "one line of printable text"),
        (("a", b"x", "K/1", "nul \0"), "one line of printable text"),
    ],
)
def test_what_cannot_be_written_is_refused_before_it_is(
    store: Store, place: Place, arguments: tuple[str, bytes, str], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        store.add(*arguments)
    assert store.payloads() == list(place.files.rglob("*")) == []


@pytest.mark.parametrize("tag", ["", "-x", "a b", "a/b", "a'--"])
def test_bad_tag_names_are_refused(store: Store, tag: str) -> None:
    with pytest.raises(InputError, match=r"global tag: .* cannot be a name"):
        store.create_tag(tag)


def test_numbers_out_of_range_are_refused(store: Store) -> None:
    filled(store).tag("main", KLM, 1, ALWAYS)
    with pytest.raises(InputError, match="run: -1 is out of range"):
        store.find("main", KLM, 0, -1)
    with pytest.raises(InputError, match="experiment: 4294967296 is out of range"):
        store.find("main", KLM, 2**32, 0)
    with pytest.raises(InputError, match="revision: 0 is out of range"):
        store.tag("main", KLM, 0, ALWAYS)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def guarded_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One for all: no statement may change it."""
    with place_of(request, tmp_path_factory.mktemp("guarded")).create() as store:
        yield guarded(store)


ENTRY = "INSERT INTO entries (tag, name, revision, first_exp, first_run, final_exp, final_run) VALUES "
PAYLOAD = "INSERT INTO payloads (name, revision, checksum, size, schema, comment, created, author) VALUES "
TAG = "INSERT INTO global_tags (name, state, comment, created, author) VALUES "


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE payloads SET checksum = 'x'",
        "DELETE FROM payloads WHERE revision = 3",
        f"{PAYLOAD} ('{KLM}', 3, 'x', 1, 'K/1', '', '', '')",
        f"{PAYLOAD} ('{KLM}', 5, 'x', 1, 'K/1', '', '', '')",
        f"{PAYLOAD} ('unknown', 1, 'x', 1, 'K/1', '', '', '')",
        f"{PAYLOAD} ('{KLM}', 4, '{sha256(b'content 1').hexdigest()}', 1, 'K/1', '', '', '')",
        f"{ENTRY} ('main', '{KLM}', 1, 5, 0, 5, 0)",
        f"{ENTRY} ('open', '{KLM}', 1, 5, 7, 6, 0)",
        f"{ENTRY} ('open', '{KLM}', 1, 0, 0, -1, -1)",
        f"{ENTRY} ('open', '{KLM}', 1, 5, 0, 5, -1)",
        f"{ENTRY} ('open', '{KLM}', 9, 0, 0, 1, 1)",
        f"{ENTRY} ('open', '{KLM}', 1, 3, 0, 2, 0)",
        f"{ENTRY} ('open', '{KLM}', 1, 0, 0, -1, 5)",
        f"{ENTRY} ('unknown', '{KLM}', 1, 0, 0, 1, 1)",
        "UPDATE entries SET final_exp = 7",
        "DELETE FROM entries",
        "UPDATE global_tags SET state = 'open' WHERE name = 'main'",
        "UPDATE global_tags SET name = 'renamed' WHERE name = 'main'",
        "UPDATE global_tags SET state = 'published' WHERE name = 'bad'",
        "UPDATE global_tags SET state = 'gone' WHERE name = 'open'",
        "DELETE FROM global_tags WHERE name = 'bad'",
        f"{TAG} ('born', 'published', '', '', '')",
        f"{TAG} ('main', 'open', '', '', '')",
        "UPDATE history SET who = 'nobody'",
        "DELETE FROM history",
    ],
)
def test_the_database_itself_refuses_what_the_store_does_not_do(guarded_store: Store, statement: str) -> None:
    before = told(guarded_store)
    with pytest.raises(DBAPIError), guarded_store.database.engine.begin() as connection:
        connection.exec_driver_sql(statement)
    assert told(guarded_store) == before


@pytest.mark.parametrize("table", ["payloads", "global_tags", "history"])
def test_sqlite_cannot_replace_a_row_either(tmp_path: Path, table: str) -> None:
    with Place(str(tmp_path), None, tmp_path / "payloads").create() as store:
        before = told(guarded(store))
        with pytest.raises(DBAPIError), store.database.engine.begin() as connection:
            connection.exec_driver_sql(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")
        assert told(store) == before


def guarded(store: Store) -> Store:
    """Tags "main" (published), "open" (with 5,5 to 5,9), "bad" (invalid)."""
    filled(store).tag("main", KLM, 1, IoV(0, 0, 0, -1))
    store.publish("main")
    for tag in ("open", "bad"):
        store.create_tag(tag)
    store.tag("open", KLM, 1, IoV(5, 5, 5, 9))
    store.invalidate("bad")
    return store


def told(store: Store) -> list[object]:
    """Everything the store tells."""
    return [store.payloads(), store.tags(), store.history(), [store.entries(tag.name) for tag in store.tags()]]


def only_file(folder: Path) -> Path:
    (path,) = (path for path in folder.rglob("*") if path.is_file())
    return path


def damage(folder: Path, content: bytes) -> Path:
    path = only_file(folder)
    path.chmod(0o644)
    path.write_bytes(content)
    return path
