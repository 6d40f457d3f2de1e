"""`muonkit identify`: its configuration."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from muonkit.conditions.choice import StoreChoice
from muonkit.core.config import Section
from muonkit.muid.likelihood.config import LikelihoodSettings
from muonkit.muid.swim.config import MuidSettings, TrackerEnd


class IdentifyInput(Section):
    """Tables of tracks and hits, sorted by event; names of their columns where they differ; experiment and run of all
    rows where the tables do not say; tracks per chunk; what is too much for one event; share of bad hits, and of
    bad charges, that is tolerated; share of tracks and of hits of which no use can be made that is tolerated; largest
    plausible momentum [GeV].

    format: `basf2` for a file of the Belle II software, in which hits and tracks stand together (hits: another file for
    them); tree: its tree, if there are several; tracker: to where its tracks are carried."""

    format: Literal["muonkit", "basf2"] = "muonkit"
    tracks: str
    hits: str
    tree: str | None = None
    tracker: TrackerEnd = TrackerEnd()
    track_columns: dict[str, str] = Field({})
    hit_columns: dict[str, str] = Field({})
    experiment: int = Field(0, ge=0)
    run: int = Field(0, ge=0)
    chunk_size: int = Field(20_000, ge=1)
    max_tracks_per_event: int = Field(10_000, ge=1)
    max_hits_per_event: int = Field(100_000, ge=1)
    max_bad_share: float = Field(0.01, ge=0, le=1)
    max_unusable_share: float = Field(0.5, ge=0, le=1)
    max_p: float = Field(100.0, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _hits_with_tracks(cls, content: Any) -> Any:
        if isinstance(content, dict) and content.get("format") == "basf2" and "tracks" in content:
            return {"hits": content["tracks"]} | content
        return content

    @model_validator(mode="after")
    def _fits_the_format(self) -> Self:
        if self.format == "basf2" and (self.track_columns or self.hit_columns):
            raise ValueError('track_columns, hit_columns: have no meaning with format = "basf2"; remove them')
        if self.format == "muonkit" and self.tree is not None:
            raise ValueError('tree: has no meaning with format = "muonkit"; remove it')
        return self


class OutputChoice(Section):
    """How columns of the output are called: as in muonkit, or `basf2`, as variables of the Belle II software."""

    names: Literal["muonkit", "basf2"] = "muonkit"


class ConditionsChoice(StoreChoice):
    """The same, and the name of the payload of the likelihood."""

    likelihood: str = "KLMLikelihoodParameters"


class Identify(Section):
    """`muonkit identify`: the payload is a file, "default" for the one that comes with muonkit (also if nothing is
    given), or comes from [conditions]. classifier: a file, or "default": adds the columns classifier_e to
    classifier_d."""

    input: IdentifyInput
    output: OutputChoice = OutputChoice()
    detector: str = "belle2"
    payload: str | None = None
    conditions: ConditionsChoice | None = None
    classifier: str | None = None
    muid: MuidSettings = MuidSettings()
    likelihood: LikelihoodSettings = LikelihoodSettings()

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.payload is not None and self.conditions is not None:
            raise ValueError("payload: give a file, or a section [conditions], not both")
        return self
