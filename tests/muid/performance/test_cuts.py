"""Cuts by p and theta, as tables and as correctionlib."""

import numpy as np
import pytest
from tests.muid.performance.test_fine import FINE, filled

from muonkit.muid.performance import cuts_file
from muonkit.muid.performance.cuts import FROM_ALL, FROM_P, MEASURED, NEAREST, UNREACHABLE, cut_table
from muonkit.muid.performance.fine import CELLS

P, THETA = np.array([0.5, 1.0, 2.0, 5.0]), np.array([15.0, 60.0, 150.0])


def histograms():
    """Bin (0, 0) has muons at 10 + N, (0, 1) few, (1, 0) too many without score, (1, 1) at 40, (2, :) too few."""
    rng = np.random.default_rng(1)
    counts = np.zeros((3, 2, CELLS), dtype=np.int64)
    counts[0, 0] = filled(rng.normal(10, 4, 4000))
    counts[0, 1] = filled(rng.normal(-20, 4, 5))
    counts[1, 0] = filled(np.r_[rng.normal(40, 4, 700), np.full(300, -np.inf)])
    counts[1, 1] = filled(rng.normal(40, 4, 4000))
    counts[2, 0] = filled(rng.normal(60, 4, 3))
    return counts


def table(efficiency=0.9):
    return cut_table(histograms(), efficiency, P, THETA, FINE, 50)


def test_every_bin_says_where_its_cut_is_from():
    expected = [[MEASURED, FROM_P], [UNREACHABLE, MEASURED], [FROM_ALL, FROM_ALL]]
    assert table().status.tolist() == expected
    assert table(0.6).status.tolist() == [[MEASURED, FROM_P], [MEASURED, MEASURED], [FROM_ALL, FROM_ALL]]


def test_values_of_bins_and_of_their_stand_ins():
    found, counts = table(), histograms()
    assert found.cut[0, 0] == pytest.approx(10 - 1.2816 * 4, abs=0.3)
    assert found.cut[0, 1] == pytest.approx(
        cut_table(counts.sum(1, keepdims=True), 0.9, P, THETA[[0, 2]], FINE, 1).cut[0, 0]
    )
    assert found.cut[1, 0] == FINE.low
    assert found.cut[2, 0] == found.cut[2, 1]
    assert found.muons.tolist() == [[4000, 5], [1000, 4000], [3, 0]]


def test_realised_efficiency_is_the_wanted_one_and_tighter_cuts_keep_fewer():
    score = np.random.default_rng(1).normal(10, 4, 4000)
    cuts = [table(e).cut[0, 0] for e in (0.8, 0.9, 0.95)]
    assert cuts[0] > cuts[1] > cuts[2]
    for wanted, cut in zip((0.8, 0.9, 0.95), cuts, strict=True):
        assert np.mean(score > cut) == pytest.approx(wanted, abs=5e-3)


@pytest.mark.parametrize(("wanted", "reached"), [(0.95, 0.96), (0.88, 0.86), (0.6, 0.56), (0.5, 0.5)])
def test_where_many_muons_have_one_value_the_nearest_efficiency_is_taken_and_told(wanted, reached):
    """4 % lie below, 10 % at 2.03, 30 % at 6.07, the others above."""
    rng = np.random.default_rng(2)
    score = np.r_[rng.normal(-10, 1, 400), np.full(1000, 2.03), np.full(3000, 6.07), rng.normal(20, 3, 5600)]
    found = cut_table(filled(score)[None, None], wanted, P[[0, 3]], THETA[[0, 2]], FINE, 50)
    assert np.mean(score > found.cut[0, 0]) == pytest.approx(reached, abs=2e-3)
    assert found.reached[0, 0] == pytest.approx(np.mean(score > found.cut[0, 0]), abs=2e-3)
    assert found.status[0, 0] == (MEASURED if wanted == reached else NEAREST)


def test_correctionlib_gives_the_same_cuts(tmp_path):
    path, tables = tmp_path / "cuts.json.gz", [table(0.8), table(0.9)]
    cuts_file.write(path, tables, "mu", "pi")
    p, theta = np.array([0.6, 0.6, 1.5, 4.9, 0.5]), np.array([20.0, 90.0, 149.0, 30.0, 15.0])
    rows = (np.searchsorted(P, p, "right") - 1, np.searchsorted(THETA, theta, "right") - 1)
    for one in tables:
        np.testing.assert_allclose(cuts_file.evaluate(path, "cut", one.efficiency, p, theta), one.cut[rows], rtol=1e-12)
        errors = cuts_file.evaluate(path, "cut_error", one.efficiency, p, theta)
        np.testing.assert_allclose(errors, one.error[rows], rtol=1e-12)
        status = cuts_file.evaluate(path, "cut_status", one.efficiency, p, theta)
        np.testing.assert_array_equal(status, one.status[rows])


@pytest.mark.parametrize(
    ("p", "theta", "efficiency"), [(0.4, 90.0, 0.9), (5.0, 90.0, 0.9), (1.0, 151.0, 0.9), (1.0, 90.0, 0.7)]
)
def test_outside_of_the_table_evaluation_is_an_error(tmp_path, p, theta, efficiency):
    cuts_file.write(tmp_path / "cuts.json.gz", [table()], "mu", "pi")
    with pytest.raises((RuntimeError, IndexError)):
        cuts_file.evaluate(tmp_path / "cuts.json.gz", "cut", efficiency, np.array([p]), np.array([theta]))


def test_a_file_that_differs_is_noticed_and_not_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(cuts_file, "content", lambda *a, made=cuts_file.content: _shifted(made(*a)))
    with pytest.raises(AssertionError, match="differs"):
        cuts_file.write(tmp_path / "cuts.json.gz", [table()], "mu", "pi")
    assert not list(tmp_path.iterdir())


def _shifted(content):
    content["corrections"][0]["data"]["content"][0]["value"]["content"][0] += 1e-6
    return content


def test_the_same_cuts_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        cuts_file.write(tmp_path / name, [table()], "mu", "pi")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
