"""Muon identification: extrapolation through an instrumented iron yoke, and likelihoods of six species."""
