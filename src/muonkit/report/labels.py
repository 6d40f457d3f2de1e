"""The words on figures and tables, in one place: what a sample may be called, symbols, and units to read them in."""

from dataclasses import dataclass
from typing import Any

from muonkit.core.particles import LABEL, PDG_ID

# nothing made here is called "CMS" or "Belle II" alone: those names belong to their collaborations
SAMPLE = {"dimuon": "Dimuon input", "cms-csv": "CMS Open Data", "nanoaod": "NanoAOD input"}
RESONANCE = {"jpsi": "J/ψ", "psi2s": "ψ(2S)", "upsilon1s": "\N{GREEK CAPITAL LETTER UPSILON}(1S)", "z": "Z"}
SPECIES = {"e": "e", "mu": "μ", "pi": "π", "K": "K", "p": "p", "d": "d"}
AXIS = {
    "eta_plus": "η of μ⁺",
    "eta_minus": "η of μ⁻",
    "log_pt_ratio": "log(pT⁺/pT⁻)",
    "cos_dphi": "cos Δφ",
    "abs_eta_of_leading": "|η| of the leading muon",
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


def sample(provenance: dict[str, Any], file_format: str) -> str:
    """What the figures call the sample: `sample` of the provenance, or the usual content of the file format."""
    return str(provenance.get("sample") or SAMPLE[file_format])


def decay(resonance: str) -> str:
    """The decay, in mathtext."""
    if resonance not in PDG_ID:
        return resonance
    return LABEL[resonance] + r"$\,\to\,\mu^{+}\mu^{-}$"


def parameter(name: str) -> str:
    """`A_3` as `A₃`, for text."""
    letter, _, index = name.partition("_")
    return letter + index.translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))
