"""`muonkit study`: its configuration, and those of the verbs that it calls, as texts that can be run alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from muonkit.calibration.config import Calibrate, CellChoice, ParameterName
from muonkit.core.config import MOST_EVENTS, Edges, Range, Section, as_toml, parse
from muonkit.detector.distort import Knob
from muonkit.pipelines.align_config import AlignConfig, ModuleSettings
from muonkit.pipelines.refit import RefitConfig
from muonkit.simulation.dimuons.config import Spectrum
from muonkit.simulation.tracker.config import SimulateTracks, TrackerChoice, TrackPhysics, VertexSpot
from muonkit.simulation.tracker.digitise import Readout
from muonkit.tracking.refit import FitChoice

MARGIN = 0.95  # of the cut on pT/m, for the resolution
ALIGNED = "modules/corrections.json"
Count = Annotated[int, Field(ge=1, le=MOST_EVENTS)]

IMPROVED, MODULES = "improved", "modules"
FITS = {"standard": "standard fit", IMPROVED: "improved fit", MODULES: "improved fit, modules"}
"""The fits of the hits, in the order of their stages; the last is the improved fit in a detector with corrections."""


class StudyPairs(Section):
    """Pairs of a resonance, as many in the distorted detector as in the undistorted one; cut on pT/m x m_resonance
    [GeV]."""

    events: Count
    spectrum: Spectrum = Spectrum(pt_scale=6.0, pt_power=2.8, pt_min=6.0)
    scaled_pt_min: float = Field(4.0, gt=0)


class StudyZ(StudyPairs):
    """The same for the Z; bins of eta of the validation, those of the calibration by default."""

    spectrum: Spectrum = Spectrum(pt_scale=12.0, pt_power=2.2, pt_max=200.0)
    scaled_pt_min: float = Field(25.0, gt=0)
    eta_edges: Edges | None = None


class StudyMuons(Section):
    """Single muons, evenly in log pT; the ranges of pT [GeV] in which their scale is looked at."""

    tracks: Count
    pt: tuple[Range, ...] = Field(((4.0, 6.0), (8.0, 14.0), (30.0, 70.0)), min_length=1, max_length=5)

    @model_validator(mode="after")
    def _above_zero(self) -> Self:
        if min(low for low, _ in self.pt) < 0.5:
            raise ValueError("pt: must be above 0.5 GeV")
        return self


class StudyCalibration(CellChoice):
    """Cells and parameters of the calibration."""

    eta_edges: Edges = tuple(round(-2.4 + 0.4 * j, 1) for j in range(13))
    parameters: tuple[ParameterName, ...] = ("A", "e", "M")
    min_entries: int = Field(400, ge=50)


class StudyModules(Section):
    """Module corrections from J/psi of the distorted detector, as in `align`; pairs: also from their masses."""

    tracks: int | None = Field(200_000, ge=1, le=MOST_EVENTS)
    iterations: int = Field(2, ge=1, le=10)
    max_chi2: float = Field(5.0, gt=0)
    alignment: ModuleSettings = ModuleSettings(field=0.01, field_order=2)
    pairs: bool = True
    modes: int = Field(0, ge=0, le=100)


class StudyConfig(Section):
    """`muonkit study`. `distort`: how the detector differs from its description, by which its hits are fitted. Without
    `z` or `muons` they are not looked at. `modules`: a further stage, with module corrections. `fit`: what the standard
    and the improved fit share."""

    detector: TrackerChoice = TrackerChoice()
    distort: tuple[Knob, ...] = Field((), max_length=1000)
    jpsi: StudyPairs
    z: StudyZ | None = None
    muons: StudyMuons | None = None
    modules: StudyModules | None = None
    calibration: StudyCalibration = StudyCalibration()
    fit: FitChoice = FitChoice()
    vertex: VertexSpot = VertexSpot(size=(0.001, 0.001, 3.5))
    physics: TrackPhysics = TrackPhysics()
    readout: Readout = Readout()
    seed: int = Field(1, ge=0, lt=2**62)

    @model_validator(mode="after")
    def _both_fits_are_made(self) -> Self:
        if given := self.fit.model_fields_set & {"model", "approximations"}:
            raise ValueError(f"fit.{min(given)}: a study makes the standard and the improved fit; leave it out")
        return self

    @model_validator(mode="after")
    def _z_is_where_corrections_are(self) -> Self:
        low, high = self.calibration.eta_edges[0], self.calibration.eta_edges[-1]
        edges = self.of_z
        if edges[0] < low or edges[-1] > high:
            raise ValueError(f"z.eta_edges: reach outside of calibration.eta_edges ({low:g} to {high:g})")
        return self

    @property
    def of_z(self) -> Edges:
        """Edges of eta bins of the validation on the Z."""
        own = None if self.z is None else self.z.eta_edges
        return own or self.calibration.eta_edges

    @property
    def eta_max(self) -> float:
        """Largest |eta| that the calibration uses."""
        return max(map(abs, self.calibration.eta_edges))

    @property
    def fits(self) -> dict[str, str]:
        """Those of FITS that are made, with their titles."""
        return {fit: title for fit, title in FITS.items() if fit != MODULES or self.modules is not None}

    @property
    def pairs(self) -> dict[str, StudyPairs]:
        """Resonance -> its pairs."""
        return {"jpsi": self.jpsi} | ({} if self.z is None else {"z": self.z})


@dataclass(frozen=True)
class Texts:
    """Configurations of all steps, by the name of the step; `detector`: name or absolute path."""

    config: StudyConfig
    detector: str

    @property
    def simulations(self) -> dict[str, str]:
        """Samples of hits: pairs in the undistorted detector and in the distorted one, and single muons. Each has a
        seed of its own."""
        found, seed = dict[str, str](), self.config.seed
        for name in self.config.pairs:
            found[f"{name}-simulation"] = self._pairs(name, seed, False)
            found[f"{name}-data"] = self._pairs(name, seed + 1, True)
            seed += 2
        if self.config.muons is not None:
            found["muons"] = self._muons(self.config.muons, self.config.seed + 4)
        return found

    def _pairs(self, resonance: str, seed: int, distorted: bool) -> str:
        pairs = self.config.pairs[resonance]
        generate = {"particle": resonance, "events": pairs.events, "seed": seed}
        selection = {"eta_max": self.config.eta_max, "scaled_pt_min": round(MARGIN * pairs.scaled_pt_min, 6)}
        return self._simulate(generate, {"spectrum": _plain(pairs.spectrum), "selection": selection}, distorted)

    def _muons(self, muons: StudyMuons, seed: int) -> str:
        ends = [min(low for low, _ in muons.pt), max(high for _, high in muons.pt)]
        edges = self.config.calibration.eta_edges
        gun = {"pt": ends, "distribution": "log-uniform", "eta": [edges[0], edges[-1]]}
        return self._simulate({"particle": "mu", "tracks": muons.tracks, "seed": seed}, {"gun": gun}, True)

    def _simulate(self, generate: Mapping[str, Any], how: Mapping[str, Any], distorted: bool) -> str:
        config = self.config
        knobs = {"distort": [_plain(knob) for knob in config.distort]} if distorted and config.distort else {}
        shared = {name: _plain(getattr(config, name)) for name in ("vertex", "physics", "readout")}
        given = {name: table for name, table in shared.items() if table}
        return as_toml({**knobs, "generate": generate, **how, "detector": {"name": self.detector}, **given})

    def refit(self, sample: str, fit: str) -> str:
        """The fit of a sample of hits to the detector as it is described, or with module corrections."""
        files = {"hits": f"{sample}.hits.parquet", "truth": f"{sample}.truth.parquet"}
        choice = _plain(self.config.fit) | {"model": IMPROVED if fit == MODULES else fit}
        what = {"detector": self.detector, "corrections": ALIGNED if fit == MODULES else None}
        return as_toml(what | {"pairs": sample != "muons", "input": files, "fit": choice})

    @property
    def modules(self) -> str:
        """Module corrections from the J/psi of the distorted detector."""
        chosen = self.config.modules or StudyModules()
        simulation = {"resonance": "jpsi", "simulation": pairs_of("jpsi-simulation", MODULES)}
        shared = {"tracks": chosen.tracks, "iterations": chosen.iterations, "max_chi2": chosen.max_chi2}
        return as_toml(
            {
                "detector": self.detector,
                "input": {"hits": "jpsi-data.hits.parquet"},
                "fit": _plain(self.config.fit),
                "alignment": chosen.alignment.model_dump(mode="json"),
                **shared,
                "pairs": chosen.pairs,
                "mass": simulation if chosen.pairs else None,
                "modes": chosen.modes,
            }
        )

    def calibrate(self, resonance: str, fit: str) -> str:
        """The calibration on pairs of one fit, or with the Z its validation."""
        cells = _plain(self.config.calibration)
        parameters, least = self.config.calibration.parameters, self.config.calibration.min_entries
        edges = self.config.of_z if resonance == "z" else self.config.calibration.eta_edges
        binning = {key: value for key, value in cells.items() if key not in ("parameters", "min_entries")}
        if resonance == "z":
            parameters, binning = ("A",), {"log_pt_ratio_bins": 1, "cos_dphi_bins": 1}
        files = {key: [pairs_of(f"{resonance}-{key}", fit)] for key in ("data", "simulation")}
        return as_toml(
            {
                "input": files | {"label": f"Simulation, {FITS[fit]}"},
                "resonance": {"name": resonance},
                "selection": {"scaled_pt_min": self.config.pairs[resonance].scaled_pt_min},
                "binning": binning | {"eta_edges": edges},
                "fit": {"parameters": parameters, "min_entries": least, "background": False, "reference": "simulation"},
            }
        )

    def check(self, name: str) -> None:
        """Raises InputError, with the `name` of the study's file and the step, if a verb would refuse its
        configuration."""
        for step, text in self.simulations.items():
            parse(text, SimulateTracks, f"{name}: {step}")
        if self.config.modules is not None:
            parse(self.modules, AlignConfig, f"{name}: {MODULES}")
        for fit in self.config.fits:
            parse(self.refit("jpsi-data", fit), RefitConfig, f"{name}: jpsi-data-{fit}")
            for resonance in self.config.pairs:
                parse(self.calibrate(resonance, fit), Calibrate, f"{name}: {folder_of(resonance, fit)}")


def pairs_of(sample: str, fit: str) -> str:
    """The table of pairs of a sample by a fit. What all fits are compared with is the improved fit of the undistorted
    detector."""
    return f"{sample}-{IMPROVED if is_reference(sample) else fit}.pairs.parquet"


def is_reference(sample: str) -> bool:
    """Whether a sample is of the undistorted detector."""
    return sample.endswith("simulation")


def folder_of(resonance: str, fit: str) -> str:
    """The step, and its folder, of a calibration on J/psi, or of its validation on the Z."""
    return f"{'validate' if resonance == 'z' else 'calibrate'}-{resonance}-{fit}"


def _plain(section: Section) -> dict[str, Any]:
    """Keys that differ from their defaults, or were given."""
    found: dict[str, Any] = section.model_dump(mode="json", exclude_unset=True)
    return found
