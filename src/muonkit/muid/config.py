"""`muonkit identify`: its configuration."""

from dataclasses import replace
from typing import Literal, Self

from pydantic import Field, model_validator

from muonkit.core.config import Section
from muonkit.muid.likelihood.evaluate import LikelihoodSettings
from muonkit.muid.swim.extrapolate import TRANSPORT, MuidSettings

Hypothesis = Literal["e", "mu", "pi", "K", "p", "d"]


class IdentifyInput(Section):
    """Tables of tracks and hits, sorted by event; names of their columns where they differ; experiment and run of all
    rows where the tables do not say; tracks per chunk; what is too much for one event; share of bad hits that is
    tolerated."""

    tracks: str
    hits: str
    track_columns: dict[str, str] = Field({})
    hit_columns: dict[str, str] = Field({})
    experiment: int = Field(0, ge=0)
    run: int = Field(0, ge=0)
    chunk_size: int = Field(20_000, ge=1)
    max_tracks_per_event: int = Field(10_000, ge=1)
    max_hits_per_event: int = Field(100_000, ge=1)
    max_bad_share: float = Field(0.01, ge=0, le=1)


class ConditionsChoice(Section):
    """Where payloads come from: a folder, or the URL of a database with the folder of its payload files, and a global
    tag; names of the payloads in it. Without channel_status or strip_efficiency everything works perfectly."""

    location: str
    payloads: str | None = None
    tag: str
    likelihood: str = "KLMLikelihoodParameters"
    channel_status: str | None = None
    strip_efficiency: str | None = None


class MuidChoice(Section):
    """Extrapolation and matching, see `MuidSettings`; arbitrate: give a hit that several tracks share to one."""

    species: Literal["mu", "pi", "K", "p", "d", "e"] = "mu"
    min_pt: float = Field(0.1, ge=0)
    min_kinetic: float = Field(0.002, gt=0)
    mean_dt: float = 0.0
    max_dt: float = Field(1e4, gt=0)
    max_sigma: float = Field(3.5, gt=0)
    match: Literal["both", "either"] = "both"
    first_rpc_layer: int = Field(2, ge=0)
    cosmics: bool = True
    zero_field: bool = False
    scattering: Literal["none", "highland", "highland, no log", "highland, total"] = "highland"
    straggling: bool = True
    arbitrate: bool = False

    def settings(self) -> MuidSettings:
        """The same for `extrapolate`."""
        own = self.model_dump(exclude={"scattering", "straggling", "arbitrate"})
        return MuidSettings(**own, transport=replace(TRANSPORT, scattering=self.scattering, straggling=self.straggling))


class LikelihoodChoice(Section):
    """Which variant of the likelihood, see `LikelihoodSettings`; keys given here override the mode."""

    mode: Literal["faithful", "improved"] = "faithful"
    first_bin: Literal["faithful", "clamp", "power"] | None = None
    last_layer: Literal["faithful", "strict"] | None = None

    def settings(self) -> LikelihoodSettings:
        """The same for `likelihood`."""
        return LikelihoodSettings.of(self.mode, self.first_bin, self.last_layer)


class Identify(Section):
    """`muonkit identify`: the payload is a file, "default" for the one that comes with muonkit (also if nothing is
    given), or comes from [conditions]. classifier: a file, or "default": adds the column classifier_mu."""

    input: IdentifyInput
    detector: str = "belle2"
    payload: str | None = None
    conditions: ConditionsChoice | None = None
    classifier: str | None = None
    muid: MuidChoice = MuidChoice()
    likelihood: LikelihoodChoice = LikelihoodChoice()

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.payload is not None and self.conditions is not None:
            raise ValueError("payload: give a file, or a section [conditions], not both")
        return self
