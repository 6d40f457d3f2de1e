"""Resonances that decay to two muons, and the six species of a track. Masses, widths and codes come from the PDG tables
of the package `particle`."""

from dataclasses import dataclass
from functools import cache
from typing import Literal

from muonkit.core.errors import InputError

ResonanceName = Literal["jpsi", "psi2s", "upsilon1s", "upsilon2s", "upsilon3s", "z"]
PDG_ID = {"jpsi": 443, "psi2s": 100443, "upsilon1s": 553, "upsilon2s": 100553, "upsilon3s": 200553, "z": 23}
WINDOW = {
    "jpsi": (2.92, 3.28),
    "psi2s": (3.5, 3.87),
    "upsilon1s": (9.0, 9.9),
    "upsilon2s": (9.75, 10.3),
    "upsilon3s": (10.1, 10.8),
    "z": (75.0, 110.0),
}
LABEL = {
    "jpsi": r"$J/\psi$",
    "psi2s": r"$\psi(2S)$",
    "upsilon1s": r"$\Upsilon(1S)$",
    "upsilon2s": r"$\Upsilon(2S)$",
    "upsilon3s": r"$\Upsilon(3S)$",
    "z": r"$Z$",
}


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


def relative_mass_error(pole: float) -> float:
    """Uncertainty over mass, from the PDG tables, of the resonance whose mass is nearest to `pole` [GeV]."""
    from particle import Particle

    name = min(PDG_ID, key=lambda each: abs(resonance(each).mass - pole))
    return float(Particle.from_pdgid(PDG_ID[name]).mass_upper or 0) / 1000 / resonance(name).mass


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
