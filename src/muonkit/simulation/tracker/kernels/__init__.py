"""Compiled loops of a particle in a tracker: steps, surfaces that are crossed, the way from start to end."""
