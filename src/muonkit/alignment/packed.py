"""The sums of a part of the tracks, as small as they can be: what processes send, and what a stopped run keeps.

Only kinds of parameters that are fitted have rows and columns: with u, v and w the blocks shrink to a seventh."""

from dataclasses import dataclass

import numpy as np

from muonkit.alignment.parameters import SIZE
from muonkit.alignment.system import NormalSystem
from muonkit.core.arrays import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class PackedSums:
    """Of a `NormalSystem` over n surfaces: kinds (k,) of parameters, keys (b,) and blocks (b, k, k) of pairs of
    surfaces, rhs (n, k), and the counts of the system."""

    kinds: IntArray
    keys: IntArray
    blocks: FloatArray
    rhs: FloatArray
    met: IntArray
    tracks: int
    lost: int
    chi2: float
    ndf: int


def packed(system: NormalSystem, kinds: IntArray) -> PackedSums:
    """The sums of kinds (k,) of parameters alone."""
    blocks = system._blocks[system._slots[:, None, None], kinds[:, None], kinds]
    counts = system.met, system.tracks, system.lost, system.chi2, system.ndf
    return PackedSums(kinds, system._keys, blocks, system.rhs[:, kinds], *counts)


def unpacked(sums: PackedSums) -> NormalSystem:
    """The system with 0 for all other kinds."""
    system, count = NormalSystem(len(sums.met)), len(sums.keys)
    system._keys, system._slots = sums.keys, np.arange(count)
    system._blocks = np.zeros((max(count, 1), SIZE, SIZE))
    system._blocks[np.arange(count)[:, None, None], sums.kinds[:, None], sums.kinds] = sums.blocks
    system.rhs[:, sums.kinds] = sums.rhs
    system.met, system.tracks, system.lost = sums.met.copy(), sums.tracks, sums.lost
    system.chi2, system.ndf = sums.chi2, sums.ndf
    return system
