"""`muonkit simulate dimuons`: its configuration."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from muonkit.core.config import MOST_EVENTS, Edges, Section, Seed, rising, rising_pair
from muonkit.core.particles import WINDOW, ResonanceName

REACH = 1.12  # pairs are kept up to this factor outside the mass window
STEEPEST = 100  # slope of the background x width of the window: exp(STEEPEST) is far from an overflow
PairMass = Annotated[float, Field(ge=0.01, le=10_000)]
MassWindow = Annotated[tuple[PairMass, PairMass], AfterValidator(rising_pair)]


BEAMS = (5.02, 7.0, 8.0, 13.0, 13.6)  # TeV, of the parton luminosities


def _has_luminosities(sqrt_s: float) -> float:
    if sqrt_s not in BEAMS:
        raise ValueError(f"there are parton luminosities at {', '.join(f'{each:g}' for each in BEAMS)} TeV only")
    return sqrt_s


BeamEnergy = Annotated[float, AfterValidator(_has_luminosities)]
USUAL_BEAMS = 13.0


def require_protons(resonance: ResonanceName, sqrt_s: float | None) -> None:
    """Raises ValueError if an energy is given for a resonance whose line does not depend on it."""
    if sqrt_s is not None and resonance != "z":
        raise ValueError(f"sqrt_s: changes the line of the z only, not that of {resonance}; leave it out")


class Spectrum(Section):
    """Production: dN/dpT ~ pT (1 + (pT/pt_scale)^2)^-pt_power in [pt_min, pt_max] GeV, flat in |y| < y_max."""

    pt_scale: float = Field(6.0, ge=1e-3, le=1e4)
    pt_power: float = Field(3.2, ge=1.001, le=50)
    pt_min: float = Field(0.0, ge=0)
    pt_max: float = Field(120.0, gt=0, le=1e5)
    y_max: float = Field(2.5, gt=0, le=20)

    @model_validator(mode="after")
    def _range_rises(self) -> Self:
        rising((self.pt_min, self.pt_max))
        above = (1 + (self.pt_min / self.pt_scale) ** 2) ** (1 - self.pt_power)
        if above < 1e-250:
            raise ValueError("the spectrum is 0 above pt_min; lower pt_min or pt_power, or raise pt_scale")
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

    A: tuple[Annotated[float, Field(gt=-1, le=10)], ...] = (0.0,)
    e: tuple[Annotated[float, Field(ge=-10, le=10)], ...] = (0.0,)
    M: tuple[Annotated[float, Field(ge=-1, le=1)], ...] = (0.0,)


Term = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Factor = Annotated[float, Field(ge=1, le=10)]
TermScale = Annotated[float, Field(ge=0, le=1e4)]


class InjectedResolution(PerEta):
    """(sigma_k/k)^2 = a^2 + c^2 pT^2 (1 + g^2/pT^2)/(1 + d^2/pT^2); sigma_eta, sigma_phi [rad] for the angles.

    Tails: the share `tail_share` of the muons has a resolution `tail_factor` times as wide; `straggling` [GeV] is the
    mean of an exponential loss of momentum, whose mean is taken off."""

    a: tuple[Term, ...] = (0.012,)
    c: tuple[Term, ...] = (1.3e-4,)
    g: tuple[TermScale, ...] = (0.0,)
    d: tuple[TermScale, ...] = (0.0,)
    tail_share: tuple[Share, ...] = (0.0,)
    tail_factor: tuple[Factor, ...] = (1.0,)
    straggling: tuple[Term, ...] = (0.0,)
    sigma_eta: float = Field(0.0, ge=0, le=1)
    sigma_phi: float = Field(0.0, ge=0, le=1)


class Background(Section):
    """Exponential in mass: share of the pairs in the window, slope [1/GeV]."""

    fraction: float = Field(0.0, ge=0, lt=1)
    slope: float = -1.0


class Generate(Section):
    """How many accepted pairs, from which resonance, by which engine; `truth`: write the generator muons.

    `sqrt_s` [TeV]: of the two protons, for the line of the Z; USUAL_BEAMS if none is given."""

    events: int = Field(gt=0, le=MOST_EVENTS)
    seed: Seed = 1
    resonance: ResonanceName = "jpsi"
    sqrt_s: BeamEnergy | None = None
    mass_window: MassWindow | None = None
    radiation: bool = True
    engine: Literal["builtin", "pythia"] = "builtin"
    truth: bool = True
    block: int = Field(100_000, ge=1000, le=1_000_000)

    @model_validator(mode="after")
    def _energy_has_a_use(self) -> Self:
        require_protons(self.resonance, self.sqrt_s)
        return self

    @property
    def reach(self) -> tuple[float, float]:
        """The masses [GeV] that are kept: of the mass window, and somewhat outside."""
        low, high = self.mass_window or WINDOW[self.resonance]
        return low / REACH, high * REACH


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

    @model_validator(mode="after")
    def _background_is_finite(self) -> Self:
        low, high = self.generate.reach
        if abs(self.background.slope) * (high - low) > STEEPEST:
            most = STEEPEST / (high - low)
            raise ValueError(f"background.slope: is too steep for {low:.3g}-{high:.3g} GeV; at most {most:.3g} per GeV")
        return self
