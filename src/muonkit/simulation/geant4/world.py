"""A detector of ours as Geant4 sees it: every slice of every thick volume is a solid, and what is to be written down
stands in vacuum of 0.1 um: the planes of sensors that lie in volumes, and the end of the tracker.

The field is the detector's own, looked up in Python, in the iron, where the map is; elsewhere it is followed in C++."""

from dataclasses import dataclass
from typing import Any

import geant4_pybind as g4
import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.detector.detector import Detector
from muonkit.detector.kernels.evaluate import field as evaluate
from muonkit.detector.surfaces import DISC, PLANE
from muonkit.detector.volumes import CONES, RHO, ROUND, VolumeArrays, edges_of, materials_of, walls
from muonkit.simulation.klm.kernels.cascade import LATEST

SLAB = 1e-5  # cm
NIST = {"iron": "G4_Fe", "aluminium": "G4_Al", "CsI": "G4_CESIUM_IODIDE", "air": "G4_AIR", "vacuum": "G4_Galactic"}
START = 1000  # copy number of the end of the tracker
EVEN, WEAK = 1e-9, 0.3  # T: differences that are none; fields that uniform ones leave out
LONGEST = 2000.0  # cm
SAMPLES = 9  # of the field in a slice, per coordinate


@dataclass(frozen=True)
class Options:
    """step [mm]: the longest in matter, 0 for any; planes: whether those of sensors are there; start (r, z min, z max)
    [cm]: the end of the tracker, or None; field: own, or uniform: one value for every iron slice, for timing."""

    step: float
    planes: bool = True
    start: tuple[float, float, float] | None = None
    field: str = "own"


