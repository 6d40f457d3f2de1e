"""Known traps of the method, each with its size: the trap bites when it is set, and the product avoids it."""

from dataclasses import replace

import numpy as np
import pytest
from tests.calibration import samples
from tests.calibration.trap_sizes import migration_slope

from muonkit.calibration import massfit
from muonkit.calibration.accumulate import GenMasses, residual_correlations
from muonkit.calibration.massfit import FitOptions
from muonkit.calibration.response import Truth
from muonkit.core.kinematics import mass
from muonkit.data.dimuons import Dimuons

pytestmark = pytest.mark.slow

ETA = (-2.4, -1.2, 0.0, 1.2, 2.4)
EVENTS = 1_500_000
FLAT = {"resolution": {"a": [0.012], "c": [0.0]}}  # sigma_m/m = 0.85 %


@pytest.fixture(scope="module")
def counts() -> samples.Counts:
    return samples.count(samples.sample(EVENTS, 21, **FLAT), samples.sample(EVENTS, 22, **FLAT), ETA)


def mean_scale(
    counts: samples.Counts, kernel: str = "curvature", generator: GenMasses | None = None
) -> tuple[float, float]:
    """Mean of mu - 1 over cells by their weights, and its error."""
    fixed = samples.Counts(
        counts.settings, counts.data, counts.simulation, Truth(generator or counts.generator, counts.truth.responses)
    )
    fits = samples.fit(fixed, ("A",), kernel=kernel).fits
    variance = fits.expected_covariance[fits.good, 0, 0] + fits.template_covariance[fits.good, 0, 0]
    weight = 1 / variance
    return float((weight * (fits.theta[fits.good, 0] - 1)).sum() / weight.sum()), float(1 / np.sqrt(weight.sum()))


def test_curvature_kernel_has_no_jensen_bias(counts: samples.Counts) -> None:
    value, error = mean_scale(counts)
    assert error < 1.2e-5
    assert abs(value) < 3 * error


def test_gaussian_in_mass_is_biased_by_jensen(counts: samples.Counts) -> None:
    value, error = mean_scale(counts, "mass")
    assert value == pytest.approx(11e-5, abs=2e-5 + 2 * error)


def test_template_without_radiation_is_biased(counts: samples.Counts) -> None:
    """A delta at the pole mass: -79e-5 (toy), -7.6e-4 (CMS notes)."""
    generator, settings = counts.generator, counts.settings
    cell = np.arange(settings.binning.size)
    ones = np.full(len(cell), 1000.0)
    node = int((np.log(settings.pole) - np.log(settings.window[0]) + 0.12) / 1e-3)
    delta = GenMasses(cell * generator.nodes + node, ones, ones, ones, ones * settings.pole, generator.nodes)
    assert mean_scale(counts, generator=delta)[0] == pytest.approx(-75e-5, abs=20e-5)


def cut_in_reconstructed_pt(table: Dimuons) -> Dimuons:
    return table[(table.plus.pt > 4.5) & (table.minus.pt > 4.5)]


def test_cut_in_reconstructed_pt_is_biased_and_the_invariant_one_is_not() -> None:
    data, simulation = samples.sample(EVENTS, 23, **FLAT), samples.sample(EVENTS, 24, **FLAT)
    biased = samples.count(data, simulation, ETA, cut_in_reconstructed_pt)
    value, error = mean_scale(biased)
    assert value > 8 * error, "the cut removes pairs that fluctuated down in mass"


def test_migration_is_there_with_the_size_and_sign_of_its_formula() -> None:
    """Mean of ln(m_reco/m_gen) of the cells against the predicted shift: slope 1. One eta half is six times worse."""
    slope, error, largest = migration_slope(blocks=250)
    assert error < 0.25, "the sample must see the effect"
    assert largest > 2e-4
    assert abs(slope - 1) < 3 * error


def test_mass_residual_is_uncorrelated_with_every_binning_variable(counts: samples.Counts) -> None:
    correlations = residual_correlations(counts.data)
    for name in ("eta_plus", "eta_minus", "log_pt_ratio"):
        assert abs(correlations[name]) < 5 / np.sqrt(counts.data.pairs[1])


def test_generator_spectrum_binned_at_5_MeV_would_be_biased(counts: samples.Counts) -> None:
    """Entries of a wide bin placed at its centre instead of at their mean."""
    settings, generator = counts.settings, counts.generator
    masses = generator.sized_mass / generator.size
    wide = np.floor((masses - 3.0969) / 5e-3) * 5e-3 + 3.0969 + 2.5e-3  # the mass on a bin edge
    coarse = replace(generator, sized_mass=wide * generator.size)
    fine, error = mean_scale(counts)
    assert abs(mean_scale(counts, generator=coarse)[0] - fine) > 10 * error
    assert settings.window[1] / settings.window[0] > 1


def test_sample_without_background_gives_an_unbiased_scale(counts: samples.Counts) -> None:
    """Cells whose background fraction sits at 0 must not pull the mean."""
    cells = samples.fit(counts, ("A",)).data
    with_background = massfit.fit_all(cells, FitOptions())
    without = massfit.fit_all(cells, FitOptions(background=False))
    both = with_background.good & without.good
    difference = (with_background.theta - without.theta)[both, 0]
    assert abs(difference.mean()) < 5e-6


def test_gen_mass_of_the_samples_is_the_generator_pair(counts: samples.Counts) -> None:
    table = next(samples.generate(samples.sample(1000, 1)))
    assert table.gen_plus is not None
    assert table.gen_minus is not None
    assert np.all(mass(table.gen_plus, table.gen_minus) < samples.resonance("jpsi").mass * 1.001)
    assert counts.data.pairs[0] == EVENTS
