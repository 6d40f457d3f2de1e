"""One output, one writer."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from muonkit.core.errors import InputError
from muonkit.core.files import make_folder
from muonkit.core.stopping import undone_at_stop
from muonkit.core.streams import say

NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK)


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """No other run writes `out` in this block. For a folder, give OUT/run.

    The system holds the lock (`flock`) and gives it back when the process ends, however it ends. A lock file that a
    killed run left behind stops nobody. A file system without locks is reported on stderr.

    Raises InputError while another run, of this machine or of another that shares the folder, is in such a block, and
    OSError if the folder cannot be written."""
    make_folder(out.parent)
    place = out.parent / f".{out.name}.lock"
    lock = FileLock(place, timeout=0)
    _acquire(lock, out)
    remove = partial(place.unlink, missing_ok=True) if lock.is_locked else _nothing
    try:
        with undone_at_stop(remove):
            yield
    finally:
        remove()
        lock.release()


def _nothing() -> None:
    """There is no lock to remove."""


def _acquire(lock: FileLock, out: Path) -> None:
    try:
        lock.acquire()
    except Timeout:
        raise InputError(f"{out}: another run is writing it; wait until it ends, or stop it and start again") from None
    except NotImplementedError:
        say(f"{out}: this file system has no locks; see that no other run writes there")
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        say(f"{out}: this file system has no locks; see that no other run writes there")
