"""Progress on stderr: a bar on a terminal, one line per 30 s elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

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
    with Progress(*columns, console=Console(stderr=True)) as display:
        task = display.add_task(what, total=total)
        yield lambda steps: display.advance(task, steps)


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
            print(f"{what}: {done}/{total}", file=sys.stderr, flush=True)

    yield advance
    print(f"{what}: {done}/{total} in {time.monotonic() - start:.1f} s", file=sys.stderr, flush=True)


def say(line: str) -> None:
    """Print one line on stderr."""
    print(line, file=sys.stderr, flush=True)


def talk() -> Progress:
    """`bar` on a terminal, `lines` elsewhere."""
    return bar if sys.stderr.isatty() else lines
