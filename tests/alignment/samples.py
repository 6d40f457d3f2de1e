"""Simulated tracks through a real detector, fitted with its description, and their sums."""

from functools import cache

import numpy as np

from muonkit.alignment.harmonics import Harmonics
from muonkit.alignment.linear import Eliminated, Equations, equations
from muonkit.alignment.system import NormalSystem, accumulate
from muonkit.data.hits import Hits
from muonkit.detector.detector import Detector, load_detector
from muonkit.simulation.gun import Gun
from muonkit.simulation.tracker.digitise import Readout
from muonkit.simulation.tracker.step import Physics
from muonkit.simulation.tracker.tracks import simulate_tracks
from muonkit.tracking.fit import FittedTracks, fit
from muonkit.tracking.seed import seed
from muonkit.transport.propagate import Settings

PHYSICS = Physics(energy_loss="gaussian", scattering="gaussian")
QUIET = Physics(energy_loss="mean", scattering="none")  # tracks without noise
SETTINGS = Settings(energy_loss="ionisation")
GUN = Gun(p=(5, 50), distribution="log-uniform", eta=(-0.1, 0.1), phi=(-0.1, 0.1))


@cache
def telescope() -> Detector:
    return load_detector("telescope")


def fitted(
    detector: Detector, real: Detector, n: int, random_seed: int = 1, gun: Gun = GUN, quiet: bool = False
) -> tuple[Hits, FittedTracks]:
    """Tracks through the real detector, fitted with the description; quiet: without scattering and resolution."""
    readout = Readout(smearing="none") if quiet else Readout()
    _, hits = simulate_tracks(real, gun, n, random_seed, QUIET if quiet else PHYSICS, readout)
    return hits, fit(hits, seed(hits, detector), detector, SETTINGS)


def equations_of(detector: Detector, real: Detector, n: int, random_seed: int = 1, gun: Gun = GUN) -> Equations:
    return equations(*fitted(detector, real, n, random_seed, gun), detector, SETTINGS)


def system_of(detector: Detector, *tracks: Eliminated) -> NormalSystem:
    system = NormalSystem(len(detector.layers))
    for chunk in tracks:
        system.add(chunk, scattering=True)
    return system


def sums(
    detector: Detector,
    real: Detector,
    n: int,
    random_seed: int = 1,
    gun: Gun = GUN,
    harmonics: Harmonics | None = None,
    scattering: bool = False,
) -> NormalSystem:
    return accumulate(*fitted(detector, real, n, random_seed, gun), detector, SETTINGS, harmonics, scattering)


def distance(values: np.ndarray, true: np.ndarray, system: NormalSystem) -> float:
    """(values - true) N (values - true): what the tracks say of the difference, of directions they know."""
    matrix = system.matrix(np.ones(len(system)))
    difference = (values - true).reshape(-1)
    return float(difference @ (matrix @ difference))


def refitted(hits: Hits, detector: Detector) -> FittedTracks:
    """The same hits, fitted with another description."""
    return fit(hits, seed(hits, detector), detector, SETTINGS)
