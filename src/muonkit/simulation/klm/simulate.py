"""The verb: a piece of a sample, from the gun to the tables."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.core.particles import species
from muonkit.data.klm import Candidates, KLMHits, KLMTruth
from muonkit.detector.channels import ALL_WORK, Channels
from muonkit.detector.detector import Detector, load_detector
from muonkit.simulation.geant4 import engine
from muonkit.simulation.gun import Gun, shoot
from muonkit.simulation.kernels.indices import CHARGE, MASS, PX
from muonkit.simulation.klm import fast
from muonkit.simulation.klm.config import SimulateKLM
from muonkit.simulation.klm.crossings import Crossings, Simulated, from_rows, surface_at
from muonkit.simulation.klm.halves import compared
from muonkit.simulation.klm.readout import read_out
from muonkit.simulation.klm.start import measured


@dataclass(frozen=True, slots=True)
class SimulatedEvents:
    """Tracks that reconstruction sees, their hits, the truth of the same tracks; whether Geant4 had stand-in data."""

    tracks: Candidates
    hits: KLMHits
    truth: KLMTruth
    stand_in: bool = False


def primaries(gun: Gun, n: int, seed: int, first: int) -> tuple[FloatArray, IntArray]:
    """States (n, 6) in cm and GeV, and PDG codes (n,)."""
    particles = shoot(gun, n, seed, first)
    codes = (species(gun.species).pdg_id * particles.charge).astype(np.int64)
    return np.concatenate((particles.position, particles.momentum), axis=1), codes


def simulate_piece(
    config: SimulateKLM, detector: str, data: Path | None, n: int, first: int, channels: Channels = ALL_WORK
) -> SimulatedEvents:
    """Events `first` ... `first` + n - 1; detector: name or path. Raises InputError for engines that cannot run."""
    world, seed = load_detector(detector), config.generate.seed
    states, codes = primaries(config.gun, n, seed, first)
    if config.generate.engine == "fast":
        simulated, stand_in = fast.simulate(world, states, codes, seed, first, config.tracker.can), False
    else:
        simulated, stand_in = by_geant4(config, detector, world, states, codes, first, data)
    hits = read_out(simulated.crossings, world, n, seed, config.readout, first, channels)
    return assembled(config, simulated, hits, states, codes, first, stand_in)


def by_geant4(
    config: SimulateKLM, name: str, detector: Detector, states: FloatArray, codes: IntArray, first: int,
    data: Path | None,
) -> tuple[Simulated, bool]:  # fmt: skip
    """The same from Geant4, and whether its data were stand-ins."""
    choice = config.geant4
    numbers = {key: getattr(choice, key) for key in ("step", "cut", "least", "neutrons")}
    seed = int(np.random.SeedSequence((config.generate.seed, first)).generate_state(1)[0] >> 2)
    found = engine.run(engine.Job(name, states, codes, seed, config.tracker.can, **numbers), data)
    surface = surface_at(detector, found["crossing"][:, :PX])
    kept = surface >= 0
    crossings: Crossings = from_rows(found["event"][kept], surface[kept], found["crossing"][kept])
    charge = np.nan_to_num(found["begin"][:, CHARGE])
    begin = found["begin"][:, :MASS]
    return Simulated(crossings, begin, charge, found["fate"], found["end"], found["soft"]), bool(found["stand_in"])


def assembled(
    config: SimulateKLM, simulated: Simulated, hits: KLMHits, states: FloatArray, codes: IntArray, first: int,
    stand_in: bool,
) -> SimulatedEvents:  # fmt: skip
    """Tables of those events in which a charged particle leaves the tracker."""
    kept = np.flatnonzero(simulated.charge != 0)
    event, track = first + kept, np.zeros(len(kept), dtype=np.int64)
    start = measured(simulated.begin[kept], simulated.charge[kept], event, config.generate.seed, config.tracker)
    truth = KLMTruth(
        *(event, track, codes[kept], states[kept, :3], states[kept, 3:]),
        *(simulated.fate[kept], simulated.end[kept], simulated.soft[kept]),
    )
    tracks = Candidates(event, track, start, compared(truth, config.generate.seed, config.tracker))
    return SimulatedEvents(tracks, hits[np.isin(hits.event, event)], truth, stand_in)
