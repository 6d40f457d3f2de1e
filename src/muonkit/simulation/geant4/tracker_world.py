"""A tracker of ours as Geant4 sees it: every surface is a slab of at most THIN cm that has the matter of the surface.

The slab is thinner than the matter, and its density as much higher, so that layers that lie close behind each other do
not overlap; mean excitation energy and density effect are set to those of the matter as it is."""

from typing import Any, NamedTuple

import geant4_pybind as g4
import numpy as np
from scipy.spatial.transform import Rotation

from muonkit.core.arrays import FloatArray
from muonkit.detector.detector import Detector
from muonkit.detector.material import Material
from muonkit.detector.surfaces import CYLINDER, DISC, PLANE, TRAPEZOID, WHOLE
from muonkit.simulation.geant4.world import OwnField, even

THIN = 0.01  # cm
MARGIN = 1.0  # cm, of the world around all surfaces
STEP, CHORD, HIT = 1e-5, 1e-3, 1e-5  # mm: accuracy of a step, of a chord, of a crossing
EPSILON = 1e-8  # relative accuracy of a step
LONGEST = 2000.0  # cm
SAMPLES = 200  # of the field, to see whether it is uniform


ALIGNED = np.eye(3)
UPRIGHT = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # z of a solid along v of its surface


class Slab(NamedTuple):
    """A solid, its middle (3,) [cm] in the frame of its surface, and its axes (3, 3) in it."""

    solid: Any
    middle: FloatArray
    axes: FloatArray = ALIGNED


