"""Compiled loops of the true physics: random numbers, matter, geometry, steps. Nothing here is shared with the fit."""
