"""The parameters as people read them: symbol, unit, and the factor between the stored and the shown value; and what
their scale refers to."""

from dataclasses import dataclass
from typing import Literal

Reference = Literal["truth", "simulation"]
REFERENCES: dict[Reference, str] = {
    "truth": "generator masses: corrected data are at the true scale",
    "simulation": "the simulation (data minus simulation): corrected data are at its scale",
}


@dataclass(frozen=True, slots=True)
class Quantity:
    """Symbol and unit for figures (mathtext) and for text; shown value = factor x value; what it means."""

    symbol: str
    unit: str
    text_unit: str
    factor: float
    meaning: str

    @property
    def axis(self) -> str:
        """Symbol and unit for an axis."""
        return f"${self.symbol}$ [{self.unit}]" if self.unit else f"${self.symbol}$"


QUANTITIES = {
    "A": Quantity("A", "$10^{-3}$", "10⁻³", 1e3, "magnetic field"),
    "e": Quantity("e", "MeV", "MeV", 1e3, "energy loss"),
    "M": Quantity("M", r"$10^{-5}$ GeV$^{-1}$", "10⁻⁵ GeV⁻¹", 1e5, "misalignment"),
    "a": Quantity("a", "%", "%", 1e2, "multiple scattering"),
    "c": Quantity("c", r"$10^{-4}$ GeV$^{-1}$", "10⁻⁴ GeV⁻¹", 1e4, "hit resolution"),
    "g": Quantity("g", "GeV", "GeV", 1.0, "shape of the hit term"),
    "d": Quantity("d", "GeV", "GeV", 1.0, "shape of the hit term"),
    "A_at_mean_k": Quantity(r"A - e\,\langle k\rangle", "$10^{-3}$", "10⁻³", 1e3, "scale at the mean curvature"),
}


def shown(name: str, value: float) -> str:
    """A value in the unit it is read in."""
    quantity = QUANTITIES[name]
    unit = f"· {quantity.text_unit}" if quantity.text_unit.startswith("10") else quantity.text_unit
    return f"{value * quantity.factor:.3g} {unit}"


def subscripted(name: str) -> str:
    """`A_3` as `A₃`, for text."""
    letter, _, index = name.partition("_")
    return letter + index.translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))
