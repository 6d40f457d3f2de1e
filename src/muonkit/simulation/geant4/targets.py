"""Interactions of hadrons with nuclei in a block of one material, one after the other, by Geant4:
a job of `serve`, started by `library`.

JOB: material (of Geant4), codes (n,) and kinetic (n,) [GeV] of the primaries, keep (n,): whether what the interaction
makes is wanted, seed. Primaries lose no energy and are not deflected but by nuclei."""

from typing import Any

import geant4_pybind as g4
import numpy as np

from muonkit.core.arrays import AnyArray
from muonkit.simulation.geant4.actions import Actions, definition

OFF = (
    *("hIoni", "ionIoni", "msc", "CoulombScat", "hBrems", "hPairProd", "StepLimiter"),
    *(f"Decay {name}" for name in ("pi+", "pi-", "kaon+", "kaon-", "kaon0L", "neutron", "anti_neutron")),
)
SHORT = 1.0  # ns: products of a shorter mean life decay where they are made


class TargetBlock(g4.G4VUserDetectorConstruction):  # type: ignore[misc]
    """Much of one material."""

    def __init__(self, material: str) -> None:
        super().__init__()
        self.material = material
        self.keep: list[Any] = []

    def Construct(self) -> Any:
        solid = g4.G4Box("block", 1e4 * g4.m, 1e4 * g4.m, 1e4 * g4.m)
        volume = g4.G4LogicalVolume(solid, g4.G4NistManager.Instance().FindOrBuildMaterial(self.material), "block")
        placed = g4.G4PVPlacement(None, g4.G4ThreeVector(), volume, "block", None, False, 0)
        self.keep = [solid, volume, placed]
        return placed


class Beam(g4.G4VUserPrimaryGeneratorAction):  # type: ignore[misc]
    """One primary along z per event; antibaryons and others by code."""

    def __init__(self, job: dict[str, AnyArray]) -> None:
        super().__init__()
        self.job, self.event, self.gun = job, -1, g4.G4ParticleGun(1)
        table = g4.G4ParticleTable.GetParticleTable()
        self.kinds = {int(code): definition(table, int(code)) for code in np.unique(job["codes"])}
        self.gun.SetParticleMomentumDirection(g4.G4ThreeVector(0, 0, 1))

    def GeneratePrimaries(self, event: Any) -> None:
        self.event += 1
        self.gun.SetParticleDefinition(self.kinds[int(self.job["codes"][self.event])])
        self.gun.SetParticleEnergy(float(self.job["kinetic"][self.event]) * g4.GeV)
        self.gun.GeneratePrimaryVertex(event)


class Ways(g4.G4UserSteppingAction):  # type: ignore[misc]
    """Per event, of the primary: way [cm] to the inelastic interaction, number of elastic ones, sum of their squared
    transverse momenta [GeV^2]."""

    def __init__(self, beam: Beam, events: int) -> None:
        super().__init__()
        self.beam = beam
        self.way, self.elastic, self.kicks = np.zeros(events), np.zeros(events), np.zeros(events)

    def UserSteppingAction(self, step: Any) -> None:
        if step.GetTrack().GetParentID() != 0:
            return
        i = self.beam.event
        self.way[i] += step.GetStepLength() / g4.cm
        process = str(step.GetPostStepPoint().GetProcessDefinedStep().GetProcessName())
        if process == "hadElastic":
            before, after = step.GetPreStepPoint().GetMomentum(), step.GetPostStepPoint().GetMomentum()
            self.elastic[i] += 1
            self.kicks[i] += across(before, after)


def across(before: Any, after: Any) -> float:
    """Squared momentum [GeV^2] of `after` across `before`."""
    a, b = (np.array([v.x, v.y, v.z]) / g4.GeV for v in (before, after))
    along = a @ b / np.sqrt(a @ a)
    return float(b @ b - along * along)


class TargetProducts(g4.G4UserStackingAction):  # type: ignore[misc]
    """What inelastic interactions make: event, PDG code, kinetic energy [GeV], cosine to z; of what is short-lived, its
    decay products. They are not followed."""

    def __init__(self, beam: Beam) -> None:
        super().__init__()
        self.beam = beam
        self.rows: list[tuple[float, ...]] = []

    def ClassifyNewTrack(self, track: Any) -> Any:
        if track.GetParentID() == 0:
            return g4.G4ClassificationOfNewTrack.fUrgent
        i, process = self.beam.event, track.GetCreatorProcess()
        if not self.beam.job["keep"][i] or process is None or str(process.GetProcessName()) == "hadElastic":
            return g4.G4ClassificationOfNewTrack.fKill
        if is_short_lived(track.GetDefinition()):
            return g4.G4ClassificationOfNewTrack.fUrgent
        code = int(track.GetDefinition().GetPDGEncoding())
        self.rows.append((i, code, track.GetKineticEnergy() / g4.GeV, track.GetMomentumDirection().z))
        return g4.G4ClassificationOfNewTrack.fKill


def is_short_lived(definition: Any) -> bool:
    """Hyperons, short-lived kaons and neutral mesons; no nuclei."""
    nucleus = abs(int(definition.GetPDGEncoding())) > 10**9
    return not nucleus and not definition.GetPDGStable() and definition.GetPDGLifeTime() < SHORT * g4.ns


def run(job: dict[str, AnyArray]) -> dict[str, Any]:
    """The arrays of a job."""
    manager = g4.G4RunManagerFactory.CreateRunManager(g4.G4RunManagerType.Serial)
    block, physics = TargetBlock(str(job["material"])), g4.FTFP_BERT()
    physics.SetVerboseLevel(0)
    manager.SetUserInitialization(block)
    manager.SetUserInitialization(physics)
    beam = Beam(job)
    ways, products = Ways(beam, len(job["codes"])), TargetProducts(beam)
    actions = Actions([beam, ways, products])
    manager.SetUserInitialization(actions)
    manager.Initialize()
    ui = g4.G4UImanager.GetUIpointer()
    for line in (*(f"/process/inactivate {name}" for name in OFF), f"/random/setSeeds {job['seed']} 1"):
        ui.ApplyCommand(line)
    manager.BeamOn(len(job["codes"]))
    rows = np.array(products.rows).reshape(-1, 4)
    return {"way": ways.way, "elastic": ways.elastic, "kicks": ways.kicks, "products": rows}
