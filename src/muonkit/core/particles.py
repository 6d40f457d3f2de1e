"""Resonances that decay to two muons, and the six species of a track. Masses, widths and codes come from the PDG tables
of the package `particle`."""

from dataclasses import dataclass
from functools import cache
from typing import Literal

from muonkit.core.errors import InputError

ResonanceName = Literal["jpsi", "psi2s", "upsilon1s", "z"]
PDG_ID = {"jpsi": 443, "psi2s": 100443, "upsilon1s": 553, "z": 23}
WINDOW = {"jpsi": (2.92, 3.28), "psi2s": (3.5, 3.87), "upsilon1s": (9.0, 9.9), "z": (75.0, 110.0)}
LABEL = {"jpsi": r"$J/\psi$", "psi2s": r"$\psi(2S)$", "upsilon1s": r"$\Upsilon(1S)$", "z": r"$Z$"}


@dataclass(frozen=True, slots=True)
class Resonance:
    """Name, pole mass [GeV], full width [GeV]."""

    name: str
    mass: float
    width: float


@cache
def resonance(name: str) -> Resonance:
    """The resonance with pole mass and width [GeV] from the PDG tables. Raises KeyError if `name` is not in PDG_ID."""
    from particle import Particle

    particle = Particle.from_pdgid(PDG_ID[name])
    return Resonance(name, float(particle.mass or 0) / 1000, float(particle.width or 0) / 1000)


def mass_error(name: str) -> float:
    """The uncertainty [GeV] of the pole mass of a resonance in the PDG tables. Raises KeyError as `resonance`."""
    from particle import Particle

    return float(Particle.from_pdgid(PDG_ID[name]).mass_upper or 0) / 1000


SPECIES = ("mu", "pi", "K", "p", "d", "e")
_TRACK_PDG_ID = {"mu": -13, "pi": 211, "K": 321, "p": 2212, "d": 1000010020, "e": -11}


@dataclass(frozen=True, slots=True)
class Species:
    """Name, PDG code of the positive one, mass [GeV]."""

    name: str
    pdg_id: int
    mass: float


@cache
def species(name: str) -> Species:
    """The species with its mass [GeV] from the PDG tables. Raises InputError if `name` is not in SPECIES."""
    from particle import Particle

    if name not in SPECIES:
        raise InputError(f"species: there is no '{name}'; choose one of {', '.join(SPECIES)}")
    code = _TRACK_PDG_ID[name]
    mass = float(Particle.from_pdgid(code).mass or 0)
    if name == "d":  # the tables give the atom: 2.014102 u
        mass -= float(Particle.from_pdgid(11).mass or 0)
    return Species(name, code, mass / 1000)
