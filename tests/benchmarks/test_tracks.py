"""The benchmarks against ACTS run, agree first, and end with their line of JSON."""

import importlib
import json

import pytest

pytest.importorskip("acts", reason="ACTS is not installed: pip install 'muonkit[oracles]'")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["propagate", "kalman", "refit"])
def test_results_agree_before_speed_is_told(name, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", [name, "--quick"])
    importlib.import_module(f"benchmarks.{name}").main()
    lines = capsys.readouterr().out.strip().splitlines()
    assert any("difference" in line for line in lines)
    result = json.loads(lines[-1])
    assert set(result) == {"name", "ours", "theirs", "ratio", "unit"}
    assert result["ratio"] == pytest.approx(result["ours"] / result["theirs"])