class TrackerWorld(g4.G4VUserDetectorConstruction):  # type: ignore[misc]
    """Every object made here is kept: Geant4 does not own what Python made."""

    def __init__(self, detector: Detector, sensitive: Any) -> None:
        super().__init__()
        self.detector, self.sensitive = detector, sensitive
        self.keep: list[Any] = []
        self.volumes: list[Any] = []
        self.made: dict[tuple[int, float], Any] = {}

    def Construct(self) -> Any:
        solid = g4.G4Box("world", *(size * g4.cm for size in self.size()))
        world = g4.G4LogicalVolume(solid, self.vacuum(), "world")
        limits = g4.G4UserLimits(1 * g4.km, LONGEST * g4.cm)
        world.SetUserLimits(limits)
        self.keep += [solid, world, limits]
        for i in range(len(self.detector.layers)):
            self.surface(i, world)
        placed = g4.G4PVPlacement(None, g4.G4ThreeVector(), world, "world", None, False, -1)
        self.keep.append(placed)
        return placed

    def size(self) -> tuple[float, float, float]:
        """Half lengths [cm] that hold the envelope and all surfaces."""
        S, (r, z_min, z_max) = self.detector.surfaces, self.detector.envelope
        reach = np.abs(S.center).max(axis=1) + np.abs(S.bounds).max(axis=1) + S.radius
        far = float(max([r, *reach])) + MARGIN
        return far, far, max(far, abs(z_min) + MARGIN, abs(z_max) + MARGIN)

    def vacuum(self) -> Any:
        return g4.G4NistManager.Instance().FindOrBuildMaterial("G4_Galactic")

    def surface(self, i: int, world: Any) -> None:
        S = self.detector.surfaces
        thickness = min(float(S.thickness[i]), THIN) or THIN
        density = float(S.thickness[i]) / thickness
        matter = self.vacuum() if density == 0 else self.material(int(S.material[i]), density)
        slab = self.slab(i, thickness)
        volume = g4.G4LogicalVolume(slab.solid, matter, self.detector.layers[i])
        rotation = turned(slab.axes @ S.axes[i])
        where = g4.G4ThreeVector(*(float(x) * g4.cm for x in S.center[i] + slab.middle @ S.axes[i]))
        placed = g4.G4PVPlacement(rotation, where, volume, self.detector.layers[i], world, False, i)
        self.keep += [slab.solid, volume, rotation, where, placed]
        self.volumes.append(volume)

    def slab(self, i: int, thickness: float) -> Slab:
        """The slab [cm] of a surface."""
        S, name, half = self.detector.surfaces, self.detector.layers[i], thickness / 2
        low, high, begin, end = (float(edge) for edge in S.bounds[i])
        if S.kind[i] == DISC:
            around = 2 * np.pi if end == WHOLE else np.pi / 2
            return Slab(g4.G4Tubs(name, low * g4.cm, high * g4.cm, half * g4.cm, 0, around), np.zeros(3))
        if S.kind[i] == CYLINDER:
            R = float(S.radius[i])
            sizes = (R - half) * g4.cm, (R + half) * g4.cm, (end - begin) / 2 * g4.cm
            phi = low / R, min((high - low) / R, 2 * np.pi)
            return Slab(g4.G4Tubs(name, *sizes, *phi), np.array([0.0, 0.0, (begin + end) / 2]))
        if S.kind[i] == PLANE:
            sizes = (high - low) / 2 * g4.cm, (end - begin) / 2 * g4.cm, half * g4.cm
            return Slab(g4.G4Box(name, *sizes), np.array([(low + high) / 2, (begin + end) / 2, 0.0]))
        if S.kind[i] == TRAPEZOID:  # |u| <= low + high v
            wide = (low + high * begin) * g4.cm, (low + high * end) * g4.cm
            solid = g4.G4Trd(name, *wide, half * g4.cm, half * g4.cm, (end - begin) / 2 * g4.cm)
            return Slab(solid, np.array([0.0, (begin + end) / 2, 0.0]), UPRIGHT)
        raise ValueError(f"{name}: geant4 knows planes, trapezoids, cylinders and discs only")

    def material(self, number: int, factor: float) -> Any:
        """A material with `factor` times its density, that else is as it is."""
        key = number, round(factor, 6)
        if key not in self.made:
            own = self.detector.materials[number]
            self.made[key] = mixture(f"{own.name} x {factor:g}", own, factor)
        return self.made[key]

    def ConstructSDandField(self) -> None:
        g4.G4SDManager.GetSDMpointer().AddNewDetector(self.sensitive)
        for volume in self.volumes:
            volume.SetSensitiveDetector(self.sensitive)
        field = self.field()
        manager = g4.G4TransportationManager.GetTransportationManager().GetFieldManager()
        manager.SetDetectorField(field)
        manager.CreateChordFinder(field)
        manager.GetChordFinder().SetDeltaChord(CHORD * g4.mm)
        manager.SetDeltaOneStep(STEP * g4.mm)
        manager.SetDeltaIntersection(HIT * g4.mm)
        manager.SetMinimumEpsilonStep(EPSILON)
        manager.SetMaximumEpsilonStep(EPSILON)
        self.keep += [field, manager]

    def field(self) -> Any:
        """The field of the detector: followed in C++ where it is the same everywhere."""
        r, z_min, z_max = self.detector.envelope
        points = np.random.default_rng(1).uniform([-r, -r, z_min], [r, r, z_max], (SAMPLES, 3))
        B = self.detector.field.value(points[np.hypot(points[:, 0], points[:, 1]) < r])
        return even(B[0]) if np.ptp(B, axis=0).max() == 0 else OwnField(self.detector)


def turned(axes: FloatArray) -> Any:
    """What Geant4 wants of a solid whose axes are the rows of `axes` (3, 3)."""
    turn = Rotation.from_matrix(axes).as_rotvec()
    rotation, angle = g4.G4RotationMatrix(), float(np.linalg.norm(turn))
    if angle > 0:
        rotation.rotate(angle, g4.G4ThreeVector(*(turn / angle).tolist()))
    return rotation


def mixture(name: str, own: Material, factor: float) -> Any:
    """Our material in Geant4, `factor` times as dense, with the ionisation of the density that it has."""
    nist, total = g4.G4NistManager.Instance(), sum(element.weight for element in own.elements)
    made = g4.G4Material(name, factor * own.density * g4.g / g4.cm3, len(own.elements))
    for element in own.elements:
        made.AddElement(nist.FindOrBuildElement(round(element.Z)), element.weight / total)
    effect = own.density_effect
    ionisation = made.GetIonisation()
    ionisation.SetMeanExcitationEnergy(own.I * g4.eV)
    ionisation.SetDensityEffectParameters(effect.C, effect.k, effect.a, effect.x0, effect.x1, effect.delta0)
    return made
