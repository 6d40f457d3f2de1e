"""Cases run in a process of their own, so that a crash, a hang and memory without end are seen and survived."""

import multiprocessing
import resource
import signal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.fuzz.box import Box
from tests.fuzz.kinds import KINDS

MEMORY = 4_000_000_000  # bytes beyond what a process that has started holds
PATIENCE = 30.0  # s for one case
START = 120.0  # s for the first of a kind: kernels are compiled


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
            if not self.line.poll(patience):
                self.stop()
                return -1, f"not done in {patience:g} s"
            self.known = name
            return self.line.recv()  # type: ignore[no-any-return]
        except (EOFError, ConnectionError):
            self.process.join()
            code, self.process = self.process.exitcode, None
            return -1, f"the process died ({code})"

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.process = None
