"""`muonkit simulate dimuons`: its configuration."""

from typing import Literal, Self

from pydantic import Field, model_validator

from muonkit.core.config import Edges, Section, rising
from muonkit.core.particles import ResonanceName


class Spectrum(Section):
    """Production: dN/dpT ~ pT (1 + (pT/pt_scale)^2)^-pt_power in [pt_min, pt_max] GeV, flat in |y| < y_max."""

    pt_scale: float = Field(6.0, gt=0)
    pt_power: float = Field(3.2, gt=1)
    pt_min: float = Field(0.0, ge=0)
    pt_max: float = Field(120.0, gt=0)
    y_max: float = Field(2.5, gt=0)

    @model_validator(mode="after")
    def _range_rises(self) -> Self:
        rising((self.pt_min, self.pt_max))
        return self


class PerEta(Section):
    """Values per eta bin; one value stands for all bins."""

    eta_edges: Edges = (-2.4, 2.4)

    @model_validator(mode="after")
    def _lengths_fit(self) -> Self:
        bins = len(self.eta_edges) - 1
        for key in type(self).model_fields:
            value = getattr(self, key)
            if key != "eta_edges" and isinstance(value, tuple) and len(value) not in (1, bins):
                raise ValueError(f"{key}: {len(value)} values for {bins} eta bins; give one, or one per bin")
        return self


class InjectedBias(PerEta):
    """A, e [GeV], M [1/GeV] that the reconstructed muons need to be right: k_true = (1 + A - e k) k + q M."""

    A: tuple[float, ...] = (0.0,)
    e: tuple[float, ...] = (0.0,)
    M: tuple[float, ...] = (0.0,)


class InjectedResolution(PerEta):
    """(sigma_k/k)^2 = a^2 + c^2 pT^2 (1 + g^2/pT^2)/(1 + d^2/pT^2); sigma_eta, sigma_phi [rad] for the angles.

    Tails: the share `tail_share` of the muons has a resolution `tail_factor` times as wide; `straggling` [GeV] is the
    mean of an exponential loss of momentum, whose mean is taken off."""

    a: tuple[float, ...] = (0.012,)
    c: tuple[float, ...] = (1.3e-4,)
    g: tuple[float, ...] = (0.0,)
    d: tuple[float, ...] = (0.0,)
    tail_share: tuple[float, ...] = (0.0,)
    tail_factor: tuple[float, ...] = (1.0,)
    straggling: tuple[float, ...] = (0.0,)
    sigma_eta: float = Field(0.0, ge=0)
    sigma_phi: float = Field(0.0, ge=0)


class Background(Section):
    """Exponential in mass: share of the pairs in the window, slope [1/GeV]."""

    fraction: float = Field(0.0, ge=0, lt=1)
    slope: float = -1.0


class Generate(Section):
    """How many accepted pairs, from which resonance, by which engine; `truth`: write the generator muons."""

    events: int = Field(gt=0)
    seed: int = Field(1, ge=0)
    resonance: ResonanceName = "jpsi"
    mass_window: tuple[float, float] | None = None
    radiation: bool = True
    engine: Literal["builtin", "pythia"] = "builtin"
    truth: bool = True
    block: int = Field(100_000, ge=1000)


class GenerateCuts(Section):
    """Acceptance of the written pairs: |eta| and pT/m x m_resonance [GeV] of the reconstructed muons."""

    eta_max: float = Field(2.4, gt=0)
    scaled_pt_min: float = Field(3.5, ge=0)


class SimulateDimuons(Section):
    """`muonkit simulate dimuons`."""

    generate: Generate
    spectrum: Spectrum = Spectrum()
    bias: InjectedBias = InjectedBias()
    resolution: InjectedResolution = InjectedResolution()
    background: Background = Background()
    selection: GenerateCuts = GenerateCuts()
