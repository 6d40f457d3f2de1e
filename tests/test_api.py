"""The Python API: instant to import, every name there, the same results as the commands."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import muonkit
from muonkit.cli import main
from muonkit.run.progress import silent

SIMULATE = """
[generate]
events = {events}
seed = {seed}
[spectrum]
pt_min = 6.0
[bias]
A = [{A}]
"""
CALIBRATE = """
[input]
data = ["data.parquet"]
simulation = ["simulation.parquet"]
[binning]
eta_edges = [-2.4, 0.0, 2.4]
[fit]
parameters = ["A"]
"""


def test_import_loads_nothing_heavy_and_is_instant() -> None:
    code = "import sys, time; t = time.perf_counter(); import muonkit; print(time.perf_counter() - t, *sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert float(shown[0]) < 0.1
    assert not {"numpy", "numba", "pydantic", "matplotlib"} & set(shown[1:])


@pytest.mark.parametrize("name", muonkit.__all__)
def test_every_name_is_there_and_says_what_it_does(name: str) -> None:
    assert name in dir(muonkit)
    assert getattr(muonkit, name).__doc__


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'calibrat'"):
        _ = muonkit.calibrat  # type: ignore[attr-defined]


def test_no_name_is_hidden_by_a_room() -> None:
    """A folder that is imported becomes an attribute of the package, and would take the place of the name."""
    rooms = {path.stem for path in Path(muonkit.__file__).parent.iterdir()}
    assert not rooms & set(muonkit.__all__)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Configurations, and samples made by the API."""
    made = tmp_path_factory.mktemp("api")
    for name, seed, A in (("data", 71, 1e-3), ("simulation", 72, 0.0)):
        (made / f"{name}.toml").write_text(SIMULATE.format(events=40_000, seed=seed, A=A))
        result = muonkit.simulate_dimuons(str(made / f"{name}.toml"), str(made / f"{name}.parquet"))
        assert (result.pairs, result.file) == (40_000, made / f"{name}.parquet")
    (made / "calibrate.toml").write_text(CALIBRATE)
    return made


@pytest.fixture(scope="module")
def calibrated(folder: Path) -> muonkit.CalibrationResult:
    return muonkit.calibrate(str(folder / "calibrate.toml"), folder / "api")


def test_calibration_equals_that_of_the_command(folder: Path, calibrated: muonkit.CalibrationResult) -> None:
    assert main(["calibrate", str(folder / "calibrate.toml"), "-o", str(folder / "command")]) == 0
    written = json.loads((folder / "command" / "calibration.json").read_text())
    content = json.loads(json.dumps(calibrated.to_json()))
    for each in (written, content):
        del each["provenance"]["created"]
    assert written == content
    corrections = [(folder / out / "corrections.json.gz").read_bytes() for out in ("api", "command")]
    assert corrections[0] == corrections[1]


def test_result_prints_a_table_and_judges_itself(calibrated: muonkit.CalibrationResult) -> None:
    assert calibrated.status == "PASS"
    assert np.all(np.abs(calibrated.A - 1e-3) < 4 * calibrated.errors["A"])
    assert np.isnan(calibrated.M).all()
    lines = str(calibrated).splitlines()
    assert lines[0] == "PASS: A in 2 eta bins on jpsi"
    assert lines[2].split() == ["eta", "A", "[10⁻³]"]
    assert len(lines[3:5]) == 2
    assert repr(calibrated) == "<CalibrationResult: PASS>"


def test_finished_calibration_is_read_again(folder: Path, calibrated: muonkit.CalibrationResult) -> None:
    read = muonkit.CalibrationResult.open(folder / "api")
    assert json.dumps(read.to_json()) == json.dumps(calibrated.to_json())
    assert str(read) == str(calibrated)
    again = muonkit.calibrate(folder / "calibrate.toml", folder / "api")
    assert again.provenance.created == calibrated.provenance.created


def test_folder_without_a_calibration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(muonkit.InputError, match=r"calibration\.json: cannot be read"):
        muonkit.CalibrationResult.open(tmp_path)


@pytest.mark.usefixtures("calibrated")
def test_corrections_are_applied_validated_and_reported(folder: Path) -> None:
    result = muonkit.apply(folder / "api", folder / "data.parquet", folder / "corrected.parquet")
    assert (result.muons, result.outside, result.status) == (80_000, 0, "DONE")
    validated = muonkit.validate(folder / "calibrate.toml", folder / "api", folder / "api" / "validation")
    assert validated.status == "PASS"
    assert abs(validated.after.mean - 1) < 3 * validated.after.mean_error
    assert validated.parameters is None
    report = muonkit.write_report(folder / "api")
    assert report.page.exists()
    assert report.key["validation"]["mean_after"] == validated.after.mean
    corrections = muonkit.Corrections.open(folder / "api" / "corrections.json.gz")
    assert corrections.eta_range == (-2.4, 2.4)


def test_tracks_are_simulated_and_fitted() -> None:
    gun = muonkit.Gun(particle="mu", p=(2.0, 20.0), eta=(-0.1, 0.1), phi=(-0.1, 0.1))
    telescope = muonkit.load_detector("telescope")
    truth, hits = muonkit.simulate_tracks("telescope", gun, 200, seed=1)
    tracks = muonkit.refit(hits, telescope)
    assert tracks.good.mean() > 0.95
    qop = truth.qop[truth.offsets[:-1]][tracks.good]
    assert abs(np.median(tracks.states.parameters[tracks.good, 4] / qop) - 1) < 0.01


def test_runner_that_is_open_is_used(folder: Path) -> None:
    shown = []

    def progress(what: str, total: int):  # type: ignore[no-untyped-def]
        shown.append(what)
        return silent(what, total)

    with muonkit.runner(progress=progress) as work:
        muonkit.calibrate(folder / "calibrate.toml", folder / "other", work=work)
    assert "count data" in shown
