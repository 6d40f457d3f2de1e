"""Tracks and hits of the muon detector from simulated particles: two engines, one readout."""
