"""Corrections of several files on one grid: the differences are those that the files were made with."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.calibration import rochester_files as files
from tests.calibration import scare_files

from muonkit.calibration import export
from muonkit.calibration.bias import Bias
from muonkit.calibration.binning import MuonBins
from muonkit.calibration.parameters import ParameterValues
from muonkit.calibration.resolution import Resolution
from muonkit.calibration.schema import Content
from muonkit.cli import main
from muonkit.core.errors import InputError
from muonkit.pipelines.compare import compare
from muonkit.pipelines.convert import convert

EDGES = np.array([-2.0, 0.0, 2.0])
A, M = 1e-3, 2e-5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Corrections of muonkit, Rochester text, the same as JSON, and as MuonScaRe has it."""
    made = tmp_path_factory.mktemp("compare")
    bias, resolution = Bias(np.full(2, A), np.zeros(2), np.full(2, M)), Resolution(*np.full((4, 2), 1e-3))
    values = ParameterValues(bias, resolution)
    content = Content({"nominal": values}, values, MuonBins(EDGES), np.tile([3.0, 30.0], (2, 1)))
    export.write(made / "ours.json.gz", content)
    convert(files.write(made / "RoccoR.txt"), made / "converted.json.gz")
    scare_files.write(made / "scare.json", files.text())
    return made


def values(out: Path) -> dict[tuple[int, str], np.ndarray]:
    """Differences by number of the file and sample."""
    found = json.loads((out / "comparison.json").read_text())["differences"]
    return {(int(one["other"][0]), one["sample"]): np.array(one["difference"], dtype=float) for one in found}


def test_differences_are_those_of_the_formulas(folder: Path, tmp_path: Path) -> None:
    compare(folder / "ours.json.gz", [folder / "RoccoR.txt"], tmp_path, [20.0, 45.0])
    grid = json.loads((tmp_path / "comparison.json").read_text())["grid"]
    found, text = values(tmp_path)[1, "data"], files.text()
    assert found.shape == (2, 2, 48, 72)
    for i, q in enumerate(grid["charge"]):
        for j, pt in enumerate(grid["pt"]):
            for h, f in ((0, 0), (11, 30), (30, 55), (47, 71)):
                theirs = files.scale(text, 1, grid["eta"][h], grid["phi"][f], pt, q)
                assert found[i, j, h, f] == pytest.approx(theirs * (1 + A + q * M * pt) - 1, abs=2e-9)


def test_the_same_corrections_in_three_formats_do_not_differ(folder: Path, tmp_path: Path) -> None:
    others = [folder / "converted.json.gz", folder / "scare.json"]
    result = compare(folder / "RoccoR.txt", others, tmp_path, [20.0], layers=8)
    found = values(tmp_path)
    assert set(found) == {(1, "data"), (1, "simulation"), (2, "data"), (2, "simulation"), (2, "resolution")}
    assert all(np.abs(one).max() < 1e-9 for one in found.values())
    assert result.status == "DONE"
    drawn = {f"{kind}-{number}-{quantity}.png" for kind in ("profile", "map") for number, quantity in found}
    assert {Path(name).name for name in result.files} == drawn
    assert all(Path(name).stat().st_size > 10_000 for name in result.files)


@pytest.mark.parametrize("layers", [2, 8])
def test_resolutions_are_those_of_the_formulas(folder: Path, tmp_path: Path, layers: int) -> None:
    """Muons of fewer layers than the first bin belong to it."""
    compare(folder / "ours.json.gz", [folder / "RoccoR.txt"], tmp_path, [30.0], layers)
    found, text = values(tmp_path)[1, "resolution"], files.text()
    column = max(layers - files.LEAST, 0)
    a, b, c, width = (files.numbers(text, 0, 0, "R", v, 0)[column] for v in range(4))
    theirs = files.numbers(text, 0, 0, "F", 1)[0] * (a - 15 * b + 225 * c / 100) * width
    ours = 1e-6 + 1e-6 * (30.0**2 + 1e-6) / (1 + 1e-6 / 30.0**2)  # a^2 + c^2 (pT^2 + g^2) / (1 + d^2/pT^2), all 1e-3
    assert found[0, 0, 24, 5] == pytest.approx(theirs / np.sqrt(ours) - 1, abs=1e-6)


