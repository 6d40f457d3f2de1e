"""A `map` over work items: in this process, in several, or on a Dask cluster.

Results come in the order of the items, so that sums over them are bit-equal whatever is chosen."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import Any, TypeVar

from muonkit.core.errors import InputError
from muonkit.run.progress import Progress, silent

Item = TypeVar("Item")
Result = TypeVar("Result")
AHEAD = 2  # items in flight for every worker: bounds the memory


@dataclass(frozen=True)
class Runner:
    """`submit` returns a future with .result(); None: work in this process."""

    submit: Callable[..., Any] | None
    workers: int
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
        """Like the builtin `map`, without progress. Raises what `function` raises."""
        if self.submit is None:
            yield from map(function, items)
            return
        waiting: deque[Any] = deque()
        for item in items:
            waiting.append(self.submit(function, item))
            if len(waiting) >= AHEAD * self.workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def runner(jobs: int = 1, scheduler: str | None = None, progress: Progress = silent) -> Iterator[Runner]:
    """The runner for `jobs` processes or for the Dask cluster at `scheduler`.
    Raises InputError if Dask is not installed or no scheduler answers."""
    if scheduler is not None:
        with _dask_client(scheduler) as client:
            yield Runner(partial(client.submit, pure=False), max(len(client.scheduler_info()["workers"]), 1), progress)
    elif jobs > 1:
        # spawn: a forked child would inherit the threads and locks of whatever the parent has imported
        with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
            yield Runner(pool.submit, jobs, progress)
    else:
        yield Runner(None, 1, progress)


def _dask_client(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError("--scheduler needs the extra: pip install 'muonkit[dask]'") from error
    try:
        return Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise InputError(f"--scheduler {address}: no Dask scheduler answers ({error})") from error
