"""`muonkit calibrate` and `muonkit validate`: their configuration."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from muonkit.core.config import Edges, Section
from muonkit.core.particles import WINDOW, ResonanceName, resonance
from muonkit.io.config import Input
from muonkit.simulation.dimuons.config import (
    MOST_EVENTS,
    BeamEnergy,
    InjectedResolution,
    MassWindow,
    Seed,
    Spectrum,
    require_protons,
)

MAX_FAILED_SHARE = 0.05  # of the mass fits
MOST_GIGABYTES = 0.5  # of the sums of all cells; several of them are in memory at a time
COLUMNS = 20  # sums per cell beside the mass bins


class ResonanceChoice(Section):
    """The resonance and the mass window [GeV]; its usual one if none is given."""

    name: ResonanceName = "jpsi"
    window: MassWindow | None = None

    @model_validator(mode="after")
    def _peak_is_in_the_window(self) -> Self:
        (low, high), peak = self.mass_window, resonance(self.name).mass
        if not low < peak < high:
            raise ValueError(f"window: {low:g}-{high:g} GeV does not hold {self.name} at {peak:.4g} GeV; widen it")
        return self

    @property
    def mass_window(self) -> tuple[float, float]:
        """The mass window [GeV]."""
        return self.window or WINDOW[self.name]


class Selection(Section):
    """Cuts that a common dilation of both momenta does not change: pT/m x m_resonance [GeV]."""

    scaled_pt_min: float = Field(4.0, ge=0)
    scaled_pt_max: float = Field(1e9, gt=0)

    @model_validator(mode="after")
    def _range_rises(self) -> Self:
        if not self.scaled_pt_min < self.scaled_pt_max:
            raise ValueError(f"scaled_pt_max: must be above scaled_pt_min = {self.scaled_pt_min:g}")
        return self


class BinningChoice(Section):
    """Cells in (eta+, eta-, log(pT+/pT-), cos dphi).

    Without edges the last two are cut at quantiles of the first chunk."""

    eta_edges: Edges
    log_pt_ratio_bins: int = Field(5, ge=1, le=1000)
    cos_dphi_bins: int = Field(4, ge=1, le=1000)
    log_pt_ratio_edges: Edges | None = None
    cos_dphi_edges: Edges | None = None
    mass_bins: int = Field(100, ge=20, le=10_000)

    @model_validator(mode="after")
    def _cells_fit_in_memory(self) -> Self:
        eta = len(self.eta_edges) - 1
        ratio, dphi = (
            bins if edges is None else len(edges) - 1
            for bins, edges in (
                (self.log_pt_ratio_bins, self.log_pt_ratio_edges),
                (self.cos_dphi_bins, self.cos_dphi_edges),
            )
        )
        size = 8e-9 * eta**2 * ratio * dphi * (self.mass_bins + COLUMNS)
        if size > MOST_GIGABYTES:
            raise ValueError(
                f"{eta} x {eta} x {ratio} x {dphi} cells with {self.mass_bins} mass bins need {size:.3g} GB for every "
                f"sum, at most {MOST_GIGABYTES:g} GB are allowed; use fewer bins"
            )
        return self


PriorWidth = Annotated[float, Field(ge=1e-12, le=1e6)]
ParameterName = Literal["A", "e", "M", "a", "c", "g", "d"]


class Fit(Section):
    """What is fitted, and which cells are worth a fit.

    `priors`: parameter -> (value, width) of a Gaussian constraint in every eta bin."""

    parameters: tuple[ParameterName, ...] = ("A", "e", "M")
    min_entries: int = Field(400, ge=50)
    background: bool = True
    kernel: Literal["response", "curvature", "mass"] = "response"
    priors: dict[ParameterName, tuple[float, PriorWidth]] = Field({})
    max_failed_share: float = Field(MAX_FAILED_SHARE, ge=0, le=1)

    @model_validator(mode="after")
    def _parameters_make_sense(self) -> Self:
        if "A" not in self.parameters:
            raise ValueError("parameters: 'A' is always fitted; add it")
        if len(set(self.parameters)) != len(self.parameters):
            raise ValueError("parameters: a name stands twice")
        without = {"a", "c", "g", "d"}.isdisjoint(self.parameters)  # the simulation's fit then has a and c
        unused = set(self.priors).difference(self.parameters, ("a", "c") if without else ())
        if unused:
            names = ", ".join(sorted(unused))
            raise ValueError(f"priors: {names} is not among the parameters; fit it, or leave out the prior")
        return self


class Template(Section):
    """The built-in generator as the source of the template, where no simulation is given.

    `events`: accepted pairs, about; without spectrum.pt_min it follows from the selection. `sqrt_s` [TeV]: of the two
    protons, for the line of the Z."""

    events: int = Field(2_000_000, gt=0, le=MOST_EVENTS)
    seed: Seed = 1
    sqrt_s: BeamEnergy | None = None
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

    @model_validator(mode="after")
    def _energy_has_a_use(self) -> Self:
        try:
            require_protons(self.resonance.name, self.template.sqrt_s)
        except ValueError as error:
            raise ValueError(f"template.{error}") from None
        return self
