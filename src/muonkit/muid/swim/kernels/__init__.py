"""Compiled loops of Muid."""
