"""Cases run in a process of their own, so that a crash, a hang and memory without end are seen and survived."""

import itertools
import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.fuzz.box import Box
from tests.fuzz.kinds import KINDS

MEMORY = 4_000_000_000  # bytes beyond what a process that has started holds
PATIENCE = 20.0  # s of CPU time for one case
START = 200.0  # s for the first of a kind: kernels are compiled


def serve(line: Connection, good: Path, place: Path) -> None:
    """Run cases (kind, seed) that come through `line`; the answer is (exit code, fault)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    boxes: dict[str, Box] = {}
    while True:
        name, seed = line.recv()
        if name not in boxes:
            boxes.clear()
            boxes[name] = Box(KINDS[name], good, place)
            _limit()
        line.send(boxes[name].run(seed))


def _limit() -> None:
    """Of the memory that this process may still take."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, resource.RLIM_INFINITY))


def _work(process: int) -> float:
    """CPU time [s] of a process; 0 if it has ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Worker:
    """A process that runs cases; it is started again when it died or had to be ended."""

    def __init__(self, good: Path, place: Path) -> None:
        self.good, self.place = good, place
        self.process: Any = None
        self.known = ""  # the kind whose kernels are there

    def start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.line, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other, self.good, self.place), daemon=True)
        self.process.start()
        other.close()
        self.known = ""

    def run(self, name: str, seed: str) -> tuple[int, str]:
        """(exit code, fault) of one case."""
        if self.process is None:
            self.start()
        patience = PATIENCE if name == self.known else START
        try:
            self.line.send((name, seed))
            if not self._answered(patience):
                self.stop()
                return -1, f"not done in {patience:g} s"
            self.known = name
            return self.line.recv()  # type: ignore[no-any-return]
        except (EOFError, ConnectionError):
            self.process.join()
            code, self.process = self.process.exitcode, None
            return -1, f"the process died ({code})"

    def spend(self, name: str, seconds: float, first: int, least: int = 1) -> Iterator[tuple[int, str]]:
        """(exit code, fault) of cases of one kind for so long, and of `least` at least; a fault names its case."""
        end = time.monotonic() + seconds
        for number in itertools.count(first):
            if number - first >= least and time.monotonic() >= end:
                return
            code, fault = self.run(name, f"{name} {number}")
            if number == first:  # the time of compilation does not count
                end = max(end, time.monotonic() + seconds)
            yield code, f"{name} {number}: {fault}" if fault else ""

    def _answered(self, patience: float) -> bool:
        """Whether an answer comes before the process has worked for so long; a slow machine has ten times as long."""
        start, begin = _work(self.process.pid), time.monotonic()
        while not self.line.poll(0.5):
            if _work(self.process.pid) - start > patience or time.monotonic() - begin > 10 * patience:
                return False
        return True

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.process = None
