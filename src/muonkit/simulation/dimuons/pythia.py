"""Resonance -> mu+ mu- (gamma ...) by PYTHIA 8.3: radiation made by others, to test `decays` against.

Gun mode: a parent is put into an empty event and decays as a hadron does, isotropically, followed by a QED shower with
matrix-element correction (`HadronLevel:QED`). The Z joins in with `23:isResonance = off`: as a resonance it would
not radiate without a hard process, and `forceTimeShower` radiates too much, P(m < 0.99 M) = 0.244. Treated as a hadron
it has 0.170, as has e+ e- -> Z with the full shower (0.171 +- 0.001, PYTHIA 8.317).

Masses, widths and the line shape are those of `decays`, not PYTHIA's: its J/psi is 6e-6 heavier than PDG's."""

from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from muonkit.core import random
from muonkit.core.arrays import FloatArray
from muonkit.core.errors import InputError, PhysicsError
from muonkit.core.kinematics import MuonArrays
from muonkit.core.particles import PDG_ID
from muonkit.core.particles import resonance as pdg
from muonkit.core.units import MUON_MASS
from muonkit.simulation.dimuons.decays import BreitWigner, Line

MUON = 13
UNDECAYED = 1  # the status of a particle that is still to decay
TRIES = 10
SEEDS = 900_000_000  # PYTHIA's largest; 0 would stand for the clock
Momentum = tuple[float, float, float]


def available() -> bool:
    """Is PYTHIA installed?"""
    return find_spec("pythia8mc") is not None


def decay(
    resonance: str, pt: FloatArray, y: FloatArray, phi: FloatArray, seed: int, line: Line | None = None
) -> tuple[MuonArrays, MuonArrays]:
    """mu+ and mu- after radiation from parents of transverse momentum `pt` [GeV], rapidity `y`, azimuth `phi`; (n,).

    `line`: where their masses come from, by default a Breit-Wigner. The same `seed` gives the same muons.
    Raises InputError for an unknown resonance or without PYTHIA."""
    if resonance not in PDG_ID:
        raise InputError(f'resonance {resonance!r}: not known to engine = "pythia"; known are {", ".join(PDG_ID)}')
    mass = (line or BreitWigner(pdg(resonance))).sample(len(pt), random.stream(seed))
    return decay_mass(resonance, mass, pt, y, phi, seed)


def decay_mass(
    resonance: str, parent_mass: FloatArray, pt: FloatArray, y: FloatArray, phi: FloatArray, seed: int
) -> tuple[MuonArrays, MuonArrays]:
    """As `decay`, with the masses of the parents [GeV] given."""
    engine = _engine(resonance)
    engine.rndm.init(1 + seed % SEEDS)
    parents = np.column_stack(_four_momenta(parent_mass, pt, y, phi)).tolist()
    rows = [_gun(engine, PDG_ID[resonance], parent) for parent in parents]
    momenta = np.array(rows).reshape(len(rows), 2, 3)
    return _muon(momenta[:, 0]), _muon(momenta[:, 1])


@cache  # 0.1 s to make; every call of `decay_mass` seeds it anew, so nothing is remembered
def _engine(resonance: str) -> Any:
    try:
        import pythia8mc
    except ImportError:
        raise InputError("engine = \"pythia\" needs the extra: pip install 'muonkit[generators]'") from None
    engine = pythia8mc.Pythia("", False)
    for line in _settings(resonance):
        if not engine.readString(line):
            raise PhysicsError(f"PYTHIA refuses the setting {line!r}; install the version muonkit[generators] asks for")
    if not engine.init():
        raise PhysicsError(f"PYTHIA did not start for {resonance!r}; install the version muonkit[generators] asks for")
    return engine


def _settings(resonance: str) -> Iterator[str]:
    code, species = PDG_ID[resonance], pdg(resonance)
    yield from ("Print:quiet = on", "ProcessLevel:all = off", "HadronLevel:QED = on")
    yield f"{MUON}:m0 = {MUON_MASS!r}"
    yield f"{code}:m0 = {species.mass!r}"
    yield f"{code}:isResonance = off"
    yield from (f"{code}:onMode = off", f"{code}:onIfMatch = {MUON} -{MUON}")


def _four_momenta(
    mass: FloatArray, pt: FloatArray, y: FloatArray, phi: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """px, py, pz, E, m [GeV]."""
    mt = np.hypot(mass, pt)
    return pt * np.cos(phi), pt * np.sin(phi), mt * np.sinh(y), mt * np.cosh(y), mass


def _gun(engine: Any, code: int, parent: list[float]) -> tuple[Momentum, Momentum]:
    """Momenta of mu+ and mu- of one parent (px, py, pz, E, m)."""
    event = engine.event
    for _ in range(TRIES):
        event.reset()
        event.append(code, UNDECAYED, 0, 0, *parent)
        if engine.next() and event.size() > 3:
            first, second = _last_copy(event, 2), _last_copy(event, 3)
            return (first, second) if event[2].id() == -MUON else (second, first)
    raise PhysicsError(f"PYTHIA gave no two muons for a parent of mass {parent[4]:g} GeV in {TRIES} tries")


def _last_copy(event: Any, start: int) -> Momentum:
    """The muon at `start`, followed through the photons it radiates."""
    muon = event[event[start].iBotCopyId()]
    return muon.px(), muon.py(), muon.pz()


def _muon(momentum: FloatArray) -> MuonArrays:
    x, y, z = momentum.T
    pt = np.hypot(x, y)
    return MuonArrays(pt, np.arcsinh(z / pt), np.arctan2(y, x))
