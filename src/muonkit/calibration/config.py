"""`muonkit calibrate` and `muonkit validate`: their configuration."""

from typing import Literal, Self

from pydantic import Field, model_validator

from muonkit.core.config import Edges, Section, rising
from muonkit.core.particles import WINDOW, ResonanceName
from muonkit.io.config import Input
from muonkit.simulation.dimuons.config import InjectedResolution, Spectrum

MAX_FAILED_SHARE = 0.05  # of the mass fits


class ResonanceChoice(Section):
    """The resonance and the mass window [GeV]; its usual one if none is given."""

    name: ResonanceName = "jpsi"
    window: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _window_rises(self) -> Self:
        if self.window is not None:
            rising(self.window)
        return self

    @property
    def mass_window(self) -> tuple[float, float]:
        """The mass window [GeV]."""
        return self.window or WINDOW[self.name]


class Selection(Section):
    """Cuts that a common dilation of both momenta does not change: pT/m x m_resonance [GeV]."""

    scaled_pt_min: float = Field(4.0, ge=0)
    scaled_pt_max: float = Field(1e9, gt=0)


class BinningChoice(Section):
    """Cells in (eta+, eta-, log(pT+/pT-), cos dphi).

    Without edges the last two are cut at quantiles of the first chunk."""

    eta_edges: Edges
    log_pt_ratio_bins: int = Field(5, ge=1)
    cos_dphi_bins: int = Field(4, ge=1)
    log_pt_ratio_edges: Edges | None = None
    cos_dphi_edges: Edges | None = None
    mass_bins: int = Field(100, ge=20)


ParameterName = Literal["A", "e", "M", "a", "c", "g", "d"]


class Fit(Section):
    """What is fitted, and which cells are worth a fit.

    `priors`: parameter -> (value, width) of a Gaussian constraint in every eta bin."""

    parameters: tuple[ParameterName, ...] = ("A", "e", "M")
    min_entries: int = Field(400, ge=50)
    background: bool = True
    kernel: Literal["response", "curvature", "mass"] = "response"
    priors: dict[ParameterName, tuple[float, float]] = Field({})
    max_failed_share: float = Field(MAX_FAILED_SHARE, ge=0, le=1)

    @model_validator(mode="after")
    def _parameters_make_sense(self) -> Self:
        if "A" not in self.parameters:
            raise ValueError("parameters: 'A' is always fitted; add it")
        if len(set(self.parameters)) != len(self.parameters):
            raise ValueError("parameters: a name stands twice")
        return self


class Template(Section):
    """The built-in generator as the source of the template, where no simulation is given.

    `events`: accepted pairs, about; without spectrum.pt_min it follows from the selection."""

    events: int = Field(2_000_000, gt=0)
    seed: int = Field(1, ge=0)
    spectrum: Spectrum = Spectrum()
    resolution: InjectedResolution = InjectedResolution()


class Calibrate(Section):
    """`muonkit calibrate` and `muonkit validate`."""

    input: Input
    resonance: ResonanceChoice = ResonanceChoice()
    selection: Selection = Selection()
    binning: BinningChoice
    fit: Fit = Fit()
    template: Template = Template()
