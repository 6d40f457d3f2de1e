"""Errors against the spread of toys: drawn from the fitted curves, and from events."""

from dataclasses import replace

import numpy as np
import pytest
from tests import thresholds
from tests.calibration import samples

from muonkit.calibration.extract import Rules, extract, step_in_squares
from muonkit.calibration.massfit import FitOptions, FitStatus, prepare_options
from muonkit.calibration.toys import Coverage, ToyFits, compared, coverage
from muonkit.calibration.verdict import covers

ETA = (-2.4, 0.0, 2.4)
RESOLUTION = {"a": [0.01], "c": [2.5e-4]}  # c far from 0: else it is not Gaussian
NEAR_ZERO = {"a": [0.01], "c": [1e-4]}  # the square is 1 to 3 of its standard deviations
LETTERS = ("A", "e", "M", "a", "c")
COVARIANCE = np.array([[1.0, 0.95, 0], [0.95, 1.0, 0], [0, 0, 4.0]]) * 1e-10


def drawn(toys: int, weak: float = 1.0) -> np.ndarray:
    """Values (toys, 3); the spread along the weak direction is `weak` times as large as it should be."""
    values, directions = np.linalg.eigh(COVARIANCE[:2, :2])
    normal = np.random.default_rng(2).standard_normal((toys, 3))
    normal[:, 1] *= weak
    return np.column_stack([(normal[:, :2] * np.sqrt(values)) @ directions.T, normal[:, 2] * 2e-5])


def test_right_errors_cover_and_a_wrong_weak_direction_is_found() -> None:
    toys = 2000
    right, wrong = (compared(drawn(toys, weak), COVARIANCE, ("A", "e", "M")) for weak in (1.0, 1.2))
    assert covers(Coverage(toys, 0, right)).passed
    found = covers(Coverage(toys, 0, wrong))
    assert not found.passed
    assert "weak" in found.sentence
    assert {row.name: row.ratio for row in wrong}["strong directions"] == pytest.approx(1, abs=0.05)


def test_a_run_without_toys_that_could_be_fitted_does_not_pass() -> None:
    assert not covers(None).passed


def toys_of(resolution: dict[str, list[float]], events: int) -> ToyFits:
    counts = samples.count(*(samples.sample(events, seed, resolution=resolution) for seed in (51, 52)), ETA)
    derived = samples.fit(counts, LETTERS)
    return ToyFits(derived, prepare_options(derived.data, FitOptions()), Rules(template_errors=False))


def test_one_step_leads_to_where_the_fit_ends() -> None:
    """From the fit to all cells to that of every other one: far from limits, to a part of the errors."""
    fits = toys_of(RESOLUTION, 150_000)
    cells, masses, start = fits.derived.cells, fits.derived.fits, fits.reported()
    kept = replace(masses, status=np.where(np.arange(len(masses)) % 2, FitStatus.NOT_CONVERGED, masses.status))
    fitted = extract(cells, kept, start.bins, LETTERS, fits.rules)
    errors = fitted.errors * start.layout.squares_dvector(fitted.vector)
    moved = (start.layout.squares(fitted.vector) - start.layout.squares(start.vector)) / errors
    assert np.abs(moved).max() > 0.5, "the other cells say something else"
    step = step_in_squares(cells, kept, start, fits.rules)
    np.testing.assert_allclose(step / errors, start.layout.squares(fitted.vector) / errors, atol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("resolution", [RESOLUTION, NEAR_ZERO])
def test_errors_cover_toys_from_the_fitted_curves(resolution: dict[str, list[float]]) -> None:
    """c near 0 is far from Gaussian, but its square is not."""
    found = coverage(toys_of(resolution, 300_000), 200)
    assert found is not None
    assert (found.toys, found.failed) == (200, 0)
    for row in found.rows:
        assert abs(row.ratio - 1) < thresholds.COVERAGE + 2 * row.error, row


@pytest.mark.slow
def test_errors_cover_toys_of_events() -> None:
    """Samples that draw data and simulation anew."""
    fits = []
    for seed in range(60):
        both = (samples.sample(100_000, 1000 + 2 * seed + i, resolution=RESOLUTION) for i in (0, 1))
        fits.append(samples.fit(samples.count(*both, ETA), LETTERS).extraction)
    vectors, covariances = (np.array([getattr(f, name) for f in fits]) for name in ("vector", "covariance"))
    rows = compared(vectors, covariances.mean(axis=0), LETTERS)
    for row in rows:
        assert abs(row.ratio - 1) < thresholds.COVERAGE + 3 * row.error, row
