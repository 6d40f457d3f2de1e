"""Parameters that are tied: p = T q, so N becomes T^T N T and b becomes T^T b.

All ways to the modules of a layer may have one field, all its modules one factor of matter, and they may move as one
body. A ladder (or ring) moves in the frame B of its first module, about the mean o of the centres, as in
`detector.moves`; a layer along x, y, z about o. With the translation t and the rotation omega of the body, a module
with centre c and axes A moves by

    delta = A B^T t + A (B^T omega x (c - o)),  omega' = A B^T omega.

The numbers q of a body stand in the place of those of its first surface; the places of its others are empty. A body of
one surface keeps its own frame."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from muonkit.alignment.config import Groups
from muonkit.alignment.parameters import FIELD, MATERIAL, ROTATION, SIZE, TRANSLATION
from muonkit.alignment.templates import Template
from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.detector.detector import Detector
from muonkit.detector.moves import bodies
from muonkit.detector.surfaces import SurfaceArrays


class Ties(NamedTuple):
    """T (8 n, 8 n), sparse; None if nothing is tied. first (8 n,): the parameter that stands for each one. surfaces:
    how many there are; further parameters are not tied."""

    matrix: sparse.csr_array | None
    first: IntArray
    surfaces: int

    def forth(self, q: FloatArray) -> FloatArray:
        """p (8 n,) from q (8 n,)."""
        return q if self.matrix is None else np.asarray(self.matrix @ q)

    def reached(self, free: BoolArray) -> BoolArray:
        """Which p (8 n,) change if these q (8 n,) do."""
        return free if self.matrix is None else np.asarray(abs(self.matrix) @ free.astype(np.float64) > 0)

    def back(self, templates: list[Template]) -> list[Template]:
        """The same distortions in q: those closest to them, where the bodies cannot follow."""
        inverse = None if self.matrix is None else _left_inverse(self.matrix)
        size = len(self.first)
        out = []
        for name, values in templates:
            full = np.zeros((len(values), size))
            full[:, : values.shape[1]] = values
            out.append(Template(name, full if inverse is None else np.array([inverse(row) for row in full])))
        return out


def _left_inverse(matrix: sparse.csr_array) -> Callable[[FloatArray], FloatArray]:
    """(T^T T)^-1 T^T as a function; empty places stay 0."""
    square = sparse.csc_array(matrix.T @ matrix)
    solve = splu(square + sparse.diags_array(np.where(square.diagonal() == 0, 1.0, 0.0), format="csc")).solve
    return lambda row: solve(matrix.T @ row)


def ties(detector: Detector, groups: Groups, stays: BoolArray, further: int) -> Ties:
    """The ties of groups, without surfaces (n,) that stay as described, for so many further parameters."""
    n = len(detector.layers)
    first = np.arange(SIZE * n + further)
    if groups == Groups():
        return Ties(None, first, n)
    free = np.flatnonzero(~stays)
    blocks = np.zeros((n, SIZE, SIZE))
    leader = {level: _leaders(detector.layers, level, free) for level in set(groups.levels())}
    blocks[free, :FIELD, :FIELD] = _motion(detector.surfaces, leader[groups.moves], groups.moves == "layer")[free]
    blocks[free[:, None], [FIELD, MATERIAL], [FIELD, MATERIAL]] = 1.0
    place = np.stack([SIZE * leader[level] + kind for kind, level in enumerate(groups.levels())], axis=1)
    first[: SIZE * n] = place.reshape(-1)
    rows = np.broadcast_to(np.arange(SIZE * n).reshape(n, SIZE, 1), blocks.shape)
    columns = np.broadcast_to(place[:, None, :], blocks.shape)
    used = blocks != 0
    last = np.arange(SIZE * n, len(first))
    entries = np.concatenate((blocks[used], np.ones(further)))
    where = np.concatenate((rows[used], last)), np.concatenate((columns[used], last))
    return Ties(sparse.csr_array((entries, where), shape=(len(first), len(first))), first, n)


def _leaders(names: tuple[str, ...], level: str, free: IntArray) -> IntArray:
    """The first surface (n,) of the body of every surface; a surface that stays as described is its own."""
    out = np.arange(len(names))
    if len(free):
        _, first, body = np.unique(bodies(names, level, free), return_index=True, return_inverse=True)
        out[free] = free[first[body]]
    return out


def _motion(surfaces: SurfaceArrays, leader: IntArray, whole_layers: bool) -> FloatArray:
    """Blocks (n, 6, 6) of T for translation and rotation."""
    count = np.bincount(leader, minlength=len(leader))
    sums = [np.bincount(leader, weights=column, minlength=len(leader)) for column in surfaces.center.T]
    apart = surfaces.center - (np.stack(sums, axis=1) / np.maximum(count, 1)[:, None])[leader]
    alone = (count[leader] == 1)[:, None, None]
    B = np.where(alone | (not whole_layers), surfaces.axes[leader], np.eye(3))
    turned = np.einsum("nij,nkj->nik", surfaces.axes, B)  # A B^T
    lever = np.einsum("nij,nkj->nik", surfaces.axes, np.cross(B, apart[:, None, :]))
    out = np.zeros((len(leader), FIELD, FIELD))
    out[:, TRANSLATION, TRANSLATION] = out[:, ROTATION, ROTATION] = turned
    out[:, TRANSLATION, ROTATION] = lever
    return out
