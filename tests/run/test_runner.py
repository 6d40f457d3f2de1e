"""Work in processes or on a cluster gives bit-equal results in order."""

import numpy as np
import pytest

from muonkit.core.errors import InputError
from muonkit.run.progress import lines
from muonkit.run.runner import runner

Sums = dict[str, np.ndarray]


def square(x: int) -> dict[str, np.ndarray]:
    return {"value": np.array([x, x * x]) / 3}


def values(results: object) -> list[list[float]]:
    return [result["value"].tolist() for result in results]  # type: ignore[attr-defined]


def test_processes_give_the_results_of_one_process_in_order() -> None:
    with runner(1) as one, runner(2) as two:
        assert values(one.map("a")(square, range(20))) == values(two.map("b")(square, range(20)))


def test_an_error_in_a_process_reaches_the_caller_whole() -> None:
    with runner(2) as two, pytest.raises(InputError) as caught:
        list(two.map("fail")(fail, [1, 2]))
    assert caught.value.faults == ["one", "two"]


def fail(_: int) -> None:
    raise InputError(["one", "two"])


def test_talk_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with lines("count", 3) as advance:
        advance(3)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("count: 3/3")


def test_a_scheduler_that_does_not_answer_is_named() -> None:
    pytest.importorskip("distributed", reason="the extra 'dask' is not installed")
    with pytest.raises(InputError, match="no Dask scheduler answers"), runner(scheduler="nonsense://x"):
        pass
