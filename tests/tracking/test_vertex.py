"""The mass at the common vertex, and how it follows both tracks."""

import numpy as np
import pytest
from tests.thresholds import VERTEX_DERIVATIVES

from muonkit.data.tracks import Perigees
from muonkit.detector.detector import load_detector
from muonkit.tracking.vertex import Vertices, fit_vertices, mass_by_perigees

SIZE = np.array([3e-3, 8e-3, 1e-3, 8e-4, 2e-3])  # d0, z0 [cm], phi, theta, q/p [1/GeV]: errors of a track
PAIRS = 6


@pytest.fixture(scope="module")
def field():
    return load_detector("cms_like_layers").field


def tracks(qop: float, seed: int) -> Perigees:
    """Perigees from about one point, with correlated errors."""
    rng = np.random.default_rng(seed)
    parameters = np.tile([0.0, 1.0, 0.3 + 0.4 * (qop < 0), 1.1, qop], (PAIRS, 1)) + SIZE * rng.normal(size=(PAIRS, 5))
    root = np.eye(5) + 0.3 * rng.normal(size=(PAIRS, 5, 5))
    return Perigees(parameters, SIZE[:, None] * (root @ root.swapaxes(1, 2)) * SIZE)


def moved(side: Perigees, place: int, step: float) -> Perigees:
    parameters = side.parameters.copy()
    parameters[:, place] += step
    return Perigees(parameters, side.covariance)


def both(field) -> tuple[Perigees, Perigees, Vertices]:
    plus, minus = tracks(0.12, 1), tracks(-0.2, 2)
    return plus, minus, fit_vertices(plus, minus, field)


def test_derivatives_of_the_mass_are_those_of_finite_differences(field):
    plus, minus, vertices = both(field)
    slope = mass_by_perigees(vertices, plus, minus, field)
    found = np.zeros_like(slope)
    for place, size in enumerate(SIZE):
        for side in (0, 1):
            up, down = (
                [moved(each, place, sign * 0.01 * size * (i == side)) for i, each in enumerate((plus, minus))]
                for sign in (1, -1)
            )
            masses = [fit_vertices(*each, field).mass for each in (up, down)]
            found[:, 5 * side + place] = (masses[0] - masses[1]) / (0.02 * size)
    scale = np.tile(SIZE, 2)
    assert np.abs((slope - found) * scale).max() < VERTEX_DERIVATIVES * np.abs(found * scale).max()


def test_they_carry_the_errors_of_both_tracks_to_the_error_of_the_mass(field):
    plus, minus, vertices = both(field)
    slope = mass_by_perigees(vertices, plus, minus, field)
    parts = [
        np.einsum("ni,nij,nj->n", s, C, s)
        for s, C in ((slope[:, :5], plus.covariance), (slope[:, 5:], minus.covariance))
    ]
    np.testing.assert_allclose(np.sqrt(parts[0] + parts[1]), vertices.mass_error, rtol=1e-6)


def test_a_pair_without_vertex_has_none(field):
    plus, minus = tracks(0.12, 1), tracks(-0.2, 2)
    plus.parameters[0] = np.nan
    slope = mass_by_perigees(fit_vertices(plus, minus, field), plus, minus, field)
    assert np.isnan(slope[0]).all()
    assert np.isfinite(slope[1:]).all()
