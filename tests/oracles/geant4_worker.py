"""One Geant4 run in a process of its own: `python -m tests.oracles.geant4_worker JOB OUT.npz`, started by geant4_iron.

The block: plates of iron in a field along y, and in the middle of every gap a scintillator of polystyrene. A plane that
is asked for is a slab of 0.1 um of vacuum; what enters it is written down. JOB is JSON: the fields of geant4_iron.Beam,
or what Geant4.stopping there adds. The data directories must be in the environment before this module is imported."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import geant4_pybind as g4
import numpy as np

SLAB = 1e-5  # cm, thickness of a plane
CONTINUOUS = {"muBrems", "muPairProd", "hBrems", "hPairProd"}  # inactive, they still add to the table of mean loss
KEPT = {"Transportation", "StepLimiter", "muIoni", "hIoni"}


class Block(g4.G4VUserDetectorConstruction):
    """Every object made here is kept: Geant4 does not own what Python made."""

    def __init__(self, job: dict[str, Any], planes: "Planes") -> None:
        super().__init__()
        self.job, self.planes = job, planes
        self.keep: list[Any] = []

    def box(self, name: str, material: str, half: float, thickness: float) -> Any:
        solid = g4.G4Box(name, half * g4.cm, half * g4.cm, thickness / 2 * g4.cm)
        volume = g4.G4LogicalVolume(solid, g4.G4NistManager.Instance().FindOrBuildMaterial(material), name)
        self.keep += [solid, volume]
        return volume

    def place(self, volume: Any, z: float, copy: int, mother: Any) -> Any:
        placed = g4.G4PVPlacement(
            None, g4.G4ThreeVector(0, 0, z * g4.cm), volume, volume.GetName(), mother, False, copy
        )
        self.keep.append(placed)
        return placed

    def Construct(self) -> Any:
        block = self.job["block"]
        world = self.box("world", block["gap"], 400, 800)
        self.plate = self.box("plate", "G4_Fe", 300, block["plate"])
        front = self.box("front", "G4_POLYSTYRENE", 300, block["scintillator"] / 2)
        back = self.box("back", "G4_POLYSTYRENE", 300, block["scintillator"] / 2 - SLAB)
        self.slab = self.box("slab", "G4_Galactic", 300, SLAB)
        self.limit(self.plate, front, back)
        for i in range(block["plates"]):
            start = i * block["pitch"]
            middle = start + (block["plate"] + block["pitch"]) / 2
            self.place(self.plate, start + block["plate"] / 2, i, world)
            self.place(front, middle - block["scintillator"] / 4, i, world)
            self.place(back, middle + SLAB / 2 + block["scintillator"] / 4, i, world)
        for i, z in enumerate(self.job["planes"]):
            self.place(self.slab, z + SLAB / 2, i, world)
        return self.place(world, 0, 0, None)

    def limit(self, *volumes: Any) -> None:
        if self.job["step"] > 0:
            self.keep.append(g4.G4UserLimits(self.job["step"] * g4.mm))
            for volume in volumes:
                volume.SetUserLimits(self.keep[-1])

    def ConstructSDandField(self) -> None:
        g4.G4SDManager.GetSDMpointer().AddNewDetector(self.planes)
        self.slab.SetSensitiveDetector(self.planes)
        if self.job["field"] != 0:
            field = g4.G4UniformMagField(g4.G4ThreeVector(0, self.job["field"] * g4.tesla, 0))
            manager = g4.G4FieldManager(field)
            self.keep += [field, manager]
            self.plate.SetFieldManager(manager, True)


class Planes(g4.G4VSensitiveDetector):
    """States (x, y, z [cm], p [GeV]) of the primary at every plane; NaN where it does not arrive."""

    def __init__(self, job: dict[str, Any]) -> None:
        super().__init__("planes")
        self.states = np.full((job["events"], len(job["planes"]), 6), np.nan)
        self.event = -1

    def ProcessHits(self, step: Any, _history: Any) -> bool:
        point = step.GetPreStepPoint()
        row = self.states[self.event, point.GetTouchable().GetCopyNumber()]
        if np.isnan(row[0]):
            row[:] = state(point)
        return True


def state(point: Any) -> tuple[float, ...]:
    x, p = point.GetPosition(), point.GetMomentum()
    return x.x / g4.cm, x.y / g4.cm, x.z / g4.cm, p.x / g4.GeV, p.y / g4.GeV, p.z / g4.GeV


class Gun(g4.G4VUserPrimaryGeneratorAction):
    """The primary along z, 10 um before the first plate."""

    def __init__(self, job: dict[str, Any], planes: Planes) -> None:
        super().__init__()
        self.planes, self.gun = planes, g4.G4ParticleGun(1)
        self.gun.SetParticleDefinition(definition(job["particle"]))
        self.gun.SetParticleMomentum(g4.G4ThreeVector(0, 0, job["p"] * g4.GeV))
        self.gun.SetParticlePosition(g4.G4ThreeVector(0, 0, -1e-3 * g4.cm))

    def GeneratePrimaries(self, event: Any) -> None:
        self.planes.event += 1
        self.gun.GeneratePrimaryVertex(event)


class OnlyPrimaries(g4.G4UserStackingAction):
    """What the primary makes is not followed: it takes its energy away and is done."""

    def ClassifyNewTrack(self, track: Any) -> Any:
        primary = track.GetParentID() == 0
        return g4.G4ClassificationOfNewTrack.fUrgent if primary else g4.G4ClassificationOfNewTrack.fKill


class Ends(g4.G4UserTrackingAction):
    """Where the track of each primary ends (x, y, z) [cm]."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[tuple[float, float, float]] = []

    def PostUserTrackingAction(self, track: Any) -> None:
        x = track.GetPosition()
        self.ends.append((x.x / g4.cm, x.y / g4.cm, x.z / g4.cm))


