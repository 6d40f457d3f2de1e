"""J/psi in Parquet files to calibration.json, closure and page: seconds, CPU seconds and peak memory.

The sample is made once, 1e8 pairs of data and 3e7 of simulation in single precision as NanoAOD stores them (about
4 GB), and kept in --sample or in MUONKIT_BENCHMARK_SAMPLE."""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import matplotlib.pyplot as plt
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
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        list(pool.map(File.write, files))
    return files


CONFIG = """[input]
data = [{data}]
simulation = [{simulation}]
[binning]
eta_edges = {eta}
log_pt_ratio_bins = {bins}
"""
STEPS = (0.05, 0.1, 0.2, 0.5, 1.0)  # of the sample, for --scaling
BINS = (1, 2, 5, 10, 20)  # of log(pT+/pT-): with 12 x 12 eta bins and 4 of cos dphi, 576 to 11 520 cells


@dataclass(frozen=True)
class Cost:
    """Of one run in a process of its own: pairs, cells, seconds, seconds of all its processes, peak memory [GB]."""

    pairs: int
    cells: int
    wall: float
    cpu: float
    memory: float

    def __str__(self) -> str:
        return (
            f"{self.pairs:11,d} pairs, {self.cells:6d} cells: {self.wall:6.1f} s, {self.cpu:6.1f} s of CPU, "
            f"{self.memory:.2f} GB in the largest process"
        )


def run(files: list[File], bins: int = 5, jobs: int = 2) -> Cost:
    """`muonkit calibrate` on these files, from the start of its process to its page."""
    named = {kind: ", ".join(f'"{f.path}"' for f in files if f.simulation is kind) for kind in (False, True)}
    text = CONFIG.format(data=named[False], simulation=named[True], eta=ETA, bins=bins)
    with TemporaryDirectory() as folder:
        config = Path(folder, "calibrate.toml")
        config.write_text(text)
        words = ["calibrate", str(config), "-o", f"{folder}/out", "--jobs", str(jobs)]
        command = [sys.executable, "-m", "muonkit", *words]
        start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        code = subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        if code not in (0, 1) or not Path(folder, "out", "report.html").exists():
            raise SystemExit(f"the calibration ended with exit code {code}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    cells = (len(ETA) - 1) ** 2 * bins * 4
    return Cost(sum(file.pairs for file in files), cells, wall, cpu, after.ru_maxrss / 1e6)


def some(files: list[File], share: float) -> list[File]:
    """The first files of data and of simulation, at least one of each."""
    kinds = ([f for f in files if not f.simulation], [f for f in files if f.simulation])
    return [f for kind in kinds for f in kind[: max(1, round(share * len(kind)))]]


def scaling(files: list[File], figure: Path) -> None:
    """Time against pairs, and against cells; draws the figure."""
    by_pairs = [run(some(files, share)) for share in STEPS]
    by_cells = [run(some(files, STEPS[1]), bins) for bins in BINS]
    print(*by_pairs, *by_cells, sep="\n")
    fig, axes = plt.subplots(1, 2, figsize=(7, 2.8), layout="constrained")
    for ax, costs, name in ((axes[0], by_pairs, "pairs"), (axes[1], by_cells, "cells")):
        for what, label in (("cpu", "all processes"), ("wall", "wall, 2 processes")):
            ax.plot([getattr(c, name) for c in costs], [getattr(c, what) for c in costs], "o-", label=label)
        ax.set(
            xlabel=f"{name} (data and simulation)" if name == "pairs" else "fine cells",
            ylabel="time [s]",
            ylim=(0, None),
        )
    axes[0].legend()
    fig.savefig(figure, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2e6 pairs of data and 1e6 of simulation")
    parser.add_argument("--scaling", type=Path, metavar="FIGURE.png", help="draw how time grows with pairs and cells")
    parser.add_argument("--sample", type=Path, default=PLACE, help="where the sample is kept")
    options = parser.parse_args()
    files = make_sample(options.sample, QUICK if options.quick else FULL)
    if options.scaling:
        scaling(files, options.scaling)
        return
    run(some(make_sample(options.sample, QUICK), 0.0))  # compile
    cost = run(files)
    print(cost)
    content = {"name": "calibrate", "ours": cost.wall, "cpu": cost.cpu, "gigabytes": cost.memory, "unit": "s"}
    print(json.dumps(content))


if __name__ == "__main__":
    main()
