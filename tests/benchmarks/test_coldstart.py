"""The benchmark of first runs prints its table and ends with its line of JSON."""

import json

import pytest

from benchmarks import coldstart


@pytest.mark.slow
def test_first_runs_are_timed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["coldstart", "--quick"])
    coldstart.main()
    lines = capsys.readouterr().out.strip().splitlines()
    assert [line[:18].strip() for line in lines[2:-1]] == list(coldstart.QUICK)
    result = json.loads(lines[-1])
    assert set(result) == {"name", "ours", "theirs", "ratio", "unit"}
    assert result["ratio"] == pytest.approx(result["ours"] / result["theirs"])
