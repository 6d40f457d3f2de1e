"""The sums of a part of the tracks, as small as they can be: what processes send, and what a stopped run keeps.

Only kinds of parameters that are fitted have rows and columns: with u, v and w the blocks shrink to a seventh."""

from dataclasses import dataclass, replace

import numpy as np

from muonkit.alignment.harmonics import Harmonics
from muonkit.alignment.linear import Eliminated, Scatter
from muonkit.alignment.parameters import MATERIAL, SIZE
from muonkit.alignment.system import NormalSystem
from muonkit.core.arrays import AnyArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class PackedSums:
    """Of a `NormalSystem` over n surfaces: kinds (k,) of parameters, keys (b,) of pairs of surfaces, blocks (c, k, k)
    of these, and whole (d, 8, 8) of pairs in which one stands for coefficients of the field; rhs (n + ..., 8), and the
    counts of the system."""

    kinds: IntArray
    keys: IntArray
    blocks: FloatArray
    whole: FloatArray
    rhs: FloatArray
    met: IntArray
    tracks: int
    lost: int
    chi2: float
    ndf: int


def packed(system: NormalSystem, kinds: IntArray) -> PackedSums:
    """The sums of kinds (k,) of parameters, and of coefficients of the field."""
    field, slots = _of_field(system._keys, len(system.rhs), len(system.met)), system._slots
    small = system._blocks[slots[~field, None, None], kinds[:, None], kinds]
    rhs, unused = system.rhs.copy(), np.setdiff1d(np.arange(SIZE), kinds)
    rhs[: len(system.met), unused] = 0.0
    counts = system.met, system.tracks, system.lost, system.chi2, system.ndf
    return PackedSums(kinds, system._keys, small, system._blocks[slots[field]], rhs, *counts)


def unpacked(sums: PackedSums, harmonics: Harmonics | None) -> NormalSystem:
    """The system, with 0 for all other kinds."""
    system, count = NormalSystem(len(sums.met), harmonics), len(sums.keys)
    field = _of_field(sums.keys, len(system.rhs), len(sums.met))
    system._keys, system._slots = sums.keys, np.arange(count)
    system._blocks = np.zeros((max(count, 1), SIZE, SIZE))
    system._blocks[np.flatnonzero(~field)[:, None, None], sums.kinds[:, None], sums.kinds] = sums.blocks
    system._blocks[:count][field] = sums.whole
    system.rhs[:] = sums.rhs
    system.met, system.tracks, system.lost = sums.met.copy(), sums.tracks, sums.lost
    system.chi2, system.ndf = sums.chi2, sums.ndf
    return system


def thinned(tracks: Eliminated, kinds: IntArray, surfaces: int) -> Eliminated:
    """The same equations without stops that no fitted kind (k,) acts on, such as services, and without response: sums
    take half of the time. Behind the surfaces are coefficients of the field, which stay. Matter acts on all stops."""
    if MATERIAL in kinds:
        return tracks
    n, size = tracks.surface.shape
    m = tracks.z.shape[1]
    D = tracks.D.reshape(n, m, size, SIZE)
    acts = (D[..., kinds] != 0).any(axis=(1, 3)) | (tracks.surface >= surfaces)
    order = np.argsort(~acts, axis=1, kind="stable")[:, : int(acts.sum(axis=1).max(initial=1))]
    surface = np.take_along_axis(np.where(acts, tracks.surface, -1), order, axis=1)
    left = np.take_along_axis(D, order[:, None, :, None], axis=2).reshape(n, m, SIZE * order.shape[1])
    nothing = Scatter(np.zeros((n, 0)), np.zeros((n, 0, 0)))
    return replace(tracks, surface=surface, D=left, response=np.zeros((n, 5, 0)), scatter=nothing)


def _of_field(keys: IntArray, size: int, surfaces: int) -> AnyArray:
    """Whether one of the pair (b,) stands for coefficients of the field: they are behind the surfaces."""
    return np.maximum(*np.divmod(keys, size)) >= surfaces
