"""`fit.reference = "simulation"` through the command line: what is corrected, tested, written and refused."""

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.pipelines.conftest import Run

from muonkit.calibration.config import Calibrate
from muonkit.calibration.export import Corrections
from muonkit.calibration.result import CalibrationResult
from muonkit.cli import main
from muonkit.core.config import parse
from muonkit.core.errors import InputError

# an exponential loss that the Gaussian kernel does not describe
SIMULATE = """
[generate]
events = 120_000
seed = {seed}
[spectrum]
pt_min = 6.0
pt_power = 2.8
[bias]
A = [{A}]
[resolution]
a = [0.01]
straggling = [0.04]
"""
INPUT = '[input]\ndata = ["data.parquet"]\n'
SIMULATION = 'simulation = ["simulation.parquet"]\n'
BINNING = "[binning]\neta_edges = [-2.4, 2.4]\nlog_pt_ratio_bins = 2\ncos_dphi_bins = 1\n"  # of one resolution
FIT = '[fit]\nparameters = ["A"]\nkernel = "curvature"\n'
RELATIVE = FIT + 'reference = "simulation"\n'
A = 5e-4
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reference")
    for name, seed, scale in (("data", 81, A), ("simulation", 82, 0.0)):
        (path / f"{name}.toml").write_text(SIMULATE.format(seed=seed, A=scale))
        assert main(["simulate", "dimuons", str(path / f"{name}.toml"), "-o", str(path / f"{name}.parquet")]) == 0
    return path


def calibrated(folder: Path, name: str, fit: str, code: int) -> Run:
    (folder / f"{name}.toml").write_text(INPUT + SIMULATION + BINNING + fit)
    assert main(["calibrate", str(folder / f"{name}.toml"), "-o", str(folder / name)]) == code
    return Run(folder, folder / name, json.loads((folder / name / "calibration.json").read_text()))


@pytest.fixture(scope="module")
def relative(folder: Path) -> Run:
    return calibrated(folder, "relative", RELATIVE, 0)


@pytest.fixture(scope="module")
def true(folder: Path) -> Run:
    return calibrated(folder, "true", FIT, 1)


def validated(run: Run, name: str, text: str) -> tuple[int, dict[str, Any]]:
    (run.folder / f"{name}.toml").write_text(text)
    out, corrections = run.folder / name, run.out / "corrections.json.gz"
    code = main(["validate", str(run.folder / f"{name}.toml"), "--corrections", str(corrections), "-o", str(out)])
    kept = out / "validation.json"
    return code, json.loads(kept.read_text()) if kept.exists() else {}


def test_the_difference_passes_and_is_right_and_the_other_fails_and_is_wrong(relative: Run, true: Run) -> None:
    pulls = {run.out.name: (run.content["A"][0] - A) / run.content["errors"]["A"][0] for run in (relative, true)}
    assert abs(pulls["relative"]) < 3
    assert abs(pulls["true"]) > 5
    verdict = json.loads((true.out / "report.json").read_text())
    assert not verdict["checks"]["simulation"]


def test_the_bias_of_the_simulation_is_shown_with_its_size(relative: Run) -> None:
    result = CalibrationResult.open(relative.out)
    assert result.status == "PASS"
    (note,) = [line for line in result.verdict.notes if "bias in the simulation" in line]
    assert "at 6 GeV" in note
    assert "It is subtracted" in note
    assert relative.content["simulation"]["test"]["p_value"] < 1e-3


def test_results_and_page_say_what_the_reference_is(relative: Run, true: Run, capsys: Capture) -> None:
    for run, words in ((relative, "data minus simulation"), (true, "at the true scale")):
        assert words in (run.out / "report.html").read_text()
        assert words in CalibrationResult.open(run.out).report()
        assert main(["calibrate", str(run.folder / f"{run.out.name}.toml"), "-o", str(run.out)]) in (0, 1)
        assert words in capsys.readouterr().out
    assert [run.content["reference"] for run in (relative, true)] == ["simulation", "truth"]
    found = [Corrections.open(run.out / "corrections.json.gz").reference for run in (relative, true)]
    assert found == ["simulation", "truth"]


