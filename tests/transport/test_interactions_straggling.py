"""Fluctuations of the energy loss: numbers by hand, the collision spectrum, limits of the sampler."""

import numpy as np
import pytest
from scipy.stats import kurtosis, landau, skew
from tests.transport.matter import IRON, MUON, PROTON, SILICON, difference

from muonkit.core.arrays import FloatArray
from muonkit.detector.material import library
from muonkit.transport.interactions import ionisation, straggling

P = np.geomspace(0.03, 500, 41)
ONE = np.array([1.0])
SENSOR, PLATE = 0.03, 4.7  # cm
TOYS = 200_000


def test_one_iron_plate_at_1_GeV_by_hand() -> None:
    # xi = 0.153537 x 0.465574 x 7.874 x 4.7/0.98896 MeV = 2.6749 MeV; Tmax = 2 x 0.511 x 9.46448^2/1.09208 = 83.83 MeV;
    # sigma^2 = 2.6749 x 83.83 x (1 - 0.49448) MeV^2 = 113.4 MeV^2
    assert straggling.width(IRON, ONE, MUON, PLATE) == pytest.approx(2.6749e-3, rel=2e-4)
    assert straggling.variance(IRON, ONE, MUON, PLATE) == pytest.approx((10.65e-3) ** 2, rel=1e-3)
    assert straggling.kappa(IRON, ONE, MUON, PLATE) == pytest.approx(2.6749 / 83.83, rel=1e-3)


def test_variance_is_the_second_moment_of_the_collision_spectrum() -> None:
    k = ionisation.kinematics(ONE, MUON)
    T = np.linspace(0, k.t_max[0], 100_001)
    moment = np.trapezoid(1 - k.beta2 * T / k.t_max, T) * IRON.xi * PLATE / k.beta2
    assert straggling.variance(IRON, ONE, MUON, PLATE) == pytest.approx(moment, rel=1e-9)


def test_variance_and_width_grow_with_the_length() -> None:
    for quantity in (straggling.variance, straggling.width):
        assert quantity(IRON, P, MUON, 3.0) == pytest.approx(3 * quantity(IRON, P, MUON, 1.0), rel=1e-14)


@pytest.mark.parametrize("mass", [MUON, PROTON])
def test_derivative_of_the_variance(mass: float) -> None:
    numerical = difference(lambda q: straggling.variance(IRON, q, mass, PLATE), P)
    assert straggling.variance_slope(IRON, P, mass, PLATE) == pytest.approx(numerical, rel=1e-9)


def test_core_is_narrower_than_the_whole_and_equal_to_it_in_thick_matter() -> None:
    assert np.all(straggling.core_variance(SILICON, P, MUON, SENSOR) <= straggling.variance(SILICON, P, MUON, SENSOR))
    thick = [f(IRON, np.array([0.2]), PROTON, 1.0) for f in (straggling.core_variance, straggling.variance)]
    assert thick[0] == thick[1]


@pytest.mark.parametrize(
    ("p", "mass", "length", "expected"),
    [(1.0, MUON, SENSOR / 10, "landau"), (1.0, MUON, PLATE, "vavilov"), (0.2, PROTON, 0.1, "gauss")],
)
def test_regimes(p: float, mass: float, length: float, expected: str) -> None:
    assert straggling.regime(IRON, p, mass, length) == expected


def drawn(p: float, length: float, material: object = SILICON, mass: float = MUON, seed: int = 7) -> FloatArray:
    return straggling.sample_loss(material, np.full(TOYS, p), mass, length, np.random.default_rng(seed))


CASES = [(SILICON, 1.0, MUON, 3.0), (IRON, 1.0, MUON, PLATE), (IRON, 0.5, MUON, PLATE), (IRON, 0.4, PROTON, 0.1)]


@pytest.mark.parametrize(("material", "p", "mass", "length"), CASES)
def test_mean_is_that_of_bethe_and_variance_that_of_the_spectrum(material, p, mass, length) -> None:  # type: ignore[no-untyped-def]
    losses, one = drawn(p, length, material, mass), np.array([p])
    mean = ionisation.mean_loss(material, one, mass)[0] * length
    variance = straggling.variance(material, one, mass, length)
    assert abs(losses.mean() - mean[0]) < 4 * np.sqrt(variance[0] / TOYS)
    assert losses.mean() == pytest.approx(mean[0], rel=0.01)
    of_variance = np.sqrt((kurtosis(losses) + 2) / TOYS)  # relative
    assert abs(losses.var() / variance[0] - 1) < 4 * of_variance + 1e-3


