"""The folder of a benchmark: tables, truth apart, and a manifest with the SHA-256 of every file.

DIR/tracks.parquet, hits.parquet    what an identification reads
DIR/truth/truth.parquet             what it must not read
DIR/README.md, manifest.json        what this is; versions, seed, detector, checksums"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from muonkit.core.errors import InputError
from muonkit.core.files import write_json
from muonkit.core.limits import parse_json, read_text, reading
from muonkit.core.plain import plain_fields, rebuilt
from muonkit.core.provenance import digest_file


class BenchmarkFiles(NamedTuple):
    """Where the parts are."""

    tracks: Path
    hits: Path
    truth: Path
    readme: Path
    manifest: Path

    @property
    def listed(self) -> dict[str, Path]:
        """Those that the manifest lists, by their name in it."""
        folder = self.manifest.parent
        return {path.relative_to(folder).as_posix(): path for path in self[:-1]}


def benchmark_files(folder: Path) -> BenchmarkFiles:
    """The files of a benchmark in `folder`."""
    names = ("tracks.parquet", "hits.parquet", "truth/truth.parquet", "README.md", "manifest.json")
    return BenchmarkFiles(*(folder / name for name in names))


@dataclass(frozen=True, slots=True)
class FileNote:
    """SHA-256 and size of a file in bytes."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """benchmark: name and version; recipe: digest of how the sample is made, whatever its size; sample: its name in all
    tables; detector: name and checksum; versions of what made it; making: what the engine stands on."""

    benchmark: str
    recipe: str
    sample: str
    engine: str
    seed: int
    events: int
    tracks: int
    hits: int
    detector: dict[str, str]
    versions: dict[str, str]
    making: dict[str, Any]
    files: dict[str, FileNote]

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        write_json(path, plain_fields(self))


def read_manifest(folder: Path) -> Manifest:
    """The manifest in `folder`. Raises InputError if there is none, or if it is damaged."""
    path = benchmark_files(folder).manifest
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; give a folder that `muonkit benchmark muid` made")
    content = parse_json(read_text(path), str(path))
    with reading(str(path), "manifest of a benchmark"):
        return rebuilt(Manifest, content)


def notes_on(files: BenchmarkFiles) -> dict[str, FileNote]:
    """Checksums and sizes of the files that are listed."""
    return {name: FileNote(digest_file(path), path.stat().st_size) for name, path in files.listed.items()}


def check(folder: Path, manifest: Manifest) -> tuple[str, ...]:
    """The files that are not there. Raises InputError if the truth is one of them, and with a line for every file that
    is not as it was made."""
    files = benchmark_files(folder)
    absent = tuple(name for name, path in files.listed.items() if not path.is_file())
    faults = list(_changed(files, manifest, absent))
    if not files.truth.is_file():
        faults.append(f"{files.truth}: there is no such file; without the truth no score can be compared")
    if faults:
        raise InputError(faults)
    return absent


def _changed(files: BenchmarkFiles, manifest: Manifest, absent: tuple[str, ...]) -> Iterator[str]:
    for name, path in files.listed.items():
        known = manifest.files.get(name)
        if known is None:
            yield f"{files.manifest}: does not list {name}; make the benchmark again"
        elif name not in absent and digest_file(path) != known.sha256:
            yield f"{path}: is not the file of this benchmark (its SHA-256 is another one); make the benchmark again"
