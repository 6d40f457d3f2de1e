"""Eight writers at once, some killed at random: what was said to be written is there, and nothing is half visible."""

import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from tests.conditions.conftest import Place
from tests.conditions.servers import Server

from muonkit.conditions import database, queries
from muonkit.conditions.iov import IoV, overlapping
from muonkit.conditions.store import Store
from muonkit.core.errors import InputError

WRITERS = 8
GAP = "holds for no run between"  # the intervals of the writers are random
SCRIPT = Path(__file__).with_name("writers.py")


@dataclass
class Crowd:
    """Writers at one store; their notes and their screams lie in `folder`."""

    place: Place
    folder: Path
    seed: int
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        number = len(self.processes)
        where = [self.place.location, str(self.place.payloads or ""), str(self.seed * 1000 + number)]
        files = [str(self.notes(number)), str(self.folder / "stop")]
        with (self.folder / f"errors{number}").open("wb") as errors:
            self.processes.append(subprocess.Popen([sys.executable, SCRIPT, *where, *files], stderr=errors))

    def notes(self, number: int) -> Path:
        return self.folder / f"notes{number}"

    def wait_until_all_write(self) -> None:
        for number, process in enumerate(self.processes):
            while not (self.notes(number).exists() and self.notes(number).stat().st_size) and process.poll() is None:
                time.sleep(0.01)

    def wait_for(self, facts: int) -> None:
        """Until the writers have noted so many facts in all."""
        deadline = time.monotonic() + 60
        while sum(self.notes(number).read_bytes().count(b"\n") for number in self.started()) < facts:
            assert time.monotonic() < deadline, f"the writers are stuck: {self.errors()}"
            time.sleep(0.01)

    def started(self) -> list[int]:
        """Those that lived long enough to have notes."""
        return [number for number in range(len(self.processes)) if self.notes(number).exists()]

    def kill(self, number: int) -> None:
        self.processes[number].kill()
        self.processes[number].wait()

    def stop(self) -> list[int]:
        (self.folder / "stop").touch()
        return [process.wait(60) for process in self.processes]

    def facts(self, kind: str) -> list[list[Any]]:
        """What the writers noted of this kind; the last line of one that was killed may be half."""
        found = []
        for number in self.started():
            lines = self.notes(number).read_bytes().split(b"\n")[:-1]
            found += [json.loads(line) for line in lines]
        return [fact[1:] for fact in found if fact[0] == kind]

    def errors(self) -> str:
        return "".join((self.folder / f"errors{number}").read_text() for number in range(len(self.processes)))


def run_crowd(place: Place, folder: Path, seed: int, kills: int, pace: int, replaced: bool) -> Crowd:
    """Eight writers; after every `pace` facts, in the middle of something, one of them is killed, `kills` in all."""
    crowd = Crowd(place, folder, seed)
    draw = random.Random(seed)
    try:
        for _ in range(WRITERS):
            crowd.start()
        crowd.wait_until_all_write()
        alive = list(range(WRITERS))
        for killed in range(kills):
            crowd.wait_for(WRITERS + (killed + 1) * pace)
            time.sleep(draw.uniform(0, 0.1))
            crowd.kill(alive.pop(draw.randrange(len(alive))))
            if replaced:
                alive.append(len(crowd.processes))
                crowd.start()
                crowd.wait_until_all_write()
        crowd.wait_for(WRITERS + (kills + 2) * pace)
    finally:
        codes = crowd.stop()
    assert crowd.errors() == ""
    assert Counter(codes) == {-9: kills, 0: len(codes) - kills}
    return crowd


def check_nothing_is_lost(crowd: Crowd, store: Store) -> None:
    payloads = {(payload.name, payload.revision): payload for payload in store.payloads()}
    for name, revision, checksum in crowd.facts("payload"):
        assert payloads[name, revision].checksum == checksum
    for payload in payloads.values():
        assert sha256(store.read(payload)).hexdigest() == payload.checksum
    for name, number in Counter(name for name, _ in payloads).items():
        assert {revision for other, revision in payloads if other == name} == set(range(1, number + 1))
    states = {tag.name: tag.state for tag in store.tags()}
    entries = {(tag, e.name, e.revision, str(e.iov)) for tag in states for e in store.entries(tag)}
    assert {tuple(fact) for fact in crowd.facts("entry")} <= entries
    created = Counter(tag for (tag,) in crowd.facts("tag"))
    assert set(created) <= set(states)
    assert set(created.values()) == {1}, "a tag has one creator"
    assert all(states[tag] == "published" for (tag,) in crowd.facts("published"))
    assert overlapping([entry.iov for entry in store.entries("race")]) == []
    verbs = Counter(row.what for row in store.history())
    assert verbs["add"] == len(payloads)
    assert verbs["tag"] == len(entries)
    assert verbs["create tag"] == len(states)
    assert verbs["publish"] == sum(state == "published" for state in states.values())


def crowd_and_check(place: Place, folder: Path, **how: Any) -> None:
    with place.create() as store:
        store.create_tag("race")
        crowd = run_crowd(place, folder, **how)
        check_nothing_is_lost(crowd, store)
        assert all(len(crowd.facts(kind)) > WRITERS for kind in ("payload", "entry", "tag", "published"))
        assert store.examine().faults == []
        assert [note for note in store.examine().notes if "left by a writer" not in note and GAP not in note] == []
        store.clean(older_than=-1)
        assert [line for line in store.check() if GAP not in line] == []


def test_eight_writers_of_whom_five_are_killed_lose_nothing(place: Place, tmp_path: Path) -> None:
    crowd_and_check(place, tmp_path, seed=1, kills=5, pace=40, replaced=False)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_eight_writers_and_twenty_kills_lose_nothing(place: Place, tmp_path: Path, seed: int) -> None:
    crowd_and_check(place, tmp_path, seed=seed, kills=20, pace=100, replaced=True)


