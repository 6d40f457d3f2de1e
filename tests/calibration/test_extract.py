"""From cells to parameters: injected values come back within their errors, with an independent fit as the referee."""

from dataclasses import replace

import numpy as np
import pytest
from iminuit import Minuit
from tests import thresholds
from tests.calibration import samples

from muonkit.calibration.binning import MuonBins
from muonkit.calibration.closure import BiasCorrector, against_zero
from muonkit.calibration.diagnostics import diagnose
from muonkit.calibration.extract import extract
from muonkit.calibration.parameters import ParameterLayout, Problem
from muonkit.core.errors import InputError
from muonkit.data.dimuons import Dimuons, concatenate

EDGES = tuple(np.linspace(-2.4, 2.4, 13))
RNG = np.random.default_rng(42)
INJECTED = {
    "eta_edges": EDGES,
    "A": tuple(RNG.normal(0, 5e-4, 12)),
    "e": tuple(RNG.normal(1e-3, 1.5e-3, 12)),
    "M": tuple(RNG.normal(0, 2e-5, 12)),
}
CENTRES = (np.array(EDGES)[1:] + np.array(EDGES)[:-1]) / 2
RESOLUTION = {"eta_edges": EDGES, "a": tuple(0.008 + 0.003 * CENTRES**2), "c": (1.3e-4,)}
BACKGROUND = {"fraction": 0.04, "slope": -1.5}
SCALE = ("A", "e", "M")


@pytest.fixture(scope="module")
def small() -> samples.Counts:
    """300 000 pairs in four eta bins, no bias."""
    return samples.count(samples.sample(300_000, 31), samples.sample(300_000, 32), (-2.4, -1.2, 0.0, 1.2, 2.4))


def test_jacobian_agrees_with_finite_differences(small: samples.Counts) -> None:
    derived = samples.fit(small)
    layout = ParameterLayout(("A", "e", "M", "a", "c", "g", "d"), 4)
    n = len(derived.cells)
    covariance = np.tile(np.array([[1e-8, 1e-10], [1e-10, 1e-10]]), (n, 1, 1))
    problem = Problem(layout, derived.cells, np.zeros(n), np.full(n, 1e-4), covariance, {"e": (0.0, 1e-3)})
    one = np.ones(4)
    vector = np.concatenate([1e-3 * one, 2e-3 * one, 3e-5 * one, 0.01 * one, 2e-4 * one, 5 * one, 3 * one])
    analytic = problem.jacobian(vector)
    for column in range(len(vector)):
        step = np.zeros(len(vector))
        step[column] = 1e-5 * max(abs(vector[column]), 1e-5)
        numerical = (problem.residuals(vector + step) - problem.residuals(vector - step)) / (2 * step[column])
        assert np.allclose(analytic[:, column], numerical, rtol=1e-5, atol=1e-6 * np.abs(analytic[:, column]).max())


def test_values_and_errors_are_those_of_iminuit(small: samples.Counts) -> None:
    derived = samples.fit(small)
    extraction, cells, fits = derived.extraction, derived.cells, derived.fits
    used = extraction.used
    plus, minus = cells.bin_plus[used], cells.bin_minus[used]
    pulls_at_minimum = extraction.pulls

    def chi2(vector: np.ndarray) -> float:
        """The slide's mu^2 with cell means, written out anew; migration and weights taken from the residuals."""
        d = (vector - extraction.vector).reshape(3, 4)
        rows = cells[used]
        change = rows.response_plus * (d[0][plus] - d[1][plus] * rows.k_plus + d[2][plus] * rows.pt_plus)
        change += rows.response_minus * (d[0][minus] - d[1][minus] * rows.k_minus - d[2][minus] * rows.pt_minus)
        sigma = np.sqrt(fits.expected_covariance[used, 0, 0] + fits.template_covariance[used, 0, 0])
        return float(((pulls_at_minimum - change / sigma) ** 2).sum())

    minuit = Minuit(chi2, extraction.vector)
    minuit.errors = extraction.errors
    minuit.migrad()
    assert np.all(np.abs(np.array(minuit.values) - extraction.vector) < 0.2 * extraction.errors)
    assert np.allclose(minuit.errors, extraction.errors, rtol=0.1)


def exchanged(table: Dimuons) -> Dimuons:
    """The same pairs with plus and minus exchanged."""
    return type(table)(table.minus, table.plus, table.weight, table.identity, table.gen_minus, table.gen_plus)


@pytest.mark.parametrize("kernel", ["response", "curvature"])
def test_exchange_of_charges_changes_only_the_sign_of_M(kernel: str) -> None:
    """In data and simulation: if edges of bins or start values preferred a charge, M would have a bias."""
    edges = (-2.4, -1.2, 0.0, 1.2, 2.4)
    injected = {"eta_edges": edges, "A": (5e-4, -3e-4, 2e-4, 1e-4), "e": (2e-3,), "M": (3e-5, -2e-5, 1e-5, 4e-5)}
    data, simulation = samples.sample(100_000, 501, bias=injected, background=BACKGROUND), samples.sample(100_000, 601)
    straight = samples.count(data, simulation, edges)
    crossed = samples.count(data, simulation, edges, exchanged, straight.settings, exchanged)
    mine, theirs = (samples.fit(counts, (*SCALE, "a"), kernel=kernel).extraction for counts in (straight, crossed))
    flipped = theirs.vector * np.repeat([1, 1, -1, 1], 4)
    assert np.all(np.abs(mine.vector - flipped) < thresholds.EXCHANGE * mine.errors)
    assert theirs.errors == pytest.approx(mine.errors, rel=thresholds.EXCHANGE)
    assert np.abs(mine.vector / mine.errors)[8:12].max() > 1, "there is an M whose sign can change"


