"""The law of a track: its density, its distribution, and the location and width that it claims."""

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq
from tests.thresholds import CORE_OF_LAW, FLAT_P_VALUE
from tests.tracking.cores import evenness

from muonkit.core.robust import HALF, HUBER
from muonkit.tracking.law import EULER, Law, combined, location

NODES = 5601
Y = np.linspace(-14, 14, NODES)  # sigma
CASES = [
    (0.0, 0.0, 0.0, 0.0),
    (0.02, 20.0, 0.0, 0.0),
    (0.1, 5.0, 0.0, 0.0),
    (0.0, 0.0, 0.36, 1e3),
    (0.0, 0.0, 0.36, 6.0),
    (0.0, 0.0, 0.36, 2.0),
    (0.1, 5.0, 0.36, 6.0),
    (0.02, 20.0, 0.36, 12.0),
]


PAIR = (1.0, 0.02, 12.0, 0.3, 6.0), (1.5, 0.05, 9.0, 0.4, 9.0)


def spread(loss, hardest, kick, size, n=NODES):
    return Law(*(np.full(n, value) for value in (1.0, loss, hardest, kick, size)))


@pytest.mark.parametrize("case", CASES)
def test_distribution_is_the_integral_of_the_density(case):
    law = spread(*case)
    step = Y[1] - Y[0]
    F, f = law.cdf(Y), law.pdf(Y)
    np.testing.assert_allclose((F[2:] - F[:-2]) / (2 * step), f[1:-1], atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_location_is_0_and_width_is_sigma(case):
    """The numbers of first order against the density itself."""
    law = spread(*case)
    F, f, step = law.cdf(Y), law.pdf(Y), Y[1] - Y[0]
    median = np.interp(0.5, F, Y)

    def inside(width):
        return np.interp(median + HALF * width, Y, F) - np.interp(median - HALF * width, Y, F) - 0.5

    width = brentq(inside, 0.5, 2)
    limit = HUBER * width

    def pull(middle):
        return (f * np.clip(Y - middle, -limit, limit)).sum() * step + limit * (1 - F[-1] - F[0])

    assert abs(width - 1) < CORE_OF_LAW[0]
    assert abs(brentq(pull, -1, 1)) < CORE_OF_LAW[1] * max(case[0], 1e-6)


def test_far_away_the_distribution_goes_over_into_single_losses_and_kicks():
    law = spread(0.05, 100.0, 0.3, 8.0, 2)
    for sign in (-1, 1):
        near, far = law.cdf(sign * np.array([14.99, 15.01]))
        assert near == pytest.approx(far, abs=1e-4)


@pytest.mark.parametrize(("loss", "hardest", "kick", "size"), [(0.05, 6.0, 0.3, 1e3), (0.02, 20.0, 0.36, 4.0)])
def test_drawn_losses_and_kicks_have_this_distribution(loss, hardest, kick, size):
    """A Gaussian of the soft ones, and the hard ones one by one."""
    rng, n, cut = np.random.default_rng(5), 40_000, 0.1
    y = hard_losses(rng, n, loss, hardest, cut) + hard_kicks(rng, n, kick, size, cut)
    T = np.array([hardest])
    # the soft kicks of a density c^2/(theta^2 + a^2)^2 below the cut, where the law has c^2 (1/2 - gamma - ln(a/2))
    variance = spread(loss, hardest, kick, size, 1).variance()[0] + loss * cut * (1 - cut / (2 * hardest))
    variance += kick**2 * (np.log(cut / 2) + EULER - 1)
    shift = -loss * (location(T, np.array([cut]))[0])
    y += shift + np.sqrt(variance) * rng.standard_normal(n)
    u = spread(loss, hardest, kick, size, n).cdf(y)
    assert evenness(u) > FLAT_P_VALUE
    assert evenness(stats.norm.cdf(y)) < FLAT_P_VALUE


def hard_losses(rng, n, loss, hardest, cut):
    row = np.repeat(np.arange(n), rng.poisson(loss / cut, n))
    u = cut / rng.uniform(size=len(row))
    kept = rng.uniform(size=len(row)) < np.maximum(1 - u / hardest, 0)
    return np.bincount(row, u * kept, n)


def hard_kicks(rng, n, kick, size, cut):
    row = np.repeat(np.arange(n), rng.poisson(kick**2 / cut**2, n))
    theta = cut / np.sqrt(rng.uniform(size=len(row)))
    theta *= rng.uniform(size=len(row)) < size**2 / (theta**2 + size**2)
    return np.bincount(row, theta * np.cos(rng.uniform(0, 2 * np.pi, len(row))), n)


def test_the_sum_of_two_laws_is_the_law_of_the_sum():
    """The density of the sum, folded, against that of the combined law."""
    one, other = (Law(*(np.array([value]) for value in values)) for values in PAIR)
    weights = np.array([0.5]), np.array([0.6])
    law, shift = combined((one, other), weights, np.hypot(0.5 * one.sigma, 0.6 * other.sigma))
    step = Y[1] - Y[0]

    def density(law, y):
        return law[np.zeros(y.size, np.int64)].pdf(y)

    folded = np.convolve(density(one, Y / 0.5) / 0.5, density(other, Y / 0.6) / 0.6, "same") * step
    near = np.abs(Y) < 6
    np.testing.assert_allclose(density(law, Y - shift)[near], folded[near], atol=1e-3 * folded.max())


def test_a_weight_below_0_is_taken_by_its_size():
    """Two muons so close that the mass falls with the momentum of the slower one."""
    one, other = (Law(*(np.array([value]) for value in numbers)) for numbers in PAIR)
    sigma = np.array([1.0])
    results = [combined((one, other), (np.array([w]), np.array([0.5])), sigma) for w in (-0.03, 0.03)]
    for first, second in zip(vars_of(results[0]), vars_of(results[1]), strict=True):
        assert np.isfinite(first).all()
        np.testing.assert_array_equal(first, second)


def vars_of(result):
    law, shift = result
    return law.sigma, law.loss, law.hardest, law.kick, law.size, shift