def test_table_has_differences_and_errors(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["compare", str(folder / "ours.json.gz"), str(folder / "RoccoR.txt"), str(folder / "scare.json")]
    assert main([*command, "-o", str(tmp_path), "--pt", "20"]) == 0
    shown = capsys.readouterr().out
    assert shown == (tmp_path / "comparison.txt").read_text()
    assert "1: RoccoR.txt (Rochester) / ours.json.gz (muonkit) - 1" in shown
    rows = json.loads((tmp_path / "comparison.json").read_text())["rows"]
    found = values(tmp_path)[1, "data"]
    for i, row in enumerate(rows[:2]):
        assert row["mean"] == pytest.approx(found[i, 0].mean(), abs=1e-9)
        assert row["rms"] == pytest.approx(found[i, 0].std(), abs=1e-9)
        assert abs(row["largest"]) == pytest.approx(np.abs(found[i, 0]).max(), abs=1e-9)
        assert row["error"] > 0
    assert all(("error" in row) == (row["other"][0] == "1" and row["sample"] == "data") for row in rows)


def test_points_that_a_file_does_not_cover_are_counted(folder: Path, tmp_path: Path) -> None:
    result = compare(folder / "RoccoR.txt", [folder / "ours.json.gz"], tmp_path, [20.0, 100.0])
    outside = 2 * sum(1 for i in range(24) if 2.4 * (i + 0.5) / 24 >= 2.0) * 72
    assert all(row.not_covered == outside for row in result.rows)
    assert np.isnan(values(tmp_path)[1, "data"]).sum() == 4 * outside
    assert any("points lie beyond the pT" in note for note in result.notes)


def test_files_without_a_point_in_common_are_told(tmp_path: Path, folder: Path) -> None:
    far = files.text().replace("CETA 3 -2.4 -1.1 0.2 2.4", "CETA 3 3.1 3.2 3.3 3.4")
    (tmp_path / "far.txt").write_text(far)
    result = compare(folder / "ours.json.gz", [tmp_path / "far.txt"], tmp_path / "out")
    assert (result.status, result.exit_code) == ("ATTENTION", 1)
    assert "covers no point that ours.json.gz covers" in result.message


def test_a_file_of_simulation_alone_has_nothing_to_compare(folder: Path, tmp_path: Path) -> None:
    scare_files.write(tmp_path / "mc.json", files.text(), ("mc",), width=False)
    result = compare(folder / "ours.json.gz", [tmp_path / "mc.json"], tmp_path / "out")
    assert not result.rows
    assert "has no sample in common" in str(result)


def broken(change: str) -> str:
    content = scare_files.content(files.text())
    if change == "lacks":
        del content["corrections"][1]
    elif change == "inputs":
        content["corrections"][0]["inputs"][0]["type"] = "int"
    elif change == "fewer":
        content["corrections"][5] |= {"inputs": content["corrections"][5]["inputs"][:2], "data": 1.0}
    elif change == "variation":
        return json.dumps(content).replace('"nom"', '"central"')
    else:
        content["corrections"] = [one | {"name": f"x{i}"} for i, one in enumerate(content["corrections"])]
    return json.dumps(content)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (broken("lacks"), "lacks the correction m_data; give a JSON of MuonScaRe"),
        (broken("inputs"), "the inputs of a_data are int, real, string in place of real, real, string"),
        (broken("fewer"), "the inputs of poly_params are real, real in place of real, number, int"),
        (broken("variation"), "a_data has no variation nom or nominal"),
        (broken("names"), "has corrections x0, x1, x2, x3, x4, x5, x6, which are of no kind that is known"),
        ("{", "is not valid JSON"),
        ("{}", "is damaged or not a correctionlib file"),
        ("[" * 10_000, "line 1: begins with '["),
        ("", "has no line NSET"),
        ("\x00", "line 1: begins with"),
    ],
)
def test_a_file_of_no_known_kind_is_one_line_each(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, fault: str
) -> None:
    (tmp_path / "in.json").write_text(text)
    assert main(["compare", str(folder / "ours.json.gz"), str(tmp_path / "in.json"), "-o", str(tmp_path / "out")]) == 2
    shown = capsys.readouterr().err
    assert fault in shown
    assert "Traceback" not in shown
    assert not (tmp_path / "out").exists()


def test_layers_have_bounds(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--layers: -1 is not a number from 0 to 100"):
        compare(folder / "ours.json.gz", [folder / "RoccoR.txt"], tmp_path, [20.0], -1)


@pytest.mark.parametrize("pt", [[], [0.0], [float("nan")], [float("inf")], [1.0] * 7])
def test_momenta_have_bounds(folder: Path, tmp_path: Path, pt: list[float]) -> None:
    with pytest.raises(InputError, match="--pt"):
        compare(folder / "ours.json.gz", [folder / "RoccoR.txt"], tmp_path, pt)


def test_names_of_files_can_have_any_letters(folder: Path, tmp_path: Path) -> None:
    odd = tmp_path / "a$b_{\\frac $ \n.txt"
    odd.write_text(files.text())
    assert len(compare(folder / "ours.json.gz", [odd], tmp_path / "out", [20.0]).files) == 4
