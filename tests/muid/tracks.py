"""Tables of extrapolated tracks for tests of the likelihood."""

import numpy as np

from muonkit.data.muid import LAYERS, MuidTracks
from muonkit.muid.likelihood.outcome import EXIT_BARREL, STOP_BARREL, classes, outcome


def one(barrel=-1, endcap=-1, ext=None, hit=None, **more):
    """One track; all layers up to the last crossed and hit if not said otherwise."""
    whole = ((1 << barrel + 1) - 1) | (((1 << endcap + 1) - 1) << 15)
    ext = whole if ext is None else ext
    escaped, forward = more.pop("escaped", False), more.pop("forward", True)
    code = outcome(*(np.array([v]) for v in (barrel, endcap, escaped, forward)))[0]
    columns = {
        "charge": 1.0,
        "outcome": code,
        "is_forward": forward,
        "ext_layer_pattern": ext,
        "hit_layer_pattern": ext if hit is None else hit,
        "barrel_ext_layer": barrel,
        "endcap_ext_layer": endcap,
        "barrel_hit_layer": barrel,
        "endcap_hit_layer": endcap,
        "chi2": 0.0,
        "ndof": 0,
        "efficiency": np.ones(LAYERS),
        "status": 7,
    } | more
    return MuidTracks(**{name: np.array([value]) for name, value in columns.items()})


def bits(*layers):
    return sum(1 << layer for layer in layers)


def many(n, seed=1, odd=True):
    """Random tracks of all classes; with `odd`, also dead layers, efficiencies, negative chi2, impossible outcomes."""
    rng = np.random.default_rng(seed)
    pairs = np.array(classes())[rng.integers(0, len(classes()), n)]
    code, last = pairs.T
    only_barrel = (code == STOP_BARREL) | (code == EXIT_BARREL)
    barrel = np.where(only_barrel, last, np.where(code >= 7, (code - 7) % 15, -1))
    endcap = np.where(only_barrel, -1, last)
    ext = ((1 << (barrel + 1)) - 1) | (((1 << (endcap + 1)) - 1) << 15)
    p = rng.choice([0.97, 0.4, 0.1], n)
    hit = ext & np.sum((rng.random((n, LAYERS)) < p[:, None]) << np.arange(LAYERS), axis=1)
    ndof = 2 * np.bitwise_count(hit).astype(np.int64)
    chi2 = ndof * rng.gamma(np.maximum(ndof / 2, 1), 2 / np.maximum(ndof, 1)) * rng.choice([1.0, 3.0], n)
    efficiency = np.ones((n, LAYERS))
    if odd:
        ext &= ~(1 << rng.integers(0, LAYERS, n))
        hit &= ext
        some = rng.random((n, LAYERS))
        efficiency[some < 0.02] = 0.9
        efficiency[(some > 0.02) & (some < 0.03)] = 0.0
        efficiency[(some > 0.03) & (some < 0.035)] = np.nan
        chi2[rng.random(n) < 0.01] = -1.0
        chi2[rng.random(n) < 0.05] *= 0.01
        ndof[rng.random(n) < 0.02] += 30
        code = np.where(rng.random(n) < 0.01, rng.integers(0, 70, n), code)
    forward = np.isin(code, (2, 4)) | ((code >= 7) & (code < 22)) | ((code >= 37) & (code < 52))
    return MuidTracks(
        rng.choice([-1.0, 1.0], n),
        code,
        forward,
        ext,
        hit,
        barrel,
        endcap,
        barrel,
        endcap,
        chi2,
        ndof,
        efficiency,
        code,
    )
