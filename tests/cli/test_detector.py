"""`muonkit detector`: what is in a description, in words, numbers and pictures."""

import json
from pathlib import Path

import pytest
from matplotlib.image import imread

from muonkit.cli import main
from muonkit.detector.detector import SHIPPED, shipped

NOTHING_IN_IT = """
schema = 1
name = "empty"
title = "Nothing"
envelope = { r = 10, z = [-10, 10] }
[field]
kind = "uniform"
B = [0, 0, 0]
"""


def test_shipped_detectors_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detector", "list"]) == 0
    assert capsys.readouterr().out.split() == list(shipped())


@pytest.mark.parametrize("name", shipped())
def test_show_sums_up_and_draws(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detector", "show", name, "-o", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"({name})" in lines[0]
    assert [Path(line).name for line in lines[-3:]] == [f"{name}-{what}.png" for what in ("rz", "xy", "material")]
    for line in lines[-3:]:
        picture = imread(line)[..., :3]
        assert min(picture.shape[:2]) > 300
        assert picture.std() > 0.02, "something is drawn"


def test_show_as_json_has_the_budget(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detector", "show", "cms_like_layers", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["title"] == "CMS-like tracker of layers"
    assert found["envelope_cm"] == {"r": 115, "z": [-280, 280]}
    assert found["field_at_origin_T"][2] == pytest.approx(3.81, abs=0.01)
    at_zero = found["budget"]["eta"].index(0.0)
    assert found["budget"]["sensors_crossed"][at_zero] == 17
    assert found["budget"]["x_over_X0"][at_zero] == pytest.approx(0.4, rel=0.1)
    by_part = found["budget"]["x_over_X0_by_part"]
    assert sum(values[at_zero] for values in by_part.values()) == pytest.approx(found["budget"]["x_over_X0"][at_zero])
    assert found["parts"]["PXB"] == {"surfaces": 3, "sensors": 3, "blocks": 0}
    assert found["figures"] == []


def test_show_takes_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.toml"
    path.write_text((SHIPPED / "telescope.toml").read_text().replace('"telescope"', '"mine"'))
    assert main(["detector", "show", str(path)]) == 0
    assert "(mine)" in capsys.readouterr().out


def test_show_copes_with_an_empty_detector(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "empty.toml"
    path.write_text(NOTHING_IN_IT)
    assert main(["detector", "show", str(path), "-o", str(tmp_path)]) == 0
    assert "0 surfaces, 0 with sensors; 0 blocks" in capsys.readouterr().out


def test_faults_are_lines_with_file_key_and_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.toml"
    text = (SHIPPED / "telescope.toml").read_text()
    path.write_text(text.replace('"silicon"', '"silicium"').replace("distance = [5,", "distance = [95,"))
    assert main(["detector", "show", str(path)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"{path}: layers \"plane/{{n:02d}}\": material 'silicium' is unknown")
    assert "outside of the envelope" in lines[1]


def test_no_such_detector_names_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detector", "show", "atlas"]) == 2
    error = capsys.readouterr().err
    assert "atlas: there is no such file" in error
    assert all(name in error for name in shipped())


def test_a_name_that_would_leave_the_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "escape.toml", tmp_path / "deep" / "out"
    path.write_text(NOTHING_IN_IT.replace('"empty"', '"../../escaped"'))
    assert main(["detector", "show", str(path), "-o", str(out)]) == 2
    assert "'../../escaped' cannot be the name of a file" in capsys.readouterr().err
    assert not list(tmp_path.glob("escaped*"))


def test_show_counts_modules_layer_by_layer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detector", "show", "cms_like_tracker", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert sum(layer["modules"] for layer in found["modules"].values()) == found["sensors"] > 5000
    assert found["modules"]["TIB/1"] | {"r": 0, "z": 0} == {"modules": 2 * 26 * 11, "bodies": 26, "r": 0, "z": 0}
    assert found["modules"]["TEC/bwd/9"]["bodies"] == 5
    assert main(["detector", "show", "cms_like_tracker", "-o", str(tmp_path)]) == 0
    assert "TEC/bwd/9                     312              5" in capsys.readouterr().out
    assert imread(tmp_path / "cms_like_tracker-xy-endcap.png")[..., :3].std() > 0.02
