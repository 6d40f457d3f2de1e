"""`muonkit calibrate --forecast N` through the command line: no data needed, the errors of the run that follows."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import thresholds
from tests.pipelines.conftest import CALIBRATE, INJECTED, simulate

import muonkit
from muonkit.calibration.diagnostics import correlation
from muonkit.cli import main

TWO = """
[binning]
eta_edges = [-2.4, 0.0, 2.4]
log_pt_ratio_bins = 2
cos_dphi_bins = 1
[[sample]]
input = { data = ["jpsi-to-come.parquet"], simulation = ["simulation.parquet"] }
[[sample]]
input = { data = ["z-to-come-*.parquet"] }
resonance = { name = "z" }
selection = { scaled_pt_min = 25.0 }
template = { events = 100000 }
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulation, a configuration whose data are not there yet, and one of two samples."""
    folder = tmp_path_factory.mktemp("forecast")
    simulate(folder, "simulation.parquet", seed=81, events=100_000)
    (folder / "one.toml").write_text(CALIBRATE)
    (folder / "two.toml").write_text(TWO)
    return folder


def forecast(
    capsys: pytest.CaptureFixture[str], config: Path, *options: str, code: int = 0
) -> tuple[dict[str, Any], list[str]]:
    """The JSON on stdout, and the lines on stderr."""
    capsys.readouterr()
    assert main(["calibrate", str(config), *options, "--json"]) == code
    shown = capsys.readouterr()
    return json.loads(shown.out or "{}"), shown.err.splitlines()


def test_the_errors_are_those_of_the_run_that_follows(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Data with the resolution of the simulation, and a background."""
    simulate(folder, "there.parquet", seed=82, truth="false", events=100_000, background=0.03, **INJECTED)
    (folder / "real.toml").write_text(CALIBRATE.replace("data.parquet", "there.parquet"))
    assert main(["calibrate", str(folder / "real.toml"), "-o", str(folder / "real")]) in (0, 1)
    real = json.loads((folder / "real" / "calibration.json").read_text())
    pairs = str(real["pairs"]["selected"])
    found, _ = forecast(capsys, folder / "real.toml", "--forecast", pairs, "--background", "0.03", "--jobs", "2")
    for name in ("A", "e", "M"):
        np.testing.assert_allclose(found["errors"][name], real["errors"][name], rtol=thresholds.FORECAST)
    matrix = correlation(np.array(real["covariance"]))
    np.testing.assert_allclose(found["correlation_A_e"], matrix[range(4), range(4, 8)], atol=0.01)
    assert found["samples"][0]["cells"] == pytest.approx(real["cells"]["fitted"], rel=0.05)


def test_data_need_not_be_there_and_it_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["calibrate", str(folder / "one.toml"), "--forecast", "1e7", "-o", str(folder / "out")]) == 0
    text = capsys.readouterr().out
    assert "data are not read (data.parquet: not there yet)" in text
    assert "Error of the W mass" in text
    assert "corr(A, e)" in text
    assert "the statistics of the template makes more of the error" in text
    content = json.loads((folder / "out" / "forecast.json").read_text())
    assert content["w_mass"]["error"] > content["w_mass"]["error_of_data"] > 0
    assert [each["pt"] for each in content["scale"]] == [6, 20, 45]
    assert len(content["covariance"]) == len(content["parameter_names"]) == 12
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["forecast.json"]
    assert muonkit.forecast(folder / "one.toml", 1e7).w_mass.error == content["w_mass"]["error"]


def test_samples_have_numbers_of_their_own_or_share_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own, _ = forecast(capsys, folder / "two.toml", "--forecast", "3e5,1e6")
    assert [each["pairs"] for each in own["samples"]] == [3e5, 1e6]
    shared, _ = forecast(capsys, folder / "two.toml", "--forecast", "4e5")
    first, second = shared["samples"]
    assert first["pairs"] + second["pairs"] == pytest.approx(4e5)
    assert first["pairs"] / second["pairs"] == pytest.approx(first["simulated"] / second["simulated"])
    alone, _ = forecast(capsys, folder / "one.toml", "--forecast", "3e5")
    assert own["w_mass"]["error_of_data"] < alone["w_mass"]["error_of_data"], "the Z knows the scale of W"


