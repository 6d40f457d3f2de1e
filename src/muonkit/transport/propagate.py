"""Transport of states, with their covariance, to surfaces, through field and thick volumes.

Here only the way between two surfaces counts. The thin matter on surfaces is treated where a track visits one surface
after the other (`tracking.kernels.fit`). Equations of motion and their derivatives: `kernels.step`; the exact helix:
`helix`."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.particles import SPECIES
from muonkit.core.particles import species as species_of
from muonkit.data.tracks import BoundStates, FreeStates
from muonkit.detector.detector import Detector
from muonkit.detector.material import Material
from muonkit.detector.surfaces import normal
from muonkit.transport import cartesian
from muonkit.transport.checks import check_bound, check_free, checked_targets
from muonkit.transport.interactions.tables import loss_tables
from muonkit.transport.kernels import batch, noise, slab
from muonkit.transport.kernels.tuples import EVERYWHERE, OF_STEP, OF_SURFACE, Loss, Plan, Scene

Direction = Literal["forward", "backward"]
LOSS = {
    "none": slab.NO_LOSS,
    "ionisation": slab.MEAN,
    "mean": slab.MEAN,
    "most probable": slab.MOST_PROBABLE,
    "restricted": slab.RESTRICTED,
}
SCATTERING = {
    "none": noise.NONE,
    "highland": noise.PER_SLAB,
    "highland, no log": noise.NO_LOG,
    "highland, total": noise.TOTAL,
}
FIELD = {"everywhere": EVERYWHERE, "start of step": OF_STEP, "start surface": OF_SURFACE}
POSITIVE = ("tolerance", "max_steps", "max_step", "max_loss", "min_kinetic", "max_turn", "boundary")
SOFTEST = 1e-4  # of the momentum: softer transfers are not taken one by one


@dataclass(frozen=True, slots=True)
class Settings:
    """How to transport. tolerance: error of one step at the target [cm]. energy_loss: `most probable` holds on
    surfaces; in thick volumes the loss is the mean. `restricted`, also on surfaces: without transfers to single
    electrons above `hard` of the momentum, and without radiation above `hard` of the energy. scattering: Highland's
    formula per slab, without its logarithm (as Geant4e), or with the logarithm of all matter since the start.
    min_kinetic [GeV]: below it the particle stops. max_turn [rad]: above it the track is looping. boundary [cm]: how
    precisely faces of volumes are found. max_step [cm]; max_loss: largest share of the kinetic energy lost in one step.

    Approximations, for comparison. field: looked up along the way, or only at the start of every step or of the way
    from surface to surface; path_length: slabs grow longer with the angle; lumped: in a fit, matter of volumes and of
    surfaces without sensors acts on the next sensor; correlated: scattering in volumes shifts a track as it turns it;
    mean_qop: q/p behind straggling is its mean, not that behind the mean loss."""

    species: str = "mu"
    tolerance: float = 1e-4
    energy_loss: Literal["none", "ionisation", "mean", "most probable", "restricted"] = "mean"
    scattering: Literal["none", "highland", "highland, no log", "highland, total"] = "highland"
    straggling: bool = True
    field_gradient: bool = True
    max_steps: int = 1000
    max_step: float = 1e4
    max_loss: float = 0.05
    min_kinetic: float = 1e-3
    max_turn: float = 2 * np.pi
    boundary: float = 1e-7
    field: Literal["everywhere", "start of step", "start surface"] = "everywhere"
    path_length: bool = True
    lumped: bool = False
    correlated: bool = True
    mean_qop: bool = False
    hard: float = 0.03

    def __post_init__(self) -> None:
        faults = [f"transport: {name}: {fault}" for name, fault in self._faults()]
        if faults:
            raise InputError(faults)

    def _faults(self) -> Iterator[tuple[str, str]]:
        words = ("species", SPECIES), ("energy_loss", LOSS), ("scattering", SCATTERING), ("field", FIELD)
        for name, known in words:
            if getattr(self, name) not in known:
                yield name, f"there is no '{getattr(self, name)}'; choose one of {', '.join(known)}"
        for name in POSITIVE:
            if not getattr(self, name) > 0:
                yield name, f"must be above 0 (found {getattr(self, name)!r})"
        if not self.hard >= SOFTEST:
            yield "hard", f"must be at least {SOFTEST} (found {self.hard!r})"

    def plan(self) -> Plan:
        """The settings as the compiled loops need them."""
        return Plan(
            self.tolerance,
            self.max_steps,
            self.max_step,
            self.max_loss,
            self.min_kinetic,
            self.max_turn,
            self.boundary,
            self.field_gradient,
            LOSS[self.energy_loss],
            SCATTERING[self.scattering],
            self.straggling,
            True,
            FIELD[self.field],
            self.path_length,
            self.lumped,
            self.correlated,
            self.mean_qop,
            self.hard,
        )


@dataclass(frozen=True, slots=True)
class Propagated:
    """Where the tracks are now. states: NaN where status is not OK; jacobian (n, 5, 5) = d end/d start; path (n,)
    [cm], signed; status (n,): see `transport.status`."""

    states: BoundStates
    jacobian: FloatArray
    path: FloatArray
    status: IntArray


def scene(detector: Detector, settings: Settings) -> Scene:
    """What the compiled loops see of detector and settings."""
    return Scene(detector.arrays(), compiled_loss(detector, settings), settings.plan())


def compiled_loss(detector: Detector, settings: Settings) -> Loss:
    """The energy loss [GeV/cm] of one species in the materials of the detector; 0 where the settings switch it off."""
    hardest = settings.hard if settings.energy_loss == "restricted" else 1.0
    loss = _loss(detector.materials, settings.species, settings.energy_loss != "ionisation", min(hardest, 1.0))
    if settings.energy_loss == "none":
        return loss._replace(value=np.zeros_like(loss.value), slope=np.zeros_like(loss.slope))
    return loss


@cache
def _loss(materials: tuple[Material, ...], species: str, radiation: bool, hardest: float) -> Loss:
    tables = loss_tables(materials, species, radiation, hardest)
    return Loss(species_of(species).mass, tables.u_min, tables.du, tables.value, tables.slope)


def propagate(
    states: BoundStates,
    target: IntArray | int,
    detector: Detector,
    settings: Settings = Settings(),
    direction: Direction = "forward",
) -> Propagated:
    """Transport n states to their target surfaces (index in the detector, one for all or (n,)).

    Backwards, time runs back: the track gains the energy that it lost. A track that does not arrive raises nothing: its
    status says why, and the other tracks are not affected. Raises InputError, with the rows, for a target that does not
    exist, q/p = 0 and places outside of the detector; if there are not as many targets as states; and for an unknown
    direction."""
    n = len(states)
    check_bound(states, detector)
    targets, way = checked_targets(target, n, detector), _way(direction)
    cov = np.zeros((n, 5, 5)) if states.covariance is None else np.ascontiguousarray(states.covariance)
    end, end_cov, jacobian = np.full((n, 5), np.nan), np.full((n, 5, 5), np.nan), np.full((n, 5, 5), np.nan)
    out = batch.BoundOut(end, end_cov, jacobian, np.zeros(n), np.zeros(n, dtype=np.int64))
    batch.bound_to_bound(
        np.ascontiguousarray(states.surface),
        np.ascontiguousarray(states.parameters),
        cov,
        targets,
        way,
        states.covariance is not None,
        scene(detector, settings),
        out,
    )
    covariance = None if states.covariance is None else out.cov
    return Propagated(BoundStates(targets, out.bound, covariance), out.jacobian, out.path, out.status)


def propagate_free(
    states: FreeStates,
    target: IntArray | int,
    detector: Detector,
    settings: Settings = Settings(),
    direction: Direction = "forward",
) -> tuple[FreeStates, FloatArray, IntArray]:
    """Transport n free states to surfaces; no direction is singular. Returns states, path (n,) [cm] and status (n,).

    The covariance (n, 6, 6) is that of (x, y, z, px, py, pz) on the target plane; the part along the track is lost
    (rank 5). Raises as `propagate`, also for a charge that is not +1 or -1 and a momentum of 0."""
    n = len(states)
    check_free(states, detector)
    targets, way = checked_targets(target, n, detector), _way(direction)
    free = cartesian.to_free(states)
    given = np.zeros((n, 6, 6)) if states.covariance is None else states.covariance
    end, cov, slope = np.full((n, 7), np.nan), np.full((n, 5, 5), np.nan), np.full((n, 4), np.nan)
    out = batch.FreeOut(end, cov, slope, np.zeros(n), np.zeros(n, dtype=np.int64))
    batch.free_to_surface(
        free,
        cartesian.to_curvilinear(free, given),
        targets,
        way,
        scene(detector, settings),
        out,
    )
    normals = normal(detector.surfaces, targets, end[:, :3])
    covariance = None if states.covariance is None else cartesian.on_surface(end, cov, slope, normals)
    return cartesian.from_free(end, covariance), out.path, out.status


def _way(direction: str) -> float:
    """+1 forwards, -1 backwards. Raises InputError for anything else."""
    if direction not in ("forward", "backward"):
        raise InputError(f"direction: there is no '{direction}'; choose forward or backward")
    return 1.0 if direction == "forward" else -1.0