def test_threads_of_one_store_share_it(store: Store) -> None:
    with ThreadPoolExecutor(6) as threads:
        made = list(threads.map(lambda number: store.add("a", b"%d" % (number % 20), "K/1"), range(40)))
    assert sorted(payload.revision for payload in set(made)) == list(range(1, 21))
    assert store.check() == []


def test_those_who_create_a_store_at_once_create_one(place: Place) -> None:
    def create(_: int) -> None:
        place.create().close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(create, range(4)))
    with place.open() as store:
        assert [row.what for row in store.history()] == ["create"]


def test_a_file_cleaned_away_while_it_is_added_is_written_again(store: Store) -> None:
    class CleanedBetween:
        """The database of `store`; before a transaction begins, someone cleans."""

        def write(self, work: Any) -> Any:
            assert len(store.clean(older_than=-1)) == 1
            return store.database.write(work)

    payload = replace(store, database=CleanedBetween()).add("a", b"content", "K/1")  # type: ignore[arg-type]
    assert store.read(payload) == b"content"
    assert store.check() == []


def test_clean_waits_for_a_writer_whose_row_is_not_visible_yet(store: Store) -> None:
    """Its file has no row that others can see, and must stay."""
    written, cleaned = threading.Event(), threading.Event()

    def slow_add(connection: Connection) -> None:
        queries.lock_name(connection, "a")
        checksum = store.files.write(b"content")
        fields: dict[str, Any] = {"name": "a", "checksum": checksum, "size": 7, "schema": "K/1", "comment": ""}
        queries.insert_payload(connection, fields)
        written.set()
        assert not cleaned.wait(0.5)

    with ThreadPoolExecutor(1) as thread:
        adding = thread.submit(store.database.write, slow_add)
        assert written.wait(10)
        assert store.clean(older_than=-1) == []
        cleaned.set()
        adding.result()
    assert store.check() == []


def test_the_guard_stops_overlaps_that_two_transactions_cannot_see(server: Server, tmp_path: Path) -> None:
    """Neither asks the store, both add: the second waits for the first, and is refused."""
    insert = "INSERT INTO entries VALUES ('main', 'a', 1, 0, {}, -1, -1)"
    with Place(server.new_database(), tmp_path, tmp_path).create() as store, ThreadPoolExecutor(1) as thread:
        store.add("a", b"content", "K/1")
        store.create_tag("main")
        with store.database.engine.begin() as first:
            first.exec_driver_sql(insert.format(5))
            second = thread.submit(execute, store, insert.format(7))
            time.sleep(0.3)
            assert not second.done()
        with pytest.raises(DBAPIError, match="may not overlap"):
            second.result()
        assert [str(entry.iov) for entry in store.entries("main")] == ["0,5,-1,-1"]


def execute(store: Store, statement: str) -> None:
    with store.database.engine.begin() as connection:
        connection.exec_driver_sql(statement)


def test_a_deadlock_is_tried_again(server: Server, tmp_path: Path) -> None:
    both_hold_one = threading.Barrier(2)
    attempts: list[str] = []

    def lock_both(connection: Connection, first: str, second: str) -> str:
        attempts.append(first)
        queries.tag_named(connection, first, lock=True)
        if len(attempts) <= 2:
            both_hold_one.wait(10)
        queries.tag_named(connection, second, lock=True)
        return first

    with Place(server.new_database(), tmp_path, tmp_path).create() as store, ThreadPoolExecutor(2) as threads:
        store.create_tag("a")
        store.create_tag("b")
        orders = [("a", "b"), ("b", "a")]
        done = [threads.submit(store.database.write, partial(_swap, lock_both, order)) for order in orders]
        assert [one.result() for one in done] == ["a", "b"]
    assert len(attempts) == 3


def _swap(work: Any, order: tuple[str, str], connection: Connection) -> str:
    return str(work(connection, *order))


def test_a_lock_that_is_never_given_back_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PATIENCE_MS", 50)
    monkeypatch.setattr(database, "ATTEMPTS", 2)
    store.create_tag("main")
    store.close()  # its connections have the old patience

    def hold(connection: Connection) -> None:
        queries.tag_named(connection, "main", lock=True)
        with pytest.raises(InputError, match="another writer has held the lock for too long, try again"):
            store.invalidate("main")

    store.database.write(hold)
    store.invalidate("main")


def test_a_writer_waits_for_its_turn(store: Store) -> None:
    store.create_tag("main")
    with ThreadPoolExecutor(1) as thread:

        def hold(connection: Connection) -> Any:
            queries.tag_named(connection, "main", lock=True)
            waiting = thread.submit(store.invalidate, "main")
            time.sleep(0.3)
            assert not waiting.done()
            return waiting

        store.database.write(hold).result()
    assert store.tags()[0].state == "invalid"


def test_publishing_and_tagging_at_once_leaves_no_unpublished_entry(store: Store) -> None:
    """Whoever is second is told so; a published tag holds what was verified."""
    store.add("a", b"content", "K/1")
    for number in range(10):
        tag = f"tag{number}"
        store.create_tag(tag)
        store.tag(tag, "a", 1, IoV(0, 0, 0, 0))
        with ThreadPoolExecutor(2) as threads:
            publishing = threads.submit(store.publish, tag)
            tagging = threads.submit(store.tag, tag, "a", 1, IoV(1, 0, 1, 0))
            publishing.result()
            refused = isinstance(tagging.exception(), InputError)
        assert len(store.entries(tag)) == (1 if refused else 2)
