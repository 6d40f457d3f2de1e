"""Counts and tracks drawn from a known payload, for closure of the making of PDFs."""

import numpy as np

from muonkit.core.particles import species
from muonkit.data.klm import LEFT, KLMTruth
from muonkit.muid.build.count import nothing
from muonkit.muid.checks.sampling import sample
from muonkit.muid.likelihood.hypotheses import HYPOTHESES
from muonkit.muid.likelihood.payload import first_entries


def truth(names, charge, p=2.0, theta=1.0, phi=0.3, soft=0.0):
    """Truth of particles (n,) by name, all in one direction."""
    n = len(names)
    code = np.array([species(name).pdg_id for name in names]) * charge.astype(int)
    t = np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])
    zeros, ones = np.zeros(n, dtype=np.int64), np.ones((n, 1))
    return KLMTruth(
        np.arange(n), zeros, code, np.zeros((n, 3)), p * t * ones, np.full(n, LEFT), np.zeros((n, 3)), np.full(n, soft)
    )


def drawn(payload, n, seed=1, names=HYPOTHESES):
    """Tracks and truth of n particles of random species and charge."""
    rng = np.random.default_rng(seed)
    chosen, charge = rng.choice([HYPOTHESES.index(name) for name in names], n), rng.choice([-1.0, 1.0], n)
    return sample(payload, chosen, charge, rng), truth(np.array(HYPOTHESES)[chosen], charge)


def binomial(payload, tracks, seed=1):
    """Counts with `tracks` in every class of every hypothesis, hits drawn with the payload's probabilities."""
    rng, counts = np.random.default_rng(seed), nothing()
    counts.tracks[:] = tracks
    counts.crossed[:] = tracks
    counts.hit[:] = rng.binomial(tracks, payload.longitudinal.astype(float))
    counts.seen[:] = tracks * len(first_entries())
    return counts
