"""Counter-based random numbers (Philox, Salmon et al. 2011): a stream is named by its keys, so that results
depend neither on the number of processes nor on the order in which they work."""

import numpy as np


def stream(seed: int, *keys: int) -> np.random.Generator:
    """The generator that belongs to (seed, keys). The same keys always give the same numbers.
    Raises ValueError if one of them is negative."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, *keys))))
