"""Published dimuons of the CERN Open Data portal, fetched to a folder and checked.

A download grows in FILE.part and is renamed when size and SHA-256 are right, so FILE is whole or absent. What an
interruption leaves in FILE.part is completed by the next call (HTTP Range)."""

import hashlib
import http.client
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from muonkit.core.errors import InputError
from muonkit.core.files import make_folder, settle

TIMEOUT = 30.0  # s without a byte
BLOCK = 1 << 16
NETWORK_FAULTS = (OSError, http.client.HTTPException, ValueError)
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class OpenDataRecord:
    """One file of a record on the portal: `size` in bytes, `sha256` in hexadecimal digits."""

    name: str
    record: int
    title: str
    url: str
    size: int
    sha256: str
    licence: str = "CC0"

    @property
    def file_name(self) -> str:
        """Name of the file on the portal."""
        return self.url.rsplit("/", 1)[-1]


RECORDS = {
    record.name: record
    for record in (
        OpenDataRecord(
            name="murun2010b-0",
            record=700,
            title="CMS 2010, 7 TeV: 10,000 dimuons of 2 to 110 GeV, the first tenth of the record",
            url="https://opendata.cern.ch/record/700/files/MuRun2010B_0.csv",
            size=1_515_458,
            sha256="7af9206099dca53393c4ef4696be70f29da3bfecdc881b0d5f5bb48e9d612628",
        ),
        OpenDataRecord(
            name="zmumu-2011a",
            record=545,
            title="CMS 2011, 7 TeV: 10,000 candidates for Z to two muons",
            url="https://opendata.cern.ch/record/545/files/Zmumu.csv",
            size=970_550,
            sha256="7782778f8417d2c732f4a64efcbfceb6192c97c3bcfd21c0cf1322d38ed965d1",
        ),
    )
}


def fetch(record: OpenDataRecord, folder: Path, *, progress: Progress | None = None) -> Path:
    """Download `record` into `folder` unless it is there already; returns the path of the file.

    `progress(done, total)` [bytes] is called as the file grows. An interrupted download is continued.
    Raises InputError if the portal cannot be reached, if the folder cannot be written, or if the file is not the
    published one."""
    path = folder / record.file_name
    if path.exists():
        return _existing(path, record)
    part = path.with_name(path.name + ".part")
    try:
        make_folder(folder)
        _complete(part, record, progress or _silent)
        _verify(part, record)
        settle(part, path)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error}). Choose another folder.") from error
    return path


def _silent(done: int, total: int) -> None:
    """Report nothing."""


def _existing(path: Path, record: OpenDataRecord) -> Path:
    if path.is_file() and path.stat().st_size == record.size and _sha256(path) == record.sha256:
        return path
    raise InputError(
        f"{path}: is there, but is not the published file of record {record.record}. Move it away, then fetch again."
    )


def _complete(part: Path, record: OpenDataRecord, progress: Progress) -> None:
    """Append what is missing in `part`."""
    done = part.stat().st_size if part.exists() else 0
    if done == record.size:
        return
    with _open(record, done if done < record.size else 0) as response:
        done = _first_byte(response, done, record)
        _expect_size(response, done, record)
        with part.open("ab" if done else "wb") as file:
            for block in _blocks(response, record):
                done += file.write(block)
                progress(done, record.size)
                if done > record.size:
                    return  # _verify refuses it
    if done < record.size:
        raise InputError(_broken(record, f"the connection closed after {done} of {record.size} bytes"))


def _open(record: OpenDataRecord, start: int) -> Any:
    """The open response; the whole file if the server has nothing from byte `start` on."""
    # identity: a compressed answer has neither the published size nor offsets that can be resumed
    headers = {"User-Agent": "muonkit", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        return urlopen(Request(record.url, headers=headers), timeout=TIMEOUT)
    except HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and start:
            return _open(record, 0)
        raise InputError(_refused(record, f"{error.code} {_line(error.reason)}")) from error
    except NETWORK_FAULTS as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise InputError(_refused(record, _line(reason))) from error


def _line(error: Any) -> str:
    """What an error says, in one printable line that is not long."""
    said = " ".join(str(error).split())[:200]
    return "".join(letter if letter.isprintable() else "?" for letter in said) or type(error).__name__


def _first_byte(response: Any, asked: int, record: OpenDataRecord) -> int:
    """Where the answer begins: 0 from a server without ranges, else the byte asked for."""
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        return 0
    if not str(response.headers.get("Content-Range", "")).startswith(f"bytes {asked}-"):
        raise InputError(_refused(record, "the server answers with another part of the file"))
    return asked


def _expect_size(response: Any, start: int, record: OpenDataRecord) -> None:
    """Refuse a file of another size before a byte of it is written."""
    length = response.headers.get("Content-Length")
    if length is None:
        return
    if not re.fullmatch(r"\s*[0-9]{1,18}\s*", length):
        raise InputError(_refused(record, f"the server gives a length that is no number: {length[:60]!r}"))
    if start + int(length) != record.size:
        raise InputError(_changed(record, f"has {start + int(length)} bytes instead of {record.size}"))


def _blocks(response: Any, record: OpenDataRecord) -> Iterator[bytes]:
    """The answer in pieces; a fault of the network becomes an InputError, a fault of the disc does not."""
    while True:
        try:
            block = response.read(BLOCK)
        except NETWORK_FAULTS as error:
            raise InputError(_broken(record, f"the connection broke ({_line(error)})")) from error
        if not block:
            return
        yield block


def _verify(part: Path, record: OpenDataRecord) -> None:
    """Remove `part` and raise InputError if it is not the published file."""
    if part.stat().st_size != record.size:
        fault = f"has {part.stat().st_size} bytes instead of {record.size}"
    elif _sha256(part) != record.sha256:
        fault = "has another SHA-256 than the published file"
    else:
        return
    part.unlink()
    raise InputError(_changed(record, fault))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refused(record: OpenDataRecord, fault: str) -> str:
    return (
        f"{record.url}: cannot be fetched ({fault}). Try again later, or download {record.file_name} of "
        f"record {record.record} with a browser."
    )


def _broken(record: OpenDataRecord, fault: str) -> str:
    return f"{record.url}: {fault}. Run the same command again: it resumes."


def _changed(record: OpenDataRecord, fault: str) -> str:
    return (
        f"{record.url}: {fault}; it was not kept. Fetch again; if this repeats, record {record.record} has changed: "
        "report it to muonkit."
    )
