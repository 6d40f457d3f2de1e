"""One Geant4 run: a job of `serve`, started by `engine`.

JOB: detector (a name or path), states (n, 6), codes (n,), seed, and the numbers of `Settings`. Where the data sets are
must be in the environment before this is loaded."""

from typing import Any

import geant4_pybind as g4
import numpy as np

from muonkit.core.arrays import AnyArray
from muonkit.detector.detector import load_detector
from muonkit.simulation.geant4.actions import Actions, Fates, ParticleSource, Recorder, Secondaries
from muonkit.simulation.geant4.world import Geant4World, Options
from muonkit.simulation.kernels.indices import ROW_SIZE

LATEST = 200.0  # ns: neutrons are not followed beyond


def run(job: dict[str, AnyArray]) -> dict[str, Any]:
    """The arrays of a job."""
    n = len(job["codes"])
    manager = g4.G4RunManagerFactory.CreateRunManager(g4.G4RunManagerType.Serial)
    can = tuple(job["start"].tolist())
    recorder = Recorder(n, can)
    options = Options(float(job["step"]), start=can, field=str(job["field"]))
    world, physics = (
        Geant4World(load_detector(str(job["detector"])), options, recorder),
        physics_list(float(job["neutrons"])),
    )
    manager.SetUserInitialization(world)
    manager.SetUserInitialization(physics[0])
    fates, secondaries = Fates(n, recorder), Secondaries(n, recorder, float(job["least"]))
    actions = Actions([ParticleSource(job["states"], job["codes"], recorder), fates, secondaries])
    manager.SetUserInitialization(actions)
    manager.Initialize()
    commands(f"/run/setCut {job['cut']} mm", f"/random/setSeeds {job['seed']} {int(job['seed']) + 1}")
    manager.BeamOn(n)
    rows = np.array(recorder.rows, dtype=np.float64).reshape(-1, ROW_SIZE)
    where = np.array(recorder.where, dtype=np.int64).reshape(-1, 2)
    return {
        "event": where[:, 0],
        "surface": where[:, 1],
        "crossing": rows,
        "begin": recorder.start,
        "fate": fates.fate,
        "end": fates.end,
        "soft": np.linalg.norm(secondaries.soft, axis=1),
    }


def physics_list(neutrons: float) -> list[Any]:
    """FTFP_BERT without slow neutrons, with steps that can be limited, and what it is made of, to be kept. Muons and
    hadrons are displaced sideways where they scatter: else their spread behind a plate is half of what it should be."""
    physics = g4.FTFP_BERT()
    physics.SetVerboseLevel(0)
    extra = [g4.G4StepLimiterPhysics(), g4.G4NeutronTrackingCut()]
    extra[1].SetKineticEnergyLimit(neutrons * g4.MeV)
    extra[1].SetTimeLimit(LATEST * g4.ns)
    for one in extra:
        physics.RegisterPhysics(one)
    parameters = g4.G4EmParameters.Instance()  # after the list, whose constructor sets them all
    parameters.SetVerbose(0)
    parameters.SetMuHadLateralDisplacement(True)
    return [physics, *extra]


def commands(*lines: str) -> None:
    """Tell Geant4, which does not complain by itself."""
    for line in lines:
        status = g4.G4UImanager.GetUIpointer().ApplyCommand(line)
        if status:
            raise RuntimeError(f"Geant4 refuses {line}: {status}")
