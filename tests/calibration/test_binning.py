"""Cells: where pairs go, how thin cells are joined."""

import numpy as np
import pytest

from muonkit.calibration.binning import Binning, MuonBins, find_bin, merge
from muonkit.calibration.config import BinningChoice
from muonkit.core.kinematics import MuonArrays

RNG = np.random.default_rng(7)


def muons(n: int) -> MuonArrays:
    return MuonArrays(RNG.uniform(4, 30, n), RNG.uniform(-2.6, 2.6, n), RNG.uniform(-np.pi, np.pi, n))


def binning() -> Binning:
    eta = np.linspace(-2.4, 2.4, 7)
    return Binning(MuonBins(eta), np.array([-1e3, -0.5, 0.5, 1e3]), np.array([-1.01, 0.0, 1.01]))


def test_bins_are_closed_below_and_open_above() -> None:
    assert find_bin(np.array([-0.1, 0.0, 0.5, 1.0, np.nan]), np.array([0.0, 0.5, 1.0])).tolist() == [-1, 0, 1, -1, -1]


def test_every_pair_inside_eta_has_one_cell() -> None:
    plus, minus = muons(5000), muons(5000)
    cell = binning().index(plus, minus)
    inside = (np.abs(plus.eta) < 2.4) & (np.abs(minus.eta) < 2.4)
    assert np.array_equal(cell >= 0, inside)
    eta_plus, eta_minus = binning().muon_bins()
    assert np.array_equal(eta_plus[cell[inside]], find_bin(plus.eta[inside], binning().muons.eta_edges))
    assert np.array_equal(eta_minus[cell[inside]], find_bin(minus.eta[inside], binning().muons.eta_edges))


def test_a_common_dilation_moves_no_pair() -> None:
    plus, minus = muons(2000), muons(2000)
    dilated = (muon._replace(pt=muon.pt * 1.25) for muon in (plus, minus))
    assert np.array_equal(binning().index(plus, minus), binning().index(*dilated))


def test_quantile_edges_are_symmetric_in_charge() -> None:
    choice = BinningChoice(eta_edges=(-2.4, 0.0, 2.4))
    edges = Binning.from_choice(choice, muons(3001), muons(3001)).log_pt_ratio_edges
    assert np.allclose(edges, -edges[::-1])


def test_merging_keeps_all_entries_of_rich_blocks_and_every_cell_rich() -> None:
    shape = (3, 3, 5, 4)
    entries = RNG.poisson(60, size=np.prod(shape)).astype(float)
    merging = merge(entries, shape, 150)
    summed = merging.sum(entries)
    assert summed.min() >= 150
    assert summed.sum() == entries.sum()
    assert merging.count < entries.size


def test_merging_never_crosses_eta_bins_and_drops_what_stays_thin() -> None:
    shape = (2, 2, 2, 2)
    entries = np.full(16, 100.0)
    entries[4:8] = 1.0
    merging = merge(entries, shape, 50)
    assert np.all(merging.group[4:8] == -1)
    block = np.arange(16) // 4
    for cell in range(merging.count):
        assert len(set(block[merging.group == cell])) == 1


@pytest.mark.parametrize("minimum", [1, 10, 1000, 1e9])
def test_a_fitted_cell_knows_a_fine_cell_of_its_own(minimum: float) -> None:
    shape = (2, 3, 4, 3)
    merging = merge(RNG.poisson(20, size=72).astype(float), shape, minimum)
    assert np.array_equal(merging.group[merging.first()], np.arange(merging.count))
