"""Configuration -> a sample for identification: tracks, hits and, apart, truth; a killed run goes on where it
stopped."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from muonkit.conditions.choice import PayloadReader
from muonkit.conditions.store import open_store
from muonkit.core.arrays import AnyArray
from muonkit.core.config import load, read_text
from muonkit.core.files import check_outputs, write_text
from muonkit.core.provenance import state_of
from muonkit.core.result import Result
from muonkit.detector.channels import (
    ALL_WORK,
    EFFICIENCY_SCHEMA,
    STATUS_SCHEMA,
    Channels,
    read_efficiency,
    read_status,
)
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
from muonkit.simulation.klm.crossings import NO_CROSSINGS
from muonkit.simulation.klm.interactions import about, stored
from muonkit.simulation.klm.readout import read_out
from muonkit.simulation.klm.simulate import simulate_piece

Columns = dict[str, AnyArray]
Events = tuple[int, int]  # number of the first, and how many


@dataclass(frozen=True, slots=True)
class SampleResult(Result):
    """The files of a sample, and how many events, tracks, hits and rows of truth they hold; names and revisions of the
    payloads with the state of the channels."""

    files: SampleFiles
    events: int
    tracks: int
    hits: int
    truth: int
    payloads: tuple[str, ...] = ()

    def report(self) -> str:
        """A line, and one about payloads where there are any."""
        line = f"{self.files.tracks}: {self.tracks} tracks of {self.events} events, {self.hits} hits"
        return "\n".join([line, *([f"payloads: {', '.join(self.payloads)}"] if self.payloads else [])])

    def to_json(self) -> dict[str, Any]:
        """Files, numbers, and the text."""
        numbers = {name: getattr(self, name) for name in ("events", "tracks", "hits", "truth")}
        files = [str(file) for file in self.files]
        return {"files": files, **numbers, "payloads": list(self.payloads), "text": str(self)}


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
    known = channels_of(config, base)
    if known.sources or config.readout.background:
        read_out(NO_CROSSINGS, detector.detector, 0, 1, config.readout, channels=known.channels)  # finds all faults
    check_outputs(files, (config_path, *detector.files, *known.stores))
    data = None if config.geant4.data is None else base / config.geant4.data
    size, events = config.generate.chunk_size, config.generate.events
    pieces = [(first, min(size, events - first)) for first in range(0, events, size)]
    with unfinished(files.about, state_of(read_text(config_path), detector.files, *known.sources)) as parts:
        run = remembered(runner.map(f"simulate {out.name}"), parts, "piece", SimulatedTables)
        tables = list(run(partial(run_piece, config, detector.place, data, known.channels), pieces))
        parts_of = [[getattr(table, name) for table in tables] for name in ("tracks", "hits", "truth")]
        origin = origin_of(*parts_of)
        tracks, hits, truth = (write_part(*each, origin) for each in zip(files[:3], parts_of, strict=True))
        stand_in = any(table.stand_in for table in tables)
        note = {SAMPLE: origin} | making(config, detector.detector, stand_in, known.sources)
        write_text(files.about, json.dumps(note, indent=1) + "\n")
    return SampleResult(files, events, tracks, hits, truth, known.sources)


def write_part(file: Path, tables: Iterable[Columns], origin: str) -> int:
    """Write one part of a sample and return its rows; ROOT, whose trees have no words, gets their numbers."""
    return write_tables(file, iter(tables) if kind_of(file) == "ROOT" else map(worded, tables), origin)


@dataclass(frozen=True)
class KnownChannels:
    """The channels of a run, names and revisions of their payloads, what belongs to the store."""

    channels: Channels = ALL_WORK
    sources: tuple[str, ...] = ()
    stores: tuple[Path, ...] = ()


def channels_of(config: SimulateKLM, base: Path) -> KnownChannels:
    """The channels of the run that [conditions] names; without it all work. Raises InputError if a payload is
    missing."""
    choice = config.conditions
    if choice is None:
        return KnownChannels()
    names = choice.channel_status, choice.strip_efficiency
    schemas = (STATUS_SCHEMA, read_status), (EFFICIENCY_SCHEMA, read_efficiency)
    with open_store(*choice.place(base)) as store:
        reader = PayloadReader(store, choice.tag, {None: None})
        run = choice.experiment, choice.run
        labels = [name and reader.read(name, *how, run) for name, how in zip(names, schemas, strict=True)]
        status, efficiency = (reader.parsed[label] for label in labels)
        return KnownChannels(Channels(status, efficiency), tuple(filter(None, labels)), tuple(store.paths()))


def run_piece(
    config: SimulateKLM, detector: str, data: Path | None, channels: Channels, events: Events
) -> SimulatedTables:
    """The tables of some events; module-level, so that it can travel to another process."""
    first, n = events
    made = simulate_piece(config, detector, data, n, first, channels)
    tables = (*table_of(made.tracks, made.hits), truth_table(made.truth))
    tracks, hits, truth = ({name: np.asarray(values) for name, values in table.items()} for table in tables)
    return SimulatedTables(tracks, hits, truth, made.stand_in)


def making(config: SimulateKLM, detector: Detector, stand_in: bool, payloads: tuple[str, ...]) -> dict[str, Any]:
    """What the sample says of its making."""
    note: dict[str, Any] = {"engine": config.generate.engine, OF_SAMPLES: recorded(detector)}
    note |= {"config": config.model_dump(mode="json")}
    if payloads:
        note["payloads"] = payloads
    if config.generate.engine == "geant4":
        return note | {"data sets": "stand-in, made from formulas, not official" if stand_in else "official"}
    return note | {"interactions": about(stored())}
