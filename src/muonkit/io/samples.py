"""A simulated sample for identification: NAME.parquet stands for three tables, NAME.tracks.parquet, NAME.hits.parquet
and, apart from what identification reads, NAME.truth.parquet, with NAME.json that says how they were made."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from muonkit.core.errors import InputError
from muonkit.io.klm import KLMFile, open_hits, open_tracks, open_truth, read_columns
from muonkit.io.layout import ending_of, kind_or_fault


class SampleFiles(NamedTuple):
    """Where the parts of a sample are."""

    tracks: Path
    hits: Path
    truth: Path
    about: Path


@dataclass(frozen=True, slots=True)
class OpenSample:
    """A sample that is open for reading, row i of tracks and of truth being the same track; about: its making."""

    name: str
    tracks: KLMFile
    hits: KLMFile
    truth: KLMFile
    about: dict[str, Any]

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
    """Open all parts. Raises InputError for what is missing, and for tracks and truth that do not belong together."""
    files = sample_files(path)
    tracks, hits, truth = open_tracks(files.tracks, {}), open_hits(files.hits, {}), open_truth(files.truth)
    keys = [read_columns(file, 0, file.rows, ("event", "track")) for file in (tracks, truth)]
    if not all(np.array_equal(keys[0][name], keys[1][name]) for name in ("event", "track")):
        raise InputError(f"{truth.name}: has other tracks than {tracks.name}; simulate the sample again")
    try:
        about = json.loads(files.about.read_text(encoding="utf-8")) if files.about.is_file() else {}
    except ValueError as error:
        raise InputError(f"{files.about}: is not JSON. Simulate the sample again.") from error
    return OpenSample(str(path), tracks, hits, truth, about)
