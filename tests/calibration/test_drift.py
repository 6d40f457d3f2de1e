"""A scale that changes from run to run is found, with its size; a change of resolution or background is none."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from tests.calibration import samples

from muonkit.calibration.accumulate import accumulate, pair_masses
from muonkit.calibration.derive import Derived
from muonkit.calibration.drift import Drift, RunPairs, SliceMasses, Slicing, drift
from muonkit.calibration.kernels.counting import Slices
from muonkit.calibration.periods import Period
from muonkit.calibration.verdict import all_periods, notes_on_drift, notes_on_periods
from muonkit.core.arrays import BoolArray
from muonkit.data.dimuons import Dimuons, Identity, concatenate
from muonkit.simulation.dimuons.generate import generate

EDGES = (-2.4, -0.8, 0.8, 2.4)
RUNS, EVENTS = 40, 160_000
Change = Callable[[Dimuons, BoolArray], Dimuons]


@dataclass(frozen=True)
class Sample:
    counts: samples.Counts
    table: Dimuons

    def drift(self, change: Change) -> Drift:
        """Of the pairs, changed in runs 15 to 19, which are one slice of eight."""
        assert self.table.identity is not None
        late = (self.table.identity.run >= 15) & (self.table.identity.run < 20)
        table = change(self.table, late)
        masses = accumulate(table, self.counts.settings)
        fitted: Derived = samples.fit(replace(self.counts, data=masses))
        slicing = Slicing.of(RunPairs.of(table), fitted)
        empty = SliceMasses.empty(len(slicing), self.counts.settings.mass_bins)
        rows = slicing.rows(self.table.identity.run)
        accumulate(table, self.counts.settings, Slices(rows, slicing.classes, empty.masses, empty.weight2))
        return drift("jpsi", slicing, empty, fitted)


@pytest.fixture(scope="module")
def sample() -> Sample:
    data = samples.sample(EVENTS, 11, background={"fraction": 0.05, "slope": -1.0})
    counts = samples.count(data, samples.sample(EVENTS, 12), EDGES)
    table = concatenate(list(generate(data)))
    run = np.arange(len(table)) * RUNS // len(table)
    return Sample(counts, replace(table, identity=Identity(run, run, run)))


def test_a_constant_scale_has_no_drift(sample: Sample) -> None:
    found = sample.drift(lambda table, _: table)
    assert [(each.first, each.last) for each in found.slices] == [(5 * i, 5 * i + 4) for i in range(8)]
    assert found.ndf == 7
    assert found.p_value > 0.01
    assert notes_on_drift([found]) == []
    # 1 % resolution of the mass, 15 000 pairs
    assert found.slices[0].error == pytest.approx(0.01 / np.sqrt(found.slices[0].pairs), rel=0.4)


def test_a_shift_of_one_slice_is_found_with_its_size(sample: Sample) -> None:
    size = 8e-4
    found = sample.drift(
        lambda table, late: table.with_pt(table.plus.pt * (1 + size * late), table.minus.pt * (1 + size * late))
    )
    far = found.farthest
    assert (far.first, far.last) == (15, 19)
    assert far.scale == pytest.approx(size * 7 / 8, abs=3 * far.error)
    assert found.p_value < 1e-3
    (note,) = notes_on_drift([found])
    assert "runs 15 to 19" in note


def test_a_change_of_resolution_or_background_is_no_drift(sample: Sample) -> None:
    random = np.random.default_rng(5)

    def wider(table: Dimuons, late: BoolArray) -> Dimuons:
        plus, minus = (1 + 0.006 * late * random.normal(size=len(table)) for _ in range(2))
        return table.with_pt(table.plus.pt * plus, table.minus.pt * minus)

    def less_pure(table: Dimuons, late: BoolArray) -> Dimuons:
        """A tenth of the pairs of the slice is background, flat in mass."""
        low, high = sample.counts.settings.window
        flat = random.uniform(low, high, len(table)) / pair_masses(table)
        factor = np.where(late & (random.random(len(table)) < 0.1), flat, 1)
        return table.with_pt(table.plus.pt * factor, table.minus.pt * factor)

    for change in (wider, less_pure):
        found = sample.drift(change)
        assert found.p_value > 0.005
        (changed,) = (each for each in found.slices if each.first == 15)
        assert abs(changed.scale) < 3 * changed.error


def test_a_period_with_a_doubtful_fit_is_named() -> None:
    periods = [Period(1, 9, "periods/1-9", 5, "PASS", {}, {}), Period(10, 19, "periods/10-19", 5, "ATTENTION", {}, {})]
    (note,) = notes_on_periods(periods)
    assert "runs 10 to 19: ATTENTION" in note
    assert all_periods(periods).passed
    assert not all_periods([Period(1, 9, "periods/1-9", 5, "FAILED", {}, {}, "few pairs")]).passed


def test_runs_of_pieces_add_up(sample: Sample) -> None:
    shuffled = sample.table[np.random.default_rng(1).permutation(len(sample.table))]
    whole, sum_of_parts = RunPairs.of(sample.table), RunPairs.of(shuffled[:1000]) + RunPairs.of(shuffled[1000:])
    np.testing.assert_array_equal(whole.run, sum_of_parts.run)
    np.testing.assert_array_equal(whole.pairs, sum_of_parts.pairs)
    far = RunPairs.of(replace(sample.table, identity=Identity(*[np.arange(len(sample.table)) * 10**12] * 3)))
    assert (len(far.run), far.pairs.sum()) == (len(sample.table), len(sample.table))
    assert whole.between(15, 19) == whole.pairs[15:20].sum()
