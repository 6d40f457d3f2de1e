"""The verb of the simulation of tracks: a gun and a detector -> what truly happened, and the hits of it."""

from muonkit.data.hits import Hits
from muonkit.data.truth import Truth
from muonkit.detector.detector import Detector
from muonkit.simulation.gun import Gun, shoot
from muonkit.simulation.tracker.digitise import PLAIN, Readout, digitise
from muonkit.simulation.tracker.step import FULL, Physics, follow


def simulate_truth(detector: Detector, gun: Gun, n: int, seed: int, physics: Physics = FULL, first: int = 0) -> Truth:
    """Particles `first` ... `first` + n - 1 of a seed. Raises InputError, see `step.follow`."""
    return follow(detector, shoot(gun, n, seed, first), gun.species, seed, physics, first)


def simulate_tracks(
    detector: Detector,
    gun: Gun,
    n: int,
    seed: int,
    physics: Physics = FULL,
    readout: Readout = PLAIN,
    first: int = 0,
) -> tuple[Truth, Hits]:
    """The same with their hits: in chunks, by `first`, or at once, the tracks are the same to the last bit.

    Where a hit comes from tells `digitise`. Raises InputError, see there."""
    truth = simulate_truth(detector, gun, n, seed, physics, first)
    return truth, digitise(truth, detector, seed, readout, first)[0]
