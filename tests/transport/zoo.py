"""Small detectors and known energy losses for tests of the transport."""

import numpy as np
from tests.detector.blocks import nothing

from muonkit.core.arrays import FloatArray
from muonkit.detector.detector import DetectorArrays
from muonkit.detector.field import Field, MapRZ, Uniform
from muonkit.detector.index import module_index
from muonkit.detector.material import MaterialArrays, arrays, library
from muonkit.detector.surfaces import SurfaceArrays
from muonkit.detector.volumes import VolumeArrays
from muonkit.transport.kernels.tuples import Loss, Plan

MUON = 0.1056583755
FRAME_X = ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
FRAME_Z = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
EXACT = Plan(1e-11, 100_000, 1e4, 0.01, 1e-3, 6.3, 1e-9, True, 1, 0, False, True)
BOTTLE = (3.8, -2e-6, 1e-9)  # B0 [T], b [T/cm^2], and a term in z r^2


def polynomial_rz(r: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Br and Bz of a field that obeys Maxwell's equations: B0 + b (z^2 - r^2/2) on and off the axis."""
    B0, b, _ = BOTTLE
    return -b * r * z, B0 + b * (z**2 - r**2 / 2)


def bottle() -> Field:
    """The polynomial field as a cubic map, which holds it exactly."""
    r, z = np.linspace(0, 200, 21), np.linspace(-400, 400, 41)
    Br, Bz = polynomial_rz(r[:, None], z[None, :])
    return MapRZ.of(r, z, Br, Bz)


def surfaces(*rows: tuple[int, tuple[float, ...], tuple[tuple[float, ...], ...], float]) -> SurfaceArrays:
    """Surfaces (kind, centre, frame, radius) without matter; two coordinates are measured."""
    n = len(rows)
    return SurfaceArrays(
        np.array([row[0] for row in rows]),
        np.array([row[1] for row in rows], dtype=np.float64),
        np.array([row[2] for row in rows], dtype=np.float64),
        np.array([row[3] for row in rows], dtype=np.float64),
        np.tile([-1e9, 1e9, -1e9, 1e9], (n, 1)),
        np.zeros(n, dtype=np.int64),
        np.zeros(n),
        np.full(n, 2),
        np.tile(np.eye(2), (n, 1, 1)),
        np.full((n, 2), 1e-3),
    )


def materials(*names: str) -> MaterialArrays:
    """Vacuum and named materials."""
    return arrays(tuple(library()[name] for name in ("vacuum", *names)))


def detector(
    field: Field, layers: SurfaceArrays, volumes: VolumeArrays | None = None, matter: tuple[str, ...] = ()
) -> DetectorArrays:
    """A detector for the kernels in a wide envelope."""
    thick = nothing() if volumes is None else volumes
    alone = module_index(layers, np.full(len(layers.kind), -1))
    return DetectorArrays(field.arrays(), layers, thick, materials(*matter), np.array([1e4, -1e4, 1e4]), alone)


def uniform(Bx: float = 0.0, By: float = 0.0, Bz: float = 3.8) -> Field:
    """A constant field [T]."""
    return Uniform((Bx, By, Bz))


LOSS = (8e-3, 1e-3, 2e-4)  # GeV/cm: S = s0 + s1 ln p + s2 ln^2 p


def polynomial_loss(n_materials: int = 2, mass: float = MUON) -> Loss:
    """A loss that cubic Hermite tables hold exactly; material 0 is vacuum, the others are alike."""
    u = np.log(1e-3) + 0.1 * np.arange(200)
    s0, s1, s2 = LOSS
    value, slope = np.zeros((n_materials, 200)), np.zeros((n_materials, 200))
    value[1:], slope[1:] = s0 + s1 * u + s2 * u**2, s1 + 2 * s2 * u
    return Loss(mass, float(u[0]), 0.1, value, slope)


def stopping(qop: FloatArray) -> FloatArray:
    """The same loss [GeV/cm] in NumPy."""
    u = -np.log(np.abs(qop))
    return LOSS[0] + LOSS[1] * u + LOSS[2] * u**2


def states(n: int, seed: int = 1, p: tuple[float, float] = (0.5, 100.0)) -> FloatArray:
    """Bound parameters (n, 5) near the origin, momenta spread evenly in ln p [GeV], both charges."""
    rng = np.random.default_rng(seed)
    momentum = np.exp(rng.uniform(np.log(p[0]), np.log(p[1]), n))
    return np.stack(
        (
            rng.normal(0, 0.1, n),
            rng.normal(0, 0.1, n),
            rng.uniform(-0.5, 0.5, n),
            rng.uniform(0.7, 2.4, n),
            rng.choice([-1.0, 1.0], n) / momentum,
        ),
        axis=1,
    )
