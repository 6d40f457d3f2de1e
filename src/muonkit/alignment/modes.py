"""Weak modes: what tracks hardly see, found as eigenvectors and named by the distortions of the books.

The normal matrix is scaled by the widths of the priors, so that an eigenvalue is the information of the tracks on a
mode, over that of the priors: below 1, the prior knows more than the tracks. Names are those of BaBar and CMS (CMS, J.
Instrum. 9 (2014) P06009, table 4): a displacement along r, phi or z that grows with r, phi or z."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.linalg import eigh
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from muonkit.alignment.parameters import FIELD, MATERIAL, NAMES, ROTATION, SIZE, TRANSLATION, label
from muonkit.core.arrays import FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.detector.detector import Detector
from muonkit.detector.surfaces import CYLINDER, DISC

RIGID = ("translation x", "translation y", "translation z", "rotation x", "rotation y", "rotation z")
ALIKE = 0.5  # share of a mode that lies along its name
DENSE = 1500  # parameters up to which the matrix is decomposed as a whole
PRECISION = 1e-6  # of eigenvalues of the inverse, by iteration; those that matter are between 0.5 and 1
Z = np.array([0.0, 0.0, 1.0])


class Template(NamedTuple):
    """A distortion: its name, and the parameters (n, 8) of every surface for a size of 1."""

    name: str
    values: FloatArray


@dataclass(frozen=True, slots=True)
class Modes:
    """Weak modes, the weakest first. information (k,): of the tracks, over that of the priors; vectors (k, 8 n) in
    units of the parameters, of length 1 in widths of the priors; names (k,); share (k,): of the mode along its name."""

    information: FloatArray
    vectors: FloatArray
    names: tuple[str, ...]
    share: FloatArray

    def __str__(self) -> str:
        lines = ["Weak modes           information   share  name"]
        for number, (found, share, name) in enumerate(zip(self.information, self.share, self.names, strict=True)):
            lines.append(f"  {number + 1:<19}{found:11.3g}{share:8.2f}  {name}")
        return "\n".join(lines)


class Scaled(NamedTuple):
    """The normal matrix S N S (8 n, 8 n); a function that applies (S N S + 1)^-1; S, 0 where a parameter is fixed;
    orthonormal directions (8 n, k) in which nothing may move."""

    matrix: sparse.bsr_array
    inverse: Callable[[FloatArray], FloatArray]
    scale: FloatArray
    held: FloatArray


def weak_modes(system: Scaled, detector: Detector, count: int = 10) -> Modes:
    """The `count` weakest modes. Raises InputError if there are not so many parameters, or if no modes are found."""
    free = np.flatnonzero(system.scale > 0)
    if not 1 <= count < len(free) - system.held.shape[1]:
        most = len(free) - system.held.shape[1] - 1
        raise InputError(f"alignment: {count} weak modes of {len(free)} free parameters; ask for 1 to {most}")
    scaled = (_dense if len(free) <= DENSE else _lanczos)(system, free, count)
    information = np.array([max(float(mode @ (system.matrix @ mode)), 0.0) for mode in scaled])
    order = np.argsort(information)
    information, scaled = information[order], scaled[order]
    scaled *= np.sign(scaled[np.arange(count), np.argmax(np.abs(scaled), axis=1)])[:, None]
    known = [(t.name, _unit(t.values.reshape(-1), system.scale)) for t in templates(detector)]
    named = [_named(vector, known, detector.layers) for vector in scaled]
    names, shares = tuple(name for name, _ in named), np.array([share for _, share in named])
    return Modes(information, scaled * system.scale, names, shares)


def _dense(system: Scaled, free: IntArray, count: int) -> FloatArray:
    """Eigenvectors (k, 8 n) of the smallest eigenvalues of the whole matrix."""
    matrix, held = system.matrix.tocsr()[free][:, free].toarray(), system.held[free]
    part = matrix @ held
    matrix = (
        matrix
        - part @ held.T
        - held @ part.T
        + held @ (held.T @ part + np.trace(matrix) * np.eye(held.shape[1])) @ held.T
    )
    out = np.zeros((count, len(system.scale)))
    out[:, free] = eigh(matrix, subset_by_index=(0, count - 1))[1].T
    return out


def _lanczos(system: Scaled, free: IntArray, count: int) -> FloatArray:
    """The same by Lanczos' iteration with the inverse."""
    size = len(system.scale)
    inverse = LinearOperator((size, size), matvec=lambda vector: system.inverse(vector.reshape(-1)), dtype=np.float64)
    start = np.zeros(size)
    start[free] = np.random.default_rng(1).normal(size=len(free))
    vectors = min(max(4 * count, 60), len(free) - 1)
    try:
        return eigsh(inverse, k=count, which="LA", v0=start, tol=PRECISION, ncv=vectors)[1].T
    except ArpackNoConvergence:
        raise InputError(
            f"alignment: the {count} weakest modes are too much alike to be found; fix the kinds of parameters that "
            "tracks do not see by a width of 0, or ask for fewer"
        ) from None


