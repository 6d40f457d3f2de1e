"""Materials: what energy loss and scattering need to know of them, and the library of `descriptions/materials.toml`.

Mixtures by mass fractions: Bragg's additivity for 1/X0 and for ln I weighted with the electrons; the density effect of
a material without parameters follows Sternheimer and Peierls, Phys. Rev. B 3 (1971) 3681."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self

import numpy as np
from pydantic import Field, Strict, model_validator

from muonkit.core import limits
from muonkit.core.arrays import FloatArray
from muonkit.core.config import Section

LIBRARY = Path(__file__).parent / "descriptions" / "materials.toml"
HALF_K = 0.1535374905e-3
"""K/2 = 2 pi N_A r_e^2 m_e c^2 [GeV cm2/mol], PDG 2024 table 34.1."""
GAS_BELOW = 0.02  # g/cm3
# Sternheimer and Peierls: C below -> (x0, x1); above the last one x0 = 0.326 C - minus
SOLID_LIGHT = (((3.681, 0.2, 2.0),), 1.0, 2.0)
SOLID_HEAVY = (((5.215, 0.2, 3.0),), 1.5, 3.0)
GAS = (
    ((10.0, 1.6, 4.0), (10.5, 1.7, 4.0), (11.0, 1.8, 4.0), (11.5, 1.9, 4.0), (12.25, 2.0, 4.0), (13.804, 2.0, 5.0)),
    2.5,
    5.0,
)


@dataclass(frozen=True, slots=True)
class Element:
    """Z, A [g/mol] and mass fraction of an element of a material."""

    Z: float
    A: float
    weight: float


@dataclass(frozen=True, slots=True)
class DensityEffect:
    """Sternheimer's parameters: delta/2 of PDG 2024 eq. 34.7."""

    C: float
    x0: float
    x1: float
    a: float
    k: float
    delta0: float = 0.0


@dataclass(frozen=True, slots=True)
class Material:
    """density [g/cm3], X0 [cm], I [eV]; elements with their mass fractions. Vacuum has density 0 and X0 = inf."""

    name: str
    density: float
    X0: float
    I: float  # noqa: E741 - the field's letter
    elements: tuple[Element, ...]
    density_effect: DensityEffect

    @property
    def Z_over_A(self) -> float:
        """Electrons per nucleon [mol/g], the mean over mass fractions."""
        return sum(element.weight * element.Z / element.A for element in self.elements)

    @property
    def interaction_length(self) -> float:
        """Nuclear interaction length [cm] by the rule 35 g/cm2 A^(1/3) of Geant4; inf in vacuum."""
        inverse = self.density * sum(element.weight / (35 * element.A ** (1 / 3)) for element in self.elements)
        return 1 / inverse if inverse > 0 else float("inf")

    @property
    def xi(self) -> float:
        """K/2 Z/A density [GeV/cm]: the scale of straggling, to be divided by beta^2."""
        return HALF_K * self.Z_over_A * self.density

    @property
    def plasma_energy(self) -> float:
        """hbar omega_p [eV] = 28.816 sqrt(density Z/A); PDG 2024 table 34.1."""
        return plasma_energy(self.density, self.Z_over_A)

    def scaled(self, factor: float) -> Self:
        """The same material, `factor` times as dense. The density effect is shifted accordingly: C - ln f, x - lg
        f/2."""
        e, shift = self.density_effect, 0.5 * np.log10(factor)
        effect = replace(e, C=e.C - float(np.log(factor)), x0=e.x0 - float(shift), x1=e.x1 - float(shift))
        return replace(self, density=self.density * factor, X0=self.X0 / factor, density_effect=effect)


VACUUM = Material("vacuum", 0.0, np.inf, 1.0, (), DensityEffect(0.0, 0.0, 0.0, 0.0, 1.0))


class MaterialArrays(NamedTuple):
    """What compiled loops need of the materials of a detector: density [g/cm3], X0 [cm], xi [GeV/cm], I [eV], each
    (n,); effect (n, 6): the parameters of the density effect in the order of `DensityEffect`."""

    density: FloatArray
    X0: FloatArray
    xi: FloatArray
    I: FloatArray  # noqa: E741
    effect: FloatArray


def arrays(materials: Sequence[Material]) -> MaterialArrays:
    """Materials for the kernels, one per row, in their order."""
    columns = [[getattr(material, name) for material in materials] for name in ("density", "X0", "xi", "I")]
    effects = [[getattr(m.density_effect, field.name) for field in fields(DensityEffect)] for m in materials]
    return MaterialArrays(*(np.array(column, dtype=np.float64) for column in [*columns, effects]))


@cache
def library() -> Mapping[str, Material]:
    """Name -> material for those that come with muonkit, and vacuum."""
    content = limits.parse_toml(limits.read_text(LIBRARY), LIBRARY.name)
    return {"vacuum": VACUUM} | {name: _from_toml(name, entry) for name, entry in content.items()}