class OwnField(g4.G4MagneticField):  # type: ignore[misc]
    """The field of a detector; Geant4 asks in mm."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.arrays = detector.field.arrays()
        self.B, self.G = np.zeros(3), np.zeros((3, 3))

    def GetFieldValue(self, point: Any, values: Any) -> None:
        evaluate(self.arrays, point[0] / 10, point[1] / 10, point[2] / 10, self.B, self.G, False)
        for i in range(3):
            values[i] = self.B[i] * g4.tesla


@dataclass(frozen=True)
class SliceVolume:
    """A logical volume and points (n, 3) [cm] in it."""

    volume: Any
    points: FloatArray


class Geant4World(g4.G4VUserDetectorConstruction):  # type: ignore[misc]
    """Every object made here is kept: Geant4 does not own what Python made."""

    def __init__(self, detector: Detector, options: Options, sensitive: Any) -> None:
        super().__init__()
        self.detector, self.options, self.sensitive = detector, options, sensitive
        self.keep: list[Any] = []
        self.slabs: list[Any] = []
        self.slices: list[SliceVolume] = []
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

    def Construct(self) -> Any:
        solid = g4.G4Box("world", 5 * g4.m, 5 * g4.m, 6 * g4.m)
        world = g4.G4LogicalVolume(solid, self.material(0), "world")
        self.keep += [solid, world]
        for block in range(len(self.detector.blocks)):
            self.block(block, world)
        if self.options.start is not None:
            self.tracker(*self.options.start, world)
        self.limit(world)
        return self.place(world, g4.G4ThreeVector(), None, None, 0)

    def block(self, block: int, world: Any) -> None:
        V = self.detector.volumes
        edges, materials = edges_of(V, block), materials_of(V, block)
        if V.sides[block] == CONES:
            self.cones(block, world)
            return
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

    def ring(self, name: str, material: Any, rho: Any, z: Any, world: Any) -> None:
        """A round slice, with the discs of sensors in it."""
        middle, half = (z[0] + z[1]) / 2, (z[1] - z[0]) / 2
        solid = g4.G4Tubs(name, rho[0] * g4.cm, rho[1] * g4.cm, half * g4.cm, 0, 2 * np.pi)
        volume = self.logical(solid, material, name, inside(rho, z, 0.0))
        self.place(volume, g4.G4ThreeVector(0, 0, middle * g4.cm), None, world, 0)
        for place, i in self.heights().items():
            if z[0] < place < z[1] and self.detector.surfaces.bounds[i, 0] > rho[0]:
                slab = g4.G4Tubs("plane", rho[0] * g4.cm, rho[1] * g4.cm, SLAB / 2 * g4.cm, 0, 2 * np.pi)
                self.slab(slab, g4.G4ThreeVector(0, 0, (place - middle) * g4.cm), volume, i)

    def cones(self, block: int, world: Any) -> None:
        """A block between two cones."""
        V = self.detector.volumes
        z = np.array([V.z_min[block], V.z_max[block]])
        inner, outer = (radius * g4.cm for radius in walls(V, block, z))
        half, middle = float(z[1] - z[0]) / 2, float(z.mean() + V.z0[block])
        name = self.detector.blocks[block]
        solid = g4.G4Cons(name, inner[0], outer[0], inner[1], outer[1], half * g4.cm, 0, 2 * np.pi)
        volume = self.logical(solid, self.material(int(materials_of(V, block)[0])), name, between_walls(V, block))
        self.place(volume, g4.G4ThreeVector(0, 0, middle * g4.cm), None, world, 0)

    def polygon(self, name: str, block: int, material: Any, rho: Any, z: Any, world: Any) -> None:
        """A slice of a polygon: one trapezoid for each side, with the planes of sensors in it."""
        sides, phi0 = int(self.detector.volumes.sides[block]), float(self.detector.volumes.phi0[block])
        middle, half, depth, tan = (z[0] + z[1]) / 2, (z[1] - z[0]) / 2, (rho[1] - rho[0]) / 2, np.tan(np.pi / sides)
        width = float(self.detector.volumes.half_width[block])
        wide = [float(min(r * tan, width) * g4.cm) for r in rho]
        solid = g4.G4Trd(name, *wide, half * g4.cm, half * g4.cm, depth * g4.cm)
        volume = self.logical(solid, material, name, inside(rho, z, phi0))
        R = (rho[0] + rho[1]) / 2
        for side in range(sides):
            phi = phi0 + 2 * np.pi * side / sides
            where = g4.G4ThreeVector(float(R * np.cos(phi)) * g4.cm, float(R * np.sin(phi)) * g4.cm, middle * g4.cm)
            self.place(volume, where, turn(phi), world, side)
        for distance, i in self.distances().items():
            if rho[0] < distance < rho[1] and np.isinf(width):
                slab = g4.G4Box("plane", distance * tan * g4.cm - 1e-3, half * g4.cm, SLAB / 2 * g4.cm)
                self.slab(slab, g4.G4ThreeVector(0, 0, (distance - R) * g4.cm), volume, i)

    def sensors(self, kind: int) -> list[int]:
        """Surfaces of a kind that measure, unless no planes are wanted."""
        S = self.detector.surfaces
        return [int(i) for i in np.flatnonzero((S.kind == kind) & (S.n_measured > 0)) if self.options.planes]

    def heights(self) -> dict[float, int]:
        """Places [cm] of discs along z, and the first surface at each: quadrants share one."""
        found: dict[float, int] = {}
        for i in self.sensors(DISC):
            found.setdefault(float(self.detector.surfaces.center[i, 2]), i)
        return found

    def distances(self) -> dict[float, int]:
        """Distances [cm] of planes from the axis, and the first surface with each."""
        S = self.detector.surfaces
        found: dict[float, int] = {}
        for i in self.sensors(PLANE):
            found.setdefault(round(float(S.center[i] @ S.axes[i, 2]), 6), i)
        return found

    def tracker(self, r: float, z_min: float, z_max: float, world: Any) -> None:
        """Nothing, up to its end, which is a can of 0.1 um."""
        middle, half = (z_min + z_max) / 2 * g4.cm, (z_max - z_min) / 2 * g4.cm
        whole = g4.G4Tubs("start", 0, (r + SLAB) * g4.cm, half + SLAB * g4.cm, 0, 2 * np.pi)
        inner = g4.G4Tubs("tracker", 0, r * g4.cm, half, 0, 2 * np.pi)
        can = g4.G4LogicalVolume(whole, self.material(0), "start")
        volume = self.logical(inner, self.material(0), "tracker", inside((0, r), (z_min, z_max), 0.0))
        self.place(can, g4.G4ThreeVector(0, 0, middle), None, world, START)
        self.place(volume, g4.G4ThreeVector(), None, can, 0)
        self.keep += [whole, can]
        self.slabs.append(can)

    def place(self, volume: Any, position: Any, rotation: Any, mother: Any, copy: int) -> Any:
        placed = g4.G4PVPlacement(rotation, position, volume, volume.GetName(), mother, False, copy)
        self.keep += [placed, position, rotation]
        return placed

    def logical(self, solid: Any, material: Any, name: str, points: FloatArray) -> Any:
        volume = g4.G4LogicalVolume(solid, material, name)
        self.keep += [solid, volume]
        self.slices.append(SliceVolume(volume, points))
        return volume

    def slab(self, solid: Any, where: Any, mother: Any, copy: int) -> None:
        volume = g4.G4LogicalVolume(solid, self.material(0), "plane")
        self.place(volume, where, None, mother, copy)
        self.keep += [volume, solid]
        self.slabs.append(volume)

    def limit(self, world: Any) -> None:
        """Steps in matter and where the field may end within one; and everywhere the way and the time that a track may
        take: some would circle for ever."""
        free = g4.G4UserLimits(1 * g4.km, LONGEST * g4.cm, LATEST * g4.ns)
        short = g4.G4UserLimits(self.options.step * g4.mm, LONGEST * g4.cm, LATEST * g4.ns)
        self.keep += [free, short]
        world.SetUserLimits(short if self.options.step > 0 else free)
        for part in self.slices:
            tight = self.options.step > 0 and part.volume.GetName() != "tracker"
            part.volume.SetUserLimits(short if tight else free)

    def ConstructSDandField(self) -> None:
        g4.G4SDManager.GetSDMpointer().AddNewDetector(self.sensitive)
        for slab in self.slabs:
            slab.SetSensitiveDetector(self.sensitive)
        uniform, nothing = self.options.field == "uniform", g4.G4FieldManager()
        self.keep.append(nothing)
        middle = self.detector.field.value(np.zeros((1, 3)))[0]
        self.attach(even(middle) if uniform else OwnField(self.detector))
        for part in self.slices:
            B = self.detector.field.value(part.points)
            same = np.ptp(B, axis=0).max() < EVEN and np.abs(B[:, :2]).max() < EVEN
            if np.abs(B).max() < EVEN or (uniform and np.linalg.norm(B[0]) < WEAK):
                part.volume.SetFieldManager(nothing, True)
            elif same or uniform:
                self.attach(even(B[0]), part.volume)

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


def even(B: FloatArray) -> Any:
    """A uniform field, which Geant4 follows in C++."""
    return g4.G4UniformMagField(g4.G4ThreeVector(*(float(b) * g4.tesla for b in B)))


def turn(phi: float) -> Any:
    """What Geant4 wants of a solid whose x, y, z axes are to point along phi, along z, and outwards at phi."""
    rotation = g4.G4RotationMatrix()
    rotation.rotateZ(-phi - np.pi / 2)
    rotation.rotateX(-np.pi / 2)
    return rotation


def between_walls(V: VolumeArrays, block: int) -> FloatArray:
    """Points (n, 3) all over a block between cones, at azimuth 0."""
    z = np.linspace(V.z_min[block], V.z_max[block], SAMPLES + 2)[1:-1]
    inner, outer = walls(V, block, z)
    r = inner + np.linspace(0.01, 0.99, SAMPLES)[:, None] * (outer - inner)
    z = np.broadcast_to(z + V.z0[block], r.shape)
    return np.stack((r, np.zeros_like(r), z), axis=-1).reshape(-1, 3)


def inside(rho: tuple[float, float], z: tuple[float, float], phi: float) -> FloatArray:
    """Points (n, 3) all over a slice, at one azimuth; the first in its middle."""
    share = np.roll(np.linspace(0.01, 0.99, SAMPLES), SAMPLES // 2 + 1)
    r, along = (low + share * (high - low) for low, high in (rho, z))
    r, along = np.meshgrid(r, along, indexing="ij")
    return np.stack((r * np.cos(phi), r * np.sin(phi), along), axis=-1).reshape(-1, 3)
