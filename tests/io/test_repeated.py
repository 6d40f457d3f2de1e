"""Pairs that stand in the files twice are found; two pairs of one event are not taken for one."""

from dataclasses import replace

import numpy as np
import pytest
from tests.io.pairs import columns, dimuons

from muonkit.data.dimuons import Dimuons
from muonkit.io.repeated import KEPT, hashes, one_in, repeats


def found(*tables: Dimuons, among: int = 1) -> tuple[tuple[str, str, int], ...]:
    names = "abcdef"
    return repeats([(name, hashes(table, among)) for name, table in zip(names, tables, strict=False)], among).between


def test_events_that_two_files_share_are_counted() -> None:
    one, other = dimuons(columns(500, 1)), dimuons(columns(500, 2))
    assert found(one, other) == ()
    shared = np.arange(30)
    assert found(one, one[shared], other) == (("b", "a", 30),)
    assert found(one, other[shared], other, one) == (("c", "b", 30), ("d", "a", 500))


def test_pairs_within_one_file_are_counted_also_across_its_pieces() -> None:
    table = dimuons(columns(100))
    parts = [("a", hashes(table, 1)), ("a", hashes(table[np.arange(7)], 1))]
    repeated = repeats(parts, 1)
    assert repeated.between == (("a", "a", 7),)
    assert repeated.described() == ["a: 7 pairs stand in the file twice (same event, same muons)"]
    assert repeated.share == pytest.approx(7 / 107)


def test_two_pairs_of_one_event_are_two() -> None:
    content = columns(2)
    for name in ("run", "luminosityBlock", "event", "plus_pt", "plus_eta", "plus_phi", "minus_pt", "minus_eta"):
        content[name][1] = content[name][0]
    assert found(dimuons(content)) == ()
    content["minus_phi"][1] = content["minus_phi"][0]
    assert found(dimuons(content)) == (("a", "a", 1),)


def test_a_pair_is_the_same_in_single_precision_but_not_in_another_event_or_without_numbers() -> None:
    content = columns(50)
    table = dimuons(content)
    single = dimuons({name: column.astype(np.float32).astype(column.dtype) for name, column in content.items()})
    single = replace(single, identity=table.identity)
    assert found(table, single) == (("b", "a", 50),)
    assert found(table, replace(table, identity=None)) == ()
    assert table.identity is not None
    assert found(table, replace(table, identity=replace(table.identity, event=table.identity.event + 1))) == ()


def test_a_share_of_the_pairs_gives_an_estimate() -> None:
    table, other = dimuons(columns(40_000, 1)), dimuons(columns(40_000, 2))
    shared = table[np.arange(8000)]
    among = 20
    repeated = repeats(
        [(name, hashes(part, among)) for name, part in zip("abc", (table, other, shared), strict=True)], among
    )
    assert repeated.looked_at < 88_000 / among * 1.1
    assert repeated.pairs == pytest.approx(8000, rel=5 / np.sqrt(8000 / among))
    assert repeated.described()[0].startswith(f"c: about {repeated.pairs} pairs stand in a too")


@pytest.mark.parametrize(("rows", "among"), [(0, 1), (KEPT, 1), (KEPT + 1, 2), (100_000_000, 25)])
def test_memory_is_bounded(rows: int, among: int) -> None:
    assert one_in(rows) == among
