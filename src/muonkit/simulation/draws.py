"""Random numbers for arrays of tracks: named by seed, stage and track, whatever the chunk they are made in."""

import numpy as np

from muonkit.core.arrays import AnyArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.simulation.kernels import philox


def key_of(seed: int) -> AnyArray:
    """The key (2,) of Philox that belongs to a seed, as in `core.random.stream`. Raises InputError below 0."""
    if seed < 0:
        raise InputError(f"seed: must be 0 or more (found {seed})")
    return np.random.SeedSequence((seed,)).generate_state(2, np.uint64)


def uniforms(seed: int, stage: int, track: IntArray, count: int, ordinal: IntArray | None = None) -> FloatArray:
    """Numbers (n, count) in (0, 1): row i belongs to track[i], and to what is number ordinal[i] on it."""
    out = np.empty((len(track), count))
    which = np.zeros(len(track), np.int64) if ordinal is None else ordinal
    philox.fill_uniform(key_of(seed), which, track, stage, out)
    return out
