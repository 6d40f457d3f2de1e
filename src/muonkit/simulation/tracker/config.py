"""`muonkit simulate tracks`: its configuration."""

from difflib import get_close_matches
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from muonkit.core.config import MOST_EVENTS, Section, Seed
from muonkit.core.particles import ResonanceName
from muonkit.detector.distort import Knob
from muonkit.simulation.dimuons.config import BeamEnergy, GenerateCuts, Spectrum, require_protons
from muonkit.simulation.gun import Gun, ParticleName
from muonkit.simulation.tracker.by_geant4 import Geant4Tracks
from muonkit.simulation.tracker.digitise import Readout
from muonkit.simulation.tracker.step import Physics

RESONANCES: tuple[ResonanceName, ...] = get_args(ResonanceName)
PARTICLES = (*get_args(ParticleName), *RESONANCES)


def _known(name: str) -> str:
    if name not in PARTICLES:
        near = get_close_matches(name, PARTICLES, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(PARTICLES)}"
        raise ValueError(f"is no particle; {hint}")
    return name


Particle = Annotated[str, AfterValidator(_known)]
Count = Annotated[int, Field(ge=1, le=MOST_EVENTS)]
Place = tuple[float, float, float]
Width = Annotated[float, Field(ge=0, le=1e4)]
OF_GUN, OF_PAIRS = ("gun",), ("spectrum", "selection")
ELSEWHERE = {"particle": "generate.particle", "vertex": "vertex.position", "spread": "vertex.size"}


class GenerateTracks(Section):
    """What to make, and how many: `tracks` of a species, with or without a sign, from the gun, or `events` of a
    resonance to two muons, with radiation. `sqrt_s` [TeV]: for the line of the Z. chunk_size decides how the work is
    cut, and the random numbers of pairs and of Geant4."""

    particle: Particle = "mu"
    tracks: Count | None = None
    events: Count | None = None
    seed: Seed = 1
    engine: Literal["fast", "geant4"] = "fast"
    radiation: bool = True
    sqrt_s: BeamEnergy | None = None
    chunk_size: int = Field(5000, ge=1, le=1_000_000)

    @model_validator(mode="after")
    def _says_how_many(self) -> Self:
        needed, other = ("events", "tracks") if self.pairs else ("tracks", "events")
        if getattr(self, other) is not None:
            raise ValueError(f"{other}: {self.particle} makes {needed}; give {needed}")
        if getattr(self, needed) is None:
            raise ValueError(f"{needed}: is missing; say how many")
        if self.pairs:
            require_protons(self.resonance, self.sqrt_s)
        elif self.sqrt_s is not None:
            raise ValueError("sqrt_s: changes the line of the z only; leave it out")
        return self

    @property
    def pairs(self) -> bool:
        """Whether a resonance is made."""
        return self.particle in RESONANCES

    @property
    def resonance(self) -> ResonanceName:
        """The resonance. Raises ValueError if there is none."""
        return RESONANCES[RESONANCES.index(self.particle)]

    @property
    def number(self) -> int:
        """Of events; a gun makes one track in each."""
        return self.events or self.tracks or 0


class VertexSpot(Section):
    """Where particles begin: around `position` [cm], with a Gaussian of width `size` [cm] in each coordinate."""

    position: Place = (0.0, 0.0, 0.0)
    size: tuple[Width, Width, Width] = (0.0, 0.0, 0.0)


class TrackerChoice(Section):
    """A detector that comes with muonkit, or a file."""

    name: str = Field("cms_like_tracker", min_length=1)


class TrackPhysics(Physics):
    """As in `Physics`, but all that happens does so by default."""

    scattering: Literal["none", "gaussian", "tails"] = "tails"
    radiation: bool = True


class SimulateTracks(Section):
    """`muonkit simulate tracks`: all of its configuration."""

    generate: GenerateTracks
    gun: Gun | None = None
    spectrum: Spectrum = Spectrum()
    selection: GenerateCuts = GenerateCuts()
    vertex: VertexSpot = VertexSpot()
    detector: TrackerChoice = TrackerChoice()
    distort: tuple[Knob, ...] = Field((), max_length=1000)
    physics: TrackPhysics = TrackPhysics()
    readout: Readout = Readout()
    geant4: Geant4Tracks = Geant4Tracks()

    @model_validator(mode="after")
    def _sections_have_a_use(self) -> Self:
        unused = OF_GUN if self.generate.pairs else OF_PAIRS
        given = [f"[{name}]" for name in unused if name in self.model_fields_set]
        if given:
            raise ValueError(f"{' and '.join(given)}: has no use for {self.generate.particle}; leave it out")
        if not self.generate.pairs and self.gun is None:
            raise ValueError(f"gun: is missing; say with which momenta and angles {self.generate.particle} begins")
        return self

    @model_validator(mode="after")
    def _gun_leaves_the_rest_to_others(self) -> Self:
        given = self.gun.model_fields_set & set(ELSEWHERE) if self.gun is not None else set()
        if given:
            where = ", ".join(f"{name} as {ELSEWHERE[name]}" for name in ELSEWHERE if name in given)
            raise ValueError(f"gun: give {where}")
        return self

    @model_validator(mode="after")
    def _geant4_has_its_own_physics(self) -> Self:
        own = sorted(self.physics.model_fields_set - {"max_turn"})
        if self.generate.engine == "geant4" and own:
            raise ValueError(f'physics: engine = "geant4" has physics of its own; leave out {", ".join(own)}')
        if self.generate.engine == "fast" and "geant4" in self.model_fields_set:
            raise ValueError('[geant4]: has no use for engine = "fast"; leave it out')
        return self
