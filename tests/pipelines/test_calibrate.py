"""`muonkit calibrate` from files to corrections: contents, closure, resume, bit-equality, bad input."""

import gzip
import json
import shutil
from pathlib import Path

import correctionlib
import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.pipelines.conftest import CALIBRATE, INJECTED, Run, simulate

from muonkit.calibration.config import Calibrate
from muonkit.calibration.export import Corrections
from muonkit.calibration.result import CalibrationResult
from muonkit.cli import main
from muonkit.core.config import load
from muonkit.core.kinematics import mass
from muonkit.io.source import Chunk
from muonkit.pipelines import counting, inputs
from muonkit.pipelines.looks import Softest, reconstructed_cut


def test_out_holds_what_is_promised(run: Run) -> None:
    names = {path.name for path in run.out.iterdir()}
    assert {"calibration.json", "corrections.json.gz", "cells.parquet", "masses.json.gz", "config.toml"} <= names
    assert {"report.html", "report.json"} <= names
    assert (run.out / "config.toml").read_text() == CALIBRATE
    assert not (run.out / ".parts").exists()
    promised = {"eta_edges", "A", "e", "M", "parameter_names", "covariance", "chi2", "ndf", "cells", "resonance"}
    assert promised | {"diagnostics", "provenance"} <= set(run.content)
    assert run.content["parameter_names"][:2] == ["A_0", "A_1"]
    assert set(run.content["cells"]) >= {"fitted", "failed", "skipped"}


def test_injected_values_come_back(run: Run) -> None:
    vector = np.concatenate([run.content[name] for name in "AeM"])
    residual = vector - np.concatenate([INJECTED[name] for name in "AeM"])
    chi2 = residual @ np.linalg.solve(np.array(run.content["covariance"]), residual)
    assert chi2 < 30, "12 degrees of freedom; 30 is 0.3 %"


def test_closure_on_the_same_and_on_the_other_half(run: Run) -> None:
    same, split = (run.content["closure"][name]["test"] for name in ("same", "split"))
    assert same["chi2"] < 0.1 * same["ndf"], "the same muons: only rebinning may differ"
    assert split["p_value"] > 1e-3


def test_histogram_holds_the_fitted_pairs(run: Run) -> None:
    content = json.loads(gzip.decompress((run.out / "masses.json.gz").read_bytes()))
    assert [axis["metadata"]["name"] for axis in content["axes"]] == ["cell", "mass"]
    cells = pq.read_table(run.out / "cells.parquet")
    assert np.sum(content["storage"]["values"]) == pytest.approx(sum(cells["entries"].to_pylist()))


def test_corrections_evaluate_to_the_model_with_the_right_signs(run: Run) -> None:
    scale = correctionlib.CorrectionSet.from_file(str(run.out / "corrections.json.gz"))["scale"]
    A, e, M = (run.content[name][3] for name in "AeM")
    for q in (-1, 1):
        expected = 1 / (1 + A - e / 20 + q * M * 20)
        assert scale.evaluate("nominal", 1.5, 20.0, q) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(RuntimeError, match="above bounds"):
        scale.evaluate("nominal", 2.5, 20.0, 1)


def test_eigen_variations_add_up_to_the_covariance(run: Run) -> None:
    """Sum of squared shifts of the scale at one point against its propagated variance."""
    scale = correctionlib.CorrectionSet.from_file(str(run.out / "corrections.json.gz"))["scale"]
    nominal = scale.evaluate("nominal", 0.6, 8.0, 1)
    shifts = [scale.evaluate(f"eigen_{i}_up", 0.6, 8.0, 1) - nominal for i in range(12)]
    gradient = np.zeros(12)
    gradient[[2, 6, 10]] = 1, -1 / 8, 8
    variance = gradient @ np.array(run.content["covariance"]) @ gradient
    assert np.sum(np.square(shifts)) == pytest.approx(variance, rel=2e-3)


def test_effects_of_the_bias_budget_are_variations(run: Run) -> None:
    """Each by its name, up and down, of the size that calibration.json gives; none that the run did not evaluate."""
    scale = correctionlib.CorrectionSet.from_file(str(run.out / "corrections.json.gz"))["scale"]
    systematics = run.content["systematics"]
    effects = {"window", "kernel_curvature", "kernel_mass", "kernel_width", "radiation", "migration", "background"}
    assert set(systematics) == effects | {"selection", "resonance_mass"}
    names = Corrections(run.out / "corrections.json.gz").variation_names
    assert {name for name in names if name.startswith("syst")} == {
        f"syst_{name}_{side}" for name in systematics for side in ("up", "down")
    }
    values = np.concatenate([run.content[name] for name in "AeM"])
    for name, shift in systematics.items():
        for side, sign in (("up", 1), ("down", -1)):
            A, e, M = (values + sign * np.array(shift))[2::4]
            expected = 1 / (1 + A - e / 8 - M * 8)
            assert scale.evaluate(f"syst_{name}_{side}", 0.6, 8.0, -1) == pytest.approx(expected, rel=1e-12)
            assert expected != scale.evaluate("nominal", 0.6, 8.0, -1), "none of size 0"
    changes = {line["effect"].replace(" ", "_"): line["shift"] for line in run.content["budget"]}
    assert changes["radiation"][0] < -1e-4, "the sizes of the page"
    assert np.mean(systematics["radiation"][:4]) < -1e-4


