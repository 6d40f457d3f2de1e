"""A cluster that is gone ends the run after the time that was set, with one line; a worker that is lost costs
nothing."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.run import slow

from muonkit.core.compiled import PACKAGE
from muonkit.core.errors import InputError, StoppedError
from muonkit.run.progress import lines
from muonkit.run.runner import Runner, runner

pytest.importorskip("distributed", reason="the extra 'dask' is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")  # of Dask's own shutdown

ROOT = Path(__file__).resolve().parents[2]
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a part of a cluster, which ends with the test."""
    parts: list[subprocess.Popen[bytes]] = []

    def start_part(part: str, *words: str) -> subprocess.Popen[bytes]:
        given = os.environ | {"PYTHONPATH": f"{ROOT}:{PACKAGE.parent}"}
        given["DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES"] = "0"
        command = [sys.executable, "-m", f"distributed.cli.dask_{part}", *words, "--no-dashboard"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        parts.append(subprocess.Popen(command, env=given, **quiet))
        return parts[-1]

    yield start_part
    for part in parts:
        part.kill()
        part.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def scheduler(start: Start) -> tuple[subprocess.Popen[bytes], str]:
    """A scheduler that answers, and its address."""
    port = free_port()
    process = start("scheduler", "--host", "127.0.0.1", "--port", str(port))
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    return process, f"tcp://127.0.0.1:{port}"


def worker(start: Start, address: str) -> subprocess.Popen[bytes]:
    return start("worker", address, "--nthreads", "1", "--no-nanny")


def work_until(many: Runner, act: Callable[[], object]) -> None:
    """A hundred pieces; `act` after the first."""
    for done in many.results(slow.slow, range(100)):
        if done == 0:
            act()


def test_an_address_where_nobody_answers() -> None:
    begin = time.monotonic()
    line = r"no Dask scheduler answers in 1 s \(--timeout\)"
    with pytest.raises(StoppedError, match=line), runner(scheduler=f"tcp://127.0.0.1:{free_port()}", timeout=1):
        pass
    assert time.monotonic() - begin < 5


def test_an_address_where_something_else_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            server.accept()[0].sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises((InputError, StoppedError), match="no Dask scheduler answers"):  # noqa: SIM117
            with runner(scheduler=address, timeout=2):
                pass


def test_workers_that_never_come(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    _, address = scheduler(start)
    with (
        pytest.raises(StoppedError, match="has no workers for 2 s"),
        runner(scheduler=address, progress=lines, timeout=2) as many,
    ):
        list(many.results(slow.half, range(3)))
    assert capsys.readouterr().err == f"--scheduler {address}: has no workers; waiting for 2 s at most (--timeout)\n"


def test_workers_that_come_late(start: Start) -> None:
    _, address = scheduler(start)
    with runner(scheduler=address, timeout=30) as many:
        worker(start, address)
        assert list(many.results(slow.half, range(9))) == [x / 2 for x in range(9)]


def test_a_scheduler_that_dies(start: Start, capfd: pytest.CaptureFixture[str]) -> None:
    process, address = scheduler(start)
    worker(start, address)
    with pytest.raises(StoppedError, match="the scheduler is gone"), runner(scheduler=address, timeout=20) as many:
        work_until(many, process.kill)
    assert capfd.readouterr().err == ""


def test_a_scheduler_that_stands_still(start: Start) -> None:
    process, address = scheduler(start)
    worker(start, address)
    with pytest.raises(StoppedError, match="does not answer for 3 s"), runner(scheduler=address, timeout=3) as many:
        work_until(many, lambda: process.send_signal(signal.SIGSTOP))


def test_work_that_ends_its_worker(start: Start) -> None:
    _, address = scheduler(start)
    worker(start, address)
    with pytest.raises(StoppedError, match="died at the same piece"), runner(scheduler=address, timeout=20) as many:
        list(many.results(slow.deadly, range(3)))


def test_the_time_has_bounds() -> None:
    for wrong in (0, -1, float("nan"), 1e9):
        with pytest.raises(InputError, match="--timeout"), runner(scheduler="tcp://127.0.0.1:9", timeout=wrong):
            pass
