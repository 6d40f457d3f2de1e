"""The benchmark of modules ends with its line of JSON."""

import json

import pytest

from benchmarks import modules


@pytest.mark.slow
def test_time_does_not_grow_with_the_number_of_sensors(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["modules", "--quick"])
    modules.main()
    result = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert set(result) == {"name", "ours", "ratio", "unit", "simulation", "fit"}
    assert result["ratio"] < 2, "a search through all of them would take 20 times as long"