def test_results_are_bit_equal_for_any_number_of_jobs(run: Run, tmp_path: Path) -> None:
    assert main(["calibrate", str(run.folder / "calibrate.toml"), "-o", str(tmp_path / "out")]) == 0
    again = json.loads((tmp_path / "out" / "calibration.json").read_text())
    for key in ("A", "e", "M", "covariance", "chi2"):
        assert again[key] == run.content[key]


def test_killed_run_goes_on_where_it_stopped(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = counting.count_piece
    done: list[int] = []

    def killed(task: counting.CountTask) -> object:
        done.append(1)
        if len(done) == 3:
            raise KeyboardInterrupt
        return work(task)

    monkeypatch.setattr(counting, "count_piece", killed)
    arguments = ["calibrate", str(run.folder / "calibrate.toml"), "-o", str(tmp_path / "out")]
    assert main(arguments) == 3
    assert not (tmp_path / "out" / "calibration.json").exists()
    assert len(list((tmp_path / "out" / ".parts").rglob("*.npz"))) == 2
    assert main(arguments) == 0
    assert len(done) == 3 + 4 + 4 + 4 - 2, "the first two chunks were not counted again"
    again = json.loads((tmp_path / "out" / "calibration.json").read_text())
    assert again["A"] == run.content["A"]


def test_finished_run_is_not_done_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(_: counting.CountTask) -> object:
        raise AssertionError("nothing is left to count")

    monkeypatch.setattr(counting, "count_piece", never)
    written = (run.out / "calibration.json").stat().st_mtime_ns
    assert main(["calibrate", str(run.folder / "calibrate.toml"), "-o", str(run.out)]) == 0
    assert (run.out / "calibration.json").stat().st_mtime_ns == written


def refused(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> list[str]:
    capsys.readouterr()
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    talk = ("count ", "fit ", "simulate ")
    return [line for line in captured.err.strip().splitlines() if not line.startswith(talk)]


def test_out_of_another_config_is_refused(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    other = run.folder / "other.toml"
    other.write_text(CALIBRATE + "min_entries = 500\n")
    lines = refused(capsys, ["calibrate", str(other), "-o", str(run.out)])
    assert len(lines) == 1
    assert "holds the run of another configuration" in lines[0]
    assert "choose another -o" in lines[0]


def test_no_pairs_in_the_window_is_refused(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = run.folder / "upsilon.toml"
    config.write_text(CALIBRATE + '[resonance]\nname = "upsilon1s"\n')
    lines = refused(capsys, ["calibrate", str(config), "-o", str(tmp_path / "out")])
    assert len(lines) == 1
    assert "none of 200000 pairs passes the selection in the mass window 9-9.9 GeV" in lines[0]


def test_simulation_of_another_place_is_refused(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(run.folder / "data.parquet", tmp_path)
    simulate(tmp_path, "simulation.parquet", events=2000, seed=3, resonance="z", cut=20.0, pt_min=0.0)
    (tmp_path / "calibrate.toml").write_text(CALIBRATE)
    lines = refused(capsys, ["calibrate", str(tmp_path / "calibrate.toml"), "-o", str(tmp_path / "out")])
    assert len(lines) == 1
    assert "no simulated pair falls in a cell that has data" in lines[0]


def test_faults_of_all_files_are_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data.parquet").write_bytes(b"")
    (tmp_path / "calibrate.toml").write_text(CALIBRATE)
    lines = refused(capsys, ["calibrate", str(tmp_path / "calibrate.toml"), "-o", str(tmp_path / "out")])
    assert len(lines) == 2
    assert "data.parquet: is empty" in lines[0]
    assert "simulation.parquet: there is no such file" in lines[1]


def test_cut_in_reconstructed_pt_is_warned_of(run: Run, tmp_path: Path) -> None:
    table = pq.read_table(run.folder / "data.parquet")
    smaller = np.minimum(table["plus_pt"].to_numpy(), table["minus_pt"].to_numpy())
    pq.write_table(table.filter(smaller > 4.0), tmp_path / "data.parquet")
    shutil.copy(run.folder / "simulation.parquet", tmp_path)
    (tmp_path / "calibrate.toml").write_text(CALIBRATE)
    main(["calibrate", str(tmp_path / "calibrate.toml"), "-o", str(tmp_path / "out")])
    content = json.loads((tmp_path / "out" / "calibration.json").read_text())
    assert any("cut at reconstructed pT = 4 GeV" in warning for warning in content["warnings"])
    assert not any("cut at reconstructed pT" in warning for warning in run.content["warnings"])


@pytest.mark.parametrize(("invariant", "warned"), [(False, True), (True, False)])
def test_only_a_cut_that_is_not_invariant_is_warned_of(run: Run, invariant: bool, warned: bool) -> None:
    config = load(run.folder / "calibrate.toml", Calibrate)
    data = inputs.pieces(config, run.folder).data
    settings = inputs.settings(config, data, map)
    table = counting.load(data[0])[0]
    smaller = np.minimum(table.plus.pt, table.minus.pt)
    kept = table[smaller > 4.8 * (mass(table.plus, table.minus) / 3.0969 if invariant else 1)]
    assert (reconstructed_cut([("data.parquet", Softest.of(kept, settings))], settings) is not None) == warned


def test_a_cut_in_a_file_behind_a_small_one_that_is_not_cut_is_warned_of(run: Run) -> None:
    config = load(run.folder / "calibrate.toml", Calibrate)
    data = inputs.pieces(config, run.folder).data
    settings = inputs.settings(config, data, map)
    table = counting.load(data[0])[0]
    smaller = np.minimum(table.plus.pt, table.minus.pt)
    whole, cut = table[:2000], table[np.flatnonzero(smaller > 4.8)]
    pieces = [("small.parquet", Softest.of(whole, settings))]
    pieces += [("cut.parquet", Softest.of(cut[part::3], settings)) for part in range(3)]
    warning = reconstructed_cut(pieces, settings)
    assert warning is not None
    assert "the pairs of cut.parquet seem to be cut at reconstructed pT = 4.8 GeV" in warning
    assert reconstructed_cut(pieces[:1], settings) is None
    many = [(f"{i}.parquet", Softest.of(cut[i::100], settings)) for i in range(100)]
    together = reconstructed_cut(many, settings)
    assert together is not None
    assert "the pairs seem to be cut at reconstructed pT = 4.8 GeV" in together


def test_cells_do_not_depend_on_which_file_is_first_or_on_empty_ones(run: Run, tmp_path: Path) -> None:
    table = pq.read_table(run.folder / "data.parquet")
    low = table.filter(np.minimum(table["plus_pt"].to_numpy(), table["minus_pt"].to_numpy()) < 1.0)
    for name, part in (("a", low), ("b", table.slice(0, 100_000)), ("c", table.slice(100_000))):
        pq.write_table(part, tmp_path / f"{name}.parquet")
    shutil.copy(run.folder / "simulation.parquet", tmp_path)
    whole = inputs.settings(load(run.folder / "calibrate.toml", Calibrate), run_data(run.folder), map)
    files = '"a.parquet", "b.parquet", "c.parquet"'
    (tmp_path / "calibrate.toml").write_text(CALIBRATE.replace('"data.parquet"', files))
    config = load(tmp_path / "calibrate.toml", Calibrate)
    split = inputs.settings(config, inputs.pieces(config, tmp_path).data, map)
    np.testing.assert_array_equal(split.binning.log_pt_ratio_edges, whole.binning.log_pt_ratio_edges)
    np.testing.assert_array_equal(split.binning.cos_dphi_edges, whole.binning.cos_dphi_edges)


def run_data(folder: Path) -> list[Chunk]:
    return inputs.pieces(load(folder / "calibrate.toml", Calibrate), folder).data


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 8, 100])
def test_pieces_are_looked_at_in_an_order_that_spreads(n: int) -> None:
    order = inputs.spread(n)
    assert sorted(order) == list(range(n))
    assert order[:1] == [0][:n]
    if n >= 8:
        assert max(np.diff(sorted(order[:4]))) <= n / 2


def test_a_file_that_is_there_twice_is_refused_and_the_same_file_by_two_names_is_read_once(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("data", "simulation"):
        shutil.copy(run.folder / f"{name}.parquet", tmp_path)
    shutil.copy(tmp_path / "data.parquet", tmp_path / "copy.parquet")
    config = tmp_path / "calibrate.toml"
    config.write_text(CALIBRATE.replace('"data.parquet"', '"data.parquet", "copy.parquet"'))
    (line,) = refused(capsys, ["calibrate", str(config), "-o", str(tmp_path / "out")])
    assert "copy.parquet: 200000 pairs stand in data.parquet too (same event, same muons)" in line
    assert "50.00% of all pairs are repeated, 1.00% is allowed" in line
    config.write_text(CALIBRATE)
    once = inputs.pieces(load(config, Calibrate), tmp_path)
    config.write_text(CALIBRATE.replace('"data.parquet"', '"data.parquet", "./data.parquet"'))
    found = inputs.pieces(load(config, Calibrate), tmp_path)
    assert found.data == once.data
    assert found.notes == (
        "1 file is named more than once in [input] (./data.parquet is data.parquet); each is read once",
    )


def test_what_was_used_and_what_was_not_is_printed_and_adds_up(run: Run) -> None:
    rows, pairs = run.content["rows_read"], run.content["pairs"]
    assert rows == dict.fromkeys(rows, 0) | {"read": 200_000}
    assert pairs["read"] == sum(number for name, number in pairs.items() if name != "read")
    text = str(CalibrationResult.open(run.out))
    assert "Rows read, bad" in text
    assert "Pairs outside mass window, cuts, eta" in text
