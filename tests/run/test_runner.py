"""Work in processes or on a cluster gives bit-equal results in order; a killed run goes on."""

from pathlib import Path

import numpy as np
import pytest

from muonkit.core.errors import InputError
from muonkit.run.checkpoint import load, remembered, save, unfinished
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


def test_what_was_done_is_not_done_again(tmp_path: Path) -> None:
    calls: list[int] = []

    def counting(x: int) -> dict[str, np.ndarray]:
        calls.append(x)
        if x == 3 and len(calls) == 4:
            raise KeyboardInterrupt
        return square(x)

    with pytest.raises(KeyboardInterrupt):
        list(remembered(map, tmp_path, "sums", Sums)(counting, range(6)))
    again = values(remembered(map, tmp_path, "sums", Sums)(counting, range(6)))
    assert again == values(map(square, range(6)))
    assert calls == [0, 1, 2, 3, 3, 4, 5]


def test_a_result_that_another_run_keeps_meanwhile_does_not_move_the_others(tmp_path: Path) -> None:
    def meddling(x: int) -> dict[str, np.ndarray]:
        if x == 1:
            save(tmp_path / "sums-00003.npz", square(3))
        return square(x)

    assert values(remembered(map, tmp_path, "sums", Sums)(meddling, range(6))) == values(map(square, range(6)))


def test_one_run_at_a_time_keeps_its_work_beside_an_output(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    with (
        unfinished(out, "state") as folder,
        pytest.raises(InputError, match="another run is writing it"),
        unfinished(out, "state"),
    ):
        pass
    assert not folder.exists()
    with pytest.raises(KeyboardInterrupt), unfinished(out, "state"):
        raise KeyboardInterrupt
    assert folder.exists()
    with unfinished(out, "state") as again:
        assert again == folder


def test_a_broken_write_leaves_no_half_file(tmp_path: Path) -> None:
    class Stubborn:
        def __array__(self, *_: object, **__: object) -> np.ndarray:
            raise RuntimeError("full disk")

    with pytest.raises(RuntimeError):
        save(tmp_path / "x.npz", {"a": Stubborn()})  # type: ignore[dict-item]
    assert list(tmp_path.iterdir()) == []


def test_arrays_survive_the_file(tmp_path: Path) -> None:
    save(tmp_path / "x.npz", {"a": np.arange(3), "s": np.array("text")})
    found = load(tmp_path / "x.npz")
    assert found["a"].tolist() == [0, 1, 2]
    assert str(found["s"]) == "text"


def test_an_object_array_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="pickle"):
        load(tmp_path / "x.npz")


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
