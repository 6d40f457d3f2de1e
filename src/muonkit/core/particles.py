"""Resonances that decay to two muons. Masses and widths come from the PDG tables of the package `particle`."""

from dataclasses import dataclass
from functools import cache

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
    """Raises KeyError when `name` is not one of PDG_ID."""
    from particle import Particle

    particle = Particle.from_pdgid(PDG_ID[name])
    return Resonance(name, float(particle.mass or 0) / 1000, float(particle.width or 0) / 1000)
