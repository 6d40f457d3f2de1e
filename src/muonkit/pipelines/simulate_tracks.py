"""Configuration -> a sample of tracks: hits and, apart, truth; a killed run goes on where it stopped."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from muonkit.core.arrays import AnyArray, IntArray
from muonkit.core.config import load, read_text
from muonkit.core.errors import InputError
from muonkit.core.files import check_outputs, scratch
from muonkit.core.provenance import digest, digest_file, state_of
from muonkit.core.result import Result, Status
from muonkit.data.truth import ENDS
from muonkit.detector.distort import Knob, ScaleField
from muonkit.io.track_samples import (
    About,
    TrackFiles,
    hit_columns,
    track_files,
    truth_columns,
    write_hits,
    write_truth,
)
from muonkit.pipelines.pieces import detector_of
from muonkit.run.checkpoint import remembered, unfinished
from muonkit.run.runner import Runner
from muonkit.simulation.geant4.engine import data_sets, is_stand_in
from muonkit.simulation.tracker.config import SimulateTracks
from muonkit.simulation.tracker.primaries import require_inside
from muonkit.simulation.tracker.simulate import TrackJob, simulate_piece, true_detector

Columns = dict[str, AnyArray]
Events = tuple[int, int]  # number of the first, and how many
COUNTED = 3 + len(ENDS)


@dataclass(frozen=True, slots=True)
class TrackSampleResult(Result):
    """The files of a sample; how many events, tracks, hits, tracks without hits; how the tracks ended."""

    files: TrackFiles
    events: int
    tracks: int
    hits: int
    without_hits: int
    ends: dict[str, int]

    @property
    def status(self) -> Status:
        """ATTENTION if there is no hit."""
        return "DONE" if self.hits else "ATTENTION"

    @property
    def message(self) -> str:
        """What to look at without hits."""
        return "" if self.hits else "No particle left a hit. Look at [gun], [vertex], [readout] and the detector."

    def report(self) -> str:
        """One line, and one each on tracks without hits and on those that did not leave the detector."""
        lines = [f"{self.files.hits}: {self.tracks} tracks of {self.events} events, {self.hits} hits"]
        if self.without_hits:
            lines.append(f"{self.without_hits} tracks have no hits")
        early = {word.replace("_", " "): number for word, number in self.ends.items() if word != "left" and number}
        if early:
            ends = ", ".join(f"{number} {word}" for word, number in early.items())
            lines.append(f"{sum(early.values())} tracks did not leave the detector: {ends}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Files, numbers, and the text."""
        numbers = {name: getattr(self, name) for name in ("events", "tracks", "hits", "without_hits", "ends")}
        return {"files": [str(file) for file in self.files], **numbers, "text": str(self)}


@dataclass(frozen=True, slots=True)
class TrackTables:
    """The tables of a piece, columns by name, words as numbers: hits (k), truth (n)."""

    hits: Columns
    truth: Columns


def simulate_track_sample(config_path: Path, out: Path, runner: Runner) -> TrackSampleResult:
    """Write both parts of the sample `out` (see `io.track_samples`).

    Raises InputError for a configuration, a detector or a distortion that cannot be used."""
    base, files = config_path.parent, track_files(out)
    config = placed(load(config_path, SimulateTracks), base)
    chosen = detector_of(config.detector.name, base)
    inputs = (*chosen.files, *field_maps(config.distort))
    check_outputs(files, (config_path, *inputs))
    data = None if config.geant4.data is None else base / config.geant4.data
    job = TrackJob(config, chosen.place, state_of(read_text(config_path), inputs), data)
    require_inside(config.vertex, true_detector(job))
    about, names, origin = made_by(job), true_detector(job).layers, f"s{job.state[:15]}"
    counts = np.zeros(COUNTED, np.int64)
    with unfinished(files.hits, job.state) as parts:
        run = remembered(runner.map(f"simulate {out.name}"), parts, "piece", TrackTables)
        with write_hits(files.hits, names, about, origin) as hits, write_truth(files.truth, about, origin) as truth:
            for tables in run(partial(run_piece, job), pieces(config)):
                hits(tables.hits)
                truth(tables.truth)
                counts += counted(tables)
    tracks, found, without, *ends = counts.tolist()
    return TrackSampleResult(files, config.generate.number, tracks, found, without, dict(zip(ENDS, ends, strict=True)))


def placed(config: SimulateTracks, base: Path) -> SimulateTracks:
    """The configuration with field maps of distortions below `base`. Raises InputError, a line for each that is not
    there."""
    return config.model_copy(update={"distort": placed_knobs(config.distort, base)})


def placed_knobs(knobs: Iterable[Knob], base: Path) -> tuple[Knob, ...]:
    """Distortions with their field maps below `base`. Raises InputError, a line for each that is not there."""
    found = []
    for knob in knobs:
        if isinstance(knob, ScaleField) and knob.correction is not None:
            there = knob.correction.model_copy(update={"file": str(base / knob.correction.file)})
            knob = knob.model_copy(update={"correction": there})
        found.append(knob)
    absent = [f"distort: {path}: there is no such file" for path in field_maps(found) if not path.is_file()]
    if absent:
        raise InputError(absent)
    return tuple(found)


def field_maps(knobs: Iterable[Knob]) -> list[Path]:
    """The files of distortions."""
    fields = [knob for knob in knobs if isinstance(knob, ScaleField)]
    return [Path(knob.correction.file) for knob in fields if knob.correction is not None]


def pieces(config: SimulateTracks) -> list[Events]:
    """The events of every piece."""
    size, events = config.generate.chunk_size, config.generate.number
    return [(first, min(size, events - first)) for first in range(0, events, size)]


def run_piece(job: TrackJob, events: Events) -> TrackTables:
    """The tables of some events; module-level, so that it can travel to another process."""
    made = simulate_piece(job, *events)
    return TrackTables(hit_columns(made.hits), truth_columns(made.truth))


def counted(tables: TrackTables) -> IntArray:
    """Tracks, hits, tracks without hits, and tracks by their end."""
    tracks, hits = len(tables.truth["event"]), len(tables.hits["event"])
    new = (np.diff(tables.hits["event"]) != 0) | (np.diff(tables.hits["track"]) != 0)  # hits of a track are together
    seen = int(hits > 0) + np.count_nonzero(new)
    return np.array([tracks, hits, tracks - seen, *np.bincount(tables.truth["end"], minlength=len(ENDS))])


def made_by(job: TrackJob) -> About:
    """How the sample is made."""
    detector, config = true_detector(job), job.config
    maps = [digest_file(path) for path in field_maps(config.distort)]
    return About(
        detector=detector.name,
        checksum=detector.checksum,
        distorted=digest("\n".join((detector.distorted_checksum, *maps))) if maps else detector.distorted_checksum,
        engine=config.generate.engine,
        seed=config.generate.seed,
        version=version("muonkit"),
        config=config.model_dump(mode="json"),
        data=geant4_data(job),
    )


def geant4_data(job: TrackJob) -> str:
    """What Geant4's data are; empty for the own engine. Raises InputError if Geant4 or its data are not there."""
    if job.config.generate.engine != "geant4":
        return ""
    with scratch() as folder:
        return "stand-in, not official" if is_stand_in(data_sets(job.data, folder)) else "official"
