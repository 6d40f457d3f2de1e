"""`[[sample]]`: J/psi and Z in one extraction, through the command line."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.pipelines.conftest import INJECTED, Run, simulate

from muonkit.calibration.config import Calibrate
from muonkit.calibration.result import CalibrationResult
from muonkit.cli import main
from muonkit.core.config import load, parse
from muonkit.core.errors import InputError

ALONE = """
[input]
data = ["jpsi.parquet"]
simulation = ["jpsi-simulation.parquet"]
"""
COMMON = """
[binning]
eta_edges = [-2.4, -1.2, 0.0, 1.2, 2.4]
cos_dphi_bins = 2
[fit]
parameters = ["A", "e", "M", "a", "c"]
"""
JPSI = """
[[sample]]
[sample.input]
data = ["jpsi.parquet"]
simulation = ["jpsi-simulation.parquet"]
"""
Z = """
[[sample]]
[sample.input]
data = ["z.parquet"]
simulation = ["z-simulation.parquet"]
[sample.resonance]
name = "z"
[sample.selection]
scaled_pt_min = 25.0
[sample.binning]
mass_bins = 80
log_pt_ratio_bins = 2
cos_dphi_bins = 1
"""


def calibrated(folder: Path, name: str, text: str) -> Run:
    (folder / f"{name}.toml").write_text(text)
    assert main(["calibrate", str(folder / f"{name}.toml"), "-o", str(folder / name)]) in (0, 1)
    return Run(folder, folder / name, json.loads((folder / name / "calibration.json").read_text()))


@pytest.fixture(scope="module")
def joint(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("joint")
    high = {"resonance": "z", "pt_min": 0.0, "cut": 20.0}
    simulate(folder, "jpsi.parquet", seed=61, truth="false", events=150_000, background=0.03, **INJECTED)
    simulate(folder, "jpsi-simulation.parquet", seed=62, events=150_000)
    simulate(
        folder, "z.parquet", seed=63, truth="false", background=0.01, slope=-0.02, events=80_000, **high, **INJECTED
    )
    simulate(folder, "z-simulation.parquet", seed=64, events=600_000, **high)
    return calibrated(folder, "joint", COMMON + JPSI + Z)


def test_injected_values_of_both_come_back(joint: Run) -> None:
    names = joint.content["parameter_names"]
    true = np.concatenate([*(INJECTED[name] for name in "AeM"), np.full(4, 0.011), np.full(4, 1.3e-4)])
    found = np.concatenate([joint.content[name] for name in "AeMac"])
    assert names == [f"{name}_{i}" for name in "AeMac" for i in range(4)]
    difference = found - true
    chi2 = difference @ np.linalg.solve(np.array(joint.content["covariance"]), difference)
    assert chi2 < 45, "20 degrees of freedom; 45 is 0.1 %"


def test_the_z_parts_A_from_e(joint: Run) -> None:
    alone = calibrated(joint.folder, "alone", ALONE + COMMON)

    def correlations(run: Run) -> np.ndarray:
        covariance = np.array(run.content["covariance"])
        errors = np.sqrt(np.diagonal(covariance))
        return np.array([covariance[i, i + 4] / (errors[i] * errors[i + 4]) for i in range(4)])

    assert np.all(correlations(joint) < correlations(alone))
    condition, at_mean = (joint.content["diagnostics"][f"condition_number{what}"] for what in ("", "_at_mean_k"))
    assert at_mean < condition < alone.content["diagnostics"]["condition_number"]
    free = np.array(alone.content["errors"]["c"]) > 0
    assert np.all(np.array(joint.content["errors"]["c"]) > 0), "without the Z, c runs to its limit in some bins"
    assert np.all(np.array(joint.content["errors"]["c"])[free] < np.array(alone.content["errors"]["c"])[free])


def test_every_sample_is_accounted_for(joint: Run) -> None:
    jpsi, z = joint.content["samples"]
    assert (jpsi["name"], z["name"]) == ("jpsi", "z")
    assert z["resonance"]["name"] == "z"
    for key in ("fitted", "failed", "skipped"):
        assert jpsi["cells"][key] + z["cells"][key] == joint.content["cells"][key]
    assert jpsi["pairs"]["selected"] + z["pairs"]["selected"] == joint.content["pairs"]["selected"]
    assert jpsi["chi2"] + z["chi2"] == pytest.approx(joint.content["chi2"])
    assert jpsi["measurements"] + z["measurements"] == joint.content["ndf"] + 20
    cells = pq.read_table(joint.out / "cells.parquet").to_pydict()
    assert [cells["sample"].count(name) for name in ("jpsi", "z")] == [each["cells"]["fitted"] for each in (jpsi, z)]
    page = (joint.out / "report.html").read_text()
    assert "jpsi: Cell" in page
    assert "z: Cell" in page
    assert {"masses-jpsi.json.gz", "masses-z.json.gz"} <= {path.name for path in joint.out.iterdir()}


def test_result_reads_back_and_names_its_samples(joint: Run) -> None:
    result = CalibrationResult.open(joint.out)
    assert "eta bins on jpsi, z" in result.report()
    assert {"sample_jpsi", "sample_z"} <= {check.name for check in result.verdict.checks}
    assert result.to_json() == joint.content


def test_sample_of_the_joint_form_alone_gives_the_same_bits(joint: Run) -> None:
    one = calibrated(joint.folder, "one", COMMON + JPSI)
    alone = json.loads((joint.folder / "alone" / "calibration.json").read_text())
    for key in ("A", "e", "M", "a", "c", "covariance", "chi2", "samples"):
        assert one.content[key] == alone[key]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (ALONE + COMMON + Z, r"input: belongs to each \[\[sample\]\]"),
        (COMMON, "input: is missing; add it"),
        (COMMON + JPSI + JPSI, "two are called 'jpsi'"),
        (COMMON + JPSI + "name = 'x y'\n", "unknown key|name"),
        (COMMON + JPSI.replace("[sample.input]", "name = '../z'\n[sample.input]"), "name: String should match"),
        (COMMON + JPSI + "[sample.binning]\neta_edges = [-1, 1]\n", "eta_edges: unknown key"),
        (COMMON + JPSI.replace("data", "date"), "did you mean 'data'"),
        ("sample = 3\n" + COMMON, "sample: .*tuple"),
    ],
)
def test_faults_of_samples_are_lines(text: str, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        parse(text, Calibrate, "calibrate.toml")


def test_missing_files_of_all_samples_are_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.toml").write_text(COMMON + JPSI + Z)
    assert main(["calibrate", str(tmp_path / "c.toml"), "-o", str(tmp_path / "out")]) == 2
    said = capfd.readouterr().err
    assert "jpsi.parquet" in said
    assert "z.parquet" in said


def test_validation_takes_one_sample(joint: Run, capfd: pytest.CaptureFixture[str]) -> None:
    config, corrections = joint.folder / "joint.toml", joint.out / "corrections.json.gz"
    out = joint.folder / "validation"
    assert main(["validate", str(config), "--corrections", str(corrections), "-o", str(out)]) == 2
    assert "takes one sample" in capfd.readouterr().err


def test_samples_of_one_configuration_are_what_it_says(joint: Run) -> None:
    _, z = load(joint.folder / "joint.toml", Calibrate).samples
    assert (z.binning.mass_bins, z.binning.cos_dphi_bins, len(z.binning.eta_edges)) == (80, 1, 5)


UPSILON = """
[input]
data = ["upsilon.parquet"]
[resonance]
name = "upsilon1s"
window = [8.7, 10.9]
others = { upsilon2s = 0.6, upsilon3s = 0.1 }
[binning]
eta_edges = [-2.4, 0.0, 2.4]
log_pt_ratio_bins = 2
cos_dphi_bins = 1
[fit]
parameters = ["A"]
[template]
events = 150_000
spectrum = { pt_scale = 6.0, pt_power = 2.8 }
resolution = { a = [0.011] }
"""


def test_three_upsilon_in_one_window_with_wrong_yields(tmp_path: Path) -> None:
    """The built-in template has twice the Upsilon(2S) of the data."""
    parts = {"upsilon1s": 60_000, "upsilon2s": 18_000, "upsilon3s": 9_000}
    for i, (name, events) in enumerate(parts.items()):
        options = {"resonance": name, "events": events, "pt_min": 0.0, "truth": "false"}
        bias = {"A": [5e-4] * 4, "e": [0.0] * 4, "M": [0.0] * 4}
        simulate(tmp_path, f"{name}.parquet", seed=71 + i, **options, **bias)
    text = UPSILON.replace('"upsilon.parquet"', ", ".join(f'"{name}.parquet"' for name in parts))
    found = calibrated(tmp_path, "upsilon", text).content
    pulls = (np.array(found["A"]) - 5e-4) / np.array(found["errors"]["A"])
    assert np.abs(pulls).max() < 4
    assert found["chi2"] < found["ndf"] + 5 * np.sqrt(2 * found["ndf"])


@pytest.mark.parametrize(
    ("resonance", "fault"),
    [
        ("name = 'upsilon1s'\nothers = { upsilon1s = 0.3 }", "upsilon1s is the resonance itself"),
        ("name = 'upsilon1s'\nothers = { upsilon9s = 0.3 }", "others"),
        ("name = 'upsilon1s'\nothers = { upsilon2s = 0.0 }", "greater than 0"),
        ("name = 'upsilon1s'\nwindow = [9.0, 9.9]\nothers = { upsilon2s = 1.0 }", "does not hold upsilon2s"),
    ],
)
def test_faults_of_other_resonances_are_lines(resonance: str, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        parse(f"{ALONE}[resonance]\n{resonance}\n{COMMON}", Calibrate, "calibrate.toml")


def test_likelihood_knows_the_cells_of_both(joint: Run) -> None:
    with np.load(joint.out / "likelihood.npz") as kept:
        cells, kinds, residuals = (kept[name] for name in ("cells", "kinds", "residuals"))
    pulls = pq.read_table(joint.out / "cells.parquet")["pull"].to_numpy()
    mass = (kinds == kinds[0]) & (cells >= 0)
    assert len(np.unique(cells[mass])) == mass.sum() == np.isfinite(pulls).sum()
    assert np.allclose(residuals[mass], pulls[cells[mass]])
