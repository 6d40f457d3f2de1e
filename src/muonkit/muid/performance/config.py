"""`muonkit performance`: its configuration."""

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import AfterValidator, Field, model_validator

from muonkit.core.config import Edges, Label, Range, Section
from muonkit.muid.likelihood.config import LikelihoodSettings
from muonkit.muid.swim.config import Species, TrackerCan
from muonkit.muid.tracker_decays import TrackerDecays

Share = Annotated[float, Field(gt=0, lt=1)]


def _equal(low: float, high: float, bins: int) -> tuple[float, ...]:
    return tuple(np.linspace(low, high, bins + 1).round(12).tolist())


def _within_a_turn(edges: tuple[float, ...]) -> tuple[float, ...]:
    if edges[-1] - edges[0] > 360:
        raise ValueError(f"edges span {edges[-1] - edges[0]:g} deg, more than a turn")
    return edges


Turn = Annotated[Edges, AfterValidator(_within_a_turn)]


class PerformanceInput(Section):
    """A table written by `muonkit identify` and the truth of its tracks; with a pattern, as many files of both, in the
    order of their names. format, truth_format: `basf2` for a file of the Belle II software, of which the results of its
    own Muid, and the particles that its tracks are related to, are read."""

    identified: str
    truth: str
    format: Literal["muonkit", "basf2"] = "muonkit"
    truth_format: Literal["muonkit", "basf2"] = "muonkit"


class TrackSelection(Section):
    """Which tracks count, by their true momentum p [GeV] and polar angle theta [deg]; reached: outcome > 0 only, as
    in the validation plots of Belle II; junk: `fail` every cut, or `keep` what likelihood they have;
    tracker_decays: `drop` leaves out primaries that decayed inside of the tracker; uninformed: `drop` leaves out tracks
    that cross no working layer, of which all species are equally likely."""

    p: Range = (0.5, 5.0)
    theta: Range = (15.0, 150.0)
    reached: bool = True
    junk: Literal["fail", "keep"] = "fail"
    tracker_decays: TrackerDecays = "keep"
    uninformed: Literal["keep", "drop"] = "keep"
    tracker: TrackerCan = TrackerCan()


class PerformanceBinning(Section):
    """Edges in p [GeV], theta and phi [deg] of rates and box plots; of p for ROC curves; of p and theta for cuts."""

    p: Edges = _equal(0, 5, 25)
    theta: Edges = _equal(10, 150, 35)
    phi: Turn = _equal(-180, 180, 36)
    roc_p: Edges = (0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0)
    cuts_p: Edges = (0.5, 0.7, 0.9, 1.2, 1.5, 2.0, 3.0, 5.0)
    cuts_theta: Edges = (15.0, 30.0, 40.0, 50.0, 70.0, 90.0, 110.0, 125.0, 135.0, 150.0)


class ScoreChoice(Section):
    """Another score to compare with the likelihood: a column of the identified table, larger for muons; `logit`: it is
    a probability q, seen as ln(q/(1 - q)); range: where it is resolved finely."""

    column: str
    label: str = ""
    transform: Literal["none", "logit"] = "logit"
    range: Range = (-20.0, 20.0)


class PayloadChoice(Section):
    """A payload to test with tracks of known species, and the variant of the likelihood; exact: it has no statistical
    errors, as one that the tracks were sampled from."""

    file: str
    exact: bool = False
    likelihood: LikelihoodSettings = LikelihoodSettings(first_bin="power")


class Drawing(Section):
    """What figures show besides the data: boundaries of the sectors in phi [deg], the chimney in phi and theta."""

    label: Label = "Simulation"
    sector_boundaries: tuple[float, ...] = tuple(-157.5 + 45 * i for i in range(8))
    chimney: tuple[float, float, float, float] | None = (60.0, 120.0, 110.0, 125.0)


class Performance(Section):
    """`muonkit performance`. cuts: on Delta = ln L(signal) - ln L(background); efficiencies: wanted of cuts by p and
    theta; working_point: efficiency at which fake rates are compared; min_muons: for a cut in a bin of its own."""

    input: tuple[PerformanceInput, ...]
    signal: Species = "mu"
    background: Species = "pi"
    cuts: tuple[float, ...] = Field((0.0, 10.0, 20.0), min_length=1)
    efficiencies: tuple[Share, ...] = Field((0.8, 0.9, 0.95), min_length=1)
    working_point: Share = 0.9
    min_muons: int = Field(200, ge=10)
    chunk_size: int = Field(200_000, ge=1)
    selection: TrackSelection = TrackSelection()
    binning: PerformanceBinning = PerformanceBinning()
    score: tuple[ScoreChoice, ...] = ()
    payload: PayloadChoice | None = None
    drawing: Drawing = Drawing()

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if not self.input:
            raise ValueError("input: names no tables; add a table [[input]]")
        if self.signal == self.background:
            raise ValueError(f"background: is '{self.signal}' too; name another species")
        for name in ("cuts", "efficiencies"):
            values = getattr(self, name)
            if len({f"{value:g}" for value in values}) != len(values):  # as results name them
                raise ValueError(f"{name}: a value stands twice, to six digits")
        columns = [choice.column for choice in self.score]
        if len(set(columns)) != len(columns):
            raise ValueError("score: a column stands twice")
        return self
