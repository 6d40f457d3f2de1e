"""One Geant4 run through a whole detector of ours: `python -m tests.oracles.geant4_yoke_worker JOB OUT.npz`, started by
geant4_yoke.

Every slice of every thick volume is a solid; the planes of the muon detector are slabs of 0.1 um of vacuum in the gaps,
and what the primary is when it enters them is written down. The field is the detector's own, looked up by Geant4 step
by step; or, where only the speed counts, one uniform field for the inside of the coil, one for each iron slice and none
elsewhere, which Geant4 follows without coming back to Python."""

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
from muonkit.detector.kernels.evaluate import field as evaluate
from muonkit.detector.volumes import RHO, ROUND, edges_of, materials_of
from muonkit.muid.layout import MISSING, build_layout
from tests.oracles.geant4_worker import OnlyPrimaries, commands, definition, only_mean_loss, state

SLAB = 1e-5  # cm
NIST = {"iron": "G4_Fe", "aluminium": "G4_Al", "CsI": "G4_CESIUM_IODIDE", "air": "G4_AIR", "vacuum": "G4_Galactic"}
PLATES = 0.3  # T: slices with less field have none in the fast variant


class OwnField(g4.G4MagneticField):
    """The field of a detector; Geant4 asks in mm."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.arrays = detector.field.arrays()
        self.B, self.G = np.zeros(3), np.zeros((3, 3))

    def GetFieldValue(self, point: Any, values: Any) -> None:
        evaluate(self.arrays, point[0] / 10, point[1] / 10, point[2] / 10, self.B, self.G, False)
        for i in range(3):
            values[i] = self.B[i] * g4.tesla


class World(g4.G4VUserDetectorConstruction):
    """Every object made here is kept: Geant4 does not own what Python made."""

    def __init__(self, detector: Detector, job: dict[str, Any], planes: "Planes") -> None:
        super().__init__()
        self.detector, self.job, self.planes = detector, job, planes
        self.layout = build_layout(detector, 2)
        self.keep: list[Any] = []
        self.slabs: list[Any] = []
        self.slices: list[tuple[Any, Any]] = []  # logical volume, a point in it
        self.made: dict[str, Any] = {}

    def material(self, index: int) -> Any:
        own = self.detector.materials[index]
        nist = g4.G4NistManager.Instance()
        if own.name in NIST:
            return nist.FindOrBuildMaterial(NIST[own.name])
        if own.name not in self.made:
            mixture = g4.G4Material(own.name, own.density * g4.g / g4.cm3, len(own.elements))
            total = sum(element.weight for element in own.elements)
            for element in own.elements:
                mixture.AddElement(nist.FindOrBuildElement(round(element.Z)), element.weight / total)
            self.made[own.name] = mixture
        return self.made[own.name]

    def turn(self, phi: float) -> Any:
        """What Geant4 wants of a solid whose x, y, z axes are to point along phi, along z, and outwards at phi."""
        rotation = g4.G4RotationMatrix()
        rotation.rotateZ(-phi - np.pi / 2)
        rotation.rotateX(-np.pi / 2)
        return rotation

    def place(self, volume: Any, position: Any, turn: Any, mother: Any, copy: int) -> Any:
        placed = g4.G4PVPlacement(turn, position, volume, volume.GetName(), mother, False, copy)
        self.keep += [placed, position, turn]
        return placed

    def Construct(self) -> Any:
        solid = g4.G4Box("world", 5 * g4.m, 5 * g4.m, 6 * g4.m)
        world = g4.G4LogicalVolume(solid, self.material(0), "world")
        self.keep += [solid, world]
        for block in range(len(self.detector.blocks)):
            self.block(block, world)
        return self.place(world, g4.G4ThreeVector(), None, None, 0)

    def block(self, block: int, world: Any) -> None:
        V = self.detector.volumes
        edges, materials = edges_of(V, block), materials_of(V, block)
        for i, material in enumerate(materials):
            rho, z = (edges[i], edges[i + 1]), (float(V.z_min[block]), float(V.z_max[block]))
            if V.axis[block] != RHO:
                rho, z = (float(V.rho_min[block]), float(V.rho_max[block])), (edges[i], edges[i + 1])
            z = (z[0] + float(V.z0[block]), z[1] + float(V.z0[block]))
            name, matter = f"{self.detector.blocks[block]}/{i}", self.material(int(material))
            if V.sides[block] == ROUND:
                self.ring(name, matter, rho, z, world)
            else:
                self.polygon(name, block, matter, rho, z, world)
        self.limit()

    def ring(self, name: str, material: Any, rho: Any, z: Any, world: Any) -> None:
        """A round slice, with the endcap planes in it."""
        middle, half = (z[0] + z[1]) / 2, (z[1] - z[0]) / 2
        solid = g4.G4Tubs(name, rho[0] * g4.cm, rho[1] * g4.cm, half * g4.cm, 0, 2 * np.pi)
        volume = self.logical(solid, material, name, np.array([(rho[0] + rho[1]) / 2, 0.0, middle]))
        self.place(volume, g4.G4ThreeVector(0, 0, middle * g4.cm), None, world, 0)
        layout, S = self.layout, self.detector.surfaces
        for section, layer in zip(*np.nonzero(layout.endcap != MISSING), strict=True):
            place = float(S.center[layout.endcap[section, layer], 2])
            if self.job["planes"] and z[0] < place < z[1] and S.bounds[layout.endcap[section, layer], 0] > rho[0]:
                slab = g4.G4Tubs("plane", rho[0] * g4.cm, rho[1] * g4.cm, SLAB / 2 * g4.cm, 0, 2 * np.pi)
                where = g4.G4ThreeVector(0, 0, (place - middle) * g4.cm)
                self.slab(slab, where, volume, BARREL_LAYERS + int(layer))

    def polygon(self, name: str, block: int, material: Any, rho: Any, z: Any, world: Any) -> None:
        """A slice of a polygon: one trapezoid for each side, with the barrel plane in it."""
        sides, phi0 = int(self.detector.volumes.sides[block]), float(self.detector.volumes.phi0[block])
        middle, half, depth, tan = (z[0] + z[1]) / 2, (z[1] - z[0]) / 2, (rho[1] - rho[0]) / 2, np.tan(np.pi / sides)
        wide = [float(r * tan * g4.cm) for r in rho]
        solid = g4.G4Trd(name, *wide, half * g4.cm, half * g4.cm, depth * g4.cm)
        volume = self.logical(solid, material, name, np.array([(rho[0] + rho[1]) / 2, 0.0, middle + 20]))
        R = (rho[0] + rho[1]) / 2
        for side in range(sides):
            phi = phi0 + 2 * np.pi * side / sides
            where = g4.G4ThreeVector(float(R * np.cos(phi)) * g4.cm, float(R * np.sin(phi)) * g4.cm, middle * g4.cm)
            self.place(volume, where, self.turn(phi), world, side)
        S = self.detector.surfaces
        for layer in np.flatnonzero(self.layout.barrel[1, 0] != MISSING):
            i = self.layout.barrel[1, 0, layer]
            distance = float(S.center[i] @ S.axes[i, 2])
            if self.job["planes"] and rho[0] < distance < rho[1]:
                width = float(distance * tan) * g4.cm - 1e-3
                slab = g4.G4Box("plane", width, half * g4.cm, SLAB / 2 * g4.cm)
                self.slab(slab, g4.G4ThreeVector(0, 0, (distance - R) * g4.cm), volume, int(layer))

    def logical(self, solid: Any, material: Any, name: str, inside: Any) -> Any:
        volume = g4.G4LogicalVolume(solid, material, name)
        self.keep += [solid, volume]
        self.slices.append((volume, inside))
        return volume

    def slab(self, solid: Any, where: Any, mother: Any, bit: int) -> None:
        volume = g4.G4LogicalVolume(solid, self.material(0), "plane")
        self.place(volume, where, None, mother, bit)
        self.keep += [volume, solid]
        self.slabs.append(volume)

    def limit(self) -> None:
        if self.job["step"] > 0:
            self.keep.append(g4.G4UserLimits(self.job["step"] * g4.mm))
            for volume, _ in self.slices:
                volume.SetUserLimits(self.keep[-1])

    def ConstructSDandField(self) -> None:
        if self.job["planes"]:
            g4.G4SDManager.GetSDMpointer().AddNewDetector(self.planes)
            for slab in self.slabs:
                slab.SetSensitiveDetector(self.planes)
        if self.job["field"] == "own":
            self.attach(OwnField(self.detector))
        else:
            self.attach_uniform()

    def attach(self, field: Any, volume: Any = None) -> None:
        self.keep.append(field)
        if volume is None:
            manager = g4.G4TransportationManager.GetTransportationManager().GetFieldManager()
            manager.SetDetectorField(field)
            manager.CreateChordFinder(field)
        else:
            manager = g4.G4FieldManager(field)
            volume.SetFieldManager(manager, True)
        self.keep.append(manager)

    def attach_uniform(self) -> None:
        """1.5 T inside the coil and in the empty space, the field at one point in each iron slice, none elsewhere."""
        self.attach(g4.G4UniformMagField(g4.G4ThreeVector(0, 0, 1.5 * g4.tesla)))
        nothing = g4.G4FieldManager()
        self.keep.append(nothing)
        for volume, point in self.slices:
            B = self.detector.field.value(point[None])[0]
            if np.linalg.norm(B) > PLATES:
                self.attach(g4.G4UniformMagField(g4.G4ThreeVector(*(float(b) * g4.tesla for b in B))), volume)
            else:
                volume.SetFieldManager(nothing, True)


class Planes(g4.G4VSensitiveDetector):
    """States (x, y, z [cm], p [GeV]) of the primary at the plane of every layer; NaN where it does not arrive."""

    def __init__(self, events: int) -> None:
        super().__init__("planes")
        self.states = np.full((events, LAYERS, 6), np.nan)
        self.event = -1

    def ProcessHits(self, step: Any, _history: Any) -> bool:
        if step.GetTrack().GetParentID() != 0:
            return True
        point = step.GetPreStepPoint()
        row = self.states[self.event, point.GetTouchable().GetCopyNumber()]
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
    planes = Planes(job["events"])
    world, physics, limiter = (
        World(load_detector(job["detector"]), job, planes),
        g4.FTFP_BERT(),
        g4.G4StepLimiterPhysics(),
    )
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
