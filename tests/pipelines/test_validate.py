"""`muonkit validate`: corrections of the J/psi on the Z, and on the J/psi itself."""

import gzip
import json
import shutil
from pathlib import Path

import pytest
from tests.pipelines.conftest import CALIBRATE, INJECTED, Run, simulate

from muonkit.cli import main

VALIDATE_Z = """
[input]
data = ["z.parquet"]
[resonance]
name = "z"
[selection]
scaled_pt_min = 25.0
[binning]
eta_edges = [-2.4, -1.2, 0.0, 1.2, 2.4]
log_pt_ratio_bins = 2
cos_dphi_bins = 1
[fit]
parameters = ["A"]
[template]
events = 600000
spectrum = { pt_scale = 12.0, pt_power = 2.2 }
"""


@pytest.mark.slow
def test_corrections_of_the_jpsi_mend_the_z(run: Run, tmp_path: Path) -> None:
    injected = INJECTED | {"A": [4e-3, 4e-3, 4e-3, 4e-3]}  # large, so that 100 000 Z see it
    simulate(tmp_path, "data.parquet", seed=61, truth="false", background=0.03, **injected)
    z = {"resonance": "z", "truth": "false", "background": 0.01, "slope": -0.02, "cut": 20.0, "pt_min": 0.0}
    simulate(tmp_path, "z.parquet", events=100_000, seed=62, **z, **injected)
    (tmp_path / "simulation.parquet").symlink_to(run.folder / "simulation.parquet")
    (tmp_path / "calibrate.toml").write_text(CALIBRATE)
    (tmp_path / "validate.toml").write_text(VALIDATE_Z)
    assert main(["calibrate", str(tmp_path / "calibrate.toml"), "-o", str(tmp_path / "out")]) == 0
    corrections = tmp_path / "out" / "corrections.json.gz"
    arguments = ["validate", str(tmp_path / "validate.toml"), "--corrections", str(corrections)]
    assert main([*arguments, "-o", str(tmp_path / "validation")]) == 0
    content = json.loads((tmp_path / "validation" / "validation.json").read_text())
    assert content["before"]["p_value"] < 1e-6
    assert content["muons"]["extrapolated"] > 0.9 * sum(content["muons"].values())
    assert content["muons"]["held"] == 0
    assert content["after"]["p_value"] > 1e-3
    assert content["before"]["mean"] - 1 == pytest.approx(4e-3, abs=4e-4)
    assert all(extra > 0 for extra in content["after"]["corrections_error"])


def test_closing_on_the_same_resonance_tests_all_parameters(run: Run, tmp_path: Path) -> None:
    arguments = ["validate", str(run.folder / "calibrate.toml"), "--corrections", str(run.out / "corrections.json.gz")]
    assert main([*arguments, "-o", str(tmp_path / "closure")]) == 0
    content = json.loads((tmp_path / "closure" / "validation.json").read_text())
    assert content["parameters"]["test"]["chi2"] < 0.1 * content["parameters"]["test"]["ndf"]
    muons = content["muons"]
    assert sum(muons.values()) == 2 * run.content["pairs"]["selected"]
    assert (muons["held"], muons["outside"]) == (0, 0)
    assert muons["extrapolated"] <= 0.03 * sum(muons.values()), "the tails of the same muons"


def test_eta_outside_the_corrections_is_refused(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = run.folder / "wide.toml"
    config.write_text(CALIBRATE.replace("2.4]", "2.5]"))
    arguments = ["validate", str(config), "--corrections", str(run.out / "corrections.json.gz")]
    assert main([*arguments, "-o", str(tmp_path / "o")]) == 2
    assert "reaches outside the corrections" in capsys.readouterr().err


def test_validation_of_other_corrections_is_not_shown(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["validate", str(run.folder / "calibrate.toml"), "--corrections"]
    shutil.copytree(run.out, tmp_path / "out")
    content = json.loads(gzip.decompress((run.out / "corrections.json.gz").read_bytes()))
    content["description"] = "other corrections"
    (tmp_path / "other.json.gz").write_bytes(gzip.compress(json.dumps(content).encode()))
    validation = str(tmp_path / "out" / "validation")
    assert main([*arguments, str(tmp_path / "other.json.gz"), "-o", validation]) == 0
    assert main(["report", str(tmp_path / "out")]) == 2
    assert "validates other corrections" in capsys.readouterr().err


def test_toys_test_the_errors(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["validate", str(run.folder / "calibrate.toml"), "--corrections", str(run.out / "corrections.json.gz")]
    arguments += ["-o", str(tmp_path / "toys")]
    with pytest.raises(SystemExit, match="2"):
        main([*arguments, "--toys", "1"])
    assert "2 to 100000" in capsys.readouterr().err
    assert main([*arguments, "--toys", "12"]) in (0, 1)
    assert "Spread over error, weak directions" in capsys.readouterr().out
    content = json.loads((tmp_path / "toys" / "validation.json").read_text())
    assert content["toys"] == content["coverage"]["toys"] + content["coverage"]["failed"] == 12
    assert [row["name"] for row in content["coverage"]["rows"]][-2:] == ["strong directions", "weak directions"]
    assert "coverage" in json.loads((tmp_path / "toys" / "report.json").read_text())["checks"]
