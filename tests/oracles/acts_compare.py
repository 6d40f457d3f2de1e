"""The same tracks by ACTS and by this package: what the test and the benchmark of the propagation share."""

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.data.tracks import BoundStates
from muonkit.detector.detector import Detector
from muonkit.detector.field import Field, MapRZ, MapXYZ, Uniform, cms_like
from muonkit.detector.material import VACUUM
from muonkit.detector.surfaces import CYLINDER, PLANE, SurfaceArrays
from muonkit.transport import cartesian
from tests.detector.blocks import nothing
from tests.oracles import acts_propagation as acts

FRINGE = -2e-3  # T/cm


class Sample(NamedTuple):
    """Tracks from points (n, 3) with phi, theta (n, 2) and q/p (n,)."""

    position: FloatArray
    angles: FloatArray
    qop: FloatArray


def sample(n: int, seed: int = 1, p: tuple[float, float] = (0.5, 100.0), eta: float = 1.0) -> Sample:
    """Muons from the origin, even in ln p and in eta, that reach r = 1.1 m in 3.8 T."""
    rng = np.random.default_rng(seed)
    theta = 2 * np.arctan(np.exp(-rng.uniform(-eta, eta, n)))
    low = np.maximum(p[0], 0.7 / np.sin(theta))  # the radius of the circle is 0.88 cm per MeV of pT
    momentum = np.exp(rng.uniform(np.log(low), np.log(p[1])))
    angles = np.stack((rng.uniform(-3, 3, n), theta), axis=1)
    return Sample(rng.normal(0, 0.1, (n, 3)), angles, rng.choice([-1.0, 1.0], n) / momentum)


def fields(kind: str) -> tuple[Field, Any]:
    """Ours and that of ACTS: `constant`; `fringe`: a map of Bz = 3.8 T + a z, Br = -a r/2, a = -2 mT/cm, which linear
    interpolation holds exactly; `solenoid`: 3.8 T with its fall-off on nodes 4 cm apart, linear between them.

    Maps in x, y, z: along a track ACTS 48.1 returns wrong values of maps in r and z (`stale`): it turns the radial
    component to the azimuth at which a cell was first looked up."""
    if kind == "constant":
        return Uniform((0.0, 0.0, 3.8)), acts.constant()
    step = 60.0 if kind == "fringe" else 4.0
    x, z = np.arange(-120, 120 + step, step), np.arange(-240, 240 + step, step)
    points = np.stack(np.meshgrid(x, x, z, indexing="ij"), axis=-1)
    B = fringe(points) if kind == "fringe" else cms_like().value(points.reshape(-1, 3)).reshape(points.shape)
    return MapXYZ.of(x, x, z, B, "linear"), _xyz(points, B)


def fringe(points: FloatArray) -> FloatArray:
    """B (..., 3) [T] at points (..., 3) [cm]: linear, and without divergence and curl."""
    x, y, z = np.moveaxis(points, -1, 0)
    return np.stack((-FRINGE * x / 2, -FRINGE * y / 2, 3.8 + FRINGE * z), axis=-1)


def _xyz(points: FloatArray, B: FloatArray) -> Any:
    import acts as library

    rows = np.concatenate((points, B), axis=-1).reshape(-1, 6)  # z runs first
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "field.txt"
        np.savetxt(path, rows, fmt="%.17g")
        return library.MagneticFieldMapXyz(str(path), lengthUnit=acts.MM, bFieldUnit=library.UnitConstants.T)


def rz_map() -> tuple[Field, Any]:
    """The solenoid on nodes 2.5 cm apart in r and z, for ACTS and for us."""
    r, z = np.linspace(0, 120, 49), np.linspace(-300, 300, 241)
    points = np.stack(np.meshgrid(r, [0.0], z, indexing="ij"), axis=-1).reshape(-1, 3)
    B = cms_like().value(points).reshape(len(r), len(z), 3)
    return MapRZ.of(r, z, B[..., 0], B[..., 2], "linear"), acts.field_map(r, z, B[..., 0], B[..., 2])


def start(tracks: Sample, field: Field, radius: float = 110.0) -> tuple[BoundStates, Detector]:
    """Every track on a plane of its own, its curvilinear one, with ACTS' start covariance; the target is the last
    surface."""
    n = len(tracks.qop)
    sin, cos = np.sin(tracks.angles[:, 1]), np.cos(tracks.angles[:, 1])
    t = np.stack((sin * np.cos(tracks.angles[:, 0]), sin * np.sin(tracks.angles[:, 0]), cos), axis=1)
    u, v = cartesian.axes(np.concatenate((tracks.position, t, tracks.qop[:, None]), axis=1))
    frames = np.concatenate((np.stack((u, v, t), axis=1), np.eye(3)[None]))
    parameters = np.column_stack((np.zeros((n, 2)), tracks.angles, tracks.qop))
    surfaces = _surfaces(np.concatenate((tracks.position, np.zeros((1, 3)))), frames, radius)
    covariance = np.tile(acts.START_COVARIANCE, (n, 1, 1))
    return BoundStates(np.arange(n), parameters, covariance), _detector(surfaces, field)


def _surfaces(center: FloatArray, axes: FloatArray, radius: float) -> SurfaceArrays:
    n = len(center)
    kind, size = np.full(n, PLANE), np.zeros(n)
    kind[-1], size[-1] = CYLINDER, radius
    whole, none = np.zeros(n, dtype=np.int64), np.zeros(n)
    bounds = np.tile([-1e9, 1e9, -1e9, 1e9], (n, 1))
    return SurfaceArrays(kind, center, axes, size, bounds, whole, none, whole, np.zeros((n, 2, 2)), np.zeros((n, 2)))


def _detector(surfaces: SurfaceArrays, field: Field) -> Detector:
    names = tuple(f"plane/{i}" for i in range(len(surfaces.kind)))
    return Detector("planes", "Planes", surfaces, names, nothing(), (), (VACUUM,), field, (1e4, -1e4, 1e4))
