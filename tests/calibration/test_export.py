"""Corrections as a file: its formulas are those of Python, or it is not written."""

from pathlib import Path

import numpy as np
import pytest

from muonkit.calibration import export
from muonkit.calibration.bias import Bias
from muonkit.calibration.export import Corrections
from muonkit.calibration.resolution import Resolution

EDGES = np.array([-2.4, 0.0, 2.4])
BIASES = {
    "nominal": Bias(np.array([1e-3, -2e-3]), np.array([2e-3, 5e-3]), np.array([3e-5, -4e-5])),
    "eigen_0_up": Bias(np.array([2e-3, -1e-3]), np.array([1e-3, 6e-3]), np.array([2e-5, -5e-5])),
}
DATA = Resolution(*(np.array([value, 1.1 * value]) for value in (0.012, 2e-4, 30.0, 10.0)))
SIMULATION = Resolution(*(np.array([value, 1.2 * value]) for value in (0.010, 1e-4, 20.0, 10.0)))


def test_written_formulas_are_those_of_python(tmp_path: Path) -> None:
    path = tmp_path / "corrections.json.gz"
    export.write(path, BIASES, DATA, SIMULATION, EDGES)
    assert Corrections.open(path, "eigen_0_up").variation_names == list(BIASES)


def test_the_bytes_of_the_file_follow_from_the_corrections_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not from the process: a validation knows its corrections by the digest of the file."""
    written = []
    for process in (7, 12345):
        monkeypatch.setattr("os.getpid", lambda process=process: process)
        export.write(tmp_path / "corrections.json.gz", BIASES, DATA, SIMULATION, EDGES)
        written.append((tmp_path / "corrections.json.gz").read_bytes())
    assert written[0] == written[1]


@pytest.mark.parametrize(
    ("formula", "right", "wrong", "what"),
    [
        ("SCALE_FORMULA", "-[1]/x", "+[1]/x", "scale"),
        ("VARIANCE", "[2]*[2]", "[2]", "resolution"),
        ("SMEAR_FORMULA", "[4]*[4]", "[4]", "smear"),
        ("SMEAR_FORMULA", "y*", "0.5*y*", "smear"),
        ("NORMAL", "stdnormal", "stdflat", "smear"),
    ],
)
def test_a_wrong_formula_is_noticed_when_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, formula: str, right: str, wrong: str, what: str
) -> None:
    content = export.build(BIASES, DATA, SIMULATION, EDGES)
    if formula != "NORMAL":
        monkeypatch.setattr(export, formula, getattr(export, formula).replace(right, wrong))
        content = export.build(BIASES, DATA, SIMULATION, EDGES)
    else:
        rule = content["corrections"][2]["data"]["content"][0]["rule"]
        content["corrections"][2]["data"]["content"][0]["rule"] = rule | {"distribution": wrong}
    monkeypatch.setattr(export, "build", lambda *_: content)
    with pytest.raises(AssertionError, match=f"{what}.*differ from the Python evaluation"):
        export.write(tmp_path / "corrections.json.gz", BIASES, DATA, SIMULATION, EDGES)
