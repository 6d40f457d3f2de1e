"""Errors that a user can act on. A message says what is wrong, where, and the way out."""

import errno
from collections.abc import Iterable

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # of a disk, a quota, a limit on the size of a file


class InputError(Exception):
    """Wrong input or configuration, one line per fault; the command ends with exit code 2."""

    def __init__(self, faults: str | Iterable[str]):
        self.faults = [faults] if isinstance(faults, str) else list(faults)
        super().__init__("\n".join(self.faults))

    def __reduce__(self) -> tuple[type["InputError"], tuple[list[str]]]:
        return InputError, (self.faults,)


class UnreadableError(InputError):
    """A file, or a part of it, that could not be read now: damaged, or on a disk or server that fails."""

    def __reduce__(self) -> tuple[type["UnreadableError"], tuple[list[str]]]:
        return UnreadableError, (self.faults,)


class PhysicsError(Exception):
    """The run finished, but a physics check or too many fits failed (exit code 1)."""


class StoppedError(Exception):
    """The work was ended from outside: a cluster that is gone, a process that was killed (exit code 3)."""
