"""Work on a Dask cluster. A cluster that is gone ends the run with StoppedError, after a time that the user sets.

Workers may come late, as in batch systems, and may go; what counts is how long there was none."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from muonkit.core.errors import InputError, StoppedError

EVERY = 1.0  # s between looks at the cluster while a result is awaited
SOON = 3.0  # s until a wait is worth a line
CLOSING = 5.0  # s for the good-bye
NOISY = ("distributed", "asyncio", "tornado")

Say = Callable[[str], None]


@dataclass
class Cluster:
    """A client of a scheduler; `timeout` [s] is how long it may be without workers or without an answer."""

    client: Any
    address: str
    timeout: float
    say: Say
    threads: int = 1
    seen: float = field(default_factory=time.monotonic)  # when there were workers
    waiting: bool = False

    def submit(self, function: Callable[..., Any], item: Any) -> "Task":
        """Start function(item) on the cluster. Raises StoppedError if it is gone."""
        try:
            return Task(self, self.client.submit(function, item, pure=False))
        except (RuntimeError, OSError) as error:
            raise StoppedError(f"--scheduler {self.address}: the scheduler is gone") from error

    def look(self) -> None:
        """Count the threads of the workers. Raises StoppedError if there were none for too long."""
        found = self._count()
        if found:
            self.threads, self.seen, self.waiting = found, time.monotonic(), False
            return
        what = "has no workers" if found == 0 else "does not answer"
        if time.monotonic() - self.seen > self.timeout:
            raise StoppedError(f"--scheduler {self.address}: {what} for {self.timeout:g} s (--timeout)")
        if not self.waiting:
            self.waiting = True
            self.say(f"--scheduler {self.address}: {what}; waiting for {self.timeout:g} s at most (--timeout)")

    def _count(self) -> int | None:
        """Threads of all workers; None if the scheduler does not answer."""
        try:
            return sum(
                self.client.sync(self.client.scheduler.ncores, callback_timeout=max(self.timeout / 2, 1)).values()
            )
        except Exception:  # a client that is closed has no scheduler, or a broken one
            return None


@dataclass(frozen=True)
class Task:
    """A piece of work on a cluster."""

    cluster: Cluster
    future: Any

    def result(self) -> Any:
        """Its result. Raises what the work raised, and StoppedError for a cluster that is gone, or whose workers die
        from this work."""
        from concurrent.futures import CancelledError

        from distributed.scheduler import KilledWorker

        while True:
            try:
                return self.future.result(timeout=EVERY)
            except KilledWorker as error:
                raise StoppedError(
                    f"--scheduler {self.cluster.address}: several workers died at the same piece (out of memory?)"
                ) from error
            except CancelledError as error:
                raise StoppedError(f"--scheduler {self.cluster.address}: the scheduler is gone") from error
            except ImportError as error:
                raise InputError(
                    f"--scheduler {self.cluster.address}: {error} on a worker; install the same muonkit there"
                ) from error
            except OSError:  # also a timeout
                if self.future.status == "error":
                    raise
                self.cluster.look()


@contextmanager
def connected(address: str, timeout: float, say: Say) -> Iterator[Cluster]:
    """A cluster at the address of its scheduler. Raises InputError if Dask is not installed or there is no such
    address, StoppedError if no scheduler answers in `timeout` [s]."""
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError("--scheduler needs the extra: pip install 'muonkit[dask]'") from error
    kind = type("QuietClient", (Client,), {"__del__": lambda _: None})  # which waits when a client could not start
    with _quiet():
        client = _client(kind, address, timeout, say)
        try:
            cluster = Cluster(client, address, timeout, say)
            cluster.look()
            yield cluster
        finally:
            with suppress(Exception):
                client.close(timeout=CLOSING)


def _client(kind: Any, address: str, timeout: float, say: Say) -> Any:
    line = f"--scheduler {address}: waiting for an answer for {timeout:g} s at most (--timeout)"
    patience = threading.Timer(SOON, say, [line])
    patience.daemon = True
    patience.start()
    try:
        return kind(address, timeout=timeout, set_as_default=False)
    except OSError as error:
        raise StoppedError(f"--scheduler {address}: no Dask scheduler answers in {timeout:g} s (--timeout)") from error
    except Exception as error:  # whatever comes of another service at this address
        raise InputError(f"--scheduler {address}: no Dask scheduler answers ({error})") from error
    finally:
        patience.cancel()


@contextmanager
def _quiet() -> Iterator[None]:
    """Dask tells of lost connections with tracebacks; here an error says what matters."""
    with_handlers = [
        logger
        for name, logger in logging.root.manager.loggerDict.items()
        if name.split(".")[0] in NOISY and isinstance(logger, logging.Logger) and (logger.handlers or name in NOISY)
    ]
    before = [(logger, logger.handlers, logger.propagate) for logger in with_handlers]
    for logger in with_handlers:
        logger.handlers, logger.propagate = [logging.NullHandler()], False
    try:
        yield
    finally:
        for logger, handlers, propagate in before:
            logger.handlers, logger.propagate = handlers, propagate
