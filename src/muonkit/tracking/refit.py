"""Hits -> tracks at the beam line: seeded from the hits, fitted by a model, taken to the point of closest approach.

The fit starts on a plane through the beam line, so that the matter in front of the first hit is a part of it."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from pydantic import Field

from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.config import Section
from muonkit.data.hits import Hits
from muonkit.data.tracks import Perigees
from muonkit.detector.detector import Detector
from muonkit.tracking import models
from muonkit.tracking.fit import FitSettings, fit
from muonkit.tracking.fitted import STATUS, TOO_FEW, FittedTracks
from muonkit.tracking.kernels.tuples import USED
from muonkit.tracking.law import Law
from muonkit.tracking.models import Angles, Approximation, Loss
from muonkit.tracking.perigee import started, to_perigee, with_beam_line
from muonkit.tracking.seed import seed
from muonkit.tracking.tails import laws, move_core, plain
from muonkit.transport.propagate import Settings
from muonkit.transport.status import OK

LEAST_HITS = 4
FEW = max(STATUS) + 1
REFIT_STATUS = STATUS | {FEW: f"has fewer than {LEAST_HITS} hits"}


class FitChoice(Section):
    """model: "improved", or "standard" with all `approximations`, or with those that are named; an improved fit takes
    those that are named. energy_loss: landau (its fluctuations; location, width and tail of every track follow from the
    gains of its fit), restricted (the same without transfers above `hard` of the momentum), most probable (their mode),
    mean (Gaussian ones), or ionisation (mean without radiation). scattering: moliere (core and tails of every track);
    Highland's width for every slab alone, as Gaussian angles of a simulation have it; or without its logarithm, as the
    core of Moliere's angles has it after many slabs. iterations: of the whole fit. max_chi2: limit per coordinate above
    which hits are looked at as outliers. momentum [GeV] where no field bends a track."""

    model: Literal["improved", "standard"] = "improved"
    approximations: tuple[Approximation, ...] | None = None
    species: Literal["mu", "pi", "K", "p"] = "mu"
    energy_loss: Loss = "landau"
    scattering: Angles = "moliere"
    hard: float = Field(models.HARD, ge=1e-4, lt=1)
    iterations: int = Field(2, ge=1, le=20)
    max_chi2: float | None = Field(None, gt=0)
    momentum: float = Field(10.0, gt=0)

    @property
    def neglected(self) -> tuple[Approximation, ...]:
        """The approximations that the fit makes."""
        if self.approximations is None:
            return models.STANDARD if self.model == "standard" else ()
        return models.ordered(self.approximations)

    @property
    def transport(self) -> Settings:
        """How the fit transports."""
        return models.settings_of(self.neglected, self.energy_loss, self.scattering, self.species, self.hard)

    @property
    def landau(self) -> bool:
        """Whether the law of a track has losses. The mean loss has none."""
        return self.energy_loss == "landau" and self.transport.energy_loss == "restricted"

    @property
    def moliere(self) -> bool:
        """Whether the law of a track has kicks."""
        return self.scattering == "moliere"

    @property
    def fitting(self) -> FitSettings:
        """How the fit is repeated."""
        limit = np.inf if self.max_chi2 is None else self.max_chi2
        gains = self.landau or self.moliere
        return replace(models.IMPROVED, iterations=self.iterations, max_chi2=limit, gains=gains)


@dataclass(frozen=True, slots=True)
class Refitted:
    """Of n tracks: perigees, NaN where there is none, with the covariance of the core; the law of k_fit/k_true; chi2,
    ndf, hits that were used, status (n,), a key of REFIT_STATUS."""

    perigees: Perigees
    law: Law
    chi2: FloatArray
    ndf: IntArray
    n_hits: IntArray
    status: IntArray

    @property
    def good(self) -> BoolArray:
        """Which tracks were fitted, (n,)."""
        return np.asarray(self.status == OK, dtype=np.bool_)


def prepared(detector: Detector) -> Detector:
    """The detector as `refit` wants it; made once."""
    return with_beam_line(detector)


def refit(hits: Hits, detector: Detector, choice: FitChoice) -> Refitted:
    """Fit n tracks to the beam line of a `prepared` detector. Raises InputError as `fit`."""
    return at_beam_line(from_hits(hits, detector, choice), hits, detector, choice)


def from_hits(hits: Hits, detector: Detector, choice: FitChoice) -> FittedTracks:
    """The fit of n tracks, whose first state is on a plane through the beam line of a `prepared` detector. Raises
    InputError as `fit`."""
    settings = choice.transport
    start = started(seed(hits, detector, choice.momentum), detector, settings)
    return fit(hits, start, detector, settings, choice.fitting)


def at_beam_line(fitted: FittedTracks, hits: Hits, detector: Detector, choice: FitChoice) -> Refitted:
    """Tracks of `from_hits` at the point of closest approach."""
    few = np.diff(hits.offsets) < LEAST_HITS
    status = np.where(few, FEW, np.where(fitted.status == TOO_FEW, TOO_FEW, fitted.status))
    lost = status != OK
    perigees, law = to_perigee(fitted.states, detector), plain(fitted)
    if choice.landau or choice.moliere:
        law, shift = laws(fitted, detector, choice.transport, choice.landau, choice.moliere)
        move_core(perigees, shift, law.sigma / plain(fitted).sigma)
    perigees.parameters[lost], perigees.covariance[lost], law.sigma[lost] = np.nan, np.nan, np.nan
    used = np.bincount(hits.track[fitted.use == USED], minlength=len(hits))
    return Refitted(perigees, law, np.where(lost, np.nan, fitted.chi2), fitted.ndf, used, status)
