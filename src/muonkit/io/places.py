"""Where a file is: a path, or a URL of a server (root://, http://, https://) that fsspec reads."""

import importlib.util
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from muonkit.core.errors import InputError

Place = Path | str
"""A str is a URL."""

PACKAGES = {"root": ("fsspec_xrootd", "fsspec-xrootd"), "http": ("aiohttp", "aiohttp"), "https": ("aiohttp", "aiohttp")}
"""Scheme -> module that reads it, and the package in which it comes."""


def is_url(text: str) -> bool:
    """Whether a file is named by a URL of one of the known schemes."""
    scheme, mark, _ = text.partition("://")
    return bool(mark) and scheme.lower() in PACKAGES


def place(text: str, base: Path = Path()) -> Place:
    """The place that a person names; paths are relative to `base`."""
    return text if is_url(text) else base / text


def file_name(where: Place) -> str:
    """The last part of the path, with the ending that shows the kind of the file."""
    return where.name if isinstance(where, Path) else unquote(urlsplit(where).path.rsplit("/", 1)[-1])


def check_url(url: str) -> None:
    """Raises InputError if the package that reads the URL is not installed."""
    module, package = PACKAGES[url.partition("://")[0].lower()]
    if importlib.util.find_spec("fsspec") is None or importlib.util.find_spec(module) is None:
        raise InputError(f"{url}: reading it needs the package {package}; run `pip install fsspec {package}`")


def opened(where: Place) -> AbstractContextManager[IO[bytes]]:
    """The bytes of a file. Raises OSError, or what fsspec raises, if it cannot be opened."""
    return where.open("rb") if isinstance(where, Path) else _remote(where)


def has_parts(url: str) -> bool:
    """Whether the server says that it sends parts of a file; XRootD always does. Raises what fsspec raises."""
    import fsspec

    if url.lower().startswith("root://"):
        return True
    system, path = fsspec.core.url_to_fs(url)
    return bool(system.info(path).get("partial"))


def _remote(url: str) -> Any:
    import fsspec  # heavy, and needed for URLs only

    return fsspec.open(url, "rb").open()
