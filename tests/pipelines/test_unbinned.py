"""`muonkit calibrate` with fit.method = "unbinned": the same files as with cells, bit-equal for any number of jobs,
and one line where it is not possible."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.pipelines.conftest import EDGES, simulate

from muonkit.cli import main

CONFIG = """
[input]
data = ["data.parquet"]
simulation = ["simulation.parquet"]
[binning]
eta_edges = [-2.4, 0.0, 2.4]
[fit]
method = "{method}"
"""
RESULTS = ("calibration.json", "corrections.json.gz", "likelihood.npz", "cells.parquet", "report.html")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unbinned")
    simulate(folder, "data.parquet", events=40_000, seed=5, background=0.05, A=[4e-4] * 4, edges=EDGES)
    simulate(folder, "simulation.parquet", events=60_000, seed=6)
    return folder


def calibrate(folder: Path, name: str, method: str, *options: str) -> tuple[int, Path]:
    (folder / f"{method}.toml").write_text(CONFIG.format(method=method))
    out = folder / name
    return main(["calibrate", str(folder / f"{method}.toml"), "-o", str(out), *options]), out


def test_result_agrees_with_cells_is_more_precise_and_does_not_depend_on_processes(folder, capsys) -> None:
    codes, outs = zip(
        calibrate(folder, "one", "unbinned"),
        calibrate(folder, "two", "unbinned", "--jobs", "2"),
        calibrate(folder, "cells", "cells"),
        strict=True,
    )
    assert codes == (0, 0, 0)
    assert "pairs are fitted; the others lie in cells that are skipped" in capsys.readouterr().out
    one, two, cells = (json.loads((out / "calibration.json").read_text()) for out in outs)
    assert all((outs[0] / name).exists() for name in RESULTS)
    for letter in "AeM":
        assert one[letter] == two[letter]
        error, less = (np.array(each["errors"][letter]) for each in (cells, one))
        assert np.all(less < error)
        assert np.all(np.abs(np.array(one[letter]) - np.array(cells[letter])) < 2 * error)
    assert one["covariance"] == two["covariance"]
    assert not [line for line in one["budget"] if "Gaussian in mass" in line["change"]]


def test_toys_of_a_validation_are_refused_in_one_line(folder, capsys) -> None:
    _, out = calibrate(folder, "one", "unbinned")
    capsys.readouterr()
    corrections = ["--corrections", str(out / "corrections.json.gz")]
    arguments = ["validate", str(folder / "unbinned.toml"), *corrections, "-o", str(folder / "validated")]
    assert main([*arguments, "--toys", "10"]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "1/1" not in line]
    assert len(lines) == 1
    assert "--toys tests the errors of a fit to cells" in lines[0]
    assert main(arguments) == 0


def test_a_joint_fit_is_refused_in_one_line(folder, capsys) -> None:
    sample = (
        '[[sample]]\nname = "{name}"\n[sample.input]\ndata = ["data.parquet"]\nsimulation = ["simulation.parquet"]\n'
    )
    text = '[binning]\neta_edges = [-2.4, 0.0, 2.4]\n[fit]\nmethod = "unbinned"\n'
    (folder / "joint.toml").write_text(text + "".join(sample.format(name=name) for name in "xy"))
    assert main(["calibrate", str(folder / "joint.toml"), "-o", str(folder / "joint")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert 'fit.method = "unbinned" takes one sample' in lines[0]
