"""What the classifier sees of a track: numbers of the whole track, then of every layer. Never the truth.

Of the whole: measured p, pT [GeV], cos theta, charge; region D, whether it escaped, last barrel and endcap layers,
layers crossed, hit, missed before the last hit, the longest run of them, last crossed less last hit layer, chi2 and
ndof; mean bend of the matched hits, hits of the event within NEAR of all predicted points, momentum predicted at the
last hit, and its share of p; whether the halves of the track were compared, chi2 and pull (see `Candidates`). Of a
layer: 1 where the track was followed there, where it counts as crossed, where it has
a matching hit; chi2 of the hit; strips in the clusters; the nearest hit's pull, also if it did not match, its parts in
azimuth times the charge, the bend, and in polar angle, the tilt, and its distance [cm]; hits of the event within CLOSE
and within NEAR of the predicted point, and anywhere in the layer; the share of p that is left, and how well the point
is predicted [cm]. Behind less momentum than was measured the bend leans to one side. NaN where there is nothing."""

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.data.klm import Candidates, KLMHits
from muonkit.data.muid import BARREL_LAYERS, LAYERS, Extrapolated, MuidLayers, MuidTracks
from muonkit.muid.likelihood.outcome import ext_layer, hit_layer, region
from muonkit.muid.swim.crossing import HIT

CLOSE, NEAR, ANYWHERE = 15.0, 50.0, 1e9  # cm
DISTANCES = (CLOSE, NEAR, ANYWHERE)
TRACK_NAMES = (
    *("p", "pt", "cos_theta", "charge", "region", "escaped", "barrel_ext_layer", "endcap_ext_layer"),
    *("crossed", "hits", "gaps", "longest_gap", "layers_after_last_hit", "chi2", "ndof"),
    *("mean_bend", "all_near", "p_at_last_hit", "share_at_last_hit"),
    *("has_halves", "halves_chi2", "halves_pull"),
)
LAYER_NAMES = (
    *("reached", "is_crossed", "is_hit", "hit_chi2", "width_phi", "width_z", "pull", "bend", "tilt", "distance"),
    *("close", "near", "in_layer", "share", "spread"),
)
NAMES = (*TRACK_NAMES, *(f"{name}_{bit}" for name in LAYER_NAMES for bit in range(LAYERS)))
STOPPED = (1, 2, 5)  # outcomes, and 7 to 36


def features(candidates: Candidates, hits: KLMHits, found: Extrapolated) -> FloatArray:
    """Features (n, len(NAMES)), float32, of tracks (n)."""
    whole = of_tracks(candidates, found.tracks)
    layers = of_layers(candidates, hits, found, whole[TRACK_NAMES.index("p")])
    whole += [*summed(layers), *at_last_hit(layers, found.layers.momentum), *of_halves(candidates)]
    return np.concatenate((np.stack(whole, axis=1), *layers), axis=1).astype(np.float32)


def of_tracks(candidates: Candidates, tracks: MuidTracks) -> list[FloatArray]:
    """TRACK_NAMES but the last seven, each (n,)."""
    momentum = candidates.states.momentum
    p, pt = np.linalg.norm(momentum, axis=1), np.hypot(momentum[:, 0], momentum[:, 1])
    b, e = tracks.barrel_ext_layer, tracks.endcap_ext_layer
    escaped = (tracks.outcome > 0) & ~np.isin(tracks.outcome, STOPPED) & ((tracks.outcome < 7) | (tracks.outcome > 36))
    crossed, hit = bits(tracks.ext_layer_pattern), bits(tracks.hit_layer_pattern)
    gaps, longest = holes(crossed, hit)
    last = hit_layer(b, tracks.barrel_hit_layer, tracks.endcap_hit_layer)
    with np.errstate(invalid="ignore"):  # tracks that are not started: p = 0, or infinite
        cos_theta = momentum[:, 2] / p
    columns = p, pt, cos_theta, candidates.states.charge, region(b, e), escaped, b, e
    counts = crossed.sum(axis=1), hit.sum(axis=1), gaps, longest, ext_layer(b, e) - last, tracks.chi2, tracks.ndof
    return [np.asarray(column, dtype=np.float64) for column in (*columns, *counts)]


def bits(pattern: IntArray) -> BoolArray:
    """Patterns (n,) as (n, LAYERS)."""
    return np.asarray(pattern[:, None] >> np.arange(LAYERS) & 1 == 1)


def holes(crossed: BoolArray, hit: BoolArray) -> tuple[IntArray, IntArray]:
    """Number (n,) of crossed layers without a hit in front of the last hit, and the longest run of them."""
    behind = np.flip(np.logical_or.accumulate(np.flip(hit, axis=1), axis=1), axis=1)
    hole = crossed & ~hit & behind
    run, longest = np.zeros((2, len(hit)), dtype=np.int64)
    for bit in range(LAYERS):
        run = np.where(hole[:, bit], run + 1, np.where(crossed[:, bit], 0, run))
        longest = np.maximum(longest, run)
    return hole.sum(axis=1), longest


