"""`muonkit calibrate` where cells are few: no degree of freedom is no p-value, and a is fitted where c is not fixed."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.pipelines.conftest import simulate

from muonkit.calibration.result import CalibrationResult
from muonkit.cli import main

CONFIG = """
[input]
data = ["data.parquet"]
simulation = ["simulation.parquet"]
[resonance]
name = "psi2s"
[selection]
scaled_pt_min = 3.5
[binning]
eta_edges = {edges}
log_pt_ratio_bins = 1
cos_dphi_bins = 1
[fit]
parameters = ["A"]
min_entries = 100
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("few")
    simulate(folder, "data.parquet", events=2000, seed=91, resonance="psi2s")
    simulate(folder, "simulation.parquet", events=20_000, seed=92, resonance="psi2s")
    return folder


@pytest.mark.parametrize("edges", [[-2.4, 2.4], [-2.4, -1.2, 0.0, 1.2, 2.4]])
def test_a_cell_per_parameter_gives_a_result_that_does_not_pass(folder, edges, capsys) -> None:
    config, out = folder / f"{len(edges)}.toml", folder / f"out{len(edges)}"
    config.write_text(CONFIG.format(edges=edges))
    assert main(["calibrate", str(config), "-o", str(out)]) == 1
    printed = capsys.readouterr().out
    assert "The parameters are not tested" in printed
    assert "0.0/0, no p-value (ndf is 0)" in printed
    assert "the cells do not fix a and c of the resolution: a alone is used" in printed

    content = json.loads((out / "calibration.json").read_text())
    assert (content["ndf"], content["p_value"]) == (0, None)
    assert "c" not in content["simulation"]["errors"]
    assert np.all(np.abs(content["A"]) < 5 * np.array(content["errors"]["A"]))
    assert CalibrationResult.open(out).verdict.word == "ATTENTION"
    assert "no p-value" in (out / "report.html").read_text()
