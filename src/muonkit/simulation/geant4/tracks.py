"""Single particles through a tracker in one Geant4 run: a job of `serve`, started by `simulation.tracker.by_geant4`.

JOB: detector (a name or path), distort (JSON), states (n, 6), codes (n,), seed, cut [mm], off: processes that are not
wanted. Only the primaries are followed. Where the data sets are must be in the environment before this is loaded."""

import json
from typing import Any

import geant4_pybind as g4
import numpy as np

from muonkit.core.arrays import AnyArray
from muonkit.detector.detector import load_detector
from muonkit.detector.distort import Distortions, distorted
from muonkit.simulation.geant4.actions import Actions, ParticleSource, fate, state
from muonkit.simulation.geant4.tracker_world import TrackerWorld
from muonkit.simulation.geant4.worker import commands, physics_list
from muonkit.simulation.kernels.indices import ROW_SIZE

NEUTRONS = 5.0  # MeV; none is followed


class TrackRecorder(g4.G4VSensitiveDetector):  # type: ignore[misc]
    """Where the primaries enter slabs: event, surface and row."""

    def __init__(self) -> None:
        super().__init__("surfaces")
        self.event = -1
        self.where: list[tuple[int, int]] = []
        self.rows: list[tuple[float, ...]] = []

    def ProcessHits(self, step: Any, _history: Any) -> bool:
        point = step.GetPreStepPoint()
        if step.GetTrack().GetParentID() == 0 and point.GetStepStatus() == g4.G4StepStatus.fGeomBoundary:
            self.where.append((self.event, point.GetTouchable().GetCopyNumber()))
            self.rows.append(state(point))
        return True


class PrimariesOnly(g4.G4UserStackingAction):  # type: ignore[misc]
    """Nothing that a primary makes is followed."""

    def ClassifyNewTrack(self, track: Any) -> Any:
        kept = g4.G4ClassificationOfNewTrack
        return kept.fUrgent if track.GetParentID() == 0 else kept.fKill


class PrimaryFates(g4.G4UserTrackingAction):  # type: ignore[misc]
    """fate (n,) of the primaries."""

    def __init__(self, events: int, recorder: TrackRecorder) -> None:
        super().__init__()
        self.recorder, self.fate = recorder, np.zeros(events, np.int64)

    def PostUserTrackingAction(self, track: Any) -> None:
        step = track.GetStep()
        process = step.GetPostStepPoint().GetProcessDefinedStep()
        name = "" if process is None else str(process.GetProcessName())
        self.fate[self.recorder.event] = fate(name, step.GetPreStepPoint().GetKineticEnergy())


def run(job: dict[str, AnyArray]) -> dict[str, Any]:
    """The arrays of a job: event (k,), surface (k,), crossing (k, ROW_SIZE) in the order of the way; fate (n,)."""
    n = len(job["codes"])
    manager = g4.G4RunManagerFactory.CreateRunManager(g4.G4RunManagerType.Serial)
    recorder = TrackRecorder()
    knobs = json.loads(str(job["distort"]))
    nominal = load_detector(str(job["detector"]))
    true = distorted(nominal, Distortions(distort=knobs).distort) if knobs else nominal
    world, physics = TrackerWorld(true, recorder), physics_list(NEUTRONS)
    manager.SetUserInitialization(world)
    manager.SetUserInitialization(physics[0])
    fates = PrimaryFates(n, recorder)
    actions = Actions([ParticleSource(job["states"], job["codes"], recorder), fates, PrimariesOnly()])
    manager.SetUserInitialization(actions)
    manager.Initialize()
    off = [f"/process/inactivate {name}" for name in np.atleast_1d(job["off"]).tolist() if name]
    commands(f"/run/setCut {job['cut']} mm", f"/random/setSeeds {job['seed']} {int(job['seed']) + 1}", *off)
    manager.BeamOn(n)
    where = np.array(recorder.where, dtype=np.int64).reshape(-1, 2)
    rows = np.array(recorder.rows, dtype=np.float64).reshape(-1, ROW_SIZE)
    return {"event": where[:, 0], "surface": where[:, 1], "crossing": rows, "fate": fates.fate}
