"""Muons of NanoAOD in other columns than the standard ones, and the standard ones for those that are bad there."""

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
from tests.calibration.test_export import CONTENT
from tests.io import nano
from tests.io.pairs import choice
from tests.io.test_nanoaod import pieces

from muonkit.calibration import export
from muonkit.calibration.accumulate import CountSettings
from muonkit.calibration.binning import Binning, MuonBins
from muonkit.cli import main
from muonkit.core.arrays import FloatArray
from muonkit.core.errors import InputError
from muonkit.io.corrected import MuonRows, rewrite
from muonkit.io.source import inspect, refuse_fallback
from muonkit.pipelines.counting import CountTask, count

FIT = {
    "Muon_fitPt": [[9.5, -1.0, 7.5], [], [np.nan], [5.5, 6.5, 4.5, 3.5]],
    "Muon_fitEta": [[0.15, 0.25, 0.35], [], [1.5], [-1.5, -2.5, 0.5, 1.5]],
    "Muon_fitChi2": [[1.0, 1.0, 1.0], [], [1.0], [1.0, 99.0, np.nan, 1.0]],
    "Muon_factor": [[1.5, 2.0, 0.0], [], [1.0], [1.0, 1.0, 0.5, 1.0]],
}
PT_ETA = {"pt": "Muon_fitPt", "eta": "Muon_fitEta"}
GOOD = {"require": ["Muon_fitChi2 < 10"], "max_share": 0.5}


def written(path: Path, kind: str = "TTree", **changed: Any) -> Path:
    more = {name: ak.values_astype(ak.Array(values), np.float32) for name, values in (FIT | changed).items()}
    return nano.write(path, nano.content() | more, kind)


@pytest.mark.parametrize("kind", ["TTree", "RNTuple"])
def test_a_bad_muon_has_all_of_its_standard_columns(kind: str, tmp_path: Path) -> None:
    """pT <= 0, a chi2 above the limit, a chi2 that is NaN."""
    (checked,) = pieces(written(tmp_path / "a.root", kind), columns=PT_ETA, fallback=GOOD)
    table = checked.table
    np.testing.assert_array_equal(table.plus.pt, [9.5, 9.5, 5.5, 5.5, 6, 6])
    np.testing.assert_array_equal(table.minus.pt, np.array([8, 7.5, 4, 3.5, 4, 3.5]))
    np.testing.assert_array_equal(table.plus.eta, np.float32([0.15, 0.15, -1.5, -1.5, -2, -2]))
    np.testing.assert_array_equal(table.minus.eta, np.float32([0.2, 0.35, 0, 1.5, 0, 1.5]))
    assert (checked.rows, checked.summary.fell_back, checked.summary.mixed) == (8, 4, 3)
    assert checked.bad == ()


def test_data_and_simulation_are_read_alike(tmp_path: Path) -> None:
    """The chosen eta of the second muon is far from its generated muon, the standard one is near."""
    path = written(tmp_path / "a.root", Muon_fitEta=[[0.1, 9, 0.3], [], [1.0], [-1.0, -2.0, 0.0, 1.0]])
    (checked,) = pieces(path, True, columns=PT_ETA, fallback=GOOD)
    assert checked.table.gen_minus is not None
    np.testing.assert_array_equal(checked.table.gen_minus.pt, np.float32([8.1, 7.1, 4.1]))
    assert (checked.summary.fell_back, checked.summary.mixed) == (4, 2)


def test_without_fallback_they_are_bad(tmp_path: Path) -> None:
    (checked,) = pieces(written(tmp_path / "a.root"), columns=PT_ETA)
    assert (checked.summary.dropped, checked.summary.fell_back) == (2, 0)
    assert {bad.column for bad in checked.bad} == {"Muon_fitPt"}


def test_relative_pt_multiplies_the_standard_one(tmp_path: Path) -> None:
    path = written(tmp_path / "a.root")
    (bare,) = pieces(path, columns={"pt_factor": "Muon_factor"})
    np.testing.assert_array_equal(bare.table.minus.pt, [16, 2, 3, 2, 3])
    assert [bad.column for bad in bare.bad] == ["Muon_factor"]
    (kept,) = pieces(path, columns={"pt_factor": "Muon_factor"}, fallback={})
    np.testing.assert_array_equal(kept.table.minus.pt, [16, 7, 2, 3, 2, 3])
    assert (kept.summary.fell_back, kept.summary.mixed) == (1, 1)


def test_a_product_without_meaning_is_a_bad_muon(tmp_path: Path) -> None:
    pt = [[np.inf, 8.0, 7.0], [], [20.0], [5.0, 6.0, 4.0, 3.0]]
    path = written(tmp_path / "a.root", Muon_pt=pt, Muon_factor=[[0.0, 2.0, 1.0], [], [1.0], [1.0, 1.0, 1.0, 1.0]])
    for fallback in (None, {}):
        (checked,) = pieces(path, columns={"pt_factor": "Muon_factor"}, fallback=fallback)
        assert checked.summary.dropped == 1


