"""stdout and stderr, whatever they are: terminals of Latin-1 or ASCII, pipes whose reader has left, closed ones."""

import os
import sys
from contextlib import suppress


def prepare_streams() -> None:
    """What the encoding of a terminal does not have is written as an escape. Streams that are closed take everything
    and keep nothing."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def plain(text: str) -> str:
    """A text whose control characters, but for ends of lines, are escapes: names of files may hold any."""
    return "".join(letter if letter.isprintable() or letter == "\n" else repr(letter)[1:-1] for letter in text)


def write_out(text: str) -> None:
    """Print a result; a reader that has left (`| head`) is no fault. Raises OSError if stdout is a file that cannot be
    written."""
    try:
        print(plain(text), flush=True)
    except BrokenPipeError:
        leave()
    except OSError as error:
        leave()
        raise OSError(error.errno, error.strerror, "standard output") from error


def say(line: str) -> None:
    """Print a line on stderr; a reader that has left does not end the work."""
    with suppress(OSError):
        print(plain(line), file=sys.stderr, flush=True)


def leave() -> None:
    """Write what is pending; what cannot be written is dropped, so that the interpreter does not complain at its
    end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