def test_priors_pull_and_reduce_the_error(small: samples.Counts) -> None:
    free, tied = samples.fit(small).extraction, samples.fit(small, priors={"e": (1e-3, 1e-6)}).extraction
    assert np.allclose(tied.layout.of(tied.vector, "e"), 1e-3, atol=5e-6)
    assert np.all(tied.layout.of(tied.errors, "A") < 0.6 * free.layout.of(free.errors, "A"))


def test_diagnostics_name_the_weak_direction(small: samples.Counts) -> None:
    derived = samples.fit(small)
    found = diagnose(derived.extraction, derived.cells, {}, {})
    first = found.largest_correlations[0]
    assert {first.first[0], first.second[0]} == {"A", "e"}
    assert 0.8 < first.value < 1
    assert found.condition_number > 10
    assert np.all(found.A_at_mean_k.error < 0.5 * derived.extraction.layout.of(derived.extraction.errors, "A"))


def test_eta_bin_without_a_cell_is_refused_by_name() -> None:
    counts = samples.count(samples.sample(50_000, 35), samples.sample(50_000, 36), (-2.4, 0.0, 2.4, 3.0))
    with pytest.raises(InputError, match=r"no fitted cell in eta bin \[2.4, 3\).*binning.eta_edges"):
        samples.fit(counts)


def test_direction_that_nothing_fixes_is_refused_with_the_way_out(small: samples.Counts) -> None:
    derived = samples.fit(small)
    flat = {name: np.full(len(derived.cells), 0.1) for name in ("k_plus", "k_minus")}
    cells = type(derived.cells)(**({n: getattr(derived.cells, n) for n in type(derived.cells).__slots__} | flat))
    with pytest.raises(InputError, match=r"the data do not fix a combination of .*prior"):
        extract(cells, derived.fits, small.settings.binning.muons, ("A", "e"))


@pytest.mark.slow
def test_injected_parameters_are_recovered_and_close() -> None:
    """4 M J/psi, 12 eta bins: pulls, chi2/ndf; corrected muons counted and fitted again are compatible with 0."""
    data = samples.sample(4_000_000, 41, bias=INJECTED, resolution=RESOLUTION, background=BACKGROUND)
    simulation = samples.sample(4_000_000, 42, resolution=RESOLUTION)
    counts = samples.count(data, simulation, EDGES)
    derived = samples.fit(counts, (*SCALE, "a", "c"))
    extraction = derived.extraction
    assert thresholds.CHI2_PER_NDF[0] < extraction.chi2 / extraction.ndf < thresholds.CHI2_PER_NDF[1]
    free = extraction.errors > 0
    true = samples.truth(data, extraction.layout.fitted, 12)
    pulls = np.where(free, (extraction.vector - true) / np.where(free, extraction.errors, 1), 0.0)
    # A, e and M of neighbouring bins share pairs: the mean of all 36 pulls has an error of 0.25, not of 1/6
    assert abs(pulls[:36].mean()) < thresholds.PULL_MEAN
    for i, name in enumerate((*SCALE, "a")):
        spread = pulls[12 * i : 12 * (i + 1)].std(ddof=1)
        assert thresholds.PULL_SPREAD[0] < spread < thresholds.PULL_SPREAD[1], name

    corrector = BiasCorrector(MuonBins.of_edges(EDGES), extraction.values.bias)
    again = samples.count(data, simulation, EDGES, corrector, counts.settings)
    closed = samples.fit(again)
    assert abs(against_zero(closed.extraction).worst_pull) < 0.35


def test_a_common_weight_changes_nothing_and_zero_weights_count_nothing() -> None:
    """Pairs of weight 2 carry the information of as many pairs of weight 1; pairs of weight 0 carry none."""
    data, simulation, edges = samples.sample(150_000, 37), samples.sample(150_000, 38), (-2.4, 0.0, 2.4)

    def weighted(table: samples.Dimuons) -> samples.Dimuons:
        return replace(table, weight=np.full(len(table), 2.0))

    def doubled(table: samples.Dimuons) -> samples.Dimuons:
        broken = replace(table, weight=np.zeros(len(table))).with_pt(1.02 * table.plus.pt, table.minus.pt)
        return concatenate([table, broken])

    plain = samples.count(data, simulation, edges)
    for change in (weighted, doubled):
        other = samples.fit(samples.count(data, simulation, edges, change, plain.settings)).extraction
        mine = samples.fit(plain).extraction
        assert np.allclose(other.vector, mine.vector, atol=1e-3 * mine.errors.min())
        assert np.allclose(other.errors, mine.errors, rtol=1e-3)


def test_all_seven_parameters_need_a_prior_or_are_refused(small: samples.Counts) -> None:
    """J/psi alone do not know g and d: muonkit says so, or gives them with the priors that were asked for."""
    everything = ("A", "e", "M", "a", "c", "g", "d")
    priors = {"g": (3.0, 1.0), "d": (3.0, 1.0), "c": (1.3e-4, 3e-5)}
    extraction = samples.fit(small, everything, priors=priors).extraction
    assert extraction.layout.of(extraction.vector, "d") == pytest.approx(np.full(4, 3.0), abs=3.0)
    assert np.all(np.isfinite(extraction.errors))
