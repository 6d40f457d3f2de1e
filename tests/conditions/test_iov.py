"""An interval of validity holds for the runs between its ends, both included; -1 is open."""

from itertools import product

import numpy as np
import pytest

from muonkit.conditions.iov import IoV, overlapping
from muonkit.core.errors import InputError

RUNS = list(product(range(4), range(4)))
FINALS = [(final_exp, final_run) for final_exp in range(4) for final_run in (-1, 0, 1, 3)] + [(-1, -1)]


def intervals() -> list[IoV]:
    made = []
    for first, final in product([(0, 0), (0, 2), (1, 1), (2, 0), (3, 3)], FINALS):
        try:
            made.append(IoV(*first, *final))
        except InputError:
            assert final != (-1, -1), "an open interval never ends before it starts"
    return made


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("1,5,1,7", [(1, 5), (1, 6), (1, 7)], [(1, 4), (1, 8), (0, 6), (2, 6)]),
        ("1,5,3,2", [(1, 5), (1, 999), (2, 0), (3, 2)], [(1, 4), (3, 3), (0, 9)]),
        ("1,5,3,-1", [(1, 5), (3, 10**9)], [(1, 4), (4, 0)]),
        ("1,5,-1,-1", [(1, 5), (10**9, 0)], [(1, 4), (0, 10**9)]),
    ],
)
def test_both_ends_belong_to_the_interval(
    text: str, inside: list[tuple[int, int]], outside: list[tuple[int, int]]
) -> None:
    iov = IoV.parse(text)
    assert str(iov) == text
    assert all(iov.contains(*run) for run in inside)
    assert not any(iov.contains(*run) for run in outside)


def test_overlap_means_a_common_run_and_has_no_order() -> None:
    made = intervals()
    assert len(made) > 50
    for one, other in product(made, made):
        # ends at run 3 and run -1 differ only beyond the runs listed here, hence a run that stands for all later ones
        runs = [*RUNS, *((exp, 10**6) for exp in range(4)), (10**6, 0)]
        common = any(one.contains(*run) and other.contains(*run) for run in runs)
        assert one.overlaps(other) == other.overlaps(one) == common, (one, other)


def test_neighbours_do_not_overlap() -> None:
    assert overlapping([IoV(0, 0, 0, -1), IoV(1, 0, 1, 4), IoV(1, 5, -1, -1)]) == []
    assert overlapping([IoV(1, 4, -1, -1), IoV(0, 0, 1, 4)]) == [(IoV(0, 0, 1, 4), IoV(1, 4, -1, -1))]


def test_numpy_integers_become_plain_ones() -> None:
    iov = IoV(np.int64(1), np.int32(2), np.int64(-1), np.int64(-1))
    assert iov == IoV(1, 2)
    assert type(iov.first_exp) is int


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ((-1, 0, 1, 1), "first_exp: -1 is out of range"),
        ((0, -1, 1, 1), "first_run: -1 is out of range"),
        ((0, 0, -2, -1), "final_exp: -2 is out of range"),
        ((0, 0, 2**31 - 1, 0), "final_exp: 2147483647 is out of range"),
        ((0, 0, 1, 0.5), "0.5 is not a whole number"),
        ((0, 0, -1, 7), "write -1 for final_run too"),
        ((2, 0, 1, -1), "2,0,1,-1: it ends before it starts"),
        ((2, 5, 2, 4), "2,5,2,4: it ends before it starts"),
    ],
)
def test_an_interval_without_sense_is_refused(numbers: tuple[int, int, int, int], says: str) -> None:
    with pytest.raises(InputError, match=says):
        IoV(*numbers)


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,x", "1,2,3,4,5", "1;2;3;4"])
def test_text_that_is_not_four_numbers_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="give four whole numbers"):
        IoV.parse(text)
