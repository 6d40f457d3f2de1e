"""Other people's files, read within limits: of size, of depth, of what they become when they are unpacked.

A file of 3 MB can unpack to gigabytes, and JSON that is nested a thousand times ends parsers. Both are refused before a
library sees them. Nothing here runs code from a file: no pickle, no object arrays."""

import gzip
import io
import json
import re
import tomllib
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from muonkit.core.arrays import AnyArray
from muonkit.core.errors import InputError, UnreadableError

TEXT_BYTES = 10_000_000  # of a configuration
UNPACKED_BYTES = 500_000_000  # of a compressed file
BLOCK = 1_000_000  # bytes that are read at a time
DEPTH = 50  # of JSON and TOML


@contextmanager
def reading(name: str, what: str = "file") -> Iterator[None]:
    """Raises UnreadableError, one line, for whatever a library raises in the block over a damaged file."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        way_out = f"it is damaged or not a {what}. Make it again, or correct the path."
        raise UnreadableError(f"{name}: cannot be read ({shown(lines[0], 200)}); {way_out}") from error


def shown(text: str, most: int = 120) -> str:
    """`text` on one line, without control characters, shortened to `most` characters."""
    plain = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text[: most + 1])
    return plain if len(plain) <= most else f"{plain[:most]}..."


def read_bytes(path: Path, most: int = UNPACKED_BYTES, what: str = "file") -> bytes:
    """The bytes of a file. Raises InputError if it cannot be read or has more than `most` bytes."""
    try:
        with path.open("rb") as stream:
            content = _read(stream, most + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}). Give the path of a {what}.") from error
    if len(content) > most:
        raise InputError(f"{path}: is larger than {most / 1e6:g} MB; is it a {what}?")
    return content


def _read(stream: IO[bytes] | gzip.GzipFile, most: int) -> bytes:
    """Up to `most` bytes. In blocks, because `read` takes memory for all that it may read."""
    blocks: list[bytes] = []
    while most > 0 and (block := stream.read(min(most, BLOCK))):
        blocks.append(block)
        most -= len(block)
    return b"".join(blocks)


def read_text(path: Path, most: int = TEXT_BYTES, what: str = "text file") -> str:
    """The text (UTF-8) of a file. Raises InputError if it cannot be read, is no text or has more than `most` bytes."""
    try:
        return read_bytes(path, most, what).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: cannot be read ({error}). Give the path of a {what}.") from error


def read_gzip(path: Path, most: int = UNPACKED_BYTES, what: str = "file") -> bytes:
    """The unpacked bytes of a gzipped file. Raises InputError if it is damaged or unpacks to more than `most` bytes."""
    return unpack_gzip(read_bytes(path, most, what), str(path), most, what)


def unpack_gzip(packed: bytes, name: str, most: int = UNPACKED_BYTES, what: str = "file") -> bytes:
    """The unpacked content of gzipped bytes. Raises InputError if they are damaged or unpack to more than `most`
    bytes."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as stream:
            content = _read(stream, most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{name}: is not a whole gzipped file ({error}); make it again") from error
    if len(content) > most:
        raise InputError(f"{name}: unpacks to more than {most / 1e6:g} MB; is it a {what}?")
    return content


def parse_json(text: str | bytes, name: str, depth: int = DEPTH) -> Any:
    """The content of JSON. Raises InputError if it is not JSON or is nested deeper than `depth`."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise InputError(f"{name}: is not valid JSON ({reason}); make it again") from error
    if deeper_than(content, depth):
        raise InputError(f"{name}: is nested deeper than {depth} levels; make it again")
    return content


def parse_toml(text: str, name: str, depth: int = DEPTH) -> dict[str, Any]:
    """The content of TOML. Raises InputError if it is not TOML or is nested deeper than `depth`."""
    if _dotted(depth).search(text):  # tomllib takes a time that grows with the square of the parts of a key
        raise InputError(f"{name}: has a key of more than {depth} parts")
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise InputError(f"{name}: not valid TOML: {reason}") from error
    if deeper_than(content, depth):
        raise InputError(f"{name}: is nested deeper than {depth} levels")
    _check_numbers(content, name)
    return content


def _check_numbers(content: Any, name: str) -> None:
    """Raises InputError for a whole number beyond 64 bits, which TOML does not have."""
    level = [content]
    while level:
        if any(isinstance(each, int) and not -(2**63) <= each < 2**63 for each in level):
            raise InputError(f"{name}: not valid TOML: a whole number is beyond 64 bits")
        level = [part for each in level for part in _children(each)]


def _dotted(parts: int) -> re.Pattern[str]:
    """A word with so many others behind it, with dots between them."""
    word = r"""["']?[\w-]++["']?\s*+"""
    return re.compile(rf"""(?<![\w-]){word}(?:\.\s*+{word}){{{parts}}}""")


def deeper_than(content: Any, depth: int) -> bool:
    """Whether lists and mappings in `content` are nested deeper than `depth`; without recursion."""
    level = [content]
    for _ in range(depth):
        level = [part for each in level for part in _children(each)]
        if not level:
            return False
    return any(isinstance(each, dict | list) for each in level)


def _children(content: Any) -> list[Any]:
    if isinstance(content, dict):
        return list(content.values())
    return content if isinstance(content, list) else []


def load_npz(content: bytes, name: str, most: int = UNPACKED_BYTES) -> dict[str, AnyArray]:
    """The arrays of an npz file, never pickled. Raises InputError if it is damaged or unpacks to more than `most`."""
    with reading(name, "npz file"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > most:
            raise InputError(f"{name}: unpacks to more than {most / 1e6:g} MB")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return dict(arrays)
