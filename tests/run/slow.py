"""Work that Dask workers of the tests can import."""

import os
import signal
import time


def half(x: int) -> float:
    return x / 2


def slow(x: int) -> float:
    time.sleep(0.3)
    return x / 2


def deadly(_: int) -> float:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0.0
