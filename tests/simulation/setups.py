"""Small detectors and beams for tests of the true physics."""

import numpy as np
from tests.detector.blocks import nothing

from muonkit.core.arrays import FloatArray
from muonkit.data.tracks import FreeStates
from muonkit.detector.detector import Detector
from muonkit.detector.field import Field, Uniform
from muonkit.detector.material import library
from muonkit.detector.surfaces import SurfaceArrays
from muonkit.detector.volumes import VolumeArrays

ALONG_X = ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))  # a frame whose normal is the x axis
ALONG_Z = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
WIDE = (-1e6, 1e6, -1e6, 1e6)
PLANE, CYLINDER, DISC = range(3)
Row = tuple[int, float, tuple[float, ...], float]  # kind, place, bounds, thickness


def plane(x: float, bounds: tuple[float, ...] = WIDE, thickness: float = 0.0) -> Row:
    """Across the x axis."""
    return PLANE, x, bounds, thickness


def cylinder(radius: float, bounds: tuple[float, ...] = WIDE) -> Row:
    """Around the z axis."""
    return CYLINDER, radius, bounds, 0.0


def disc(z: float, r_max: float) -> Row:
    """Across the z axis."""
    return DISC, z, (0.0, r_max, 0.0, 0.0), 0.0


def surfaces(rows: tuple[Row, ...]) -> SurfaceArrays:
    """Surfaces of material 1 that measure two coordinates to 10 and 20 um."""
    n = len(rows)
    center, axes = np.zeros((n, 3)), np.tile(np.array(ALONG_Z), (n, 1, 1))
    for i, (kind, place, _, _) in enumerate(rows):
        if kind == PLANE:
            center[i, 0], axes[i] = place, ALONG_X
        elif kind == DISC:
            center[i, 2] = place
    kind = np.array([row[0] for row in rows], dtype=np.int64)
    return SurfaceArrays(
        kind=kind,
        center=center,
        axes=axes,
        radius=np.array([row[1] if row[0] == CYLINDER else 0.0 for row in rows]),
        bounds=np.array([row[2] for row in rows], dtype=np.float64).reshape(n, 4),
        material=np.array([1 if row[3] else 0 for row in rows], dtype=np.int64),
        thickness=np.array([row[3] for row in rows], dtype=np.float64),
        n_measured=np.full(n, 2),
        projection=np.tile(np.eye(2), (n, 1, 1)),
        sigma=np.tile([10e-4, 20e-4], (n, 1)),
    )


def detector(
    *rows: Row,
    field: Field | None = None,
    volumes: VolumeArrays | None = None,
    matter: tuple[str, ...] = ("silicon",),
    envelope: tuple[float, float, float] = (1e4, -1e4, 1e4),
) -> Detector:
    """Without a field if none is given; material 0 is vacuum, then comes `matter`."""
    blocks = 0 if volumes is None else len(volumes.sides)
    return Detector(
        name="test",
        title="Test",
        surfaces=surfaces(rows),
        layers=tuple(f"layer/{i}" for i in range(len(rows))),
        volumes=nothing() if volumes is None else volumes,
        blocks=tuple(f"block/{i}" for i in range(blocks)),
        materials=tuple(library()[name] for name in ("vacuum", *matter)),
        field=Uniform((0.0, 0.0, 0.0)) if field is None else field,
        envelope=envelope,
    )


def beam(
    n: int, p: float, along: tuple[float, float, float] = (1, 0, 0), start: tuple[float, float, float] = (0, 0, 0)
) -> FreeStates:
    """n positive particles, all alike."""
    direction = np.array(along) / np.linalg.norm(along)
    return FreeStates(np.tile(np.array(start, dtype=np.float64), (n, 1)), np.tile(p * direction, (n, 1)), np.ones(n))


def spray(n: int, p: tuple[float, float], seed: int = 1, opening: float = 0.2) -> FreeStates:
    """Both charges, around the x axis, momenta evenly in their logarithm."""
    rng = np.random.default_rng(seed)
    size = np.exp(rng.uniform(*np.log(p), n))
    phi, cos = rng.uniform(-opening, opening, n), rng.uniform(-opening, opening, n)
    sin = np.sqrt(1 - cos**2)
    momentum = size[:, None] * np.stack((sin * np.cos(phi), sin * np.sin(phi), cos), axis=1)
    return FreeStates(rng.normal(0, 0.1, (n, 3)), momentum, rng.choice([-1.0, 1.0], n))


def angles(direction: FloatArray) -> FloatArray:
    """Slopes (n, 2) to the x axis."""
    return direction[:, 1:] / direction[:, :1]
