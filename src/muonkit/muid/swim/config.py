"""The section [muid]: how tracks are extrapolated and matched, with the defaults of Belle II's Muid module.

Source: the module Muid of the Belle II software, and its documentation, "Muon Identification"."""

from typing import Literal

import numpy as np
from pydantic import Field, field_validator

from muonkit.core.arrays import BoolArray, FloatArray
from muonkit.core.config import Range, Section
from muonkit.transport.propagate import Settings

Species = Literal["e", "mu", "pi", "K", "p", "d"]
EnergyLoss = Literal["none", "ionisation", "mean"]
Scattering = Literal["none", "highland", "highland, no log", "highland, total"]


class MuidSettings(Section):
    """How to extrapolate and match. Raises ValidationError for values that make no sense.

    species: the hypothesis; min_pt [GeV]: tracks start above it; min_kinetic [GeV]: they stop below it; mean_dt, max_dt
    [ns]: hits count within max_dt of mean_dt; max_sigma: the gate, in sigma of track and hit together, which `both`
    coordinates must pass (Muid's code) or `either` (its documentation); first_rpc_layer: barrel layers from here on are
    resistive plate chambers; cosmics: tracks that point inwards are followed backwards; zero_field: no field anywhere,
    |p| = 10 GeV, a wide covariance and hits of ten times the variance; arbitrate: a hit that several tracks match is
    given to one.

    Transport, see `transport.propagate.Settings`: scattering (`highland, no log`: noise as Geant4e's), straggling,
    energy_loss, tolerance [cm] of a step, max_loss: share of the kinetic energy that a step may lose."""

    species: Species = "mu"
    min_pt: float = Field(0.1, ge=0)
    min_kinetic: float = Field(0.002, gt=0)
    mean_dt: float = 0.0
    max_dt: float = Field(1e4, gt=0)
    max_sigma: float = Field(2.74, gt=0)  # the published chi2 of one hit ends here; the code of Muid says 3.5
    match: Literal["both", "either"] = "both"
    first_rpc_layer: int = Field(2, ge=0)
    cosmics: bool = True
    zero_field: bool = False
    scattering: Scattering = "highland, no log"
    straggling: bool = True
    arbitrate: bool = False
    # younger than the payloads that quote this section: quoted only where they differ from the defaults
    energy_loss: EnergyLoss = Field("mean", exclude_if=lambda value: value == "mean")
    tolerance: float = Field(0.05, gt=0, exclude_if=lambda value: value == 0.05)
    max_loss: float = Field(0.2, gt=0, le=1, exclude_if=lambda value: value == 0.2)

    @property
    def transport(self) -> Settings:
        """The same for the transport."""
        return Settings(
            species=self.species,
            tolerance=self.tolerance,
            energy_loss=self.energy_loss,
            scattering=self.scattering,
            straggling=self.straggling,
            max_loss=self.max_loss,
            min_kinetic=self.min_kinetic,
        )


class TrackerCan(Section):
    """The tracker: a can of radius r [cm] between z [cm]."""

    r: float = Field(112.0, gt=0, le=1e4)
    z: Range = (-80.0, 155.0)

    def holds(self, x: FloatArray) -> BoolArray:
        """Whether points (n, 3) [cm] lie in it (n,)."""
        inside = (x[:, 2] > self.z[0]) & (x[:, 2] < self.z[1])
        return np.asarray(inside & (np.hypot(x[:, 0], x[:, 1]) < self.r))


class TrackerEnd(TrackerCan):
    """Where the tracker ends; field [T], along z, in which the file made momenta to helices, without it that of the
    detector."""

    field: float | None = Field(None, gt=-10, lt=10)

    @field_validator("field")
    @classmethod
    def _bends(cls, field: float | None) -> float | None:
        if field == 0:
            raise ValueError("a track does not turn in a field of 0; give another one, or remove it")
        return field
