"""The benchmarks of identification run, agree first, and end with their line of JSON."""

import importlib
import json
from importlib.util import find_spec

import pytest

needs_geant4 = pytest.mark.skipif(find_spec("geant4_pybind") is None, reason="geant4_pybind is not installed")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["likelihood", pytest.param("extrapolate", marks=needs_geant4)])
def test_results_agree_before_speed_is_told(name, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", [name, "--quick"])
    importlib.import_module(f"benchmarks.{name}").main()
    lines = capsys.readouterr().out.strip().splitlines()
    assert "difference" in lines[0]
    result = json.loads(lines[-1])
    assert set(result) == {"name", "ours", "theirs", "ratio", "unit"}
    assert result["ratio"] == pytest.approx(result["ours"] / result["theirs"])