def of_layers(candidates: Candidates, hits: KLMHits, found: Extrapolated, p: FloatArray) -> list[FloatArray]:
    """LAYER_NAMES, each (n, LAYERS), of tracks with momenta p (n,) [GeV]."""
    layers = found.layers
    matched = layers.crossing == HIT
    states = ~np.isnan(layers.momentum), bits(found.tracks.ext_layer_pattern), matched
    nearest = layers.hit >= 0
    width = np.full((*nearest.shape, 2), np.nan)
    width[nearest] = hits.width[layers.hit[nearest]]
    with np.errstate(invalid="ignore"):
        pull = np.sqrt(np.sum(layers.residual**2 / layers.variance, axis=2))
        spread = np.sqrt(layers.covariance[:, :, 0] + layers.covariance[:, :, 2])
        share = layers.momentum / p[:, None]
    bend, tilt, distance = leaning(candidates, hits, layers)
    chi2 = np.where(matched, layers.chi2, np.nan)
    signs = [state.astype(np.float64) for state in states]
    nearest_hit = [chi2, width[:, :, 0], width[:, :, 1], pull, pull * bend, pull * tilt, distance]
    return [*signs, *nearest_hit, *near(candidates, hits, layers), share, spread]


def summed(layers: list[FloatArray]) -> list[FloatArray]:
    """mean_bend and all_near, each (n,)."""
    is_hit, bend, near = (layers[LAYER_NAMES.index(name)] for name in ("is_hit", "bend", "near"))
    mean = np.sum(np.where(is_hit == 1, bend, 0.0), axis=1) / np.maximum(is_hit.sum(axis=1), 1)
    return [np.asarray(mean), np.asarray(np.nansum(near, axis=1))]


def at_last_hit(layers: list[FloatArray], momentum: FloatArray) -> list[FloatArray]:
    """p_at_last_hit and share_at_last_hit, each (n,), from the momentum (n, LAYERS) predicted at the layers."""
    matched, share = layers[LAYER_NAMES.index("is_hit")] == 1, layers[LAYER_NAMES.index("share")]
    last = LAYERS - 1 - np.argmax(np.flip(matched, axis=1), axis=1)
    row = np.arange(len(last))
    return [np.where(matched.any(axis=1), values[row, last], np.nan) for values in (momentum, share)]


def of_halves(candidates: Candidates) -> list[FloatArray]:
    """has_halves, halves_chi2 and halves_pull, each (n,)."""
    halves = np.full((len(candidates), 2), np.nan) if candidates.halves is None else candidates.halves
    known = np.asarray(np.isfinite(halves).all(axis=1))
    return [known.astype(np.float64), *np.where(known[:, None], halves, np.nan).T]


def leaning(candidates: Candidates, hits: KLMHits, layers: MuidLayers) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Of the ways from predicted points to the nearest hits: the parts, -1 to 1, in azimuth times the charge and in
    polar angle, and the lengths [cm]; each (n, LAYERS)."""
    azimuth, polar, distance = np.full((3, *layers.hit.shape), np.nan)
    track, bit = np.nonzero(layers.hit >= 0)
    x, y, z = layers.position[track, bit].T
    dx, dy, dz = (hits.position[layers.hit[track, bit]] - layers.position[track, bit]).T
    r, length = np.maximum(np.hypot(x, y), 1e-6), np.sqrt(dx**2 + dy**2 + dz**2)
    size = np.maximum(length, 1e-6)
    azimuth[track, bit] = candidates.states.charge[track] * (x * dy - y * dx) / (r * size)
    polar[track, bit] = (z * (x * dx + y * dy) / r - r * dz) / (np.hypot(r, z) * size)
    distance[track, bit] = length
    return azimuth, polar, distance


def near(candidates: Candidates, hits: KLMHits, layers: MuidLayers) -> list[FloatArray]:
    """Numbers, each (n, LAYERS), of hits of a track's event and layer within DISTANCES of its predicted point."""
    order = np.argsort(candidates.event, kind="stable")
    event = candidates.event[order]
    low, high = np.searchsorted(event, hits.event, "left"), np.searchsorted(event, hits.event, "right")
    row = np.repeat(np.arange(len(hits)), high - low)
    first = np.repeat(low - (np.cumsum(high - low) - (high - low)), high - low)
    track = order[np.arange(len(row)) + first]
    bit = hits.layer[row] + BARREL_LAYERS * hits.region[row]
    with np.errstate(invalid="ignore"):
        distance = np.linalg.norm(layers.position[track, bit] - hits.position[row], axis=1)
    return [counted(layers, track, bit, distance < most) for most in DISTANCES]


def counted(layers: MuidLayers, track: IntArray, bit: IntArray, chosen: BoolArray) -> FloatArray:
    """How many of the chosen hits every track has in every layer (n, LAYERS); NaN in layers that it does not reach."""
    count = np.bincount(track[chosen] * LAYERS + bit[chosen], minlength=layers.crossing.size)
    return np.where(np.isnan(layers.momentum), np.nan, count.reshape(layers.crossing.shape))
