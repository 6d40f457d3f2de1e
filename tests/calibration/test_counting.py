"""The compiled loops count what the NumPy reference counts; sums of chunks are sums of the whole."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.calibration import reference_counting, samples
from tests.thresholds import KERNEL_RTOL

from muonkit.calibration import accumulate, response
from muonkit.calibration.bias import Bias, corrected_pt
from muonkit.calibration.binning import MuonBins, find_bin
from muonkit.calibration.closure import BiasCorrector
from muonkit.core.packing import pack, unpack
from muonkit.data.dimuons import Dimuons
from muonkit.simulation.dimuons.generate import generate

EDGES = (-2.4, -1.0, 0.0, 0.7, 2.0)  # some muons lie outside


@pytest.fixture(scope="module")
def table() -> Dimuons:
    """Pairs with weights, some of them below 0, some outside of all cuts."""
    config = samples.sample(60_000, 3, selection={"scaled_pt_min": 2.0}, background={"fraction": 0.1, "slope": -1.0})
    pairs = next(generate(config))
    return replace(pairs, weight=np.random.default_rng(1).normal(1, 0.5, len(pairs)))


def settings_of(table: Dimuons) -> accumulate.CountSettings:
    return replace(samples.settings_for(table, EDGES), scaled_pt=(4.0, 20.0))


def agree(found: Any, expected: Any) -> None:
    """All fields, within KERNEL_RTOL of their largest value."""
    ours = pack(found)
    for name, theirs in pack(expected).items():
        assert ours[name].shape == theirs.shape, name
        assert np.abs(ours[name] - theirs).max(initial=0) <= KERNEL_RTOL * np.abs(theirs).max(initial=0), name


def test_kept_pairs_are_those_that_are_counted(table: Dimuons) -> None:
    settings = settings_of(table)
    masses = accumulate.pair_masses(table)
    window = (masses >= settings.window[0]) & (masses < settings.window[1])
    cell = settings.binning.index(table.plus, table.minus)
    chosen = window & accumulate.selected(table, masses, settings) & (cell >= 0)
    counted = accumulate.accumulate(table, replace(settings, keeps_pairs=True))
    kept = counted.kept
    np.testing.assert_array_equal(kept.cell, cell[chosen])
    np.testing.assert_array_equal(kept.plus_pt, table.plus.pt[chosen])
    np.testing.assert_allclose(kept.mass, masses[chosen], rtol=KERNEL_RTOL)
    means = np.bincount(kept.cell, kept.weight * kept.minus_response, settings.binning.size)
    np.testing.assert_allclose(means, counted.means[:, accumulate.MEANS.index("response_minus")], rtol=1e-9)
    assert accumulate.accumulate(table, settings).kept.mass.size == 0
    agree(unpack(accumulate.CellMasses, pack(counted)), counted)


@pytest.mark.parametrize("truth", [True, False])
def test_masses_are_those_of_the_reference(table: Dimuons, truth: bool) -> None:
    pairs = table if truth else replace(table, gen_plus=None, gen_minus=None)
    settings = settings_of(table)
    expected = reference_counting.accumulate(pairs, settings)
    assert (expected.pairs > 0).all()
    agree(accumulate.accumulate(pairs, settings), expected)


def test_every_other_pair_is_counted_as_by_the_reference(table: Dimuons) -> None:
    settings = settings_of(table)
    agree(accumulate.accumulate(table[1::2], settings), reference_counting.accumulate(table[1::2], settings))


def test_generator_masses_and_responses_are_those_of_the_reference(table: Dimuons) -> None:
    settings = settings_of(table)
    for found, expected in (
        (accumulate.accumulate_generator(table, settings), reference_counting.accumulate_generator(table, settings)),
        (response.accumulate_responses(table, settings), reference_counting.accumulate_responses(table, settings)),
    ):
        assert (found.key == expected.key).all()
        agree(found, expected)


def test_chunks_add_up_to_the_whole(table: Dimuons) -> None:
    settings = settings_of(table)
    first, second = table[: len(table) // 3], table[len(table) // 3 :]
    whole = response.accumulate_truth(table, settings)
    added = response.accumulate_truth(first, settings) + response.accumulate_truth(second, settings)
    assert (added.masses.key == whole.masses.key).all()
    assert (added.responses.key == whole.responses.key).all()
    agree(added.masses, whole.masses)
    agree(added.responses, whole.responses)


def test_closure_corrects_by_the_formula_of_the_bias(table: Dimuons) -> None:
    bias, edges = Bias(*np.array([[1e-3, 2e-3, 0, 0], [1e-3, 0, 9.0, 0], [0, 0, 1e-4, 0]])), np.array(EDGES)
    corrected = BiasCorrector(MuonBins(edges), bias)(table)
    for muon, found, q in ((table.plus, corrected.plus, 1), (table.minus, corrected.minus, -1)):
        index = find_bin(muon.eta, edges)
        inside = index >= 0
        assert 0 < inside.sum() < len(inside)
        assert (found.pt[~inside] == muon.pt[~inside]).all()
        assert (found.pt[inside] == corrected_pt(muon.pt, q, bias.at(np.maximum(index, 0)))[inside]).all()


def test_no_pairs_give_empty_sums(table: Dimuons) -> None:
    settings, nobody = settings_of(table), table[:0]
    assert accumulate.accumulate(nobody, settings).entries.sum() == 0
    truth = response.accumulate_truth(nobody, settings)
    assert len(truth.masses.key) == len(truth.responses.key) == 0
    whole = response.accumulate_truth(table, settings)
    assert ((truth + whole).masses.weight == whole.masses.weight).all()
