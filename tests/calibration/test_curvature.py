"""The core of k_reco/k_gen, and the A, e, M behind it."""

import numpy as np
import pytest

from muonkit.calibration.curvature import fit_bias, location


def test_the_location_of_a_gaussian_is_its_mean_with_the_right_error():
    rng = np.random.default_rng(1)
    found = [location(rng.normal(0.5, 2.0, 400)) for _ in range(400)]
    pulls = np.array([(one.value - 0.5) / one.error for one in found])
    assert abs(pulls.mean()) < 4 / 20
    assert abs(pulls.std() - 1) < 4 / np.sqrt(800)
    assert np.mean([one.error for one in found]) == pytest.approx(2.0 / 20 * 1.026, rel=0.02)


def test_tails_hardly_move_the_location():
    rng = np.random.default_rng(2)
    values = rng.normal(0, 1, 20_000)
    values[:400] += rng.exponential(30, 400)
    assert abs(values.mean()) > 0.4
    assert abs(location(values).value) < 0.06


def test_few_values_have_no_location():
    assert np.isnan(location(np.zeros(3)).value)
    assert location(np.ones(20))[:2] == (1.0, 0.0)


def test_injected_A_e_M_are_recovered_with_the_right_chi2():
    rng = np.random.default_rng(3)
    truth = np.array([4e-4, 3e-3, 2e-5])
    k, q = 1 / np.exp(rng.uniform(np.log(3), np.log(100), 40_000)), rng.choice([-1.0, 1.0], 40_000)
    edges = np.geomspace(0.0099, 0.34, 9)
    pulls, chi2 = [], []
    for _ in range(60):
        ratio = rng.normal(-(truth[0] - truth[1] * k + q * truth[2] / k), 0.01)
        found = fit_bias(ratio, k, q, edges)
        pulls.append((found.values - truth) / found.errors)
        chi2.append(found.chi2 / found.ndf)
    assert (np.abs(np.mean(pulls, axis=0)) < 4 / np.sqrt(60)).all()
    assert (np.abs(np.std(pulls, axis=0) - 1) < 4 / np.sqrt(120)).all()
    assert abs(np.mean(chi2) - 1) < 4 * np.sqrt(2 / found.ndf / 60)
