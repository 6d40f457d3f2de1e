"""Particles that cannot be simulated are refused by name, not lost."""

from dataclasses import replace

import numpy as np
import pytest

from muonkit.core.errors import InputError
from muonkit.data.tracks import FreeStates
from muonkit.detector.detector import load_detector
from muonkit.simulation.gun import Gun
from muonkit.simulation.tracker.step import follow
from muonkit.simulation.tracker.tracks import simulate_tracks

TELESCOPE = load_detector("telescope")
PARTICLES = FreeStates(np.zeros((2, 3)), np.tile([5.0, 0.0, 0.0], (2, 1)), np.ones(2))


def test_a_gun_outside_of_the_detector():
    with pytest.raises(InputError, match=r"position must lie in the envelope of telescope .*10 of 10 rows"):
        simulate_tracks(TELESCOPE, Gun(p=5.0, eta=0.0, vertex=(0.0, 0.0, 100.0)), 10, 1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"charge": np.array([1.0, 0.0])}, r"charge must be \+1 or -1; 1 of 2 rows"),
        ({"momentum": np.array([[5.0, 0, 0], [0, 0, 0]])}, "momentum must not be 0; 1 of 2 rows"),
        ({"position": np.array([[0, 0, 0], [0, 0, 31.0]])}, "position must lie in the envelope of telescope"),
    ],
)
def test_particles_without_charge_momentum_or_place(change, said):
    with pytest.raises(InputError, match=said):
        follow(TELESCOPE, replace(PARTICLES, **change), "mu", 1)


def test_an_unknown_species():
    with pytest.raises(InputError, match="species: there is no 'tau'"):
        follow(TELESCOPE, PARTICLES, "tau", 1)
