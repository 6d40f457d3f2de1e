"""The mass of a pair and its derivatives; what it says of the field."""

import numpy as np
import pytest
from tests.alignment import samples
from tests.thresholds import ALIGNMENT_DERIVATIVES

from muonkit.alignment.linear import Eliminated, eliminate
from muonkit.alignment.mass import mass_equations, pair_mass
from muonkit.alignment.parameters import FIELD, SIZE
from muonkit.core.errors import InputError
from muonkit.core.units import MUON_MASS

STATES = np.array([[[0, 0, 0.3, 1.2, 0.2], [0, 0, -0.5, 1.7, -0.1]], [[0, 0, 3.0, 0.4, 0.02], [0, 0, -3.0, 2.0, -0.5]]])


def test_mass_is_that_of_four_vectors():
    mass = pair_mass(STATES).mass
    for pair, found in zip(STATES, mass, strict=True):
        total = np.zeros(4)
        for _, _, phi, theta, qop in pair:
            p = 1 / abs(qop)
            t = np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])
            total += [np.hypot(p, MUON_MASS), *(p * t)]
        assert found == pytest.approx(np.sqrt(total[0] ** 2 - (total[1:] ** 2).sum()))


def test_derivatives_are_those_of_finite_differences():
    slope = pair_mass(STATES).by_state
    for muon in range(2):
        for place in range(5):
            step = np.zeros_like(STATES)
            step[:, muon, place] = 1e-6
            found = (pair_mass(STATES + step).mass - pair_mass(STATES - step).mass) / 2e-6
            assert slope[:, muon, place] == pytest.approx(found, rel=1e-6, abs=1e-7)


@pytest.fixture(scope="module")
def tracks() -> Eliminated:
    detector = samples.telescope()
    return eliminate(samples.equations_of(detector, detector, 40))


def test_a_mass_follows_the_field(tracks):
    """A field of 1 + f gives momenta and mass of 1 + f: the equation asks for (reference - m)/m, to first order."""
    pairs = np.arange(40).reshape(20, 2)
    states = np.tile(STATES[:1], (20, 1, 1))
    states[:, :, 2] += np.linspace(0, 0.1, 20)[:, None]
    jacobian = np.tile(np.eye(5), (20, 2, 1, 1))
    jacobian[:, :, :4] = 0.0  # momenta alone
    jacobian[..., 4, 4] = states[..., 4] / mean_qop(tracks, pairs)
    system = mass_equations(tracks, pairs, states, jacobian, 1.0, 0.0)
    mass = pair_mass(states).mass
    wanted = ((1.0 / mass) ** 2 - 1) / 2
    by_field = system.D.reshape(20, -1, SIZE)[:, :, FIELD].sum(axis=1)
    assert system.z[:, 0] / by_field == pytest.approx(wanted, rel=ALIGNMENT_DERIVATIVES)


def mean_qop(tracks: Eliminated, pairs: np.ndarray) -> np.ndarray:
    """q/p of the tracks from their response to the field, which is -q/p."""
    return -tracks.response.reshape(len(tracks.z), 5, -1, SIZE)[:, 4, :, FIELD].sum(axis=1)[pairs]


def test_wrong_pairs_are_refused(tracks):
    jacobian = np.tile(np.eye(5), (2, 2, 1, 1))
    with pytest.raises(InputError, match="pairs: give rows"):
        mass_equations(tracks, np.array([[0, 40], [1, 2]]), STATES, jacobian, 3.1, 0.0)
    with pytest.raises(InputError, match="reference above 0"):
        mass_equations(tracks, np.array([[0, 3], [1, 2]]), STATES, jacobian, 0.0, 0.0)