def landau_cdf(value: FloatArray) -> FloatArray:
    """Of Landau's lambda: SciPy's variable x is that of scale 1, lambda = pi/2 x + ln(pi/2)."""
    return landau.cdf((value - np.log(np.pi / 2)) * 2 / np.pi)


def test_convention_of_scipy() -> None:
    assert landau_cdf(np.array([1.35578])) == pytest.approx(0.5, abs=1e-5), "the median, CERN program library G110"


@pytest.mark.parametrize("p", [1.0, 100.0])
def test_thin_sensor_gives_landaus_distribution_around_the_most_probable_loss(p: float) -> None:
    one = np.array([p])
    xi = straggling.width(SILICON, one, MUON, SENSOR)[0]
    mode = ionisation.most_probable_loss(SILICON, one, MUON, SENSOR)[0]
    value = np.sort((drawn(p, SENSOR) - mode) / xi) - 0.22278298
    steps = np.linspace(-3, 30, 331)
    empirical = np.searchsorted(value, steps) / TOYS
    assert np.abs(empirical - landau_cdf(steps)).max() < 1.63 / np.sqrt(TOYS), "Kolmogorov, 1 %"


def test_mode_and_width_of_a_thin_sensor() -> None:
    xi = straggling.width(SILICON, ONE, MUON, SENSOR)[0]
    mode = ionisation.most_probable_loss(SILICON, ONE, MUON, SENSOR)[0]
    counts, edges = np.histogram((drawn(1.0, SENSOR) - mode) / xi, np.linspace(-4, 6, 101))
    centres = (edges[1:] + edges[:-1]) / 2
    near = np.abs(centres) < 0.8
    curve = np.polynomial.Polynomial.fit(centres[near], counts[near], 3)
    assert abs(curve.deriv().roots()).min() < 0.15, "xi; the maximum is flat"
    half = curve(0.0) / 2
    rising, falling = centres < 0, centres > 0
    low = np.interp(half, counts[rising], centres[rising])
    high = np.interp(-half, -counts[falling], centres[falling])
    assert high - low == pytest.approx(straggling.LANDAU_FWHM, rel=0.03)


def test_vavilovs_regime_has_the_skewness_of_the_spectrum() -> None:
    one, losses = np.array([0.7]), drawn(0.7, 0.5, IRON, PROTON)
    beta2, kappa = ionisation.kinematics(one, PROTON).beta2[0], straggling.kappa(IRON, one, PROTON, 0.5)[0]
    assert 1 < kappa < 3
    expected = (1 / 2 - beta2 / 3) / (1 - beta2 / 2) ** 1.5 / np.sqrt(kappa)
    assert skew(losses) == pytest.approx(expected, abs=4 * np.sqrt(6 / TOYS) + 0.01)


def test_thick_matter_gives_gauss() -> None:
    losses = drawn(0.35, 0.6, IRON, PROTON)
    assert straggling.regime(IRON, 0.35, PROTON, 0.6) == "gauss"
    assert abs(skew(losses)) < 0.13, "that of the spectrum, at most"
    assert abs(kurtosis(losses)) < 4 * np.sqrt(24 / TOYS) + 0.02


def test_two_half_plates_fluctuate_as_one() -> None:
    rng, p = np.random.default_rng(11), np.full(TOYS, 1.0)
    halves = sum(straggling.sample_loss(IRON, p, MUON, PLATE / 2, rng) for _ in range(2))
    whole = straggling.sample_loss(IRON, p, MUON, PLATE, rng)
    quantiles = np.linspace(0.02, 0.98, 25)
    sigma = np.sqrt(straggling.variance(IRON, ONE, MUON, PLATE)[0])
    assert np.quantile(halves, quantiles) == pytest.approx(np.quantile(whole, quantiles), abs=0.03 * sigma)


def test_every_particle_has_its_own_slab() -> None:
    length, p = np.array([0.01, 0.03, 4.7]), np.array([0.1, 1.0, 10.0])
    losses = straggling.sample_loss(SILICON, p, MUON, length, np.random.default_rng(3))
    assert losses.shape == (3,)
    assert np.all(losses > 0.5 * ionisation.most_probable_loss(SILICON, p, MUON, 0.01) * length / 0.01)


def test_vacuum_takes_nothing() -> None:
    assert np.all(drawn(1.0, 100.0, library()["vacuum"]) == 0)


def test_same_seed_same_losses() -> None:
    assert np.array_equal(drawn(1.0, SENSOR, seed=5), drawn(1.0, SENSOR, seed=5))
    assert not np.array_equal(drawn(1.0, SENSOR, seed=5), drawn(1.0, SENSOR, seed=6))
