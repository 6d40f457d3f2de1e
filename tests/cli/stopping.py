"""Run a command, send it a signal, and look at what is left."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from muonkit.core.compiled import PACKAGE

MARK = "MUONKIT_TEST_MARK"


@dataclass(frozen=True)
class Ended:
    """Exit code (negative: the signal), what was said, processes that still ran a moment later."""

    code: int
    out: str
    said: str
    orphans: list[str]
    seconds: float


def command(*words: object) -> list[str]:
    """The command line of muonkit in this environment."""
    return [sys.executable, "-m", "muonkit", *map(str, words)]


class Running:
    """A command in a process group of its own, with a mark in its environment that its processes inherit."""

    def __init__(self, words: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.mark, self.said = uuid.uuid4().hex, folder / f"stderr-{uuid.uuid4().hex}"
        self.answer = self.said.with_name(self.said.name.replace("stderr", "stdout"))
        given = os.environ | {"PYTHONPATH": str(PACKAGE.parent)} | dict(environment or {}) | {MARK: self.mark}
        with self.said.open("wb") as stderr, self.answer.open("wb") as stdout:
            self.process = subprocess.Popen(
                list(words),
                cwd=folder,
                env=given,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
                preexec_fn=hear,
            )

    def send(self, number: int, group: bool = False) -> None:
        """A signal to the command alone, or to all of its group, as Ctrl-C does."""
        with suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(self.process.pid, number)

    def ended(self, grace: float = 0.5, timeout: float = 20.0) -> Ended:
        """Wait for the end; all that is left after `grace` [s] are orphans, which are killed."""
        start = time.monotonic()
        code = self.process.wait(timeout)
        seconds = time.monotonic() - start
        left = dict(self.processes())
        while left and time.monotonic() - start < seconds + grace:
            time.sleep(0.02)
            left = dict(self.processes())
        for number in left:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        return Ended(code, self.answer.read_text(), self.said.read_text(), list(left.values()), seconds)

    def processes(self) -> Iterator[tuple[int, str]]:
        """All processes of the command, with their command lines; not those that have ended."""
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                with suppress(OSError):
                    if f"{MARK}={self.mark}".encode() in (folder / "environ").read_bytes():
                        yield int(folder.name), (folder / "cmdline").read_text().replace("\0", " ")


def hear() -> None:
    """Signals do what they do by default, whatever the tests were started from."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def stopped(words: Sequence[str], folder: Path, number: int, after: float, group: bool = False) -> Ended:
    """A command that gets a signal after a time [s]."""
    running = Running(words, folder)
    time.sleep(after)
    running.send(number, group)
    return running.ended()
