"""Configuration: TOML read into frozen models; every fault is one line that names file, key and the way out."""

import tomllib
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from muonkit.core.errors import InputError
from muonkit.core.particles import WINDOW

ResonanceName = Literal["jpsi", "psi2s", "upsilon1s", "z"]


def _rising(edges: tuple[float, ...]) -> tuple[float, ...]:
    if len(edges) < 2:
        raise ValueError("needs at least two edges")
    for low, high in pairwise(edges):
        if not low < high:
            raise ValueError(f"edges must rise, but {low:g} is followed by {high:g}")
    return edges


Edges = Annotated[tuple[float, ...], AfterValidator(_rising)]


def _range(pair: tuple[float, float]) -> tuple[float, float]:
    if not pair[0] < pair[1]:
        raise ValueError(f"range must rise, but {pair[0]:g} is followed by {pair[1]:g}")
    return pair


Range = Annotated[tuple[float, float], AfterValidator(_range)]


class Section(BaseModel):
    """A table of the configuration: frozen, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Input(Section):
    """Where the muons are. `columns` maps a column of the dimuon table to its name in the file; `label` is what
    figures call the data."""

    data: tuple[str, ...] = Field(min_length=1)
    simulation: tuple[str, ...] = ()
    format: Literal["dimuon", "cms-csv", "nanoaod"] = "dimuon"
    tree: str | None = None
    columns: dict[str, str] = {}
    label: str = ""
    chunk_size: int = Field(500_000, ge=1)
    max_bad_share: float = Field(0.01, ge=0, le=1)


class ResonanceChoice(Section):
    """The resonance and the mass window [GeV]; its usual one if none is given."""

    name: ResonanceName = "jpsi"
    window: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _window_rises(self) -> Self:
        if self.window is not None:
            _rising(self.window)
        return self

    @property
    def mass_window(self) -> tuple[float, float]:
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


Parameter = Literal["A", "e", "M", "a", "c", "g", "d"]


class Fit(Section):
    """What is fitted, and which cells are worth a fit.

    `priors`: parameter -> (value, width) of a Gaussian constraint in every eta bin."""

    parameters: tuple[Parameter, ...] = ("A", "e", "M")
    min_entries: int = Field(400, ge=50)
    background: bool = True
    kernel: Literal["curvature", "mass"] = "curvature"
    priors: dict[Parameter, tuple[float, float]] = {}
    max_failed_share: float = Field(0.05, ge=0, le=1)

    @model_validator(mode="after")
    def _parameters_make_sense(self) -> Self:
        if "A" not in self.parameters:
            raise ValueError("parameters: 'A' is always fitted; add it")
        if len(set(self.parameters)) != len(self.parameters):
            raise ValueError("parameters: a name stands twice")
        return self


class Spectrum(Section):
    """Production: dN/dpT ~ pT (1 + (pT/pt_scale)^2)^-pt_power in [pt_min, pt_max] GeV, flat in |y| < y_max."""

    pt_scale: float = Field(6.0, gt=0)
    pt_power: float = Field(3.2, gt=1)
    pt_min: float = Field(0.0, ge=0)
    pt_max: float = Field(120.0, gt=0)
    y_max: float = Field(2.5, gt=0)

    @model_validator(mode="after")
    def _range_rises(self) -> Self:
        _rising((self.pt_min, self.pt_max))
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
    """(sigma_k/k)^2 = a^2 + c^2 pT^2 (1 + g^2/pT^2)/(1 + d^2/pT^2); sigma_eta, sigma_phi [rad] for the angles."""

    a: tuple[float, ...] = (0.012,)
    c: tuple[float, ...] = (1.3e-4,)
    g: tuple[float, ...] = (0.0,)
    d: tuple[float, ...] = (0.0,)
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


Model = TypeVar("Model", bound=BaseModel)


def load(path: Path, model: type[Model]) -> Model:
    """Read and check a TOML file. Raises InputError with one line per fault."""
    return parse(read_text(path), model, str(path))


def read_text(path: Path) -> str:
    """The text of a configuration file. Raises InputError if it cannot be read."""
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}). Give the path of a TOML file.") from error


def parse(text: str, model: type[Model], name: str = "config") -> Model:
    """Check the text of a TOML file. Raises InputError with one line per fault."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name}: not valid TOML: {error}") from error
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise InputError([_fault(name, model, fault) for fault in error.errors()]) from None


def _fault(name: str, model: type[BaseModel], fault: Any) -> str:
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"{name}: {key}: unknown key{_suggestion(model, fault['loc'])}"
    if fault["type"] == "missing":
        return f"{name}: {key}: is missing; add it"
    message = fault["msg"].removeprefix("Value error, ")
    given = fault.get("input")
    shown = "" if isinstance(given, dict) else f" (found {given!r})"
    return f"{name}: {key}: {message}{shown}"


def _suggestion(model: type[BaseModel], location: tuple[Any, ...]) -> str:
    section: Any = model
    for part in location[:-1]:
        field = section.model_fields.get(part)
        if field is None or not hasattr(field.annotation, "model_fields"):
            return ""
        section = field.annotation
    known = list(section.model_fields)
    close = get_close_matches(str(location[-1]), known, n=1)
    return f"; did you mean '{close[0]}'?" if close else f"; known are {', '.join(known)}"
