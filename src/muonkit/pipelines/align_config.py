"""The configuration of `muonkit align`."""

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from muonkit.alignment.config import AlignmentSettings, Share, Shift, Turn
from muonkit.alignment.parameters import FIELD
from muonkit.core.arrays import IntArray
from muonkit.core.config import MOST_EVENTS, Section
from muonkit.core.particles import ResonanceName
from muonkit.tracking.refit import FitChoice

MOST_ERRORS = 2000  # parameters: an error is a solution of the system each


class ModuleSettings(AlignmentSettings):
    """Those of a tracker whose modules are tens of um from where they should be: they shift, and do not turn."""

    u: Shift = 0.003
    v: Shift = 0.003
    w: Shift = 0.003
    alpha: Turn = 0.0
    beta: Turn = 0.0
    gamma: Turn = 0.0
    field: Share = 0.0
    material: Share = 0.0
    tolerance: float = Field(1e-6, ge=1e-14, le=1e-2)


def kinds_of(settings: AlignmentSettings) -> IntArray:
    """The kinds (k,) of parameters of single surfaces that are fitted."""
    widths = settings.widths()
    if settings.field_order is not None:
        widths[FIELD] = 0.0
    return np.flatnonzero(widths > 0)


class MassChoice(Section):
    """What the mass of a pair should be: the location of the mass in `simulation`, a table of pairs that `refit` made
    of the undistorted detector with the same fit; or `reference` [GeV]. window [GeV]: that of the resonance by default.
    acts_on: where the mass acts; by default on everything up to 1000 surfaces, else on field and material."""

    resonance: ResonanceName = "jpsi"
    simulation: str | None = None
    reference: float | None = Field(None, gt=0)
    window: tuple[float, float] | None = None
    acts_on: Literal["auto", "everything", "field and material"] = "auto"

    @model_validator(mode="after")
    def _one_reference(self) -> Self:
        if (self.simulation is None) == (self.reference is None):
            raise ValueError("give simulation, a table of pairs, or reference, a mass [GeV]; one of both")
        if self.window is not None and not 0 < self.window[0] < self.window[1]:
            raise ValueError("window: must be above 0 and rise")
        return self


class AlignInput(Section):
    """A table of hits; rows per chunk; share of tracks without fit above which the command fails."""

    hits: str
    chunk_size: int = Field(400_000, ge=1)
    max_failed_share: float = Field(0.05, ge=0, le=1)


class AlignConfig(Section):
    """`muonkit align`. tracks: about so many, evenly from the whole table; max_chi2: per degree of freedom, above which
    a track is left out; iterations: fits, each but the first with the corrected detector. pairs: also the mass of
    pairs. modes: so many weak modes; errors: of the surfaces that fit one of these patterns; mille: also write the
    equations for Millepede II."""

    input: AlignInput
    detector: str = "cms_like_tracker"
    fit: FitChoice = FitChoice()
    tracks: int | None = Field(None, ge=1, le=MOST_EVENTS)
    max_chi2: float = Field(5.0, gt=0)
    iterations: int = Field(1, ge=1, le=10)
    alignment: ModuleSettings = ModuleSettings()
    pairs: bool = False
    mass: MassChoice | None = None
    modes: int = Field(0, ge=0, le=100)
    errors: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = Field((), max_length=100)
    mille: bool = False

    @model_validator(mode="after")
    def _mass_of_pairs(self) -> Self:
        if self.pairs and self.mass is None:
            raise ValueError("pairs: needs [mass] with simulation or reference; add it")
        if self.mass is not None and not self.pairs:
            raise ValueError("mass: is of pairs; set pairs = true, or leave [mass] out")
        return self
