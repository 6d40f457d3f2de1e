"""The benchmark of the calibration makes its sample once, runs, and ends with its line of JSON."""

import json
from pathlib import Path

import pytest

from benchmarks import calibrate


@pytest.mark.slow
def test_a_calibration_is_timed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(calibrate, "QUICK", calibrate.Size(150_000, 2, 1))
    monkeypatch.setattr("sys.argv", ["calibrate", "--quick", "--sample", str(tmp_path)])
    calibrate.main()
    result = json.loads(capfd.readouterr().out.strip().splitlines()[-1])
    assert set(result) == {"name", "ours", "cpu", "gigabytes", "unit"}
    assert len(list(tmp_path.rglob("*.parquet"))) == 3