def _named(vector: FloatArray, known: Sequence[tuple[str, FloatArray]], layers: Sequence[str]) -> tuple[str, float]:
    """The distortion that a mode is most alike, or the parameters in which it is largest."""
    shares = np.array([(unit @ vector) ** 2 for _, unit in known])
    best = int(np.argmax(shares))
    if shares[best] >= ALIKE:
        return known[best][0], float(shares[best])
    index = int(np.argmax(np.abs(vector)))
    kinds = (vector.reshape(-1, SIZE) ** 2).sum(axis=0)
    kind = int(np.argmax(kinds))
    if vector[index] ** 2 >= ALIKE:
        return f"alone: {label(index, layers)}", float(vector[index] ** 2)
    return f"{NAMES[kind]} of many surfaces, most {label(index, layers)}; like {known[best][0]}", float(shares[best])


def _unit(values: FloatArray, scale: FloatArray) -> FloatArray:
    """A template in units of the priors, of length 1; 0 where it moves nothing that is free."""
    scaled = np.where(scale > 0, values / np.where(scale > 0, scale, 1.0), 0.0)
    size = np.linalg.norm(scaled)
    return scaled / size if size > 0 else scaled


def rigid(detector: Detector) -> FloatArray:
    """The six motions of the detector as a whole, (6, 8 n): translations by 1 cm, rotations by 1 rad about the
    origin."""
    return np.array([t.values.reshape(-1) for t in templates(detector) if t.name in RIGID])


def templates(detector: Detector) -> list[Template]:
    """The distortions that modes are compared with."""
    surfaces = detector.surfaces
    c, zero = surfaces.center, np.zeros_like(surfaces.center)
    r, r_hat, phi_hat = _cylindrical(detector)
    z, phi = c[:, 2], np.arctan2(c[:, 1], c[:, 0])
    unit = np.eye(3)
    moves: dict[str, tuple[FloatArray, FloatArray]] = {}
    for axis, name in enumerate("xyz"):
        moves[f"translation {name}"] = zero + unit[axis], zero
    for axis, name in enumerate("xyz"):
        moves[f"rotation {name}"] = np.cross(unit[axis], c), zero + unit[axis]
    moves |= {
        "twist": (z[:, None] * np.cross(Z, c), z[:, None] * Z),
        "sagitta": (r[:, None] * np.cross(Z, c), r[:, None] * Z),
        "clamshell": (np.cos(phi)[:, None] * phi_hat, zero),
        "radial": (r[:, None] * r_hat, zero),
        "bowing": ((z**2 - np.mean(z**2))[:, None] * r_hat, zero),
        "elliptical": ((r * np.cos(2 * phi))[:, None] * r_hat, zero),
        "telescope": (r[:, None] * Z, zero),
        "skew": (np.cos(phi)[:, None] * Z, zero),
        "z expansion": (z[:, None] * Z, zero),
    }
    found = [Template(name, _local(detector, shift, turn)) for name, (shift, turn) in moves.items()]
    for name, kind in (("momentum scale", FIELD), ("energy-loss scale", MATERIAL)):
        values = np.zeros((len(c), SIZE))
        values[:, kind] = 1.0
        found.append(Template(name, values))
    return found


def _cylindrical(detector: Detector) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Distance (n,) of every surface from the beam [cm], of a cylinder its radius, of a disc its mean radius; unit
    vectors (n, 3) along r and phi at its centre, 0 on the axis."""
    S = detector.surfaces
    rho = np.hypot(S.center[:, 0], S.center[:, 1])
    r = np.where(S.kind == CYLINDER, S.radius, np.where(S.kind == DISC, S.bounds[:, :2].mean(axis=1), rho))
    r_hat = np.where(rho[:, None] > 0, S.center * [1, 1, 0] / np.where(rho > 0, rho, 1.0)[:, None], 0.0)
    return r, r_hat, np.cross(Z, r_hat)


def _local(detector: Detector, shift: FloatArray, turn: FloatArray) -> FloatArray:
    """Parameters (n, 8) of global displacements (n, 3) and rotations (n, 3) of every surface."""
    values = np.zeros((len(shift), SIZE))
    values[:, TRANSLATION] = np.einsum("nij,nj->ni", detector.surfaces.axes, shift)
    values[:, ROTATION] = np.einsum("nij,nj->ni", detector.surfaces.axes, turn)
    return values