class Actions(g4.G4VUserActionInitialization):
    def __init__(self, job: dict[str, Any], planes: Planes) -> None:
        super().__init__()
        self.actions: list[Any] = [Gun(job, planes), OnlyPrimaries(), Ends()]

    def Build(self) -> None:
        for action in self.actions:
            self.SetUserAction(action)


def definition(particle: str) -> Any:
    return g4.G4ParticleTable.GetParticleTable().FindParticle(particle)


def only_mean_loss(particle: str, radiative: bool) -> None:
    """Remove all processes but ionisation. Radiation, where wanted, is only set inactive: with cuts above any energy
    its loss is continuous, and Geant4 adds it to the table of ionisation."""
    manager = definition(particle).GetProcessManager()
    kept = KEPT | CONTINUOUS if radiative else KEPT
    for process in list(manager.GetProcessList()):
        if process.GetProcessName() not in kept:
            manager.RemoveProcess(process)
    for process in list(manager.GetProcessList()):  # in this order: with inactive ones about, nothing can be removed
        if process.GetProcessName() in CONTINUOUS:
            commands(f"/process/inactivate {process.GetProcessName()} {particle}")


def commands(*lines: str) -> None:
    for line in lines:
        g4.G4UImanager.GetUIpointer().ApplyCommand(line)


def initialised(job: dict[str, Any], planes: Planes) -> tuple[Any, list[Any]]:
    """The run manager, ready to build its tables, and all that Python has to keep."""
    full = job["physics"] == "full"
    manager = g4.G4RunManagerFactory.CreateRunManager(g4.G4RunManagerType.Serial)
    block, physics, limiter = Block(job, planes), g4.FTFP_BERT(), g4.G4StepLimiterPhysics()
    physics.RegisterPhysics(limiter)
    parameters = g4.G4EmParameters.Instance()  # after the list, whose constructor sets them all
    parameters.SetVerbose(0)
    parameters.SetLossFluctuations(full)
    parameters.SetMuHadLateralDisplacement(full)
    manager.SetUserInitialization(block)
    manager.SetUserInitialization(physics)
    actions = Actions(job, planes)  # after the list: the gun needs its particles
    manager.SetUserInitialization(actions)
    manager.Initialize()
    if not full:
        only_mean_loss(job["particle"], job["physics"] == "radiative")
        commands("/run/setCut 10 m")
    commands(f"/random/setSeeds {job['seed']} {job['seed'] + 1}")
    return manager, [block, physics, limiter, actions]


def beam(job: dict[str, Any]) -> dict[str, Any]:
    """Primaries through the block: `states` (events, planes, 6) and `ends` (events, 3)."""
    planes = Planes(job)
    manager, kept = initialised(job, planes)
    manager.BeamOn(job["events"])
    return {"states": planes.states, "ends": np.array(kept[-1].actions[2].ends)}


def processes(particle: str) -> tuple[str, ...]:
    """Names of ionisation, bremsstrahlung and pair production ('' where there is none)."""
    names = {process.GetProcessName() for process in definition(particle).GetProcessManager().GetProcessList()}
    wanted = ({"muIoni", "hIoni", "ionIoni"}, {"muBrems", "hBrems"}, {"muPairProd", "hPairProd"})
    return tuple(next(iter(names & group), "") for group in wanted)


def stopping(job: dict[str, Any]) -> dict[str, Any]:
    """Mean loss by G4EmCalculator [MeV cm2/g]: `dedx` (particles, materials, energies, 4 + n cuts): total, ionisation,
    bremsstrahlung, pair production, and ionisation with transfers below each cut."""
    manager, _kept = initialised(job, Planes(job))
    manager.BeamOn(0)
    rows = [[losses(particle, material, job) for material in job["materials"]] for particle in job["particles"]]
    return {"dedx": np.array(rows)}


def losses(particle: str, material: str, job: dict[str, Any]) -> list[list[float]]:
    calculator, kind = g4.G4EmCalculator(), definition(particle)
    matter = g4.G4NistManager.Instance().FindOrBuildMaterial(material)
    names = processes(particle)

    def loss(energy: float, name: str, cut: float) -> float:
        if not name:
            return 0.0
        unit = matter.GetDensity() * g4.MeV * g4.cm2 / g4.g
        return float(calculator.ComputeDEDX(energy * g4.GeV, kind, name, matter, cut * g4.MeV) / unit)

    def parts(energy: float) -> list[float]:
        unrestricted = [loss(energy, name, 1e12) for name in names]
        return [sum(unrestricted), *unrestricted, *(loss(energy, names[0], cut) for cut in job["cuts"])]

    return [parts(energy) for energy in job["energies"]]


def main() -> None:
    job = json.loads(sys.argv[1])
    result = {"beam": beam, "stopping": stopping}[job["kind"]](job)
    np.savez(Path(sys.argv[2]), version=g4.G4Version, **result)
    sys.stdout.flush()
    os._exit(0)  # the interpreter crashes when it takes Geant4 apart


if __name__ == "__main__":
    main()
