"""The benchmark runs, agrees first, and ends with its line of JSON."""

import json

import pytest

from benchmarks import unbinned


@pytest.mark.slow
def test_results_agree_before_speed_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["unbinned", "--quick"])
    unbinned.main()
    lines = capsys.readouterr().out.strip().splitlines()
    assert "values agree to" in lines[-2]
    result = json.loads(lines[-1])
    assert set(result) == {"name", "ours", "theirs", "ratio", "unit"}
    assert result["ratio"] == pytest.approx(result["theirs"] / result["ours"])
