"""Configuration -> a file of dimuons with known truth."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from muonkit.core.config import load
from muonkit.data.dimuons import Dimuons
from muonkit.io.tables import write_dimuons
from muonkit.run.runner import Runner
from muonkit.simulation.dimuons.config import SimulateDimuons
from muonkit.simulation.dimuons.generate import generate


def simulate_dimuons(config_path: Path, out: Path, runner: Runner) -> int:
    """Write the pairs to `out` (.parquet, .root, .csv) and return their number."""
    config = load(config_path, SimulateDimuons)
    pairs = 0

    def tables() -> Iterator[Dimuons]:
        nonlocal pairs
        with runner.progress(f"simulate {out.name}", config.generate.events) as advance:
            for table in generate(config, runner.results):
                pairs += len(table)
                advance(len(table))
                yield table if config.generate.truth else replace(table, gen_plus=None, gen_minus=None)

    write_dimuons(out, tables())
    return pairs
