"""A simulated sample for identification: NAME.parquet stands for three tables, NAME.tracks.parquet, NAME.hits.parquet
and, apart from what identification reads, NAME.truth.parquet, with NAME.json that says how they were made."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from muonkit.core.errors import InputError
from muonkit.core.limits import parse_json, read_text
from muonkit.io.klm import KLMFile, open_hits, open_tracks, open_truth, read_columns
from muonkit.io.layout import ending_of, kind_or_fault
from muonkit.io.origin import known

SAMPLE = "sample"  # in the note: its origin


class SampleFiles(NamedTuple):
    """Where the parts of a sample are."""

    tracks: Path
    hits: Path
    truth: Path
    about: Path


@dataclass(frozen=True, slots=True)
class OpenSample:
    """A sample that is open for reading, row i of tracks and of truth being the same track; about: its making; notes:
    parts of which nothing says that they are of this sample."""

    name: str
    tracks: KLMFile
    hits: KLMFile
    truth: KLMFile
    about: dict[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def files(self) -> SampleFiles:
        """Where its parts are."""
        return sample_files(Path(self.name))


def sample_files(path: Path) -> SampleFiles:
    """The files for which NAME.parquet, NAME.root or NAME.csv stands. Raises InputError for another ending."""
    kind_or_fault(path, str(path))
    at = len(path.name) - len(ending_of(path))
    stem, ending = path.name[:at], path.name[at:]
    tracks, hits, truth = (path.with_name(f"{stem}.{part}{ending}") for part in ("tracks", "hits", "truth"))
    return SampleFiles(tracks, hits, truth, path.with_name(f"{stem}.json"))


def open_sample(path: Path) -> OpenSample:
    """Open all parts. Raises InputError for what is missing, and for parts that do not belong together."""
    files = sample_files(path)
    tracks, hits, truth = open_tracks(files.tracks, {}), open_hits(files.hits, {}), open_truth(files.truth)
    keys = [read_columns(file, 0, file.rows, ("event", "track")) for file in (tracks, truth)]
    if not all(np.array_equal(keys[0][name], keys[1][name]) for name in ("event", "track")):
        raise InputError(f"{truth.name}: has other tracks than {tracks.name}; simulate the sample again")
    about = _about(files.about)
    origins = {file.name: file.origin for file in (tracks, hits, truth)}
    if about:
        origins[str(files.about)] = known(about.pop(SAMPLE, None))
    return OpenSample(str(path), tracks, hits, truth, about, _notes(path, origins))


def _about(file: Path) -> dict[str, Any]:
    content = parse_json(read_text(file), str(file)) if file.is_file() else {}
    if not isinstance(content, dict):
        raise InputError(f"{file}: is not the note of a sample. Remove it, or simulate the sample again.")
    return content


def _notes(path: Path, origins: Mapping[str, str | None]) -> tuple[str, ...]:
    """A line for the parts that do not say of which sample they are. Raises InputError if the others differ."""
    named = {name: origin for name, origin in origins.items() if origin is not None}
    first = next(iter(named), "")
    differs = [name for name, origin in named.items() if origin != named[first]]
    if differs:
        raise InputError(
            f"{path}: {', '.join(differs)}: of another sample than {first}. A run that wrote them was stopped, or "
            "files were mixed; simulate the sample again."
        )
    unknown = [Path(name).name for name, origin in origins.items() if origin is None]
    return (f"{path}: that {', '.join(unknown)} belong to it is taken on trust",) if unknown else ()
