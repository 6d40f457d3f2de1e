"""What the mass of a pair should be: the same location in data and simulation, whatever the tail of radiation."""

import numpy as np
import pytest
from tests.thresholds import MASS_SIGMAS as SIGMAS

from muonkit.alignment.reference import CORNER, fixed, location, reference_of, weight
from muonkit.core.errors import InputError

POLE, N = 3.0969, 40_000


def masses(seed: int, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """J/psi with a tail of radiation, 1/loss as photons have it, and errors of 0.6 % to 2.5 %."""
    rng = np.random.default_rng(seed)
    sigma = POLE * np.exp(rng.uniform(np.log(0.006), np.log(0.025), N))
    loss = np.where(rng.random(N) < 0.3, 10 ** rng.uniform(-4, -0.5, N), 0.0)
    mass = scale * POLE * (1 - loss) + sigma * rng.normal(size=N)
    inside = (mass > 2.92) & (mass < 3.28)
    return mass[inside], sigma[inside]


def test_radiation_moves_the_location():
    found = reference_of(*masses(1))
    assert len(found.mass) == 8
    assert (found.mass < POLE - 3 * found.error).all()


def force(mass: np.ndarray, sigma: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """Sum of psi/sigma and its error: what pulls at a common scale."""
    t = (mass - expected) / sigma
    pulls = weight(t) * t / sigma
    return float(pulls.sum()), float(np.sqrt((pulls**2).sum()))


def test_pairs_of_a_detector_as_described_ask_for_no_correction():
    found = reference_of(*masses(1))
    mass, sigma = masses(2)
    pull, error = force(mass, sigma, found.at(sigma))
    assert abs(pull) < SIGMAS * np.sqrt(2) * error  # both samples have as many pairs
    pull, error = force(mass, sigma, np.full(len(mass), POLE))
    assert abs(pull) > 5 * error  # the pole would be wrong


def test_a_step_of_the_weighted_equations_finds_most_of_a_scale_and_two_find_it():
    found, (mass, sigma), scale = reference_of(*masses(1)), masses(2, 1.001), 1.0
    steps = []
    for _ in range(4):
        now = mass / scale
        expected = found.at(sigma)
        info = weight((now - expected) / sigma) / sigma**2
        scale *= 1 + (info * (now - expected) * expected).sum() / (info * expected**2).sum()
        steps.append(scale - 1)
    error = 2 * POLE * 0.01 / np.sqrt(len(mass)) / POLE
    assert 0.7 < steps[0] / steps[-1] < 1
    assert steps[1] / steps[-1] > 0.9
    assert abs(steps[-1] - 1e-3) < SIGMAS * error


def test_location_has_the_spread_that_it_says():
    found = np.array([location(*masses(seed)) for seed in range(30)])
    assert 0.7 < found[:, 0].std() / found[:, 1].mean() < 1.35


def test_weight_is_bounded_and_even():
    t = np.array([0.0, 1.0, CORNER, 2 * CORNER, -100.0])
    np.testing.assert_allclose(weight(t), [1, 1, 1, 0.5, CORNER / 100])


def test_a_given_mass_is_the_same_for_all():
    assert (fixed(3.1).at(np.array([0.0, 1.0])) == 3.1).all()


def test_too_few_pairs_are_refused():
    with pytest.raises(InputError, match="3 simulated pairs"):
        reference_of(np.full(3, POLE), np.full(3, 0.03))
