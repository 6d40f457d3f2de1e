"""The distortions of a tracker that have names: those of the detector as a whole, and those to which tracks are blind.

Names are those of BaBar and CMS (CMS, J. Instrum. 9 (2014) P06009, table 4): a displacement along r, phi or z that
grows with r, phi or z. What depends on phi has two phases; a name stands for both."""

from typing import NamedTuple

import numpy as np

from muonkit.alignment.parameters import FIELD, MATERIAL, ROTATION, SIZE, TRANSLATION
from muonkit.core.arrays import FloatArray
from muonkit.detector.detector import Detector
from muonkit.detector.surfaces import CYLINDER, DISC

Z = np.array([0.0, 0.0, 1.0])
LEAST = 1e-9  # size of a direction, relative to the largest, below which it is none


class Template(NamedTuple):
    """A distortion: its name, and the parameters (k, 8 n) of all surfaces for a size of 1, in each of its k phases."""

    name: str
    values: FloatArray


def rigid(detector: Detector) -> list[Template]:
    """The six motions of the detector as a whole: translations by 1 cm, rotations by 1 rad about the origin."""
    c, unit = detector.surfaces.center, np.eye(3)
    shifts = [_local(detector, np.zeros_like(c) + unit[axis], np.zeros_like(c)) for axis in range(3)]
    turns = [_local(detector, np.cross(unit[axis], c), np.zeros_like(c) + unit[axis]) for axis in range(3)]
    names = [f"{what} {axis}" for what in ("translation", "rotation") for axis in "xyz"]
    return [Template(name, values[None]) for name, values in zip(names, (*shifts, *turns), strict=True)]


def distortions(detector: Detector) -> list[Template]:
    """Those that are no motion of the whole."""
    r, phi, r_hat, phi_hat = cylindrical(detector)
    z = detector.surfaces.center[:, 2]
    waves, doubles = (np.cos(phi), np.sin(phi)), (r * np.cos(2 * phi), r * np.sin(2 * phi))

    def along(axis: FloatArray, *sizes: FloatArray) -> FloatArray:
        return np.array([_local(detector, size[:, None] * axis, np.zeros_like(axis)) for size in sizes])

    def turned(angle: FloatArray) -> FloatArray:
        turn = angle[:, None] * np.tile(Z, (len(angle), 1))
        return _local(detector, np.cross(turn, detector.surfaces.center), turn)[None]

    up = np.tile(Z, (len(z), 1))
    found = {
        "twist": turned(z),
        "sagitta": turned(r),
        "clamshell": along(phi_hat, *waves),
        "radial": along(r_hat, r),
        "bowing": along(r_hat, z**2 - np.mean(z**2)),
        "elliptical": along(r_hat, *doubles),
        "telescope": along(up, r),
        "skew": along(up, *waves),
        "z expansion": along(up, z),
        "momentum scale": _all_of(FIELD, len(z)),
        "energy-loss scale": _all_of(MATERIAL, len(z)),
    }
    return [Template(name, values) for name, values in found.items()]


def basis(templates: list[Template], scale: FloatArray) -> FloatArray:
    """Orthonormal directions (8 n, k) of the parameters in units of scale (8 n,), 0 where one is fixed, along which the
    templates go."""
    values = np.concatenate([template.values for template in templates]) if templates else np.zeros((0, len(scale)))
    scaled = np.where(scale > 0, values / np.where(scale > 0, scale, 1.0), 0.0).T
    if not scaled.size:
        return scaled
    left, size, _ = np.linalg.svd(scaled, full_matrices=False)
    return left[:, (size > LEAST * size[0]) & (size > 0)]


def beside(directions: FloatArray, held: FloatArray) -> FloatArray:
    """Orthonormal directions (8 n, k) without what lies along others (8 n, m)."""
    left = directions - held @ (held.T @ directions)
    if not left.size:
        return left
    vectors, size, _ = np.linalg.svd(left, full_matrices=False)
    return vectors[:, size > LEAST]


def _all_of(kind: int, surfaces: int) -> FloatArray:
    values = np.zeros((1, surfaces, SIZE))
    values[:, :, kind] = 1.0
    return values.reshape(1, -1)


def cylindrical(detector: Detector) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Distance (n,) of every surface from the beam [cm], of a cylinder its radius, of a disc its mean radius; azimuth
    (n,) of its centre; unit vectors (n, 3) along r and phi there, 0 on the axis."""
    S = detector.surfaces
    rho, phi = np.hypot(S.center[:, 0], S.center[:, 1]), np.arctan2(S.center[:, 1], S.center[:, 0])
    r = np.where(S.kind == CYLINDER, S.radius, np.where(S.kind == DISC, S.bounds[:, :2].mean(axis=1), rho))
    r_hat = np.where(rho[:, None] > 0, S.center * [1, 1, 0] / np.where(rho > 0, rho, 1.0)[:, None], 0.0)
    return r, phi, r_hat, np.cross(Z, r_hat)


def _local(detector: Detector, shift: FloatArray, turn: FloatArray) -> FloatArray:
    """Parameters (8 n,) of global displacements (n, 3) and rotations (n, 3) of every surface."""
    values = np.zeros((len(shift), SIZE))
    values[:, TRANSLATION] = np.einsum("nij,nj->ni", detector.surfaces.axes, shift)
    values[:, ROTATION] = np.einsum("nij,nj->ni", detector.surfaces.axes, turn)
    return values.reshape(-1)
