"""Processes that work for this one: they do not hear its signals, and end with it.

A worker of the standard library that is interrupted while it still imports writes a traceback, and one whose parent was
killed waits for ever."""

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

from muonkit.core.stopping import end_with_parent, signals_blocked, undone_at_stop

QUIET = "ignore:resource_tracker"


class Worker(SpawnProcess):
    """A process that ends with its parent, from its first moment: before what it shall do is unpacked."""

    def __reduce__(self) -> tuple[Callable[[int], "Worker"], tuple[int], dict[str, Any]]:
        return _arrive, (os.getpid(),), self.__dict__

    def start(self) -> None:
        """As the library's; a worker begins deaf."""
        with signals_blocked():
            super().start()

    def terminate(self) -> None:
        """Kill: a worker does not hear SIGTERM."""
        self.kill()


def _arrive(parent: int) -> Worker:
    end_with_parent(parent)
    return Worker.__new__(Worker)


class Crew(SpawnContext):
    """Makes workers, and knows them. They are spawned: a forked child would inherit the threads and locks of whatever
    the parent has imported."""

    def __init__(self) -> None:
        self.workers: list[Worker] = []

    def Process(self, *args: Any, **options: Any) -> Worker:  # type: ignore[override]
        self.workers.append(Worker(*args, **options))
        return self.workers[-1]

    def kill(self) -> None:
        """End all workers at once."""
        for worker in self.workers:
            if worker.pid is not None:
                worker.kill()


@contextmanager
def pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of processes. Whatever ends the block early ends their work: nobody waits for it any more."""
    crew = Crew()
    _start_tracker()
    executor = ProcessPoolExecutor(jobs, crew)
    with undone_at_stop(crew.kill):
        try:
            yield executor
        except BaseException:
            crew.kill()
            raise
        finally:
            executor.shutdown(cancel_futures=True)


def _start_tracker() -> None:
    """The library's tracker of resources unblocks signals when it starts, and complains of what a killed process
    left."""
    sys.warnoptions.append(QUIET)
    try:
        with signals_blocked():
            resource_tracker.ensure_running()
    finally:
        sys.warnoptions.remove(QUIET)
