"""What begins in a tracker: single particles of a gun, or both muons of resonances, with radiation.

Event i of a gun depends on its number alone. Pairs are drawn in chunks, until enough of them pass the cuts."""

from dataclasses import dataclass
from itertools import count

import numpy as np
from scipy.special import ndtri

from muonkit.core import random
from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.kinematics import MuonArrays
from muonkit.core.kinematics import mass as pair_mass
from muonkit.core.particles import WINDOW, resonance
from muonkit.data.tracks import FreeStates
from muonkit.detector.detector import Detector
from muonkit.simulation.dimuons import decays, drell_yan
from muonkit.simulation.dimuons.config import REACH, USUAL_BEAMS, GenerateCuts
from muonkit.simulation.draws import uniforms
from muonkit.simulation.gun import Gun, shoot
from muonkit.simulation.kernels import philox
from muonkit.simulation.tracker.config import GenerateTracks, SimulateTracks, VertexSpot

LEAST = 1e-4  # share of pairs that must pass the cuts
TRIED = 100_000  # pairs after which it is asked for
FARTHEST = 8.5  # sizes: no Gaussian number of `draws` lies beyond
BATCH = 1000  # the fewest pairs drawn at once


@dataclass(frozen=True, slots=True)
class Primaries:
    """Particles of n events, `per_event` of each, one after the other: states; mass (n,) of the parents [GeV], NaN
    where there are none."""

    states: FreeStates
    per_event: int
    species: str
    parent_mass: FloatArray


def primaries(config: SimulateTracks, first: int, n: int) -> Primaries:
    """Of events `first` ... `first` + n - 1. Raises InputError if almost no pair passes the cuts."""
    if config.gun is None:
        return _pairs(config, first, n)
    spot = config.vertex
    chosen = {"particle": config.generate.particle, "vertex": spot.position, "spread": spot.size}
    gun: Gun = config.gun.model_copy(update=chosen)
    return Primaries(shoot(gun, n, config.generate.seed, first), 1, gun.species, np.full(n, np.nan))


def _pairs(config: SimulateTracks, first: int, n: int) -> Primaries:
    rows = accepted(config, random.stream(config.generate.seed, first), n)
    momentum = np.stack((_vector(MuonArrays(*rows[1:4])), _vector(MuonArrays(*rows[4:]))), axis=1).reshape(-1, 3)
    position = np.repeat(_vertices(config, np.arange(first, first + n)), 2, axis=0)
    return Primaries(FreeStates(position, momentum, np.tile([1.0, -1.0], n)), 2, "mu", rows[0])


def require_inside(spot: VertexSpot, detector: Detector) -> None:
    """Raises InputError if a particle can begin outside of the envelope of a detector."""
    (x, y, z), (a, b, c) = spot.position, (FARTHEST * size for size in spot.size)
    r_max, z_min, z_max = detector.envelope
    if not (np.hypot(abs(x) + a, abs(y) + b) < r_max and z_min < z - c and z + c < z_max):
        raise InputError(
            f"vertex: position and {FARTHEST:g} times size must lie in the envelope of {detector.name} (r < {r_max:g}, "
            f"{z_min:g} < z < {z_max:g} cm)"
        )


def _vertices(config: SimulateTracks, events: IntArray) -> FloatArray:
    u = uniforms(config.generate.seed, philox.GUN, events, 3)
    return np.array(config.vertex.position) + np.array(config.vertex.size) * ndtri(u)


def _vector(muon: MuonArrays) -> FloatArray:
    return np.stack((muon.pt * np.cos(muon.phi), muon.pt * np.sin(muon.phi), muon.pt * np.sinh(muon.eta)), axis=1)


def accepted(config: SimulateTracks, rng: np.random.Generator, n: int) -> FloatArray:
    """n parents and their muons after radiation that pass the cuts, with the spectrum, line and radiation of `simulate
    dimuons`; rows (7, n) as `_drawn`. Raises InputError if almost none pass."""
    found, have, batch = [np.zeros((7, 0))], 0, max(n, BATCH)
    for tried in count(batch, batch):
        drawn = _drawn(config, rng, batch)
        found.append(drawn[:, _passes(drawn, config)])
        have += found[-1].shape[1]
        if have >= n:
            break
        if tried >= TRIED and have < LEAST * tried:
            raise InputError(f"selection: {have} of {tried} pairs pass; widen it, or change [spectrum]")
    return np.concatenate(found, axis=1)[:, :n]


def _drawn(config: SimulateTracks, rng: np.random.Generator, n: int) -> FloatArray:
    """Rows: mass of the parent; pt, eta, phi of both muons; (7, n)."""
    spectrum, choice = config.spectrum, config.generate
    pt = decays.sample_pt(spectrum, n, rng)
    y, phi = spectrum.y_max * (2 * rng.random(n) - 1), np.pi * (2 * rng.random(n) - 1)
    line = _line(choice)
    mass = line.sample(n, rng)
    plus, minus = decays.decay_parents(line, mass, pt, y, phi, choice.radiation, rng)
    return np.stack((mass, *plus, *minus))


def _line(choice: GenerateTracks) -> decays.Line:
    kind = resonance(choice.resonance)
    if kind.name != "z":
        return decays.BreitWigner(kind)
    low, high = WINDOW["z"]
    return drell_yan.line(kind, choice.sqrt_s or USUAL_BEAMS, (low / REACH, high * REACH))


def _passes(drawn: FloatArray, config: SimulateTracks) -> BoolArray:
    cuts: GenerateCuts = config.selection
    plus, minus = MuonArrays(*drawn[1:4]), MuonArrays(*drawn[4:])
    hard = np.minimum(plus.pt, minus.pt) * resonance(config.generate.resonance).mass
    central = np.maximum(np.abs(plus.eta), np.abs(minus.eta)) < cuts.eta_max
    return central & (hard > cuts.scaled_pt_min * pair_mass(plus, minus))
