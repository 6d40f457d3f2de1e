"""The transport against ACTS, on the same tracks in the same fields."""

import numpy as np
import pytest

from muonkit.transport import status
from muonkit.transport.propagate import Settings, propagate

pytest.importorskip("acts", reason="ACTS is not installed: pip install 'muonkit[oracles]'")
from tests.oracles import acts_compare, acts_propagation

pytestmark = pytest.mark.slow
N = 10_000
EMPTY = {"energy_loss": "none", "scattering": "none", "straggling": False}


def both(kind: str, legs: int, gradient: bool):
    tracks = acts_compare.sample(N)
    field, provider = acts_compare.fields(kind)
    theirs = acts_propagation.propagate(*tracks, provider, legs=legs)
    states, detector = acts_compare.start(tracks, field)
    settings = Settings(tolerance=1e-7, max_steps=100_000, field_gradient=gradient, **EMPTY)
    ours = propagate(states, len(detector.surfaces.kind) - 1, detector, settings)
    assert (ours.status == status.OK).all()
    assert not np.isnan(theirs.end).any()
    return ours, theirs


def relative(cov, reference):
    """Differences of covariances in units of the standard deviations."""
    sigma = np.sqrt(np.einsum("nii->ni", reference))
    return np.abs(cov - reference) / (sigma[:, :, None] * sigma[:, None, :])


@pytest.mark.parametrize("kind", ["constant", "fringe"])
def test_position_and_covariance_agree_with_acts(kind):
    ours, theirs = both(kind, 1, gradient=False)  # ACTS' Jacobian has no gradient
    assert np.abs(ours.states.parameters - theirs.end)[:, :2].max() < 1e-5  # cm
    assert relative(ours.states.covariance, theirs.cov).max() < 1e-6


def test_position_in_a_solenoid_map_agrees_with_acts():
    """In short legs: with its own steps, over the kinks of a linear map, ACTS is good to 1.6e-5 cm."""
    ours, theirs = both("solenoid", 60, gradient=False)
    assert np.abs(ours.states.parameters - theirs.end)[:, :2].max() < 1e-5


def test_covariance_in_a_solenoid_map_agrees_with_acts():
    """For 95 %: for the rest, at low momenta, ACTS' steps over the kinks of the map are the limit, as above."""
    ours, theirs = both("solenoid", 1, gradient=False)
    difference = relative(ours.states.covariance, theirs.cov).max(axis=(1, 2))
    assert np.quantile(difference, 0.95) < 1e-6
    assert difference.max() < 1e-5


def test_the_gradient_of_the_field_that_acts_leaves_out_matters():
    with_gradient, theirs = both("solenoid", 1, gradient=True)
    difference = relative(with_gradient.states.covariance, theirs.cov).max(axis=(1, 2))
    assert np.quantile(difference, 0.99) > 5e-3
