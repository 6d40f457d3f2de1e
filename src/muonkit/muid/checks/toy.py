"""A payload from formulas, for tests and first steps: not measured, and no use for physics.

Longitudinal: A exp(-B layer) with the starting values from which the fits of the Belle II software begin, counted in
layers from the first that the track crosses. Transverse: the density of chi2 for muons, and a gamma density of the same
order but twice to five times as wide for the others."""

import numpy as np

from muonkit.core.arrays import FloatArray
from muonkit.data.muid import BARREL_LAYERS
from muonkit.muid.likelihood.hypotheses import HYPOTHESES, SIGNED, signed_number, signed_numbers
from muonkit.muid.likelihood.outcome import EXIT_BARREL, OVERLAP_STOP_FORWARD, STOP_BARREL, classes
from muonkit.muid.likelihood.payload import CONTEXTS, ORDERS, REGIONS, LikelihoodParameters, first_entries
from muonkit.muid.likelihood.spline import BINS, WIDTH

RESPONSE = {
    "mu": (0.97, 0.005),
    "pi": (0.29, 0.30),
    "K": (0.33, 0.23),
    "p": (0.05, 0.36),
    "d": (0.20, 0.45),
    "e": (0.035, 1.65),
}  # A and B per layer
SCALE = {"mu": 1.0, "pi": 0.4, "K": 0.45, "p": 0.35, "d": 0.3, "e": 0.2}  # scale_x
LEAST = 1e-6  # probability of a hit
TRACKS = 10_000  # claimed sample size of every class


def toy_payload(correlation: float = 1.0) -> LikelihoodParameters:
    """The payload; both charges alike. correlation: the odds of a signal are exp(correlation) times larger with one in
    the layer before, smaller without, and half of that for the layer before it; one particle in fifty is like a pion.
    """
    names = {signed_number(name, charge): name for name in HYPOTHESES for charge in (1, -1)}
    hypotheses = [names[number] for number in range(SIGNED)]
    p = np.stack([response(*RESPONSE[name]) for name in hypotheses])
    scale = np.array([SCALE[name] for name in hypotheses])[:, None, None] * np.ones((SIGNED, REGIONS, ORDERS))
    k = np.arange(1, ORDERS + 1)
    factorial = np.cumprod(np.maximum(k - 1, 1)).astype(np.float64)
    scale_y = k * scale / factorial
    x = WIDTH * (np.arange(BINS) + 0.5)
    scaled = k[:, None] * x * scale[..., None]
    return LikelihoodParameters(
        longitudinal=p,
        uncertainty=np.sqrt(p * (1 - p) / TRACKS),
        crossed=np.full(p.shape, TRACKS),
        tracks=np.full((SIGNED, len(classes())), TRACKS),
        log_density=np.log(scale_y)[..., None] + (k[:, None] - 1) * np.log(scaled) - scaled,
        threshold=np.full(scale.shape, 9.0),
        scale_x=scale,
        scale_y=scale_y,
        entries=np.full(scale.shape, TRACKS),
        log_odds=chain(p, correlation),
        behaviour=like_pions(0.02),
        provenance={"made by": "muonkit.muid.checks.toy", "note": "from formulas, not measured"},
    )


def chain(p: FloatArray, correlation: float) -> FloatArray:
    """ln p/(1 - p) (12, CONTEXTS, entries) around that of p (12, entries)."""
    shift = np.array([correlation * ((c % 2 - 0.5) * 2 + (c // 2 - 0.5)) for c in range(CONTEXTS)])
    return np.asarray(np.log(p / (1 - p))[:, None] + shift[:, None])


def like_pions(share: float) -> FloatArray:
    """Shares (12, 6) of behaviours."""
    own = np.zeros((SIGNED, len(HYPOTHESES)))
    own[signed_numbers(np.array([1.0, -1.0])), np.arange(len(HYPOTHESES))] = 1 - share
    own[:, HYPOTHESES.index("pi")] += share
    return own


def response(A: float, B: float) -> FloatArray:
    """Probability (entries,) of a hit in every layer of every class."""
    values = np.zeros(int(first_entries()[-1]))
    for position, (outcome, _) in enumerate(classes()):
        first, end = first_entries()[position : position + 2]
        layer = np.arange(end - first, dtype=np.float64)
        if outcome not in (STOP_BARREL, EXIT_BARREL):
            before = outcome - OVERLAP_STOP_FORWARD if outcome >= OVERLAP_STOP_FORWARD else -1
            crossed = before % BARREL_LAYERS + 1 if before >= 0 else 0
            layer[BARREL_LAYERS:] += crossed - BARREL_LAYERS
        values[first:end] = np.clip(A * np.exp(-B * layer), LEAST, 0.999)
    return values