def test_pairs_in_cells_that_are_too_thin_are_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    many = CALIBRATE.replace("-2.4, -1.2, 0.0, 1.2, 2.4", ", ".join(f"{0.4 * i - 2.4:.1f}" for i in range(13)))
    (folder / "thin.toml").write_text(many.replace('"A", "e", "M"', '"A"'))
    shares = []
    for pairs in ("1.5e4", "4e6"):
        found, _ = forecast(capsys, folder / "thin.toml", "--forecast", pairs)
        (sample,) = found["samples"]
        shares.append(sample["share_in_cells"])
        assert sample["failed"] == 0
    assert 0 < shares[0] < shares[1] < 1, "few simulated pairs make thin cells, too"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--forecast", "many"], "--forecast many: is no number"),
        (["--forecast", ""], "is no number"),
        (["--forecast", "0"], "--forecast 0: give a number of pairs from 1"),
        (["--forecast=-1e8"], "--forecast -1e+08: give"),
        (["--forecast", "nan"], "--forecast nan: give"),
        (["--forecast", "inf"], "--forecast inf: give"),
        (["--forecast", "1e6,2e6"], "2 numbers for 1 samples (jpsi)"),
        (["--forecast", "300"], "no cell holds 400 entries"),
        (["--forecast", "1e6", "--background", "1.5"], "--background 1.5: give a share"),
        (["--forecast", "1e6", "--background", "nan"], "--background nan: give a share"),
        (["--forecast", "1e6", "--background", "some"], "--background some: is no number"),
        (["--background", "0.1", "-o", "out"], "--background: belongs to --forecast"),
        ([], "-o OUT/: is missing"),
    ],
)
def test_what_cannot_be_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], says: str
) -> None:
    _, lines = forecast(capsys, folder / "one.toml", *options, code=2)
    lines = [line for line in lines if not line.startswith("count simulation")]
    assert len(lines) == 1
    assert says in lines[0]


def test_a_background_that_the_fit_does_not_have_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "without.toml").write_text(CALIBRATE + "background = false\n")
    _, lines = forecast(capsys, folder / "without.toml", "--forecast", "1e6", "--background", "0.1", code=2)
    assert lines == ["--background: fit.background is false in the configuration; leave out one of them"]


def test_simulation_must_be_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "other.toml").write_text(CALIBRATE.replace("simulation.parquet", "simulated.parquet"))
    _, lines = forecast(capsys, folder / "other.toml", "--forecast", "1e6", code=2)
    assert len(lines) == 1
    assert lines[0].startswith("simulated.parquet: there is no such file")


def test_a_forecast_does_not_overwrite_its_input(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "in").mkdir()
    (folder / "in" / "forecast.json").write_text((folder / "one.toml").read_text())
    _, lines = forecast(capsys, folder / "in" / "forecast.json", "--forecast", "1e6", "-o", str(folder / "in"), code=2)
    assert len(lines) == 1


def test_parameters_that_stay_open_are_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One cell per pair of eta bins has one pT, and cannot tell A from e."""
    one_cell = "\n[binning]\nlog_pt_ratio_bins = 1\ncos_dphi_bins = 1"
    wide = CALIBRATE.replace("\n[binning]", one_cell).replace("-2.4, -1.2, 0.0, 1.2, 2.4", "-2.4, 2.4")
    (folder / "open.toml").write_text(wide)
    _, lines = forecast(capsys, folder / "open.toml", "--forecast", "1e6", code=2)
    assert lines[-1].startswith("fit.parameters: the data do not fix a combination of")
