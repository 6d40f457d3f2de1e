"""A payload is what its schema says, or nobody keeps it under that schema."""

import pytest
from sqlalchemy import text
from tests.conditions.conftest import Place

from muonkit.conditions.contents import Contents
from muonkit.conditions.iov import IoV
from muonkit.conditions.store import Store, open_store
from muonkit.core.errors import InputError


@pytest.mark.parametrize(
    ("content", "schema", "opaque", "says"),
    [
        (b"bad", "K/1", False, "schema K/1: payload a: is bad"),
        (b"break", "K/1", False, "schema K/1: payload a: cannot be read .*not a payload of schema K/1"),
        (b"good", "K/3", False, r"nobody knows the schema K/3 \(did you mean K/2\?\); .* --opaque"),
        (b"good", "Elsewhere/1", False, "nobody knows the schema Elsewhere/1 .known are K/1, K/2, KLM"),
        (b"good", "K/1", True, "its schema K/1 is known, so its content is checked; it cannot be opaque"),
    ],
)
def test_a_content_that_is_not_of_its_schema_is_refused_before_anything_is_written(
    store: Store, place: Place, content: bytes, schema: str, opaque: bool, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        store.add("a", content, schema, opaque=opaque)
    assert store.payloads() == list(place.files.rglob("*")) == []


def test_an_opaque_payload_is_kept_and_said_to_be_unchecked(store: Store) -> None:
    store.add("a", b"bad", "Elsewhere/1", opaque=True)
    store.add("b", b"good", "K/1")
    assert store.history()[-2].details.endswith("opaque: content not checked")
    found = store.examine()
    assert (found.faults, found.checked, found.schemas, found.unknown) == ([], 2, {"K/1": 1}, {"Elsewhere/1": 1})


def test_what_was_added_without_a_check_is_found_and_not_published(store: Store, place: Place) -> None:
    """As in stores of older versions: the schema was not checked when the payload was added."""
    with open_store(place.location, place.payloads) as old:
        old.add("a", b"bad", "K/1", opaque=True)
        old.create_tag("main")
        old.tag("main", "a", 1, IoV(0, 0))
    (fault,) = store.examine().faults
    assert fault == "schema K/1: a revision 1: is bad"
    with pytest.raises(InputError, match="conditions remove") as caught:
        store.publish("main")
    assert caught.value.faults[1:] == [fault]
    assert store.tags()[0].state == "open"


def test_runs_between_intervals_that_have_no_payload_are_told(store: Store) -> None:
    store.add("a", b"good", "K/1")
    store.create_tag("main")
    for iov in (IoV(0, 0, 0, 4), IoV(0, 5, 0, -1), IoV(1, 0, 1, 9), IoV(1, 11, 2, 0), IoV(5, 0)):
        store.tag("main", "a", 1, iov)
    assert store.examine().notes == [
        "global tag 'main': a holds for no run between 1,0,1,9 and 1,11,2,0, and in 1 more gaps"
    ]
    store.invalidate("main")
    assert store.examine().notes == []
    assert store.examine().entries == 5


def test_a_store_opened_without_readers_takes_nothing_for_checked(place: Place) -> None:
    place.create().close()
    with open_store(place.location, place.payloads) as bare:
        assert bare.contents == Contents()
        with pytest.raises(InputError, match="known are none here"):
            bare.add("a", b"good", "K/1")


def test_rows_of_the_store_keep_their_schema(store: Store) -> None:
    store.add("a", b"good", "K/1")
    store.create_tag("main")
    assert store.tag("main", "a", 1, IoV(0, 0)).schema == "K/1"
    assert store.database.read(lambda connection: connection.scalar(text("SELECT schema FROM payloads"))) == "K/1"
