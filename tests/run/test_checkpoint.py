"""A killed run goes on; what it kept is used only if it is whole; one run at a time writes an output."""

import errno
import multiprocessing
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from tests.run.test_runner import Sums, square, values

from muonkit.core.errors import InputError
from muonkit.run.alone import alone
from muonkit.run.checkpoint import load, remembered, save, sealed, unfinished


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
    (tmp_path / "x.npz").write_bytes(sealed((tmp_path / "x.npz").read_bytes()))
    with pytest.raises(ValueError, match="pickle"):
        load(tmp_path / "x.npz")


def flipped(content: bytes) -> bytes:
    """One bit is another in the middle."""
    at = len(content) // 2
    return content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :]


DAMAGE = {
    "empty": lambda _: b"",
    "cut off": lambda content: content[: len(content) // 2],
    "zeros": lambda content: bytes(len(content)),
    "a bit flipped": flipped,
    "text": lambda _: b"not an archive",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_part_is_made_again_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[bytes], bytes]
) -> None:
    expected = values(remembered(map, tmp_path, "sums", Sums)(square, range(4)))
    part = tmp_path / "sums-00002.npz"
    part.write_bytes(damage(part.read_bytes()))
    made: list[int] = []

    def counting(x: int) -> Sums:
        made.append(x)
        return square(x)

    assert values(remembered(map, tmp_path, "sums", Sums)(counting, range(4))) == expected
    assert made == [2]
    assert capsys.readouterr().err.splitlines() == [
        f"{tmp_path}: damaged parts are made again, 1 in all (sums-00002.npz)"
    ]
    assert values(remembered(map, tmp_path, "sums", Sums)(counting, range(4))) == expected
    assert made == [2], "it is whole again"


@dataclass(frozen=True)
class Other:
    """A result with a field that a version before it did not have."""

    value: np.ndarray
    new: int


def test_a_part_of_another_version_is_made_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(tmp_path / "sums-00000.npz", square(3))
    (made,) = remembered(map, tmp_path, "sums", Other)(lambda x: Other(np.zeros(2), x), [5])
    assert made.new == 5
    assert "damaged parts are made again" in capsys.readouterr().err


def test_a_run_that_ends_well_removes_what_killed_runs_of_other_states_left(tmp_path: Path) -> None:
    out, states = tmp_path / "out.parquet", ["0" * 64, "a" * 64, "b" * 64]
    for state in states[:2]:
        with pytest.raises(KeyboardInterrupt), unfinished(out, state):
            raise KeyboardInterrupt
    with unfinished(tmp_path / "other.parquet", states[0]):
        pass
    assert len(list(tmp_path.iterdir())) == 2, "another output leaves them alone"
    with unfinished(out, states[2]):
        pass
    assert list(tmp_path.iterdir()) == []


def test_runs_of_different_states_do_not_write_one_output_at_once(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    with unfinished(out, "one"), pytest.raises(InputError, match="another run is writing it"), unfinished(out, "two"):
        pass
    with unfinished(out, "one"), unfinished(tmp_path / "other.parquet", "one"):
        pass
    assert list(tmp_path.iterdir()) == []


def held(out: Path, ready: Any) -> None:
    with alone(out):
        ready.set()
        signal.pause()


def test_the_lock_of_a_killed_run_stops_nobody(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Event()
    other = spawn.Process(target=held, args=(tmp_path / "out", ready))
    other.start()
    assert ready.wait(60)
    with pytest.raises(InputError, match="another run is writing it"), alone(tmp_path / "out"):
        pass
    os.kill(other.pid or 0, signal.SIGKILL)
    other.join()
    assert [path.name for path in tmp_path.iterdir()] == [".out.lock"]
    with alone(tmp_path / "out"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [NotImplementedError(), OSError(errno.ENOTSUP, "no locks")])
def test_a_file_system_without_locks_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def never(_: object) -> None:
        raise error

    monkeypatch.setattr(FileLock, "acquire", never)
    with alone(tmp_path / "out"):
        pass
    assert "this file system has no locks" in capsys.readouterr().err
