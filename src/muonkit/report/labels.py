"""The words on figures and tables, in one place: what a sample may be called, resonances, species, axes.

Symbols and units of the parameters stand in `calibration.quantities`."""

from collections.abc import Iterable

from muonkit.core.particles import LABEL, PDG_ID

# nothing made here is called "CMS" or "Belle II" alone: those names belong to their collaborations
SAMPLE = {"dimuon": "Dimuon input", "cms-csv": "CMS Open Data", "nanoaod": "NanoAOD input"}
UPSILON = "\N{GREEK CAPITAL LETTER UPSILON}"
RESONANCE = {
    "jpsi": "J/ψ",
    "psi2s": "ψ(2S)",
    "upsilon1s": f"{UPSILON}(1S)",
    "upsilon2s": f"{UPSILON}(2S)",
    "upsilon3s": f"{UPSILON}(3S)",
    "z": "Z",
}
SPECIES = {"e": "e", "mu": "μ", "pi": "π", "K": "K", "p": "p", "d": "d"}
MUONS = r"$\,\to\,\mu^{+}\mu^{-}$"
AXIS = {
    "eta_plus": "η of μ⁺",
    "eta_minus": "η of μ⁻",
    "log_pt_ratio": "log(pT⁺/pT⁻)",
    "cos_dphi": "cos Δφ",
    "abs_eta_of_leading": "|η| of the leading muon",
}

SHIFT = r"$k_\mathrm{reco}/k_\mathrm{gen}-1$ [$10^{-5}$]"
CHANGE = r"$k/k_\mathrm{improved}-1$ [$10^{-5}$]"
VIEW = {
    "eta": r"$\eta$",
    "phi": r"$\varphi$ [rad]",
    "k": r"$k=1/p_\mathrm{T}$ [GeV$^{-1}$]",
    "charge k": r"$qk=q/p_\mathrm{T}$ [GeV$^{-1}$]",
}


def sample(label: str | None, file_format: str) -> str:
    """What the figures call the sample: the label it was given, or the usual content of the file format."""
    return label or SAMPLE[file_format]


def resonance(name: str) -> str:
    """The name of a resonance, for text."""
    return RESONANCE.get(name, name)


def decays(resonances: Iterable[str]) -> str:
    """The decays of several resonances, in mathtext."""
    *others, last = [LABEL.get(name, name) for name in resonances]
    return "".join(f"{name}, " for name in others) + last + MUONS


def decay(resonance: str) -> str:
    """The decay, in mathtext."""
    if resonance not in PDG_ID:
        return resonance
    return LABEL[resonance] + MUONS
