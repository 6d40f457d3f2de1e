"""Bins of phi through the command line: calibrate, validate, apply, compare, report."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.pipelines.conftest import CALIBRATE, EDGES, Run

from muonkit.calibration.export import Corrections
from muonkit.calibration.likelihood import Likelihood
from muonkit.calibration.result import CalibrationResult
from muonkit.cli import main

PHI = f"[{-math.pi}, 0.0, {math.pi}]"


@pytest.fixture(scope="module")
def by_phi(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same muons as those of `run`, with two bins of phi."""
    folder, out = run.folder, tmp_path_factory.mktemp("by_phi") / "out"
    text = CALIBRATE.replace(EDGES, f"{EDGES}\nphi_edges = {PHI}")
    (folder / "phi.toml").write_text(text)
    assert main(["calibrate", str(folder / "phi.toml"), "-o", str(out)]) == 0
    return Run(folder, out, json.loads((out / "calibration.json").read_text()))


def test_the_result_is_in_bins_of_eta_and_phi(by_phi: Run) -> None:
    content = by_phi.content
    assert (content["eta_edges"], content["phi_edges"]) == (json.loads(EDGES), json.loads(PHI))
    assert content["parameter_names"][6:9] == ["A_6", "A_7", "e_0"]
    assert {len(content[name]) for name in ("A", "e", "M")} == {8}
    result = CalibrationResult.open(by_phi.out)
    assert "A, e, M in 4 x 2 bins of eta and phi" in str(result)
    assert str(result).count("[-3.14159, 0)") == 4
    assert "in each bin of η the bins of φ" in (by_phi.out / "report.html").read_text()
    assert Likelihood.read(by_phi.out / "likelihood.npz").phi_edges.tolist() == json.loads(PHI)
    cells = pq.read_table(by_phi.out / "cells.parquet")
    rows = [set(cells[f"{axis}_minus_bin"].to_pylist()) for axis in ("eta", "phi")]
    assert rows == [{0, 1, 2, 3}, {0, 1}]


def test_without_bins_of_phi_nothing_tells_of_them(run: Run) -> None:
    assert "phi_edges" not in (run.out / "calibration.json").read_text()
    assert not Corrections.open(run.out / "corrections.json.gz").by_phi


@pytest.mark.parametrize(("config", "corrections"), [("phi", "by_phi"), ("calibrate", "by_phi"), ("phi", "run")])
def test_validation_takes_corrections_with_and_without_phi(
    run: Run, by_phi: Run, config: str, corrections: str, tmp_path: Path
) -> None:
    out = tmp_path / "validation"
    path = {"run": run, "by_phi": by_phi}[corrections].out / "corrections.json.gz"
    assert main(["validate", str(run.folder / f"{config}.toml"), "--corrections", str(path), "-o", str(out)]) == 0
    left = json.loads((out / "validation.json").read_text())["after"]
    assert ("phi_edges" in left) == (config == "phi")
    assert abs(left["mean"] - 1) < 3 * left["mean_error"]


def test_muons_of_a_file_are_corrected_by_their_phi(by_phi: Run, tmp_path: Path) -> None:
    path, data = tmp_path / "data.parquet", by_phi.folder / "data.parquet"
    assert main(["apply", str(by_phi.out / "corrections.json.gz"), str(data), "-o", str(path)]) == 0
    table = pq.read_table(path)
    eta, phi = (table[f"plus_{name}"].to_numpy() for name in ("eta", "phi"))
    index = 2 * (np.searchsorted(json.loads(EDGES), eta) - 1) + (phi >= 0)
    before, after = (table[name].to_numpy() for name in ("plus_pt_original", "plus_pt"))
    A, e, M = (np.array(by_phi.content[name])[index] for name in ("A", "e", "M"))
    assert np.allclose(before / after, 1 + A - e / before + M * before, rtol=1e-6)


def test_files_with_and_without_phi_are_compared(
    run: Run, by_phi: Run, tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = tmp_path_factory.mktemp("compared")
    files = [str(each.out / "corrections.json.gz") for each in (run, by_phi)]
    assert main(["compare", *files, "-o", str(out)]) == 0
    content = json.loads((out / "comparison.json").read_text())
    values = np.array(next(each for each in content["differences"] if each["sample"] == "data")["difference"])
    half = np.array(content["grid"]["phi"]) < 0
    for part in (half, ~half):
        assert np.ptp(values[..., part], axis=-1).max() < 1e-9, "the same in all of a bin of phi"
    assert np.abs(values[..., half][..., 0] - values[..., ~half][..., 0]).min() > 0


@pytest.mark.parametrize("phi", ["[0.0, 3.0]", "[3.14159, -3.14159]"])
def test_edges_that_are_no_full_turn_are_refused(run: Run, phi: str, capsys: pytest.CaptureFixture[str]) -> None:
    (run.folder / "bad.toml").write_text(CALIBRATE.replace(EDGES, f"{EDGES}\nphi_edges = {phi}"))
    assert main(["calibrate", str(run.folder / "bad.toml"), "-o", str(run.folder / "bad")]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "binning.phi_edges" in line


def test_forecast_in_bins_of_eta_and_phi(by_phi: Run, capsys: pytest.CaptureFixture[str]) -> None:
    config = str(by_phi.folder / "phi.toml")
    assert main(["calibrate", config, "--forecast", "1e6", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["phi_edges"] == json.loads(PHI)
    assert len(content["errors"]["A"]) == 8


@pytest.mark.parametrize(
    ("key", "value"),
    [("phi_edges", [-3, -1, 1, 3]), ("phi_edges", [0, None, 6]), ("phi_edges", 1), ("eta_edges", []), ("A", [0, 0]),
     ("covariance", [[1.0]]), ("parameter_names", ["A_0"])],
)  # fmt: skip
def test_a_result_with_arrays_of_other_bins_is_refused(
    by_phi: Run, tmp_path: Path, key: str, value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    out = shutil.copytree(by_phi.out, tmp_path / "out")
    (out / "calibration.json").write_text(json.dumps(by_phi.content | {key: value}))
    assert main(["report", str(out)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "calibration.json" in line
