"""Results come out of JSON as they went in."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.core.plain import plain, rebuilt


@dataclass(frozen=True)
class Part:
    name: str
    value: float


@dataclass(frozen=True)
class Whole:
    values: FloatArray
    index: IntArray
    parts: tuple[Part, ...]
    window: tuple[float, float]
    by_name: Mapping[str, FloatArray]
    label: str | None
    extra: Part | None = None


def example(extra: Part | None = None) -> Whole:
    parts = (Part("µ", 0.1), Part("e", 1e-17))
    return Whole(np.array([[0.1, 2 / 3]]), np.arange(3), parts, (2.92, 3.28), {"A": np.ones(2)}, None, extra)


@pytest.mark.parametrize("extra", [None, Part("x", 3.0)])
def test_what_is_written_is_read_with_its_types(extra: Part | None) -> None:
    content = json.loads(json.dumps(plain(example(extra)), allow_nan=False))
    found = rebuilt(Whole, content)
    assert plain(found) == content
    assert found.values.tolist() == [[0.1, 2 / 3]]
    assert (found.values.dtype, found.index.dtype) == (np.float64, np.int64)
    assert found.parts == example().parts
    assert (found.window, found.label, found.extra) == ((2.92, 3.28), None, extra)
    assert isinstance(found.by_name["A"], np.ndarray)


def test_only_none_by_default_is_left_out() -> None:
    content = plain(example())
    assert content["label"] is None
    assert "extra" not in content


def test_numbers_of_numpy_are_numbers() -> None:
    assert type(plain((np.float64(0.5), np.int64(2)))[0]) is float


def test_missing_fields_are_named_with_their_place() -> None:
    content = plain(example())
    del content["parts"][1]["value"]
    with pytest.raises(KeyError, match=r"parts\.value"):
        rebuilt(Whole, content)
    del content["parts"], content["window"]
    with pytest.raises(KeyError, match="parts, window"):
        rebuilt(Whole, content)
