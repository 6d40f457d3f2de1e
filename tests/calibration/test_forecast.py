"""Expected errors: the limit that one can write down, those of a fit to data, and how they fall with the pairs."""

from dataclasses import replace

import numpy as np
import pytest
from tests import thresholds
from tests.calibration import samples

from muonkit.calibration.binning import MuonBins
from muonkit.calibration.config import Fit
from muonkit.calibration.derive import FitPlan, plan_cells
from muonkit.calibration.extract import Extraction
from muonkit.calibration.forecast import (
    W_MASS,
    ExpectedSample,
    asimov,
    expected_errors,
    expected_masses,
    w_mass_error,
    w_weights,
)

ETA = (-2.4, 0.0, 2.4)


def expectation(counts: samples.Counts, pairs: float, background: float = 0.0, **choice: object) -> ExpectedSample:
    fit = Fit.model_validate(choice)
    masses = expected_masses(counts.simulation, pairs)
    merging = plan_cells(masses, counts.generator, counts.settings, fit.min_entries)
    return ExpectedSample(
        pairs, background, FitPlan(counts.settings, fit, counts.truth, merging, counts.simulation), counts.simulation
    )


@pytest.fixture(scope="module")
def counts() -> samples.Counts:
    data = samples.sample(150_000, 71, background={"fraction": 0.05})
    return samples.count(data, samples.sample(200_000, 72), ETA)


def test_one_gaussian_line_without_radiation_is_known_to_sigma_over_root_n() -> None:
    """sigma_m/m = a/sqrt(2); A moves ln m by 1, so its error is a/sqrt(2 N)."""
    flat = {"resolution": {"a": [0.01], "c": [0.0]}}
    made = samples.sample(100_000, 73, generate={"events": 100_000, "seed": 73, "radiation": False}, **flat)
    for pairs in (2e4, 1e8):
        both, alone, _ = expected_errors(
            [expectation(samples.count(made, made, (-2.4, 2.4)), pairs, parameters=("A",), background=False)]
        )
        wanted = 0.01 / np.sqrt(2 * pairs)
        assert alone.errors[0] == pytest.approx(wanted, rel=thresholds.FORECAST_LIMIT)
        assert both.errors[0] >= alone.errors[0]
        assert w_mass_error(alone) == pytest.approx(W_MASS * alone.errors[0])


def test_errors_are_those_of_a_fit_to_as_many_pairs(counts: samples.Counts) -> None:
    found = samples.fit(counts, ("A", "e", "M", "a", "c")).extraction
    expected, _, _ = expected_errors(
        [expectation(counts, counts.data.pairs[1], 0.05, parameters=("A", "e", "M", "a", "c"))]
    )
    np.testing.assert_allclose(expected.errors[:6], found.errors[:6], rtol=thresholds.FORECAST)
    first, second = (each.covariance[0, 2] / each.errors[0] / each.errors[2] for each in (expected, found))
    assert first == pytest.approx(second, abs=0.01), "correlation of A and e"


def errors(counts: samples.Counts, pairs: float) -> tuple[Extraction, Extraction]:
    return expected_errors([expectation(counts, pairs, 0.05)])[:2]


def test_errors_fall_with_the_root_of_the_pairs_down_to_those_of_the_template(counts: samples.Counts) -> None:
    (small, small_alone), (large, large_alone) = (errors(counts, pairs) for pairs in (2e6, 2e8))
    np.testing.assert_allclose(small_alone.errors / large_alone.errors, 10, rtol=1e-3)
    of_template = np.sqrt(large.errors**2 - large_alone.errors**2)
    np.testing.assert_allclose(large.errors, of_template, rtol=0.01)
    np.testing.assert_allclose(small.errors**2, small_alone.errors**2 + of_template**2, rtol=0.03)


def test_the_fit_of_expected_counts_gives_the_curve_back(counts: samples.Counts) -> None:
    """So the errors are those at the truth, whatever the number of pairs."""
    fits = [asimov(expectation(counts, pairs, 0.05))[2] for pairs in (2e6, 2e8)]
    np.testing.assert_allclose(fits[1].theta[:, 2], 0.05, atol=2e-4)
    difference = (fits[0].theta - fits[1].theta)[:, :2] / fits[1].errors[:, :2]
    assert np.abs(difference).max() < 0.05
    assert np.all(fits[1].chi2 / 2e8 < 1e-8)


def test_muons_of_w_are_flat_in_eta_and_end_at_their_acceptance() -> None:
    np.testing.assert_allclose(w_weights(MuonBins.of_edges([-3, -2.4, 0, 1.2, 3])), [0, 0.5, 0.25, 0.25])
    assert not w_weights(MuonBins.of_edges([3.0, 4.0])).any()


def test_an_error_common_to_all_bins_is_not_averaged_away(counts: samples.Counts) -> None:
    extraction = errors(counts, 1e6)[0]
    size = len(extraction.vector)
    common = np.zeros((size, size))
    common[:2, :2] = 1e-8
    assert w_mass_error(replace(extraction, covariance=common)) == pytest.approx(W_MASS * 1e-4)
    assert w_mass_error(replace(extraction, covariance=np.diag(np.diagonal(common)))) == pytest.approx(
        W_MASS * 1e-4 / np.sqrt(2)
    )
