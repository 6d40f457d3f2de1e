"""J/psi through a real detector, fitted to the beam line with its description: sums of tracks and of masses."""

import numpy as np
from tests.alignment.samples import PHYSICS, SETTINGS

from muonkit.alignment.harmonics import Harmonics
from muonkit.alignment.linear import eliminate, equations
from muonkit.alignment.mass import mass_equations
from muonkit.alignment.system import CHUNK, NormalSystem
from muonkit.core.particles import resonance
from muonkit.data.hits import Hits
from muonkit.detector.detector import Detector
from muonkit.simulation.dimuons.config import GenerateCuts
from muonkit.simulation.tracker import step
from muonkit.simulation.tracker.config import GenerateTracks, SimulateTracks
from muonkit.simulation.tracker.digitise import digitise
from muonkit.simulation.tracker.primaries import primaries
from muonkit.tracking.fit import fit
from muonkit.tracking.models import IMPROVED
from muonkit.tracking.perigee import started
from muonkit.tracking.seed import seed

J_PSI = resonance("jpsi")


def made(real: Detector, n: int, random_seed: int, pt_min: float = 3.0) -> Hits:
    """Hits of n pairs without photons; muons of more than pt_min, |eta| < 2.4."""
    cuts = GenerateCuts(scaled_pt_min=pt_min)
    config = SimulateTracks(
        generate=GenerateTracks(particle="jpsi", events=n, seed=random_seed, radiation=False), selection=cuts
    )
    truth = step.follow(real, primaries(config, 0, n).states, "mu", random_seed, PHYSICS)
    return digitise(truth, real, random_seed)[0]


def add_pairs(system: NormalSystem, hits: Hits, detector: Detector, harmonics: Harmonics | None = None) -> int:
    """Add the tracks of hits, two of a pair after each other, and the masses of pairs whose tracks were both fitted;
    how many."""
    fitted = fit(hits, started(seed(hits, detector), detector, SETTINGS), detector, SETTINGS, IMPROVED)
    masses = 0
    for first in range(0, len(hits), CHUNK):
        some = equations(hits, fitted, detector, SETTINGS, np.arange(first, min(first + CHUNK, len(hits))), harmonics)
        tracks = eliminate(some)
        system.add(tracks)
        both = np.flatnonzero((some.track[:-1] % 2 == 0) & (some.track[1:] == some.track[:-1] + 1))
        rows = np.column_stack((both, both + 1))
        states = fitted.states.parameters[some.track[rows]]
        unit = np.tile(np.eye(5), (len(rows), 2, 1, 1))
        mass = mass_equations(tracks, rows, states, unit, J_PSI.mass, J_PSI.width)
        system.add_equations(*mass)
        masses += len(rows)
    return masses
