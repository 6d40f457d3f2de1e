"""The benchmark of the alignment runs and ends with its line of JSON."""

import json

import pytest

from benchmarks import alignment


@pytest.mark.slow
def test_it_ends_with_its_line(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["alignment", "--quick", "--largest", "900"])
    alignment.main()
    lines = capsys.readouterr().out.strip().splitlines()
    assert lines[4].endswith("extrapolated")
    result = json.loads(lines[-1])
    assert set(result) == {"name", "ours", "theirs", "ratio", "unit"}
    assert result["ours"]["seconds"] > 0
