"""Configuration -> a sample for identification: tracks, hits and, apart, truth; a killed run goes on where it
stopped."""

import json
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from muonkit.core.arrays import AnyArray
from muonkit.core.config import load, read_text
from muonkit.core.files import write_text
from muonkit.core.provenance import state_of
from muonkit.detector.detector import load_detector, shipped
from muonkit.io.klm import table_of, truth_table, worded
from muonkit.io.layout import kind_of
from muonkit.io.samples import sample_files
from muonkit.io.tables import write_tables
from muonkit.run.checkpoint import remembered, unfinished
from muonkit.run.runner import Runner
from muonkit.simulation.klm.config import SimulateKLM
from muonkit.simulation.klm.interactions import about, stored
from muonkit.simulation.klm.simulate import simulate_piece

PARTS = ("tracks", "hits", "truth")
Columns = dict[str, AnyArray]


def simulate_klm(config_path: Path, out: Path, runner: Runner) -> dict[str, Any]:
    """Write the parts of the sample `out` (see `io.samples`) and tell how many tracks and hits they have.

    Raises InputError for a configuration or an engine that cannot be used."""
    config, base, files = load(config_path, SimulateKLM), config_path.parent, sample_files(out)
    own = [] if config.detector in shipped() else [base / config.detector]
    load_detector(own[0] if own else config.detector)  # for its faults
    detector = str(own[0]) if own else config.detector
    data = None if config.geant4.data is None else base / config.geant4.data
    size, events = config.generate.chunk_size, config.generate.events
    pieces = [(first, min(size, events - first)) for first in range(0, events, size)]
    with unfinished(out, state_of(read_text(config_path), own)) as parts:
        run = remembered(runner.map(f"simulate {out.name}"), parts, "piece", Columns)
        tables = list(run(partial(run_piece, config, detector, data), pieces))
        stand_in = any(bool(table["stand_in"][0]) for table in tables)
        rows = {part: write_part(file, part, tables) for part, file in zip(PARTS, files[:3], strict=True)}
        write_text(files.about, json.dumps(told(config, stand_in), indent=1) + "\n")
    return {"files": [str(file) for file in files], "events": events, **rows}


def write_part(file: Path, part: str, tables: Iterable[Columns]) -> int:
    """Write one part of a sample and return its rows; ROOT, whose trees have no words, gets their numbers."""
    columns = columns_of(part, tables)
    return write_tables(file, columns if kind_of(file) == "ROOT" else map(worded, columns))


def run_piece(config: SimulateKLM, detector: str, data: Path | None, piece: tuple[int, int]) -> Columns:
    """Columns of all parts of a piece, each name after that of its part."""
    first, n = piece
    made = simulate_piece(config, detector, data, n, first)
    tracks, hits = table_of(made.tracks, made.hits)
    named = {"tracks": tracks, "hits": hits, "truth": truth_table(made.truth)}
    flat = {f"{part}:{name}": np.asarray(values) for part, table in named.items() for name, values in table.items()}
    return flat | {"stand_in": np.array([made.stand_in])}


def columns_of(part: str, tables: Iterable[Columns]) -> Iterator[dict[str, Any]]:
    """The columns of one part, piece by piece."""
    for table in tables:
        yield {name.partition(":")[2]: values for name, values in table.items() if name.startswith(part + ":")}


def told(config: SimulateKLM, stand_in: bool) -> dict[str, Any]:
    """What the sample says of itself."""
    note: dict[str, Any] = {"engine": config.generate.engine, "config": config.model_dump(mode="json")}
    if config.generate.engine == "geant4":
        return note | {"data sets": "stand-in, made from formulas, not official" if stand_in else "official"}
    return note | {"interactions": about(stored())}
