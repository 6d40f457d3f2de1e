"""Compiled loops of the fast engine: particles and their secondaries in calorimeter, coil and iron.

The letters are those of `simulation.kernels`; k is q c/p [1/(T cm)], and m the mass [GeV] of the particle at hand."""
