"""J/psi in Parquet files to calibration.json, closure and page: seconds, CPU seconds and peak memory.

The sample is made once, 1e8 pairs of data and 3e7 of simulation in single precision as NanoAOD stores them (about
4 GB), and kept in --sample or in MUONKIT_BENCHMARK_SAMPLE."""

import argparse
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from muonkit.core.arrays import AnyArray
from muonkit.io.tables import columns, write_tables
from muonkit.simulation.dimuons.config import SimulateDimuons
from muonkit.simulation.dimuons.generate import generate

PLACE = Path(os.environ.get("MUONKIT_BENCHMARK_SAMPLE", "~/.cache/muonkit/benchmark")).expanduser()
ETA = [round(-2.4 + 0.4 * i, 1) for i in range(13)]
SPECTRUM = {"pt_scale": 6.0, "pt_power": 2.8, "pt_min": 6.0}
BIAS = {
    "eta_edges": ETA,
    "A": [6e-4, -4e-4, 2e-4, -5e-4, 3e-4, -2e-4] * 2,
    "e": [3e-3, 1e-3, 1e-3, 3e-3, 2e-3, 1e-3] * 2,
    "M": [3e-5, -2e-5, 1e-5, -3e-5, 2e-5, -1e-5] * 2,
}


@dataclass(frozen=True)
class Size:
    """Number of pairs in a file, of files of data, and of files of simulation."""

    pairs: int
    data: int
    simulation: int


FULL, QUICK = Size(5_000_000, 20, 6), Size(1_000_000, 2, 1)


@dataclass(frozen=True)
class File:
    """One file of the sample; its number is the seed."""

    path: Path
    pairs: int
    number: int
    simulation: bool

    def write(self) -> None:
        """Make it, if it is not there."""
        if not self.path.exists():
            write_tables(self.path, map(self.kept, self.tables()))

    def tables(self) -> Iterator[Any]:
        resolution = {"a": [0.010 if self.simulation else 0.011], "c": [1.3e-4]}
        content: dict[str, Any] = {
            "generate": {"events": self.pairs, "seed": self.number},
            "spectrum": SPECTRUM,
            "resolution": resolution,
            "selection": {"scaled_pt_min": 3.5},
        }
        if not self.simulation:
            content |= {"bias": BIAS, "background": {"fraction": 0.03, "slope": -1.0}}
        return generate(SimulateDimuons.model_validate(content))

    def kept(self, table: Any) -> dict[str, AnyArray]:
        """The columns of a table, floating ones in single precision; generated muons in simulation only."""
        return {
            name: values.astype(np.float32) if values.dtype.kind == "f" else values
            for name, values in columns(table).items()
            if self.simulation or "_gen_" not in name
        }


def sample_files(place: Path, size: Size) -> list[File]:
    """The files of a sample of this size."""
    folder = place / f"{size.pairs}"
    data = [File(folder / f"data-{i:02d}.parquet", size.pairs, 1 + i, False) for i in range(size.data)]
    return data + [
        File(folder / f"simulation-{i:02d}.parquet", size.pairs, 101 + i, True) for i in range(size.simulation)
    ]


def make_sample(place: Path, size: Size) -> list[File]:
    """Make what is missing, in two processes."""
    files = sample_files(place, size)
    files[0].path.parent.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(File.write, files))
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2e6 pairs of data and 1e6 of simulation")
    parser.add_argument("--sample", type=Path, default=PLACE, help="where the sample is kept")
    options = parser.parse_args()
    make_sample(options.sample, QUICK if options.quick else FULL)


if __name__ == "__main__":
    main()
