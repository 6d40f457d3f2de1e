"""Progress on stderr: a bar on a terminal, one line per 30 s elsewhere."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from muonkit.core.stopping import undone_at_stop
from muonkit.core.streams import say

Advance = Callable[[int], None]
Progress = Callable[[str, int], AbstractContextManager[Advance]]
EVERY = 30.0  # s


@contextmanager
def silent(what: str, total: int) -> Iterator[Advance]:  # noqa: ARG001
    """Shows nothing."""
    yield lambda _steps: None


@contextmanager
def bar(what: str, total: int) -> Iterator[Advance]:
    """Shows a bar on the terminal, on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:32}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with undone_at_stop(_show_cursor), Progress(*columns, console=Console(stderr=True)) as display:
        task = display.add_task(what, total=total)
        yield lambda steps: display.advance(task, steps)


def _show_cursor() -> None:
    os.write(2, b"\x1b[?25h")


@contextmanager
def lines(what: str, total: int) -> Iterator[Advance]:
    """Prints one line at the end, and one per 30 s before, on stderr."""
    start = last = time.monotonic()
    done = 0

    def advance(steps: int) -> None:
        nonlocal done, last
        done += steps
        if time.monotonic() - last > EVERY:
            last = time.monotonic()
            say(f"{what}: {done}/{total}")

    yield advance
    say(f"{what}: {done}/{total} in {time.monotonic() - start:.1f} s")


def talk() -> Progress:
    """`bar` on a terminal, `lines` elsewhere."""
    return bar if sys.stderr.isatty() else lines
