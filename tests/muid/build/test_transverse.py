"""Densities from histograms that were drawn from known ones."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import gamma

from muonkit.muid.build.config import TransverseFit
from muonkit.muid.build.transverse import CENTRES, EDGES, densities, scale_above
from muonkit.muid.likelihood.payload import ORDERS
from muonkit.muid.likelihood.spline import BINS, coefficients, interval
from muonkit.muid.likelihood.transverse import spline_value, tail

FIT = TransverseFit()
RICH = 400_000


def histogram(k, s, n, seed=1):
    """Counts of n tracks with a gamma distributed reduced chi2."""
    x = np.random.default_rng([seed, k]).gamma(k, 1 / (k * s), n)
    return np.histogram(x, np.append(EDGES, np.inf))[0]


def all_orders(s, n, seed=1):
    return np.array([histogram(k, s, n, seed) for k in range(1, ORDERS + 1)])


def value(density, k, x):
    """ln f as the likelihood takes it."""
    x = np.atleast_1d(x)
    c = coefficients(density.log_density[None])[0]
    body = spline_value(x, c[interval(x)])
    with np.errstate(divide="ignore"):
        return np.where(x > density.threshold, tail(x, k, density.scale_x, density.scale_y), body)


@pytest.mark.parametrize(("s", "is_muon"), [(1.0, True), (0.5, False)])
def test_an_exact_gamma_density_comes_back(s, is_muon):
    for k, density in enumerate(densities(all_orders(s, RICH), is_muon, FIT), start=1):
        p = gamma.pdf(CENTRES, k, scale=1 / (k * s))
        many = p * RICH * 0.1 > 400
        found = np.exp(density.log_density)
        assert np.all(np.abs(found[many] / p[many] - 1) < 5 / np.sqrt(p[many] * RICH * 0.1) + 0.02)
        assert density.scale_x == pytest.approx(s, rel=0.25 if k < 10 else 0.6)


@pytest.mark.parametrize("s", [1.0, 0.3])
def test_densities_are_normalised_up_to_infinity_and_have_no_step_at_the_threshold(s):
    for k, density in enumerate(densities(all_orders(s, RICH), False, FIT), start=1):
        grid = np.linspace(0.05, max(density.threshold, 0.05), 4001)
        body = np.trapezoid(np.exp(value(density, k, grid)), grid) + 0.05 * np.exp(density.log_density[0])
        body = body if density.threshold > 0 else 0.0
        above = quad(
            lambda x, k=k, d=density: float(np.exp(tail(np.array(x), k, d.scale_x, d.scale_y))), density.threshold, 60
        )
        assert body + above[0] == pytest.approx(1, abs=0.02)
        if density.threshold > 0:
            last = round(density.threshold / 0.1) - 1
            step = density.log_density[last] - density.log_density[min(last + 1, BINS - 1)]
            assert abs(step) < 1.0


def test_the_scale_of_a_tail_is_found_without_bias():
    found = np.array([scale_above(histogram(2, 0.7, 5000, seed), 2, 20) for seed in range(60)])
    assert abs(found.mean() - 0.7) < 4 * found.std() / np.sqrt(len(found))
    assert found.std() < 0.05


def test_a_tail_of_its_own_is_followed():
    n = histogram(3, 1.0, 200_000) + histogram(3, 0.2, 4_000)
    chi2 = np.zeros((ORDERS, BINS + 1), dtype=int)
    chi2[2] = n
    density = densities(chi2, True, FIT)[2]
    assert density.threshold == pytest.approx(4.0)
    assert density.scale_x < 0.4
    share = np.exp(tail(np.array(7.05), 3, density.scale_x, density.scale_y)) * 0.1 * n.sum()
    assert share == pytest.approx(n[70], rel=0.4)


def test_few_tracks_take_the_scale_of_the_nearest_order_whatever_the_order_of_the_fits():
    chi2 = np.zeros((ORDERS, BINS + 1), dtype=int)
    chi2[3], chi2[9] = histogram(4, 0.5, 5000), histogram(10, 0.8, 5000)
    made = densities(chi2, False, FIT)
    assert made[0].scale_x == made[4].scale_x == scale_above(chi2[3], 4, 0)
    assert made[8].scale_x == made[17].scale_x == scale_above(chi2[9], 10, 0)
    assert made[6].scale_x == made[3].scale_x or made[6].scale_x == scale_above(chi2[3], 4, 0)


def test_without_any_track_the_density_is_the_ideal_one():
    for k, density in enumerate(densities(np.zeros((ORDERS, BINS + 1), dtype=int), True, FIT), start=1):
        np.testing.assert_allclose(np.exp(density.log_density), gamma.pdf(CENTRES, k, scale=1 / k), rtol=1e-12)
        assert np.isfinite(density.log_density).all()
        assert density.threshold == 0


def test_no_bin_is_empty():
    chi2 = np.zeros((ORDERS, BINS + 1), dtype=int)
    chi2[:, 5] = 10_000
    for density in densities(chi2, True, FIT):
        assert np.isfinite(density.log_density).all()
        assert np.isfinite([density.scale_x, density.scale_y]).all()
