"""The verb behind `muonkit simulate tracks`: a piece of a sample, from what begins to hits and truth."""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from muonkit.core.arrays import IntArray
from muonkit.core.particles import SPECIES
from muonkit.data.hits import TrackHits
from muonkit.data.truth import ENDS, GUN, PARENTS, TrackTruth, Truth
from muonkit.detector.detector import Detector, load_detector
from muonkit.detector.distort import distorted
from muonkit.simulation.tracker import by_geant4, step
from muonkit.simulation.tracker.config import SimulateTracks
from muonkit.simulation.tracker.digitise import digitise
from muonkit.simulation.tracker.primaries import Primaries, primaries

END = {status: ENDS.index(word) for status, word in step.ENDINGS.items()}


@dataclass(frozen=True, slots=True)
class TrackJob:
    """A configuration, the detector's name or path, and a digest of all that both depend on: it alone is compared.
    data: folder of Geant4's data sets."""

    config: SimulateTracks = field(compare=False)
    detector: str
    state: str
    data: Path | None = None


@dataclass(frozen=True, slots=True)
class SimulatedTracks:
    """Hits of the tracks that have some, and the truth of all."""

    hits: TrackHits
    truth: TrackTruth


@lru_cache(maxsize=1)
def true_detector(job: TrackJob) -> Detector:
    """The detector that the particles meet, with its distortions. Raises InputError if it cannot be made."""
    return distorted(load_detector(job.detector), job.config.distort)


def simulate_piece(job: TrackJob, first: int, n: int) -> SimulatedTracks:
    """Events `first` ... `first` + n - 1. Raises InputError, see `true_detector`, `primaries`, `digitise`, and `follow`
    of both engines."""
    config, detector = job.config, true_detector(job)
    seed = config.generate.seed
    begin = primaries(config, first, n)
    number = first * begin.per_event
    truth, end = _followed(job, detector, begin, number)
    hits, _ = digitise(truth, detector, seed, config.readout, number)
    event, track = np.divmod(number + np.arange(len(truth)), begin.per_event)
    return SimulatedTracks(TrackHits(event, track, hits), _truth(config, begin, event, track, end))


def _followed(job: TrackJob, detector: Detector, begin: Primaries, number: int) -> tuple[Truth, IntArray]:
    """The ways of particles `number` ..., and how they ended."""
    config, choice = job.config, job.config.generate
    if choice.engine == "fast":
        truth = step.follow(detector, begin.states, begin.species, choice.seed, config.physics, number)
        return truth, np.array([END[status] for status in truth.status.tolist()], np.int64)
    seed = int(np.random.SeedSequence((choice.seed, number)).generate_state(1)[0] >> 2)
    work = by_geant4.Geant4Job(job.detector, config.distort, job.data, config.geant4.cut)
    truth = by_geant4.follow(work, detector, begin.states, begin.species, seed, config.physics.max_turn)
    return truth, truth.status


def _truth(config: SimulateTracks, begin: Primaries, event: IntArray, track: IntArray, end: IntArray) -> TrackTruth:
    choice, states = config.generate, begin.states
    parent = PARENTS.index(choice.particle if choice.pairs else GUN)
    return TrackTruth(
        event=event,
        track=track,
        parent=np.full(len(event), parent),
        species=np.full(len(event), SPECIES.index(begin.species)),
        charge=states.charge.astype(np.int64),
        position=states.position,
        momentum=states.momentum,
        parent_mass=np.repeat(begin.parent_mass, begin.per_event),
        end=end,
    )
