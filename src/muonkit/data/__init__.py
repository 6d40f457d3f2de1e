"""Frozen tables of arrays: slicing and joining, no physics."""
