"""A study of a tracker of 15 500 modules: corrections of modules and field take away what A, e, M would have to."""

import json

import pytest

from muonkit.cli import main

STUDY = """
seed = 11
[detector]
name = "cms_like_tracker"
[[distort]]
kind = "field"
factor = 0.9995
[[distort]]
kind = "scatter"
layers = ["TOB/*"]
translation = [0.002, 0.002, 0.0]
[jpsi]
events = 4000
[muons]
tracks = 3000
pt = [[8, 14]]
[calibration]
eta_edges = [-2.4, 2.4]
parameters = ["A"]
log_pt_ratio_bins = 1
cos_dphi_bins = 1
[modules]
tracks = 8000
[modules.alignment]
u = 0.002
v = 0.002
w = 0.0
field = 0.01
field_order = 0
reference = ["P*", "TI*", "TEC*"]
"""


@pytest.mark.slow
def test_modules_lower_chi2_and_the_scale_left(tmp_path, capsys):
    (tmp_path / "study.toml").write_text(STUDY)
    assert main(["study", str(tmp_path / "study.toml"), "-o", str(tmp_path / "out"), "--json"]) in (0, 1)
    result = json.loads(capsys.readouterr().out)
    left = {stage["name"]: stage["left"] for stage in result["stages"]}
    for sample in ("jpsi", "μ 8-14 GeV"):
        before, after = (abs(left[f"improved fit{more}"][sample]["value"]) for more in ("", ", modules"))
        assert after < 0.7 * before
    contents = [
        json.loads((tmp_path / "out" / f"muons-{fit}.json").read_text())["content"] for fit in ("improved", "modules")
    ]
    before, after = (content["chi2"] / content["ndf"] for content in contents)  # muons that made no correction
    assert after < before - 0.003
