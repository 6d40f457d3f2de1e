"""One small calibration through the command line, shared by the tests of the pipelines."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from muonkit.cli import main

EDGES = "[-2.4, -1.2, 0.0, 1.2, 2.4]"
SIMULATE = """
[generate]
events = {events}
seed = {seed}
resonance = "{resonance}"
truth = {truth}
[spectrum]
pt_scale = 6.0
pt_power = 2.8
pt_min = {pt_min}
[bias]
eta_edges = {edges}
A = {A}
e = {e}
M = {M}
[resolution]
a = [{a}]
c = [1.3e-4]
[background]
fraction = {background}
slope = {slope}
[selection]
scaled_pt_min = {cut}
"""
CALIBRATE = """
[input]
data = ["data.parquet"]
simulation = ["simulation.parquet"]
chunk_size = 60000
[binning]
eta_edges = [-2.4, -1.2, 0.0, 1.2, 2.4]
[fit]
parameters = ["A", "e", "M"]
"""
INJECTED = {"A": [6e-4, -4e-4, 2e-4, -5e-4], "e": [3e-3, 1e-3, 1e-3, 3e-3], "M": [3e-5, -2e-5, 1e-5, -3e-5]}
NONE = {"A": [0.0], "e": [0.0], "M": [0.0]}


def simulate(folder: Path, name: str, **options: Any) -> Path:
    """Write folder/name with the command; returns the path."""
    values: dict[str, Any] = {"events": 200_000, "seed": 1, "resonance": "jpsi", "truth": "true", "pt_min": 6.0}
    values |= {"edges": EDGES, "a": 0.011, "background": 0.0, "slope": -1.0, "cut": 3.5} | NONE | options
    config = folder / f"{name}.toml"
    config.write_text(SIMULATE.format(**values))
    assert main(["simulate", "dimuons", str(config), "-o", str(folder / name)]) == 0
    return folder / name


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, its OUT/, the content of calibration.json."""

    folder: Path
    out: Path
    content: dict[str, Any]


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("calibration")
    simulate(folder, "data.parquet", seed=51, truth="false", background=0.03, **INJECTED)
    simulate(folder, "simulation.parquet", seed=53, a=0.010)
    (folder / "calibrate.toml").write_text(CALIBRATE)
    assert main(["calibrate", str(folder / "calibrate.toml"), "-o", str(folder / "out"), "--jobs", "2"]) == 0
    return Run(folder, folder / "out", json.loads((folder / "out" / "calibration.json").read_text()))
