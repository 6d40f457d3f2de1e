"""The response of a cell from those of its muons: a Gaussian comes out as one, tails as they are."""

import numpy as np
import pytest
from tests import thresholds
from tests.calibration import samples
from tests.calibration.test_traps import mean_scale

from muonkit.calibration import lineshape
from muonkit.calibration.accumulate import CountSettings
from muonkit.calibration.binning import Binning, MuonBins
from muonkit.calibration.cells import Cells
from muonkit.calibration.closure import scale_off
from muonkit.calibration.extract import Extraction
from muonkit.calibration.parameters import ParameterLayout
from muonkit.calibration.response import Responses, Shapes, accumulate_responses, response_shapes
from muonkit.core.kinematics import MuonArrays
from muonkit.data.dimuons import Dimuons, Identity

ETA = np.array([-2.4, 2.4])
SETTINGS = CountSettings(
    Binning(MuonBins(ETA), np.array([-9.0, 9.0]), np.array([-1.1, 1.1])), (2.92, 3.28), 100, 3.0969, (4, 1e9)
)


def muons(kicks: np.ndarray, phi: float) -> tuple[MuonArrays, MuonArrays]:
    """Muons of 10 GeV whose curvature is kicked, and as they were."""
    one = np.ones(len(kicks))
    return MuonArrays(10 / (1 + kicks), 0 * one, phi * one), MuonArrays(10 * one, 0 * one, phi * one)


def responses(plus: np.ndarray, minus: np.ndarray) -> Responses:
    (reco_plus, gen_plus), (reco_minus, gen_minus) = muons(plus, 0), muons(minus, 0.31)
    number = np.arange(len(plus))
    pairs = Dimuons(reco_plus, reco_minus, np.ones(len(plus)), Identity(number, number, number), gen_plus, gen_minus)
    return accumulate_responses(pairs, SETTINGS)


def one_cell() -> Cells:
    zero, one = np.zeros(1, dtype=np.int64), np.ones(1)
    means = (one, one, 10 * one, 10 * one, 100 * one, 100 * one, one / 2, one / 2)
    return Cells(zero, zero, one, *means, *np.zeros((5, 1)))


def kernel(shapes: Shapes) -> lineshape.Kernel:
    return lineshape.tabulated(shapes.tables[0], float(shapes.kappa[0]), float(shapes.growth[0]))


def test_gaussian_curvatures_give_the_curvature_kernel() -> None:
    rng = np.random.default_rng(3)
    found = kernel(response_shapes(responses(*(0.012 * rng.standard_normal((2, 2_000_000)))), one_cell()))
    assert found.kappa == pytest.approx(0.5, abs=thresholds.KAPPA)
    z = np.linspace(-3, 3, 61)
    assert np.abs(found.cdf(z) - lineshape.GAUSSIAN["curvature"].cdf(z)).max() < thresholds.FOLDED


def test_tails_and_skewness_are_those_of_the_pairs_themselves() -> None:
    """Against y = m_gen/m_reco of the pairs, which the folding has never seen."""
    rng = np.random.default_rng(5)
    kicks = 0.01 * rng.standard_normal((2, 2_000_000)) * np.where(rng.random((2, 2_000_000)) < 0.12, 2.2, 1)
    kicks += 2e-3 * (rng.standard_exponential(kicks.shape) - 1)
    found = kernel(response_shapes(responses(*kicks), one_cell()))
    y = np.sqrt((1 + kicks[0]) * (1 + kicks[1]))
    z = np.linspace(-5, 5, 101)
    inside = np.searchsorted(np.sort((y.mean() - y) / y.std()), z) / y.size
    assert np.abs(found.cdf(z) - inside).max() < thresholds.FOLDED
    assert np.abs(lineshape.GAUSSIAN["curvature"].cdf(z) - inside).max() > 10 * thresholds.FOLDED
    assert found.kappa * y.var() == pytest.approx(1 - y.mean(), abs=3 * y.std() / np.sqrt(y.size))


def test_a_bias_of_the_simulation_is_not_hidden_in_the_kernel() -> None:
    rng = np.random.default_rng(7)
    kicks = 0.012 * rng.standard_normal((2, 500_000))
    straight, biased = (response_shapes(responses(*(kicks + shift)), one_cell()) for shift in (0, 4e-3))
    assert np.abs(straight.tables - biased.tables).max() < 2e-3
    assert straight.kappa == pytest.approx(biased.kappa, abs=0.02)


def test_scale_off_is_the_mean_over_eta_bins() -> None:
    layout = ParameterLayout(("A", "e"), 3)
    vector = np.array([1e-4, 1e-4, 4e-4, 6e-4, 6e-4, 6e-4])
    covariance = np.diag([1e-5, 1e-5, 1e-1, 1e-9, 1e-9, 1e-9]) ** 2
    extraction = Extraction(
        layout,
        MuonBins(np.arange(4.0)),
        vector,
        covariance,
        0.0,
        1,
        np.zeros(0),
        np.zeros(0, bool),
        (),
        np.zeros(0),
        np.zeros(0),
        None,
    )
    off = scale_off(extraction)[0]
    assert (off.pt, off.value) == (6.0, pytest.approx(0.0, abs=1e-9)), "the third bin knows nothing"
    assert off.error == pytest.approx(1e-5 / np.sqrt(2), rel=1e-3)


def test_sums_of_chunks_are_the_sum_of_the_file() -> None:
    kicks = 0.012 * np.random.default_rng(9).standard_normal((2, 20_000))
    whole, parts = responses(*kicks), responses(*kicks[:, :7000]) + responses(*kicks[:, 7000:])
    assert np.array_equal(whole.key, parts.key)
    assert np.array_equal(whole.weight, parts.weight)
    assert np.allclose(whole.rows, parts.rows)


TAILS = {"a": [0.01], "c": [1.2e-4], "tail_share": [0.12], "tail_factor": [2.2], "straggling": [7.2e-3]}


@pytest.mark.slow
def test_tails_do_not_shift_the_scale() -> None:
    """They shift that of a Gaussian kernel by several 1e-5."""
    eta = (-2.4, -1.2, 0.0, 1.2, 2.4)
    counts = samples.count(*(samples.sample(2_000_000, seed, resolution=TAILS) for seed in (31, 32)), eta)
    gaussian, error = mean_scale(counts, "curvature")
    value, error = mean_scale(counts, "response")
    assert error < 1.2e-5
    assert gaussian > 3 * error, "the test would not notice tails"
    assert abs(value) < 3 * error