def test_too_many_are_refused_and_few_are_reported(tmp_path: Path) -> None:
    path = written(tmp_path / "a.root")
    (checked,) = pieces(path, columns=PT_ETA, fallback=GOOD)
    (chunk,) = inspect(path, str(path), choice(format="nanoaod", columns=PT_ETA, fallback=GOOD), False)
    (line,) = refuse_fallback(checked.summary, chunk)
    assert line == (
        "data: 4 of 8 muons (50.00%) are bad in 'Muon_fitPt', 'Muon_fitEta' and have the standard columns; "
        "3 pairs have one such muon"
    )
    few = choice(format="nanoaod", columns=PT_ETA, fallback=GOOD | {"max_share": 0.1})
    (chunk,) = inspect(path, str(path), few, False)
    with pytest.raises(InputError, match="is allowed: look at"):
        refuse_fallback(checked.summary, chunk)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"columns": {"pt": "Muon_fitPT"}}, "'Muon_fitPT' is missing .* Did you mean 'Muon_fitPt'"),
        ({"columns": PT_ETA, "fallback": {"require": ["Muon_fitChi < 1"]}}, "Did you mean 'Muon_fitChi2'"),
        ({"columns": {"pt": "Muon_fitPt", "Muon_pt": "Muon_pt"}}, "pt: is the same as Muon_pt; leave one out"),
        ({"columns": {"pt": "Muon_fitPt", "pt_factor": "Muon_factor"}}, "pt_factor: is relative to Muon_pt"),
        ({"fallback": {}}, "no other columns than the standard ones are chosen"),
        ({"columns": {"pt_facto": "Muon_factor"}}, "did you mean 'pt_factor'"),
        ({"columns": {"pt_factor": "run"}}, "column 'run' holds number, but"),
    ],
)
def test_a_wrong_choice_is_one_line(settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message) as error:
        pieces(written(tmp_path / "a.root"), **settings)
    assert len(error.value.faults) == 1


@pytest.mark.parametrize("text", ["Muon_x", "Muon_x < ", "Muon_x < a", "< 1", "Muon_x = 1", "Muon_x < nan"])
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write COLUMN < NUMBER"):
        choice(format="nanoaod", fallback={"require": [text]})


def test_only_nanoaod_has_standard_columns(tmp_path: Path) -> None:
    with pytest.raises(InputError, match='only format = "nanoaod" has standard columns'):
        rewrite(written(tmp_path / "a.root"), tmp_path / "b.root", choice(fallback={}), lambda muons: muons.pt)


def by_charge(muons: MuonRows) -> FloatArray:
    return muons.pt * (1 + 0.5 * muons.charge)


@pytest.mark.parametrize("ending", [".root", ".parquet"])
def test_corrected_pt_stands_in_the_column_that_was_used(ending: str, tmp_path: Path) -> None:
    path, out = written(tmp_path / "a.root"), tmp_path / f"out{ending}"
    if ending == ".parquet":
        path = tmp_path / "a.parquet"
        more = {name: ak.Array(values) for name, values in FIT.items()}
        ak.to_parquet(ak.Array(nano.content() | more), path)
    done = rewrite(path, out, choice(format="nanoaod", columns=PT_ETA, fallback=GOOD), by_charge)
    assert (done.muons, done.unchanged, done.fell_back) == (8, 0, 4)
    table = uproot.open(out)["Events"].arrays() if ending == ".root" else ak.from_parquet(out)
    new = [[14.25, 4.0, 3.75], [], [30.0], [8.25, 9.0, 2.0, 1.75]]
    assert table["Muon_fitPt"].to_list() == new
    assert table["Muon_pt"].to_list() == nano.MUONS["Muon_pt"]
    assert table["Muon_fitPt_original"].to_list()[0] == FIT["Muon_fitPt"][0]


def test_the_corrected_factor_gives_corrected_pt(tmp_path: Path) -> None:
    used = choice(format="nanoaod", columns={"pt_factor": "Muon_factor"}, fallback={"max_share": 0.2})
    done = rewrite(written(tmp_path / "a.root"), tmp_path / "b.root", used, by_charge)
    table = uproot.open(tmp_path / "b.root")["Events"].arrays()
    assert done.fell_back == 1
    assert table["Muon_pt"].to_list() == nano.MUONS["Muon_pt"]
    pt = table["Muon_pt"] * table["Muon_factor"]
    np.testing.assert_allclose(ak.flatten(pt), [20.25, 8, 3.5, 30, 7.5, 9, 1, 1.5], rtol=1e-6)
    with pytest.raises(InputError, match="already corrected"):
        rewrite(tmp_path / "b.root", tmp_path / "c.root", used, by_charge)


def test_a_calibration_counts_them(tmp_path: Path) -> None:
    (chunk,) = inspect(
        written(tmp_path / "a.root"), "a.root", choice(format="nanoaod", columns=PT_ETA, fallback=GOOD), False
    )
    wide = np.array([-9.0, 9.0])
    found = count(
        [CountTask(chunk, CountSettings(Binning(MuonBins(wide), wide, wide), (2.0, 4.0), 20, 3.1, (0, 1e9)))], map, 0.01
    )
    assert (found.rows.fell_back, found.rows.mixed) == (4, 3)
    assert "4 of 8 muons" in found.warnings[0]


def test_the_command_says_how_many_there_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corrections = tmp_path / "corrections.json.gz"
    export.write(corrections, CONTENT)
    path = written(tmp_path / "a.root")
    start = ["apply", str(corrections), str(path), "-o", str(tmp_path / "b.root"), "--columns", "pt=Muon_fitPt"]
    fallback = ["--fallback", "Muon_fitChi2 < 10", "Muon_fitPt > 4"]
    assert main([*start, *fallback, "--max-fallback-share", "0.8"]) == 0
    assert "5 with the standard columns in place of the chosen ones" in capsys.readouterr().out
    for more, message in (
        (fallback, "62.50%"),
        (["--fallback", "Muon_fitChi2 10"], "write COLUMN < NUMBER"),
        (["--max-fallback-share", "2"], "fallback.max_share: Input should be less than or equal to 1"),
    ):
        assert main([*start, *more]) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert message in line
