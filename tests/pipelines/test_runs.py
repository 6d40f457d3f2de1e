"""Run periods have corrections of their own, and a scale that is not the same in all runs is reported."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.calibration.test_export import CONTENT
from tests.pipelines.conftest import simulate

from muonkit.calibration import export
from muonkit.calibration.export import Corrections
from muonkit.cli import main

CONFIG = """
[input]
data = ["data.parquet"]
simulation = ["simulation.parquet"]
chunk_size = 30000
[binning]
eta_edges = [-2.4, 0.0, 2.4]
log_pt_ratio_bins = 2
cos_dphi_bins = 2
mass_bins = 50
{edges}
[fit]
parameters = ["A"]
"""
A = {"first": [1e-3, -1e-3], "second": [-1e-3, 2e-3]}  # of runs 101 to 110 and 201 to 210
PAIRS, FEW = 60_000, 100  # in each part; of them in run 300


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs")
    parts = []
    for number, (name, injected) in enumerate(A.items(), 1):
        options = {"edges": [-2.4, 0.0, 2.4], "A": injected, "e": [0.0], "M": [0.0]}
        table = pq.read_table(simulate(path, f"{name}.parquet", events=PAIRS, seed=number, truth="false", **options))
        table = table.select([column for column in table.column_names if column not in ("run", "event")])
        run = 100 * number + 1 + np.arange(len(table)) * 10 // len(table)
        run[-FEW:] = 300
        parts.append(table.append_column("run", pa.array(run)).append_column("event", pa.array(np.arange(len(table)))))
    pq.write_table(pa.concat_tables(parts), path / "data.parquet")
    simulate(path, "simulation.parquet", events=100_000, seed=9)
    return path


def calibrated(folder: Path, name: str, edges: str = "") -> tuple[int, Path]:
    (folder / f"{name}.toml").write_text(CONFIG.format(edges=edges))
    return main(["calibrate", str(folder / f"{name}.toml"), "-o", str(folder / name)]), folder / name


def test_periods_are_calibrated_apart_and_the_drift_is_reported(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = calibrated(folder, "periods", "run_edges = [101, 151, 205]")
    printed = capsys.readouterr().out
    assert code in (0, 1)
    content = json.loads((out / "calibration.json").read_text())
    first, second = content["periods"]
    assert (first["first"], first["last"], second["folder"]) == (101, 150, "periods/151-204")
    for period, injected in ((first, A["first"]), (second, A["second"])):
        own = json.loads((out / period["folder"] / "calibration.json").read_text())
        assert own["A"] == period["values"]["A"]
        assert np.all(np.abs(np.array(own["A"]) - injected) < 4 * np.array(own["errors"]["A"]))
        assert own["drift"][0]["p_value"] > 1e-3
        corrections = Corrections.open(out / period["folder"] / "corrections.json.gz")
        factor = corrections.factor(np.array([6.0]), np.array([-1.0]), np.array([1]))
        assert factor == pytest.approx(1 / (1 + own["A"][0]), abs=1e-7)
    outside = PAIRS * 6 // 10 + FEW  # runs 205 to 210, and 300
    assert any(f"{outside} pairs are of runs outside" in line for line in content["warnings"])
    (drift,) = content["drift"]
    assert drift["p_value"] < 1e-3
    assert len(drift["slices"]) == 8
    assert "Drift over runs" in printed
    assert "WARN: the scale of jpsi drifts over runs" in printed
    page = (out / "report.html").read_text()
    assert 'id="drift"' in page
    assert "A against the run period" in page


def test_a_period_with_few_pairs_costs_nothing_but_itself(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And the same command again has nothing to do."""
    code, out = calibrated(folder, "few", "run_edges = [101, 300, 301]")
    assert code == 1
    assert "Run periods without corrections: 1 (runs 300 to 300: no cell holds 400 entries" in capsys.readouterr().out
    whole, few = json.loads((out / "calibration.json").read_text())["periods"]
    assert (few["verdict"], few["values"]) == ("FAILED", {})
    assert (out / whole["folder"] / "corrections.json.gz").exists()
    before = (out / "calibration.json").read_bytes()
    assert calibrated(folder, "few", "run_edges = [101, 300, 301]")[0] == code
    assert (out / "calibration.json").read_bytes() == before


def test_a_validation_has_no_periods(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "validate.toml").write_text(CONFIG.format(edges="run_edges = [101, 301]"))
    export.write(folder / "corrections.json.gz", CONTENT)
    validate = ["validate", str(folder / "validate.toml"), "--corrections", str(folder / "corrections.json.gz")]
    assert main([*validate, "-o", str(folder / "validated")]) == 2
    assert "binning.run_edges: a validation has no periods; leave it out" in capsys.readouterr().err


def test_data_without_run_numbers_are_not_checked_and_have_no_periods(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    without = folder / "without"
    without.mkdir()
    pq.write_table(pq.read_table(folder / "first.parquet").drop_columns(["run"]), without / "data.parquet")
    (without / "simulation.parquet").symlink_to(folder / "simulation.parquet")
    assert calibrated(without, "periods", "run_edges = [1, 2]")[0] == 2
    assert "binning.run_edges: the data have no run and event numbers; leave it out" in capsys.readouterr().err
    calibrated(without, "plain")
    assert "not checked: no run and event numbers" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ("run_edges = [1, 50, 150]", "no pairs in runs 1 to 49; correct the edges"),
        ("run_edges = [150, 101]", "edges must rise"),
        ("run_edges = [101]", "needs at least two edges"),
        ("run_edges = [-1, 5]", "greater than or equal to 0"),
        ("run_edges = [1.5, 5]", "valid integer"),
    ],
)
def test_wrong_edges_are_one_line(edges: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = f"wrong{abs(hash(edges)) % 10**6}"
    assert calibrated(folder, name, edges)[0] == 2
    (line,) = [each for each in capsys.readouterr().err.splitlines() if "run_edges" in each]
    assert message in line
