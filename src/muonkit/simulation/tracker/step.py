"""Particles -> what truly happens to them in a detector. Equations: `kernels.motion`, `simulation.kernels.matter`; the
way: `kernels.follow`.

Not simulated: electrons, hadronic interactions, decays, the radiation of anything but muons."""

from typing import Literal

import numpy as np
from pydantic import Field

from muonkit.core.config import Section
from muonkit.core.errors import InputError
from muonkit.core.particles import species as species_of
from muonkit.data.tracks import FreeStates
from muonkit.data.truth import Truth
from muonkit.detector.detector import Detector
from muonkit.simulation.draws import key_of
from muonkit.simulation.kernels import matter
from muonkit.simulation.kernels.indices import TX
from muonkit.simulation.nuclei import nuclei
from muonkit.simulation.radiation import NOTHING, radiators
from muonkit.simulation.tracker.kernels import follow as kernel
from muonkit.simulation.tracker.kernels.follow import LEFT, LOOPING, OUT_OF_MAP, STEP_LIMIT, STOPPED
from muonkit.simulation.tracker.kernels.indices import STATE_QOP
from muonkit.transport.checks import check_free

LOSS = {"none": matter.NO_LOSS, "mean": matter.MEAN, "gaussian": matter.GAUSSIAN, "landau": matter.LANDAU}
SCATTERING = {"none": matter.NO_SCATTERING, "gaussian": matter.CORE, "tails": matter.TAILS}
MOST_MET = 4096  # surfaces that one track meets, however many there are
SPIN_HALF = ("mu", "p")
MESSAGE = {
    LEFT: "left the detector",
    STOPPED: "lost its energy",
    LOOPING: "turned by more than the allowed angle",
    OUT_OF_MAP: "left the map of the magnetic field",
    STEP_LIMIT: "needed more steps, or met more surfaces, than allowed",
}
ENDINGS = {
    LEFT: "left",
    STOPPED: "stopped",
    LOOPING: "looping",
    OUT_OF_MAP: "out_of_map",
    STEP_LIMIT: "step_limit",
}
"""The same as words of tables, see `data.truth`."""


class Physics(Section):
    """energy_loss: mean of Bethe's formula, with Gaussian or with Landau-Vavilov fluctuations; scattering: Gaussian of
    Highland's width, logarithm included, for every surface and every slice of a volume, or Moliere's distribution with
    its `tails`; radiation: whether muons radiate photons and pairs (under 1 % of the loss below 10 GeV in iron, 20 % at
    100 GeV), see `kernels.radiation`.

    min_kinetic [GeV]: stopped below; max_turn [rad] by the field: looping above; tolerance [cm] of a step. In thick
    volumes a particle scatters once in every leg of at most leg_depth radiation lengths and loss of leg_share of its
    kinetic energy."""

    energy_loss: Literal["none", "mean", "gaussian", "landau"] = "landau"
    scattering: Literal["none", "gaussian", "tails"] = "gaussian"
    radiation: bool = False
    min_kinetic: float = Field(2e-3, gt=0)
    max_turn: float = Field(np.pi, gt=0)
    max_steps: int = Field(100_000, ge=1)
    tolerance: float = Field(1e-9, gt=0)
    leg_depth: float = Field(0.25, gt=0)
    leg_share: float = Field(0.02, gt=0, lt=1)

    def rules(self) -> kernel.StepRules:
        """The settings as the compiled loops see them."""
        modes = LOSS[self.energy_loss], SCATTERING[self.scattering]
        limits = self.min_kinetic, self.max_turn
        accuracy = self.tolerance, self.leg_depth, self.leg_share
        return kernel.StepRules(*modes, *limits, self.max_steps, *accuracy)


FULL = Physics()


def follow(
    detector: Detector, start: FreeStates, species: str, seed: int, physics: Physics = FULL, first: int = 0
) -> Truth:
    """The ways of particles `first` ... of a seed; what happens to one depends on its number, not on the others.

    Raises InputError for electrons that lose energy, an unknown species, a seed below 0, and for particles without
    charge, without momentum, or that start outside of the envelope of the detector."""
    known = species_of(species)
    check_free(start, detector)
    if species == "e" and physics.energy_loss != "none":
        raise InputError('energy_loss: electrons radiate, which is not simulated; use energy_loss = "none"')
    particle = matter.Particle(known.mass, float(species in SPIN_HALF))
    radiates = radiators(detector.materials) if physics.radiation and species == "mu" else NOTHING
    world = kernel.World(detector.arrays(), nuclei(detector.materials), radiates, particle, physics.rules())
    columns = start.charge, start.position, start.momentum
    charge, position, momentum = (np.ascontiguousarray(one, dtype=np.float64) for one in columns)
    most = 2 * min(len(detector.layers), MOST_MET) + 16
    out = kernel.follow_all(world, charge, position, momentum, key_of(seed), first, most)
    pdg_id = known.pdg_id * charge.astype(np.int64)
    where, along, qop = (np.ascontiguousarray(part) for part in np.split(out.state, (TX, STATE_QOP), axis=1))
    tracks = position, momentum, charge, pdg_id, out.status
    return Truth(*tracks, out.offsets, out.surface, where, along, qop[:, 0])
