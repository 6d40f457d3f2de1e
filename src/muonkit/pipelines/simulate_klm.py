"""Configuration -> a sample for identification: tracks, hits and, apart, truth; a killed run goes on where it
stopped."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from muonkit.core.arrays import AnyArray
from muonkit.core.config import load, read_text
from muonkit.core.files import check_outputs, write_text
from muonkit.core.provenance import state_of
from muonkit.core.result import Result
from muonkit.detector.detector import Detector
from muonkit.io.klm import table_of, truth_table, worded
from muonkit.io.layout import kind_of
from muonkit.io.origin import origin_of
from muonkit.io.samples import SAMPLE, SampleFiles, sample_files
from muonkit.io.tables import write_tables
from muonkit.pipelines.made_for import OF_SAMPLES, recorded
from muonkit.pipelines.pieces import detector_of
from muonkit.run.checkpoint import remembered, unfinished
from muonkit.run.runner import Runner
from muonkit.simulation.klm.config import SimulateKLM
from muonkit.simulation.klm.interactions import about, stored
from muonkit.simulation.klm.simulate import simulate_piece

Columns = dict[str, AnyArray]
Events = tuple[int, int]  # number of the first, and how many


@dataclass(frozen=True, slots=True)
class SampleResult(Result):
    """The files of a sample, and how many events, tracks, hits and rows of truth they hold."""

    files: SampleFiles
    events: int
    tracks: int
    hits: int
    truth: int

    def report(self) -> str:
        """One line."""
        return f"{self.files.tracks}: {self.tracks} tracks of {self.events} events, {self.hits} hits"

    def to_json(self) -> dict[str, Any]:
        """Files, numbers, and the text."""
        numbers = {name: getattr(self, name) for name in ("events", "tracks", "hits", "truth")}
        return {"files": [str(file) for file in self.files], **numbers, "text": str(self)}


@dataclass(frozen=True, slots=True)
class SimulatedTables:
    """The tables of a piece, columns by name: tracks (n), hits (k), truth (n); stand_in: Geant4 had stand-in data."""

    tracks: Columns
    hits: Columns
    truth: Columns
    stand_in: bool


def simulate_klm(config_path: Path, out: Path, runner: Runner) -> SampleResult:
    """Write the parts of the sample `out` (see `io.samples`).

    Raises InputError for a configuration or an engine that cannot be used."""
    config, base, files = load(config_path, SimulateKLM), config_path.parent, sample_files(out)
    detector = detector_of(config.detector, base)
    check_outputs(files, (config_path, *detector.files))
    data = None if config.geant4.data is None else base / config.geant4.data
    size, events = config.generate.chunk_size, config.generate.events
    pieces = [(first, min(size, events - first)) for first in range(0, events, size)]
    with unfinished(files.about, state_of(read_text(config_path), detector.files)) as parts:
        run = remembered(runner.map(f"simulate {out.name}"), parts, "piece", SimulatedTables)
        tables = list(run(partial(run_piece, config, detector.place, data), pieces))
        parts_of = [[getattr(table, name) for table in tables] for name in ("tracks", "hits", "truth")]
        origin = origin_of(*parts_of)
        tracks, hits, truth = (write_part(*each, origin) for each in zip(files[:3], parts_of, strict=True))
        note = {SAMPLE: origin} | making(config, detector.detector, any(table.stand_in for table in tables))
        write_text(files.about, json.dumps(note, indent=1) + "\n")
    return SampleResult(files, events, tracks, hits, truth)


def write_part(file: Path, tables: Iterable[Columns], origin: str) -> int:
    """Write one part of a sample and return its rows; ROOT, whose trees have no words, gets their numbers."""
    return write_tables(file, iter(tables) if kind_of(file) == "ROOT" else map(worded, tables), origin)


def run_piece(config: SimulateKLM, detector: str, data: Path | None, events: Events) -> SimulatedTables:
    """The tables of some events; module-level, so that it can travel to another process."""
    first, n = events
    made = simulate_piece(config, detector, data, n, first)
    tables = (*table_of(made.tracks, made.hits), truth_table(made.truth))
    tracks, hits, truth = ({name: np.asarray(values) for name, values in table.items()} for table in tables)
    return SimulatedTables(tracks, hits, truth, made.stand_in)


def making(config: SimulateKLM, detector: Detector, stand_in: bool) -> dict[str, Any]:
    """What the sample says of its making."""
    note: dict[str, Any] = {"engine": config.generate.engine, OF_SAMPLES: recorded(detector)}
    note |= {"config": config.model_dump(mode="json")}
    if config.generate.engine == "geant4":
        return note | {"data sets": "stand-in, made from formulas, not official" if stand_in else "official"}
    return note | {"interactions": about(stored())}