def test_errors_and_budget_are_those_of_the_difference(relative: Run, true: Run) -> None:
    lines = {line["effect"]: line["shift"] for line in relative.content["budget"]}
    absolute = {line["effect"]: line["shift"] for line in true.content["budget"]}
    assert lines["resonance mass"][0] == pytest.approx(absolute["resonance mass"][0], rel=1e-2)
    assert abs(lines["radiation"][0]) < 0.1 * abs(absolute["radiation"][0]), "it is in both samples"
    error, of_simulation = relative.content["errors"]["A"][0], relative.content["simulation"]["errors"]["A"][0]
    assert lines["statistics of the simulation"][0] == pytest.approx(of_simulation, rel=0.05)
    split = relative.content["closure"]["split"]["errors"]["A"][0]
    assert split == pytest.approx(np.sqrt(2 * (error**2 - of_simulation**2)), rel=0.05)
    with np.load(relative.out / "likelihood.npz") as kept:
        assert np.linalg.inv(kept["hessian"]) == pytest.approx(np.array(relative.content["covariance"]), rel=1e-8)
        assert kept["values"].tolist() == relative.content["A"]


def test_a_validation_compares_with_the_simulation_too(relative: Run) -> None:
    code, found = validated(relative, "same", INPUT + SIMULATION + BINNING + FIT)
    assert (code, found["reference"]) == (0, "simulation")
    assert found["before"]["scale"][0] - 1 == pytest.approx(relative.content["A"][0], rel=1e-3)
    assert abs(found["after"]["scale"][0] - 1) < 0.2 * found["after"]["error"][0]


def test_a_validation_without_simulation_or_with_another_reference_is_refused(relative: Run, capsys: Capture) -> None:
    for name, text, said in (
        ("none", INPUT + BINNING + FIT, "input.simulation: is missing"),
        ("other", INPUT + SIMULATION + BINNING + FIT + 'reference = "truth"\n', "fit.reference: is 'truth'"),
    ):
        capsys.readouterr()
        assert validated(relative, name, text) == (2, {})
        (line,) = [line for line in capsys.readouterr().err.splitlines() if ":" in line]
        assert said in line


def test_apply_says_whose_scale_corrected_data_have(relative: Run, true: Run, capsys: Capture) -> None:
    for run, times in ((relative, 1), (true, 0)):
        out = run.folder / f"{run.out.name}.parquet"
        arguments = [str(run.out / "corrections.json.gz"), str(run.folder / "data.parquet"), "-o", str(out)]
        capsys.readouterr()
        assert main(["apply", *arguments]) == 0
        assert capsys.readouterr().out.count("data minus simulation") == times


def test_a_result_of_an_unknown_reference_is_no_result(relative: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(relative.out, out)
    for value in ("moon", 3, None, ["truth"]):
        (out / "calibration.json").write_text(json.dumps(relative.content | {"reference": value}))
        with pytest.raises(InputError, match="cannot be read") as refused:
            CalibrationResult.open(out)
        assert len(refused.value.faults) == 1


def test_a_description_that_is_no_text_is_no_traceback(relative: Run, tmp_path: Path) -> None:
    path = tmp_path / "corrections.json.gz"
    content = json.loads(gzip.decompress((relative.out / "corrections.json.gz").read_bytes()))
    path.write_bytes(gzip.compress(json.dumps(content | {"description": None}).encode()))
    assert Corrections.open(path).reference == "truth"


JOINT = "[[sample]]\n[sample.input]\ndata = ['a.parquet']\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (INPUT + BINNING + RELATIVE, "fit.reference: 'simulation' needs simulated muons; give input.simulation"),
        (INPUT + "simulation = []\n" + BINNING + RELATIVE, "fit.reference: 'simulation' needs simulated muons"),
        (BINNING + RELATIVE + JOINT, "give sample jpsi: input.simulation"),
        (INPUT + SIMULATION + BINNING + FIT + 'reference = "data"\n', "fit.reference"),
        (INPUT + SIMULATION + BINNING + FIT + "reference = true\n", "fit.reference"),
        (INPUT + SIMULATION + BINNING + FIT + 'refrence = "truth"\n', "did you mean 'reference'"),
        (INPUT + SIMULATION + BINNING + RELATIVE + "priors = { A = [0.0, 1e-3] }\n", "A cannot have a prior"),
    ],
)
def test_faults_of_the_reference_are_lines(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        parse(text, Calibrate, "calibrate.toml")
    assert len(refused.value.faults) == 1
