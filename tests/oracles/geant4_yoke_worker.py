"""One Geant4 run through a whole detector of ours: `python -m tests.oracles.geant4_yoke_worker JOB OUT.npz`, started by
geant4_yoke.

The world is that of `muonkit.simulation.geant4`; what the primary is when it enters a plane of the muon detector is
written down. The field is the detector's own, looked up by Geant4 step by step; or, where only the speed counts, one
uniform field for the inside of the coil, one for each iron slice and none elsewhere, which Geant4 follows without
coming back to Python."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import geant4_pybind as g4
import numpy as np

from muonkit.data.muid import BARREL_LAYERS, LAYERS
from muonkit.detector.detector import Detector, load_detector
from muonkit.detector.planes import plane_names
from muonkit.simulation.geant4.world import Geant4World, Options
from tests.oracles.geant4_worker import OnlyPrimaries, commands, definition, only_mean_loss, state


class Planes(g4.G4VSensitiveDetector):
    """States (x, y, z [cm], p [GeV]) of the primary at the plane of every layer; NaN where it does not arrive."""

    def __init__(self, events: int, detector: Detector) -> None:
        super().__init__("planes")
        self.bit = {plane.surface: plane.layer + BARREL_LAYERS * plane.region for plane in plane_names(detector)}
        self.states = np.full((events, LAYERS, 6), np.nan)
        self.event = -1

    def ProcessHits(self, step: Any, _history: Any) -> bool:
        if step.GetTrack().GetParentID() != 0:
            return True
        point = step.GetPreStepPoint()
        row = self.states[self.event, self.bit[point.GetTouchable().GetCopyNumber()]]
        if np.isnan(row[0]):
            row[:] = state(point)
        return True


class Gun(g4.G4VUserPrimaryGeneratorAction):
    """The primaries, one start state (x, y, z [cm], p [GeV]) per event, used in turn."""

    def __init__(self, job: dict[str, Any], planes: Planes) -> None:
        super().__init__()
        self.job, self.planes, self.gun = job, planes, g4.G4ParticleGun(1)
        self.gun.SetParticleDefinition(definition(job["particle"]))

    def GeneratePrimaries(self, event: Any) -> None:
        self.planes.event += 1
        x = self.job["starts"][self.planes.event % len(self.job["starts"])]
        self.gun.SetParticlePosition(g4.G4ThreeVector(*(v * g4.cm for v in x[:3])))
        self.gun.SetParticleMomentum(g4.G4ThreeVector(*(v * g4.GeV for v in x[3:])))
        self.gun.GeneratePrimaryVertex(event)


class Actions(g4.G4VUserActionInitialization):
    def __init__(self, job: dict[str, Any], planes: Planes) -> None:
        super().__init__()
        self.actions: list[Any] = [Gun(job, planes), OnlyPrimaries()]

    def Build(self) -> None:
        for action in self.actions:
            self.SetUserAction(action)


def run(job: dict[str, Any]) -> dict[str, Any]:
    """`states` (events, layers, 6) and the seconds that the events took."""
    full = job["physics"] == "full"
    manager = g4.G4RunManagerFactory.CreateRunManager(g4.G4RunManagerType.Serial)
    detector = load_detector(job["detector"])
    planes = Planes(job["events"], detector)
    world = Geant4World(detector, Options(job["step"], job["planes"], field=job["field"]), planes)
    physics, limiter = g4.FTFP_BERT(), g4.G4StepLimiterPhysics()
    physics.SetVerboseLevel(0)
    physics.RegisterPhysics(limiter)
    parameters = g4.G4EmParameters.Instance()  # after the list, whose constructor sets them all
    parameters.SetVerbose(0)
    parameters.SetLossFluctuations(full)
    parameters.SetMuHadLateralDisplacement(full)
    manager.SetUserInitialization(world)
    manager.SetUserInitialization(physics)
    actions = Actions(job, planes)
    manager.SetUserInitialization(actions)
    manager.Initialize()
    if not full:
        only_mean_loss(job["particle"], radiative=False)
        commands("/run/setCut 10 m")
    commands(f"/random/setSeeds {job['seed']} {job['seed'] + 1}")
    manager.BeamOn(0)
    begin = time.process_time()
    manager.BeamOn(job["events"])
    return {"states": planes.states, "seconds": time.process_time() - begin}


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    result = run(job)
    np.savez(Path(sys.argv[2]), version=g4.G4Version, **result)
    sys.stdout.flush()
    os._exit(0)  # the interpreter crashes when it takes Geant4 apart


if __name__ == "__main__":
    main()
