"""Bins of eta and phi: an injected bias that depends on both is found, corrected and exported; one bin is none."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2
from tests import thresholds
from tests.calibration import reference_counting, samples
from tests.calibration.test_counting import agree

from muonkit.calibration import accumulate, export
from muonkit.calibration.bias import Bias, corrected_pt
from muonkit.calibration.binning import MuonBins
from muonkit.calibration.closure import BiasCorrector, against_zero
from muonkit.calibration.derive import Derived
from muonkit.calibration.parameters import ParameterValues
from muonkit.calibration.resolution import Resolution
from muonkit.core.kinematics import MuonArrays
from muonkit.data.dimuons import Dimuons
from muonkit.simulation.dimuons.generate import generate

ETA, PHI = (-2.4, 0.0, 2.4), (-2.0, 0.0, 1.0, 2.5, -2.0 + 2 * np.pi)
BINS = MuonBins.of_edges(ETA, PHI)
A = np.array([8e-4, -6e-4, 3e-4, -2e-4, -5e-4, 4e-4, 1e-3, -7e-4])
M = np.array([3e-5, -2e-5, 1e-5, -4e-5, 2e-5, -3e-5, 4e-5, -1e-5])
BIAS = Bias(A, np.zeros(8), M)
REACH = np.tile([3.0, 30.0], (2, 1))


def biased(table: Dimuons) -> Dimuons:
    """Reconstructed muons that need the corrections BIAS: k = (k_true - q M)/(1 + A)."""

    def pt(muon: MuonArrays, q: int) -> np.ndarray:
        of = BIAS.at(BINS.of(muon.eta, muon.phi))
        return (1 + of.A) / (1 / muon.pt - q * of.M)

    return table.with_pt(pt(table.plus, 1), pt(table.minus, -1))


def with_phi(settings: accumulate.CountSettings, bins: MuonBins = BINS) -> accumulate.CountSettings:
    return replace(settings, binning=replace(settings.binning, muons=bins))


@pytest.fixture(scope="module")
def counts() -> samples.Counts:
    data, simulation = samples.sample(400_000, 71), samples.sample(400_000, 72)
    settings = with_phi(samples.settings_for(next(generate(samples.sample(60_000, 71))), ETA))
    return samples.count(data, simulation, ETA, biased, settings)


@pytest.fixture(scope="module")
def derived(counts: samples.Counts) -> Derived:
    return samples.fit(counts)


def test_an_angle_of_any_turn_has_its_bin() -> None:
    phi = np.array([-2.0, -0.1, 0.0, 0.9, 1.0, 2.4, 2.5, np.pi, -np.pi, -2.1])
    expected = [0, 0, 1, 1, 2, 2, 3, 3, 3, 3]
    for turns in (-1, 0, 1):
        assert BINS.of(np.full(10, 1.0), phi + 1e-9 + turns * 2 * np.pi).tolist() == [4 + i for i in expected]
    assert BINS.of(np.full(10, 2.5), phi).tolist() == [-1] * 10


def test_pairs_are_counted_as_by_the_reference() -> None:
    table = next(generate(samples.sample(60_000, 3)))
    turned = replace(table, plus=table.plus._replace(phi=table.plus.phi + 2 * np.pi))  # as others store it
    settings = with_phi(samples.settings_for(table, ETA))
    agree(accumulate.accumulate(turned, settings), reference_counting.accumulate(turned, settings))
    found, expected = (each.accumulate_generator(turned, settings) for each in (accumulate, reference_counting))
    assert (found.key == expected.key).all()
    agree(found, expected)


def test_one_bin_of_phi_changes_no_bit() -> None:
    config = samples.sample(100_000, 5)
    plain = samples.count(config, samples.sample(100_000, 6), ETA)
    whole = with_phi(plain.settings, MuonBins.of_edges(ETA, (0.5, 0.5 + 2 * np.pi)))
    mine, other = (
        samples.fit(plain),
        samples.fit(samples.count(config, samples.sample(100_000, 6), ETA, settings=whole)),
    )
    for name in ("vector", "covariance", "pulls", "chi2"):
        assert np.array_equal(getattr(mine.extraction, name), getattr(other.extraction, name)), name
    assert mine.extraction.bins.axes.keys() == other.extraction.bins.axes.keys() == {"eta"}


def test_injected_bias_is_recovered_in_bins_of_eta_and_phi(derived: Derived) -> None:
    found = derived.extraction
    off = found.vector - np.concatenate([A, np.zeros(8), M])
    assert found.layout.names[:9] == [*(f"A_{i}" for i in range(8)), "e_0"]
    assert chi2.sf(off @ np.linalg.solve(found.covariance, off), len(off)) > thresholds.WHOLE_VECTOR
    spread = np.sqrt(np.mean((off / found.errors) ** 2))
    assert thresholds.PULL_SPREAD[0] < spread < thresholds.PULL_SPREAD[1]
    assert thresholds.CHI2_PER_NDF[0] < found.chi2 / found.ndf < thresholds.CHI2_PER_NDF[1]


def test_corrected_muons_close(counts: samples.Counts, derived: Derived) -> None:
    corrector = BiasCorrector(BINS, derived.extraction.values.bias)
    data, simulation = samples.sample(400_000, 71), samples.sample(400_000, 72)
    again = samples.count(data, simulation, ETA, lambda table: corrector(biased(table)), counts.settings)
    assert abs(against_zero(samples.fit(again).extraction).worst_pull) < 0.35


def resolution(size: float) -> Resolution:
    return Resolution(size * np.arange(1.0, 9.0), np.full(8, 1e-4), np.full(8, 5.0), np.full(8, 3.0))


@pytest.fixture
def written(tmp_path: Path) -> export.Corrections:
    values = {"nominal": ParameterValues(BIAS, resolution(0.002))}
    content = export.Content(values, ParameterValues(BIAS, resolution(0.001)), BINS, REACH)
    export.write(tmp_path / "c.json.gz", content)
    return export.Corrections.open(tmp_path / "c.json.gz")


def test_the_file_scales_like_the_parameters_at_any_phi(written: export.Corrections) -> None:
    rng = np.random.default_rng(1)
    pt, eta, phi = rng.uniform(4, 25, 5000), rng.uniform(-2.3, 2.3, 5000), rng.uniform(-np.pi, 3 * np.pi, 5000)
    for q in (-1, 1):
        expected = corrected_pt(pt, q, BIAS.at(BINS.of(eta, phi))) / pt
        assert np.allclose(written.factor(pt, eta, np.full(5000, q), phi=phi), expected, rtol=1e-9)
    with pytest.raises(ValueError, match="give phi"):
        written.factor(pt, eta, np.ones(5000))


def test_the_file_has_the_mean_variance_of_all_phi(written: export.Corrections) -> None:
    a2, width = resolution(0.002).a.reshape(2, 4) ** 2, np.diff(PHI)
    sigma = written.sigma(np.full(2, 1e-3), np.array([-1.0, 1.0]))
    assert np.allclose(sigma**2, a2 @ width / (2 * np.pi), rtol=1e-3)


def test_closure_corrects_by_the_formula_of_the_bias() -> None:
    table = next(generate(samples.sample(20_000, 3)))
    corrected = BiasCorrector(BINS, BIAS)(table)
    for muon, found, q in ((table.plus, corrected.plus, 1), (table.minus, corrected.minus, -1)):
        expected = corrected_pt(muon.pt, q, BIAS.at(BINS.of(muon.eta, muon.phi)))
        assert np.array_equal(found.pt, expected)
