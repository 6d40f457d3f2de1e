"""Configuration -> a file of dimuons with known truth."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from muonkit.core.config import load
from muonkit.core.files import check_output
from muonkit.core.result import Result
from muonkit.data.dimuons import Dimuons
from muonkit.io.tables import write_dimuons
from muonkit.run.alone import alone
from muonkit.run.runner import Runner
from muonkit.simulation.dimuons.config import SimulateDimuons
from muonkit.simulation.dimuons.generate import generate


@dataclass(frozen=True, slots=True)
class SimulationResult(Result):
    """The file of pairs that was written, and their number."""

    file: Path
    pairs: int

    def report(self) -> str:
        return f"{self.file}: {self.pairs} pairs"

    def to_json(self) -> dict[str, Any]:
        return {"file": str(self.file), "pairs": self.pairs, "text": str(self)}


def simulate_dimuons(config_path: Path, out: Path, runner: Runner) -> SimulationResult:
    """Write the pairs to `out` (.parquet, .root, .csv). Raises InputError for a configuration that cannot be used,
    and while another run writes `out`."""
    config = load(config_path, SimulateDimuons)
    check_output(out, [config_path])
    with alone(out):
        return SimulationResult(out, write(config, out, runner))


def write(config: SimulateDimuons, out: Path, runner: Runner) -> int:
    """Generate and write the pairs; returns their number."""

    def tables() -> Iterator[Dimuons]:
        with runner.progress(f"simulate {out.name}", config.generate.events) as advance:
            for table in generate(config, runner.results):
                advance(len(table))
                yield table if config.generate.truth else replace(table, gen_plus=None, gen_minus=None)

    return write_dimuons(out, tables())
