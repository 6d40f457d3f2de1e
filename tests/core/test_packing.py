"""Dataclasses come out of a file as they went in."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest

from muonkit.core.packing import pack, unpack


class Point(NamedTuple):
    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Inner:
    values: np.ndarray
    count: int
    name: str


@dataclass(frozen=True)
class Outer:
    point: Point
    inner: Inner
    several: tuple[Inner, ...]
    pair: tuple[float, bool]
    faults: dict[str, int]
    absent: Inner | None
    given: np.ndarray | None


def example() -> Outer:
    inner = Inner(np.arange(3.0), 7, "µ")
    return Outer(
        Point(np.ones(2), np.zeros((2, 3))), inner, (inner, inner), (0.1, True), {"are not finite": 2}, None, np.ones(1)
    )


def test_what_is_packed_is_unpacked_with_its_types() -> None:
    found = unpack(Outer, pack(example()))
    assert isinstance(found.point, Point)
    assert found.point.y.shape == (2, 3)
    assert [each.name for each in found.several] == ["µ", "µ"]
    assert found.inner.values.tolist() == [0, 1, 2]
    assert (found.pair, found.faults, found.absent) == ((0.1, True), {"are not finite": 2}, None)
    assert type(found.inner.count) is int
    assert found.given is not None


def test_names_are_those_of_the_fields() -> None:
    assert {"point.x", "inner.count", "several.1.name", "faults.are not finite", "given"} <= pack(example()).keys()


def test_nothing_is_an_object_array() -> None:
    assert not any(array.dtype.hasobject for array in pack(example()).values())


def test_a_missing_field_is_an_error() -> None:
    arrays = pack(example())
    del arrays["inner.count"]
    with pytest.raises(KeyError):
        unpack(Outer, arrays)


def test_empty_tuples_and_mappings_stay_empty() -> None:
    assert unpack(dict[str, int], pack({})) == {}
    assert unpack(tuple[int, ...], pack(())) == ()