def _from_toml(name: str, entry: Mapping[str, Any]) -> Material:
    elements = tuple(Element(*element) for element in entry["elements"])
    density, I = entry["density"], entry["I"]  # noqa: E741
    Z_over_A = sum(element.weight * element.Z / element.A for element in elements)
    given = entry.get("density_effect")
    effect = DensityEffect(**given) if given else general_density_effect(density, Z_over_A, I)
    return Material(name, density, entry["X0"] / density, I, elements, effect)


def plasma_energy(density: float, Z_over_A: float) -> float:
    """hbar omega_p [eV] of the electrons, for density [g/cm3] and Z/A [mol/g]; PDG 2024 table 34.1."""
    return 28.816 * float(np.sqrt(density * Z_over_A))


def general_density_effect(density: float, Z_over_A: float, I: float) -> DensityEffect:  # noqa: E741
    """The density effect of a material without parameters of its own, for density [g/cm3], Z/A [mol/g] and I [eV].
    Sternheimer and Peierls (1971); good to a few per cent of delta."""
    C = 1 + 2 * float(np.log(I / plasma_energy(density, Z_over_A)))
    solid = SOLID_LIGHT if I < 100 else SOLID_HEAVY
    steps, minus, x1 = GAS if density < GAS_BELOW else solid
    x0 = 0.326 * C - minus
    for below, step_x0, step_x1 in steps:
        if below > C:
            x0, x1 = step_x0, step_x1
            break
    a = (C - 2 * np.log(10) * x0) / (x1 - x0) ** 3
    return DensityEffect(C, x0, x1, float(a), 3.0)


def mixture(name: str, density: float, parts: Sequence[tuple[Material, float]]) -> Material:
    """A material of density [g/cm3] made of others by mass fraction (they are normalised), by Bragg's additivity.
    One part alone keeps its own density effect."""
    if len(parts) == 1:
        return replace(parts[0][0].scaled(density / parts[0][0].density), name=name)
    total = sum(weight for _, weight in parts)
    shares = [(material, weight / total) for material, weight in parts]
    elements = tuple(Element(e.Z, e.A, e.weight * share) for material, share in shares for e in material.elements)
    Z_over_A = sum(share * material.Z_over_A for material, share in shares)
    log_I = sum(share * material.Z_over_A * np.log(material.I) for material, share in shares) / Z_over_A
    X0 = 1 / (density * sum(share / (material.X0 * material.density) for material, share in shares))
    I = float(np.exp(log_I))  # noqa: E741
    return Material(name, density, X0, I, elements, general_density_effect(density, Z_over_A, I))


Parameter = Annotated[float, Strict(), Field(ge=-1000, le=1000)]
Share = Annotated[float, Strict(), Field(gt=0, le=1e6)]


class DensityEffectSection(Section):
    """Sternheimer's parameters."""

    C: Parameter
    x0: Parameter
    x1: Parameter
    a: Parameter
    k: Parameter
    delta0: Parameter = 0.0


class MaterialSection(Section):
    """[materials.NAME]: density [g/cm3]; `of` (mass fractions of library materials), or Z and A, X0 [cm] and I [eV]."""

    density: float = Field(ge=1e-12, le=1000, strict=True)
    of: dict[str, Share] = Field(default_factory=dict)
    Z: float | None = Field(None, ge=0.1, le=150, strict=True)
    A: float | None = Field(None, ge=0.1, le=500, strict=True)
    X0: float | None = Field(None, ge=1e-3, le=1e12, strict=True)
    I: float | None = Field(None, ge=1, le=1e4, strict=True)  # noqa: E741
    density_effect: DensityEffectSection | None = None

    @model_validator(mode="after")
    def _is_defined_once(self) -> Self:
        element = [getattr(self, key) is not None for key in ("Z", "A", "X0", "I")]
        if self.of and any(element):
            raise ValueError("give either `of` or Z, A, X0 and I, not both")
        if not self.of and not all(element):
            raise ValueError("needs Z, A, X0 [cm] and I [eV], or `of` with mass fractions of known materials")
        known = [name for name, material in library().items() if material.density > 0]
        unknown = sorted(set(self.of) - set(known))
        if unknown:
            raise ValueError(f"of: '{unknown[0]}' is not in the library ({', '.join(known)})")
        return self

    def build(self, name: str) -> Material:
        """The material, called `name`."""
        if self.of:
            made = mixture(name, self.density, [(library()[part], share) for part, share in self.of.items()])
        else:
            Z, A, X0, I = (float(value or 0) for value in (self.Z, self.A, self.X0, self.I))  # noqa: E741
            effect = general_density_effect(self.density, Z / A, I)
            made = Material(name, self.density, X0, I, (Element(Z, A, 1.0),), effect)
        if self.density_effect is None:
            return made
        return replace(made, density_effect=DensityEffect(**self.density_effect.model_dump()))
