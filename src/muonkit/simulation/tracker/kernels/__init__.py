"""Compiled loops of a particle in a tracker: steps, surfaces that are crossed, the way from start to end.

The letters are those of `simulation.kernels`; `bend.k` is q c/p [1/(T cm)]."""
