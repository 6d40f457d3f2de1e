"""Open tags can be mended: cloned, their open interval closed, an entry removed. Published ones never change."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy.exc import DBAPIError
from tests.conditions.conftest import Place

from muonkit.conditions.iov import IoV
from muonkit.conditions.store import Store
from muonkit.core.errors import InputError


@pytest.fixture
def main(store: Store) -> Store:
    """ "main", open: a for experiment 0, then revision 2 of it for ever."""
    for number in (1, 2):
        store.add("a", b"content %d" % number, "K/1")
    store.create_tag("main")
    store.tag("main", "a", 1, IoV(0, 0, 0, -1))
    store.tag("main", "a", 2, IoV(1, 0))
    return store


@pytest.mark.parametrize("state", ["open", "published", "invalid"])
def test_a_clone_has_the_same_entries_and_is_open(main: Store, state: str) -> None:
    if state == "published":
        main.publish("main")
    if state == "invalid":
        main.invalidate("main")
    before = main.entries("main")
    assert main.clone_tag("main", "next", "a copy") == main.entries("next") == before
    assert [(tag.name, tag.state, tag.comment) for tag in main.tags()] == [
        ("main", state, ""),
        ("next", "open", "a copy"),
    ]
    assert (main.history()[-1].what, main.history()[-1].details) == ("clone tag", "main to next, 2 entries")


def test_a_published_tag_gives_its_answer_whatever_becomes_of_its_clone(main: Store) -> None:
    main.publish("main")
    before = main.entries("main")
    main.clone_tag("main", "next")
    main.close_interval("next", "a", 3, 41)
    main.tag("next", "a", 1, IoV(3, 42))
    main.publish("next")
    assert main.entries("main") == before
    assert [main.find(tag, "a", 3, run).revision for tag in ("main", "next") for run in (41, 42)] == [2, 2, 2, 1]
    assert main.check() == []


def test_only_the_last_interval_is_closed_and_what_was_inside_stays(main: Store) -> None:
    entry = main.close_interval("main", "a", 4, -1)
    assert (entry.revision, str(entry.iov)) == (2, "1,0,4,-1")
    assert str(main.close_interval("main", "a", 4, 7).iov) == "1,0,4,7"
    assert main.find("main", "a", 4, 7).revision == 2
    with pytest.raises(InputError, match="no a for experiment 4, run 8"):
        main.find("main", "a", 4, 8)
    assert [row.details for row in main.history()[-2:]] == [
        "main: a revision 2 for 1,0,-1,-1 now ends: 1,0,4,-1",
        "main: a revision 2 for 1,0,4,-1 now ends: 1,0,4,7",
    ]


@pytest.mark.parametrize(
    ("end", "says"),
    [
        ((0, 5), "it ends before it starts"),
        ((-1, -1), "-1,-1 does not close it"),
        ((-1, 5), "final_exp is open"),
        ((2**31, 0), "out of range"),
    ],
)
def test_an_end_that_is_none_is_refused(main: Store, end: tuple[int, int], says: str) -> None:
    with pytest.raises(InputError, match=f"global tag 'main': a revision 2: .*{says}"):
        main.close_interval("main", "a", *end)
    assert main.entries("main")[-1].iov == IoV(1, 0)


def test_an_interval_is_closed_once(main: Store) -> None:
    main.close_interval("main", "a", 4, 7)
    with pytest.raises(InputError, match="1,0,4,7: is not open"):
        main.close_interval("main", "a", 4, 6)


def test_an_entry_that_is_removed_leaves_its_payload(main: Store) -> None:
    entry = main.remove("main", "a", IoV(1, 0))
    assert entry.revision == 2
    assert [one.revision for one in main.entries("main")] == [1]
    assert len(main.payloads()) == 2
    assert (main.history()[-1].what, main.history()[-1].details) == ("remove", "main: a revision 2 for 1,0,-1,-1")
    main.tag("main", "a", 1, IoV(1, 0))


CHANGES: list[Callable[[Store], object]] = [
    lambda store: store.close_interval("main", "a", 4, 7),
    lambda store: store.remove("main", "a", IoV(1, 0)),
]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("state", ["published", "invalid"])
def test_a_tag_that_is_not_open_is_not_changed_and_the_way_out_is_named(
    main: Store, state: str, change: Callable[[Store], object]
) -> None:
    (main.publish if state == "published" else main.invalidate)("main")
    before, history = main.entries("main"), main.history()
    with pytest.raises(InputError, match=f"'main' is {state} and never changes again; clone it under a new name"):
        change(main)
    assert (main.entries("main"), main.history()) == (before, history)


def test_what_is_not_there_is_named(main: Store) -> None:
    with pytest.raises(InputError, match=r"no entry of a has the interval 1,0,5,5; there are 0,0,0,-1 \(revision 1\)"):
        main.remove("main", "a", IoV(1, 0, 5, 5))
    with pytest.raises(InputError, match="has no entry of b; there are a"):
        main.close_interval("main", "b", 1, 1)
    with pytest.raises(InputError, match="'mian': there is no such tag; did you mean 'main'"):
        main.clone_tag("mian", "next")
    with pytest.raises(InputError, match="'main' exists already"):
        main.clone_tag("main", "main")
    with pytest.raises(InputError, match="cannot be a name"):
        main.clone_tag("main", "../next")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET final_exp = 9, final_run = 9 WHERE tag = 'published'",
        "DELETE FROM entries WHERE tag = 'published'",
        "DELETE FROM entries WHERE tag = 'invalid'",
        "UPDATE entries SET revision = 1 WHERE tag = 'main' AND revision = 2",
        "UPDATE entries SET first_run = 1 WHERE tag = 'main' AND revision = 2",
        "UPDATE entries SET tag = 'published' WHERE tag = 'main'",
        "UPDATE entries SET tag = 'main' WHERE tag = 'published'",
        "UPDATE entries SET final_exp = 1 WHERE tag = 'main' AND revision = 1",
        "UPDATE entries SET final_run = 9 WHERE tag = 'closed' AND revision = 2",
        "UPDATE entries SET final_run = 3 WHERE tag = 'closed' AND revision = 2",
    ],
)
def test_the_database_itself_allows_nothing_else(main: Store, statement: str) -> None:
    for tag in ("published", "invalid", "closed"):
        main.clone_tag("main", tag)
    main.close_interval("closed", "a", 4, 7)
    main.publish("published")
    main.invalidate("invalid")
    before = [main.entries(tag.name) for tag in main.tags()]
    with pytest.raises(DBAPIError), main.database.engine.begin() as connection:
        connection.exec_driver_sql(statement)
    assert [main.entries(tag.name) for tag in main.tags()] == before


def test_of_many_that_change_one_tag_at_once_each_leaves_a_whole_one(main: Store, place: Place) -> None:
    """Half of them close the interval, half remove it, while it is published and cloned."""
    told: list[str] = []

    def work(number: int) -> None:
        verbs: list[Callable[[Store], object]] = [
            *CHANGES,
            lambda store: store.publish("main"),
            lambda store: store.clone_tag("main", f"clone{number}"),
        ]
        with place.open() as own:
            try:
                verbs[number % 4](own)
            except InputError as error:
                told.extend(error.faults)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all("main" in line for line in told), told
    published = next(row for row, line in enumerate(main.history()) if line.what == "publish")
    assert not [row for row in main.history()[published:] if row.what in ("close", "remove")]
    assert len([row for row in main.history() if row.what in ("close", "remove")]) <= 2
    assert main.examine().faults == []
    assert {tag.state for tag in main.tags() if tag.name != "main"} == {"open"}
