"""A `map` over work items: in this process, in several, or on a Dask cluster.

Results come in the order of the items, so that sums over them are bit-equal whatever is chosen."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from muonkit.core.errors import InputError, StoppedError
from muonkit.core.streams import say
from muonkit.run.cluster import connected
from muonkit.run.progress import Progress, silent
from muonkit.run.workers import pool

Item = TypeVar("Item")
Result = TypeVar("Result")
AHEAD = 2  # items in flight for every worker: bounds the memory
TIMEOUT = 60.0  # s
LONGEST = 86400.0  # s, of a timeout


@dataclass(frozen=True)
class Runner:
    """`submit` returns a future with .result(); None: work in this process. `workers` says how many work at a time."""

    submit: Callable[..., Any] | None
    workers: Callable[[], int]
    progress: Progress

    def map(self, what: str) -> Callable[[Callable[[Item], Result], Iterable[Item]], Iterator[Result]]:
        """A function like the builtin `map` that shows its progress under the name `what`."""

        def run(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
            work = list(items)
            with self.progress(what, len(work)) as advance:
                for result in self.results(function, work):
                    advance(1)
                    yield result

        return run

    def results(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Like the builtin `map`, without progress. Raises what `function` raises, and StoppedError if a process or
        the cluster that works on it was ended."""
        if self.submit is None:
            yield from map(function, items)
            return
        waiting: deque[Any] = deque()
        try:
            for item in items:
                waiting.append(self.submit(function, item))
                if len(waiting) >= AHEAD * self.workers():
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise StoppedError("a process of --jobs was ended from outside (out of memory?)") from error


@contextmanager
def runner(
    jobs: int = 1, scheduler: str | None = None, progress: Progress = silent, timeout: float = TIMEOUT
) -> Iterator[Runner]:
    """The runner for `jobs` processes or for the Dask cluster at `scheduler`, which may be without workers for
    `timeout` [s], at most a day.

    Raises InputError if Dask is not installed, there is no such address, or a number is out of range; StoppedError if
    no scheduler answers."""
    if jobs < 1:
        raise InputError(f"--jobs {jobs}: give 1 or more")
    if not 1 <= timeout <= LONGEST:
        raise InputError(f"--timeout {timeout:g}: give 1 to {LONGEST:g} s")
    if scheduler is not None:
        with connected(scheduler, timeout, (lambda _: None) if progress is silent else say) as cluster:
            yield Runner(cluster.submit, lambda: cluster.threads, progress)
    elif jobs > 1:
        with pool(jobs) as executor:
            yield Runner(executor.submit, lambda: jobs, progress)
    else:
        yield Runner(None, lambda: 1, progress)
