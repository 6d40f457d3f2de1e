"""`muonkit calibrate` and `muonkit validate`: their configuration."""

import math
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from muonkit.calibration.quantities import Reference
from muonkit.core.config import MOST_EVENTS, Edges, Section, Seed, rising
from muonkit.core.particles import WINDOW, ResonanceName, resonance
from muonkit.io.config import Input
from muonkit.simulation.dimuons.config import BeamEnergy, InjectedResolution, MassWindow, Spectrum, require_protons

MAX_FAILED_SHARE = 0.05  # of the mass fits
MOST_GIGABYTES = 0.5  # of the sums of all cells; several of them are in memory at a time
COLUMNS = 20  # sums per cell beside the mass bins
MOST_BINS = 120  # of eta x phi: the covariance, and the variations of the corrections, grow with their square
FULL_TURN = 1e-4  # rad, by which edges in phi may miss a full turn


MOST_PERIODS = 1000
RunEdges = Annotated[
    tuple[Annotated[int, Field(ge=0, lt=2**63)], ...], Field(max_length=MOST_PERIODS + 1), AfterValidator(rising)
]


def full_turn(edges: tuple[float, ...]) -> tuple[float, ...]:
    """The edges [rad], if they span a full turn. Raises ValueError otherwise."""
    span = edges[-1] - edges[0]
    if abs(span - math.tau) > FULL_TURN:
        raise ValueError(
            f"must span a full turn of {math.tau:.6f} rad, but span {span:.6g}; end at {edges[0] + math.tau:.6f}"
        )
    return edges


PhiEdges = Annotated[Edges, AfterValidator(full_turn)]
Yield = Annotated[float, Field(gt=0, le=1000)]


class ResonanceChoice(Section):
    """The resonance and the mass window [GeV]; its usual one if none is given.

    `others`: resonances in the same window, and how many of them there are for one of `name` in the template of the
    built-in generator; a simulation has its own. With `free_yields` the yields are fitted in every cell."""

    name: ResonanceName = "jpsi"
    window: MassWindow | None = None
    others: dict[ResonanceName, Yield] = Field({})
    free_yields: bool = True

    @model_validator(mode="after")
    def _peaks_are_in_the_window(self) -> Self:
        if self.name in self.others:
            raise ValueError(f"others: {self.name} is the resonance itself; leave it out")
        low, high = self.mass_window
        for name in self.yields:
            peak = resonance(name).mass
            if not low < peak < high:
                raise ValueError(f"window: {low:g}-{high:g} GeV does not hold {name} at {peak:.4g} GeV; widen it")
        return self

    @property
    def yields(self) -> dict[ResonanceName, float]:
        """All resonances in the window, and their yields in the built-in template for one of `name`."""
        return {self.name: 1.0, **self.others}

    @property
    def mass_window(self) -> tuple[float, float]:
        """The mass window [GeV]."""
        usual = [WINDOW[name] for name in self.yields]
        return self.window or (min(low for low, _ in usual), max(high for _, high in usual))

    @property
    def fitted_masses(self) -> tuple[float, ...]:
        """The masses [GeV] of the resonances whose yields are fitted; none if there is one resonance."""
        return tuple(resonance(name).mass for name in self.yields) if self.others and self.free_yields else ()


class Selection(Section):
    """Cuts that a common dilation of both momenta does not change: pT/m x m_resonance [GeV]."""

    scaled_pt_min: float = Field(4.0, ge=0)
    scaled_pt_max: float = Field(1e9, gt=0)

    @model_validator(mode="after")
    def _range_rises(self) -> Self:
        if not self.scaled_pt_min < self.scaled_pt_max:
            raise ValueError(f"scaled_pt_max: must be above scaled_pt_min = {self.scaled_pt_min:g}")
        return self


class CellChoice(Section):
    """Cells in log(pT+/pT-) and cos dphi, and mass bins.

    Without edges the first two are cut at quantiles of the first chunk."""

    log_pt_ratio_bins: int = Field(5, ge=1, le=1000)
    cos_dphi_bins: int = Field(4, ge=1, le=1000)
    log_pt_ratio_edges: Edges | None = None
    cos_dphi_edges: Edges | None = None
    mass_bins: int = Field(100, ge=20, le=10_000)


