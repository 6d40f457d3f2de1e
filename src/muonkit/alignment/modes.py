"""Weak modes: what tracks hardly see, found as eigenvectors and named by the distortions of the books.

The normal matrix is scaled by the widths of the priors, so that an eigenvalue is the information of the tracks on a
mode, over that of the priors: below 1, the prior knows more than the tracks. A mode has the name of the distortion of
`templates` along which at least half of it lies, or of its largest parameter."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.linalg import eigh
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from muonkit.alignment.parameters import NAMES, SIZE
from muonkit.alignment.templates import basis, beside, distortions, rigid
from muonkit.alignment.ties import Ties
from muonkit.core.arrays import FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.detector.detector import Detector

ALIKE = 0.5  # share of a mode that lies along its name
DENSE = 1500  # parameters up to which the matrix is decomposed as a whole
PRECISION = 1e-6  # of eigenvalues of the inverse, by iteration; those that matter are between 0.5 and 1


@dataclass(frozen=True, slots=True)
class Modes:
    """Weak modes, the weakest first. information (k,): of the tracks, over that of the priors; vectors (k, 8 n) in
    units of the parameters, of length 1 in widths of the priors; names (k,); share (k,): of the mode along its name.
    books: the information on every distortion of `templates`; where it has two phases, the lesser."""

    information: FloatArray
    vectors: FloatArray
    names: tuple[str, ...]
    share: FloatArray
    books: dict[str, float]

    def __str__(self) -> str:
        lines = ["Weak modes           information   share  name"]
        for number, (found, share, name) in enumerate(zip(self.information, self.share, self.names, strict=True)):
            lines.append(f"  {number + 1:<19}{found:11.3g}{share:8.2f}  {name}")
        lines.append("Named distortions    information")
        lines.extend(f"  {name:<19}{found:11.3g}" for name, found in sorted(self.books.items(), key=lambda one: one[1]))
        return "\n".join(lines)


class Scaled(NamedTuple):
    """The normal matrix S N S (8 n, 8 n); a function that applies (S N S + 1)^-1; S, 0 where a parameter is fixed;
    orthonormal directions (8 n, k) in which nothing may move; what is tied."""

    matrix: sparse.bsr_array
    inverse: Callable[[FloatArray], FloatArray]
    scale: FloatArray
    held: FloatArray
    ties: Ties


def weak_modes(system: Scaled, detector: Detector, names: Callable[[int], str], count: int = 10) -> Modes:
    """The `count` weakest modes, of parameters that `names` puts in words.

    Raises InputError if there are not so many parameters, or if no modes are found."""
    free = np.flatnonzero(system.scale > 0)
    if not 1 <= count < len(free) - system.held.shape[1]:
        most = len(free) - system.held.shape[1] - 1
        raise InputError(f"alignment: {count} weak modes of {len(free)} free parameters; ask for 1 to {most}")
    scaled = (_dense if len(free) <= DENSE else _lanczos)(system, free, count)
    information = np.array([max(float(mode @ (system.matrix @ mode)), 0.0) for mode in scaled])
    order = np.argsort(information)
    information, scaled = information[order], scaled[order]
    scaled *= np.sign(scaled[np.arange(count), np.argmax(np.abs(scaled), axis=1)])[:, None]
    known = _known(system, detector)
    named = [_named(vector, known, names, system.ties.surfaces * SIZE) for vector in scaled]
    called, shares = tuple(name for name, _ in named), np.array([share for _, share in named])
    vectors = np.array([system.ties.forth(vector) for vector in scaled * system.scale])
    return Modes(information, vectors[:, : SIZE * len(detector.layers)], called, shares, _books(system, known))


def books(system: Scaled, detector: Detector) -> dict[str, float]:
    """The information on every named distortion of what is free, without a search for modes."""
    return _books(system, _known(system, detector))


def _books(system: Scaled, known: dict[str, FloatArray]) -> dict[str, float]:
    return {name: _least(system, directions) for name, directions in known.items()}


def _least(system: Scaled, directions: FloatArray) -> float:
    """The least information on a direction in the space of orthonormal ones (8 n, k)."""
    return max(float(np.linalg.eigvalsh(directions.T @ (system.matrix @ directions))[0]), 0.0)


def _dense(system: Scaled, free: IntArray, count: int) -> FloatArray:
    """Eigenvectors (k, 8 n) of the smallest eigenvalues of the whole matrix."""
    matrix, held = system.matrix.tocsr()[free][:, free].toarray(), system.held[free]
    part = matrix @ held
    inner = held.T @ part + np.trace(matrix) * np.eye(held.shape[1])  # held directions go to the end
    matrix += held @ inner @ held.T - part @ held.T - held @ part.T
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


def _known(system: Scaled, detector: Detector) -> dict[str, FloatArray]:
    """Orthonormal directions (8 n, k) of every named distortion of what is free; none of the others has a motion of the
    whole in it."""
    motions, others = system.ties.back(rigid(detector)), system.ties.back(distortions(detector))
    whole = basis(motions, system.scale)
    shifts = basis(motions[:3], system.scale)
    found = {} if system.held.shape[1] else {one.name: basis([one], system.scale) for one in motions[:3]}
    if not system.held.shape[1]:
        found |= {one.name: beside(basis([one], system.scale), shifts) for one in motions[3:]}
    found |= {one.name: beside(basis([one], system.scale), whole) for one in others}
    return {name: directions for name, directions in found.items() if directions.shape[1]}


def _named(
    vector: FloatArray, known: dict[str, FloatArray], names: Callable[[int], str], size: int
) -> tuple[str, float]:
    """The distortion that a mode is most alike, or the parameters in which it is largest."""
    shares = {name: float(((vector @ directions) ** 2).sum()) for name, directions in known.items()}
    best = max(shares, key=shares.__getitem__, default="")
    if shares.get(best, 0.0) >= ALIKE:
        return best, shares[best]
    index = int(np.argmax(np.abs(vector)))
    if vector[index] ** 2 >= ALIKE:
        return names(index), float(vector[index] ** 2)
    if index >= size:
        return f"{names(index)} and other terms", float((vector[size:] ** 2).sum())
    kinds = (vector[:size].reshape(-1, SIZE) ** 2).sum(axis=0)
    return f"{NAMES[int(np.argmax(kinds))]}, most of {names(index).rpartition(': ')[0]}", float(kinds.max())
