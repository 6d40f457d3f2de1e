"""How a command stops: SIGINT, SIGTERM and SIGHUP end it at once, with one line on stderr and exit code 3.

The signals are blocked in all threads, and one thread waits for them. So a call into compiled code need not return
first, and no library meets an exception where it expects none. Nothing is lost by this: files appear whole or not at
all, and finished pieces are on disk. What must not stay behind is registered with `undone_at_stop`.

Processes that are started inherit the block: they do not hear Ctrl-C. They end with their parent."""

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

STOPPED = 3  # exit code
SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
PR_SET_PDEATHSIG = 1  # of Linux' prctl
EVERY = 0.1  # s between looks at the parent
PATIENCE = 1.0  # s until a line is given up

_undo: list[Callable[[], object]] = []
_starting = threading.Lock()  # held while a process is being started


class Watch:
    """Waits for a signal. `way_out` is the second half of the line it says."""

    def __init__(self) -> None:
        self.way_out = "nothing was done yet"
        self.signals = {number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN}  # nohup

    def start(self) -> None:
        """Take the signals of this process. For the main thread, before there are others."""
        for number in self.signals:
            signal.signal(number, lambda number, _: self._end(number))  # if a library unblocks them
        signal.pthread_sigmask(signal.SIG_BLOCK, self.signals)
        threading.Thread(target=self._wait, name="muonkit-stop", daemon=True).start()

    def _wait(self) -> None:
        self._end(signal.sigwait(self.signals))

    def _end(self, number: int) -> None:
        end(f"stopped by {signal.Signals(number).name}; {self.way_out}")


def end(line: str) -> None:
    """Say a line, remove what must not stay, and end this process with exit code 3. Does not return.

    A process that is just starting is waited for: it could not be found yet, and would complain that its parent is
    gone."""
    _starting.acquire(timeout=PATIENCE)
    with suppress(OSError):
        if select.select([], [2], [], PATIENCE)[1]:  # a terminal may be held
            os.write(2, f"{line}\n".encode(errors="backslashreplace"))
        for stream in (1, 2):  # other threads still run
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    for undo in reversed(_undo):
        with suppress(Exception):
            undo()
    for pid in _workers():
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    os._exit(STOPPED)


def _workers() -> list[int]:
    """Processes of multiprocessing that this one has started, where /proc tells them."""
    found = [pid for each in Path("/proc/self/task").glob("*/children") for pid in _content(each).split()]
    return [int(pid) for pid in found if b"spawn_main" in _content(Path("/proc", pid.decode(), "cmdline"))]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@contextmanager
def undone_at_stop(undo: Callable[[], object]) -> Iterator[None]:
    """Call `undo` if the process is stopped within the block. It runs beside the other threads and must not wait."""
    _undo.append(undo)
    try:
        yield
    finally:
        _undo.remove(undo)


@contextmanager
def signals_blocked() -> Iterator[None]:
    """A process that is started in the block does not hear the signals, and is whole before this one is ended.
    Afterwards this thread hears them as before, whatever was done to its mask."""
    with _starting:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_parent(parent: int) -> None:
    """End this process when `parent`, which started it, has ended, however that came."""
    if sys.platform == "linux":
        import ctypes  # not before the signals are taken

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch_parent, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        os._exit(STOPPED)


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(EVERY)
    os._exit(STOPPED)
