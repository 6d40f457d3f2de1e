"""The list of weak modes names those of a tracker."""

import pytest

from benchmarks import weak_modes


@pytest.mark.slow
def test_it_lists_modes_and_named_distortions(monkeypatch, capsys, tmp_path):
    picture = tmp_path / "modes.png"
    options = "--detector cms_like_layers --level surface --tracks 600 --modes 3 --figure"
    monkeypatch.setattr("sys.argv", ["weak_modes", *options.split(), str(picture)])
    weak_modes.main()
    text = capsys.readouterr().out
    assert all(f"  {name}" in text for name in ("twist", "telescope", "sagitta"))
    assert text.count("\n  ") > 3
    assert picture.stat().st_size > 1000
