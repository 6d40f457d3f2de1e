"""Configuration -> a sample for identification: tracks, hits and, apart, truth; a killed run goes on where it
stopped."""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from muonkit.core.arrays import AnyArray
from muonkit.core.config import load, read_text
from muonkit.core.files import atomic
from muonkit.core.provenance import digest
from muonkit.detector.detector import shipped
from muonkit.io.klm import table_of, truth_table
from muonkit.io.samples import sample_files
from muonkit.io.tables import write_tables
from muonkit.run.checkpoint import remembered
from muonkit.run.runner import Runner
from muonkit.simulation.interactions import about, stored
from muonkit.simulation.klm.config import SimulateKLM
from muonkit.simulation.klm.simulate import simulate_piece

PARTS = ("tracks", "hits", "truth")
Columns = Mapping[str, AnyArray]


def simulate_klm(config_path: Path, out: Path, runner: Runner) -> dict[str, Any]:
    """Write the parts of the sample `out` (see `io.samples`) and tell how many tracks and hits they have.

    Raises InputError for a configuration or an engine that cannot be used."""
    config, base, files = load(config_path, SimulateKLM), config_path.parent, sample_files(out)
    detector = config.detector if config.detector in shipped() else str(base / config.detector)
    data = None if config.geant4.data is None else base / config.geant4.data
    parts = out.with_name(f".{out.name}.{digest(read_text(config_path))[:16]}")
    parts.mkdir(parents=True, exist_ok=True)
    size, events = config.generate.chunk_size, config.generate.events
    pieces = [(first, min(size, events - first)) for first in range(0, events, size)]
    run = remembered(runner.map(f"simulate {out.name}"), parts, "piece")
    tables = list(run(partial(run_piece, config, detector, data), pieces))
    stand_in = any(bool(table["stand_in"][0]) for table in tables)
    rows = {part: write_tables(file, columns_of(part, tables)) for part, file in zip(PARTS, files[:3], strict=True)}
    with atomic(files.about) as temporary:
        temporary.write_text(json.dumps(told(config, stand_in), indent=1) + "\n")
    shutil.rmtree(parts)
    return {"files": [str(file) for file in files], "events": events, **rows}


def run_piece(config: SimulateKLM, detector: str, data: Path | None, piece: tuple[int, int]) -> Columns:
    """Columns of all parts of a piece, each name after that of its part."""
    first, n = piece
    made = simulate_piece(config, detector, data, n, first)
    tracks, hits = table_of(made.tracks, made.hits)
    tracks["cov"] = np.array(tracks["cov"]).reshape(-1, 21)
    named = {"tracks": tracks, "hits": hits, "truth": truth_table(made.truth)}
    flat = {f"{part}:{name}": np.asarray(values) for part, table in named.items() for name, values in table.items()}
    return flat | {"stand_in": np.array([made.stand_in])}


def columns_of(part: str, tables: Iterable[Columns]) -> Iterator[dict[str, Any]]:
    """The columns of one part, piece by piece."""
    for table in tables:
        columns = {name.partition(":")[2]: v for name, v in table.items() if name.startswith(part + ":")}
        yield {name: list(values) if values.ndim == 2 else values for name, values in columns.items()}


def told(config: SimulateKLM, stand_in: bool) -> dict[str, Any]:
    """What the sample says of itself."""
    note: dict[str, Any] = {"engine": config.generate.engine, "config": config.model_dump(mode="json")}
    if config.generate.engine == "geant4":
        return note | {"data sets": "stand-in, made from formulas, not official" if stand_in else "official"}
    return note | {"interactions": about(stored())}
