"""`muonkit calibrate` with weights below 0: results where there can be some, and one line where there cannot."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.pipelines.conftest import simulate

from muonkit.cli import main

CONFIG = """
[input]
data = ["{data}"]
simulation = ["{simulation}"]
[binning]
eta_edges = [-2.4, 0.0, 2.4]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    for seed, name in enumerate(("data", "simulation")):
        table = pq.read_table(simulate(folder, f"{name}.parquet", events=40_000, seed=80 + seed))
        for share in (0.013, 0.2, 0.6):
            sign = np.where(np.random.default_rng(seed).random(len(table)) < share, -1.0, 1.0)
            place = table.column_names.index("weight")
            pq.write_table(table.set_column(place, "weight", pa.array(sign)), folder / f"{name}_{share}.parquet")
    return folder


def calibrate(folder: Path, data: str, simulation: str) -> tuple[int, Path]:
    config, out = folder / f"{data}_{simulation}.toml", folder / f"out_{data}_{simulation}"
    config.write_text(CONFIG.format(data=f"{data}.parquet", simulation=f"{simulation}.parquet"))
    return main(["calibrate", str(config), "-o", str(out)]), out


@pytest.mark.parametrize(
    ("data", "simulation"), [("data_0.013", "simulation_0.013"), ("data", "simulation_0.2"), ("data_0.2", "simulation")]
)
def test_weights_below_0_give_a_result_that_counts_them(folder, data, simulation, capsys) -> None:
    code, out = calibrate(folder, data, simulation)
    assert code == 0
    assert "have weights below 0; together the pairs are worth" in capsys.readouterr().out
    content = json.loads((out / "calibration.json").read_text())
    assert (content["pairs"]["negative"] > 0) == (data != "data")
    A, error = (np.array(values) for values in (content["A"], content["errors"]["A"]))
    assert np.all(np.abs(A) < 4 * error)
    assert (out / "report.html").exists()


@pytest.mark.parametrize(("data", "simulation"), [("data_0.6", "simulation"), ("data", "simulation_0.6")])
def test_weights_that_add_up_to_less_than_0_are_one_line(folder, data, simulation, capsys) -> None:
    code, _ = calibrate(folder, data, simulation)
    lines = [line for line in capsys.readouterr().err.splitlines() if "1/1" not in line]
    assert code == 2
    assert len(lines) == 1
    assert "the weights of the pairs add up to -" in lines[0]