class BinningChoice(CellChoice):
    """Cells in (bin of mu+, bin of mu-, log(pT+/pT-), cos dphi). Bins of muons are those of eta and, with `phi_edges`,
    of phi [rad]. `run_edges`: first runs of periods that are calibrated apart, and the first run behind them."""

    eta_edges: Edges
    phi_edges: PhiEdges | None = None
    run_edges: RunEdges | None = None

    @model_validator(mode="after")
    def _cells_fit_in_memory(self) -> Self:
        muons, ratio, dphi = self.shape
        if self.phi_edges and muons > MOST_BINS:
            eta, phi = len(self.eta_edges) - 1, len(self.phi_edges) - 1
            raise ValueError(f"phi_edges: {eta} x {phi} bins of eta and phi, at most {MOST_BINS} are allowed")
        if self.gigabytes > MOST_GIGABYTES:
            raise ValueError(
                f"{muons} x {muons} x {ratio} x {dphi} cells with {self.mass_bins} mass bins need "
                f"{self.gigabytes:.3g} GB for every sum, at most {MOST_GIGABYTES:g} GB are allowed; use fewer bins"
            )
        return self

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of bins of muons, log(pT+/pT-) and cos dphi."""
        ratio, dphi = (
            bins if edges is None else len(edges) - 1
            for bins, edges in (
                (self.log_pt_ratio_bins, self.log_pt_ratio_edges),
                (self.cos_dphi_bins, self.cos_dphi_edges),
            )
        )
        return (len(self.eta_edges) - 1) * (len(self.phi_edges or (0, 0)) - 1), ratio, dphi

    @property
    def gigabytes(self) -> float:
        """Size of the sums of all cells [GB]."""
        muons, ratio, dphi = self.shape
        return 8e-9 * muons**2 * ratio * dphi * (self.mass_bins + COLUMNS)


PriorWidth = Annotated[float, Field(ge=1e-12, le=1e6)]
ParameterName = Literal["A", "e", "M", "a", "c", "g", "d"]


class Fit(Section):
    """What is fitted, what the scale is compared with, and which cells are worth a fit.

    `method`: the masses of cells and then the parameters, or the parameters to every pair at once, see `unbinned`.
    `priors`: parameter -> (value, width) of a Gaussian constraint in every bin of muons."""

    parameters: tuple[ParameterName, ...] = ("A", "e", "M")
    reference: Reference = "truth"
    method: Literal["cells", "unbinned"] = "cells"
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
        if self.reference == "simulation" and (scale := sorted({"A", "e", "M"}.intersection(self.priors))):
            raise ValueError(
                f"priors: {', '.join(scale)} cannot have a prior with reference = 'simulation', since it would act on "
                "data and on simulation; leave it out"
            )
        return self

    @model_validator(mode="after")
    def _pairs_can_be_fitted(self) -> Self:
        if self.method == "cells":
            return self
        if unknown := [name for name in self.parameters if name in ("g", "d")]:
            raise ValueError(
                f'parameters: method = "unbinned" knows a and c of the resolution, not {unknown[0]}; leave it out, or '
                'use method = "cells"'
            )
        if self.reference == "simulation":
            raise ValueError('reference: "simulation" needs method = "cells"; use "truth" for "unbinned"')
        if self.kernel == "mass":
            raise ValueError('kernel: "mass" needs method = "cells"; use "response" or "curvature" for "unbinned"')
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


SampleName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,40}$")]


class Pairs(Section):
    """Pairs of one resonance: files, cuts, and the built-in template where there is no simulation."""

    name: SampleName | None = None
    input: Input
    resonance: ResonanceChoice = ResonanceChoice()
    selection: Selection = Selection()
    template: Template = Template()

    @property
    def label(self) -> str:
        """What the sample is called in results: the name of the resonance if it has none."""
        return self.name or self.resonance.name


class Sample(Pairs):
    """Pairs and the cells in which they are counted."""

    binning: BinningChoice


class JointSample(Pairs):
    """`[[sample]]`: one of the samples of a joint fit. What its `binning` does not say is that of all samples."""

    binning: CellChoice = CellChoice()

    def with_binning(self, common: BinningChoice) -> Sample:
        """The sample with the binning that holds for all, as far as it has none of its own."""
        own = {key: getattr(self.binning, key) for key in self.binning.model_fields_set}
        return Sample(
            name=self.name,
            input=self.input,
            resonance=self.resonance,
            selection=self.selection,
            binning=common.model_copy(update=own),
            template=self.template,
        )


ALONE = ("input", "resonance", "selection", "template")  # sections of a configuration with one sample


class Calibrate(Section):
    """`muonkit calibrate` and `muonkit validate`: one sample, or several of one joint fit in `[[sample]]`."""

    input: Input | None = None
    resonance: ResonanceChoice = ResonanceChoice()
    selection: Selection = Selection()
    binning: BinningChoice
    fit: Fit = Fit()
    template: Template = Template()
    sample: tuple[JointSample, ...] = ()

    @model_validator(mode="after")
    def _samples_make_sense(self) -> Self:
        if not self.sample:
            if self.input is None:
                raise ValueError("input: is missing; add it")
            return self
        if both := [name for name in ALONE if name in self.model_fields_set]:
            raise ValueError(f"{both[0]}: belongs to each [[sample]] of a joint fit; move it there")
        labels = [each.label for each in self.samples]
        if twice := [label for label in labels if labels.count(label) > 1]:
            raise ValueError(f"sample: two are called '{twice[0]}'; give each a name of its own")
        size = sum(each.binning.gigabytes for each in self.samples)
        if size > MOST_GIGABYTES:
            raise ValueError(
                f"sample: the cells of all samples need {size:.3g} GB for every sum, at most {MOST_GIGABYTES:g} GB are "
                "allowed; use fewer bins"
            )
        return self

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The samples, at least one."""
        if self.input is not None:
            return (
                Sample(
                    input=self.input,
                    resonance=self.resonance,
                    selection=self.selection,
                    binning=self.binning,
                    template=self.template,
                ),
            )
        return tuple(each.with_binning(self.binning) for each in self.sample)

    @model_validator(mode="after")
    def _reference_is_there(self) -> Self:
        without = [each.label for each in self.samples if not each.input.simulation]
        if self.fit.reference == "simulation" and without:
            where = f"sample {without[0]}: input.simulation" if self.sample else "input.simulation"
            raise ValueError(
                f"fit.reference: 'simulation' needs simulated muons; give {where}, or use reference = 'truth'"
            )
        return self

    @model_validator(mode="after")
    def _pairs_are_of_one_resonance(self) -> Self:
        if self.fit.method == "cells":
            return self
        if len(self.samples) > 1:
            raise ValueError('sample: fit.method = "unbinned" takes one sample; use "cells" for a joint fit')
        if self.samples[0].resonance.others:
            raise ValueError('resonance.others: fit.method = "unbinned" takes one resonance in the window; use "cells"')
        return self

    @model_validator(mode="after")
    def _energy_has_a_use(self) -> Self:
        for sample in self.samples:
            try:
                require_protons(sample.resonance.name, sample.template.sqrt_s)
            except ValueError as error:
                raise ValueError(f"template.{error}") from None
        return self
