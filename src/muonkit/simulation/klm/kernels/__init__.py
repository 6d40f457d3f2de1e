"""Compiled loops of the fast engine: particles and their secondaries in calorimeter, coil and iron."""
