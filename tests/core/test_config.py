"""Configuration: every fault is one line with file, key and the way out."""

from pathlib import Path

import pytest

from muonkit.calibration.config import Calibrate
from muonkit.core import config
from muonkit.core.errors import InputError
from muonkit.simulation.dimuons.config import SimulateDimuons

GOOD = """
[input]
data = ["a.parquet"]
[binning]
eta_edges = [-2.4, 0.0, 2.4]
"""


def faults(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        config.parse(text, Calibrate, "calib.toml")
    return caught.value.faults


def test_defaults_are_those_of_the_documentation() -> None:
    found = config.parse(GOOD, Calibrate)
    assert found.resonance.name == "jpsi"
    assert found.resonance.mass_window == (2.92, 3.28)
    assert found.selection.scaled_pt_min == 4.0
    assert found.fit.parameters == ("A", "e", "M")


def test_misspelt_key_gets_a_suggestion() -> None:
    assert faults(GOOD + "[fit]\nmin_entires = 100\n") == [
        "calib.toml: fit.min_entires: unknown key; did you mean 'min_entries'?"
    ]


def test_missing_section_is_named() -> None:
    assert faults("[binning]\neta_edges = [0.0, 1.0]\n") == ["calib.toml: input: is missing; add it"]


def test_all_faults_are_told_at_once() -> None:
    text = '[input]\ndata = []\n[binning]\neta_edges = [0.0, 1.0, 0.5]\n[fit]\nparameters = ["e"]\n'
    text += '[resonance]\nname = "omega"\n'
    lines = faults(text)
    assert len(lines) == 4
    assert any("binning.eta_edges: edges must rise, but 1 is followed by 0.5" in line for line in lines)
    assert any("'A' is always fitted" in line for line in lines)
    assert any("resonance.name" in line and "jpsi" in line and "'omega'" in line for line in lines)


def test_broken_toml_is_told_with_its_place() -> None:
    assert faults("[input\n")[0].startswith("calib.toml: not valid TOML: ")


def test_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        config.load(tmp_path / "absent.toml", Calibrate)


def test_values_per_eta_bin_must_fit_the_bins() -> None:
    with pytest.raises(InputError, match="A: 2 values for 3 eta bins; give one, or one per bin"):
        config.parse(
            "[generate]\nevents = 1\n[bias]\neta_edges = [0.0, 1.0, 2.0, 3.0]\nA = [1.0, 2.0]\n", SimulateDimuons
        )


def test_faults_are_lines_of_limited_length_and_number() -> None:
    lines = faults(
        GOOD + "[fit]\n" + "\n".join(f'"k{i}\\n" = 1' for i in range(200)) + '\nmin_entries = "' + "x" * 9000 + '"\n'
    )
    assert len(lines) == config.MOST_FAULTS + 1
    assert lines[-1] == "calib.toml: and 151 faults more"
    assert all(line.isprintable() and len(line) < 1000 for line in lines)
