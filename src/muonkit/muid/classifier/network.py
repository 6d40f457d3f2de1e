"""A network that reads the layers in order: one formula, for NumPy and for JAX, which trains it.

Each layer of the muon detector becomes `width` numbers h, from its own features, those of the whole track and its
place. Blocks then let every layer see its neighbours, h + max(0, (h_before, h, h_behind) W + b): barrel layers 0 to 14,
then endcap layers 0 to 13. All h and the track together give, through one hidden layer, six logits."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from muonkit.core.arrays import AnyArray, FloatArray
from muonkit.data.muid import LAYERS
from muonkit.muid.classifier.features import LAYER_NAMES, TRACK_NAMES
from muonkit.muid.likelihood.hypotheses import HYPOTHESES

Weights = Mapping[str, Any]  # arrays of NumPy or JAX
TRACKS, FEATURES = len(TRACK_NAMES), len(LAYER_NAMES)


def shapes(width: int, blocks: int, hidden: int) -> dict[str, tuple[int, ...]]:
    """Of all weights."""
    found: dict[str, tuple[int, ...]] = {"layer": (FEATURES, width), "place": (LAYERS, width), "track": (TRACKS, width)}
    for i in range(blocks):
        found |= {f"block_{i}": (3 * width, width), f"block_{i}_bias": (width,)}
    found |= {"hidden": (LAYERS * width + TRACKS, hidden), "hidden_bias": (hidden,)}
    return found | {"last": (hidden, len(HYPOTHESES)), "last_bias": (len(HYPOTHESES),)}


def drawn(rng: np.random.Generator, width: int, blocks: int, hidden: int) -> dict[str, AnyArray]:
    """Weights to start the training from: He, arXiv:1502.01852; biases are 0, and so is the last layer: all species
    are equally probable."""
    weights = {}
    for name, shape in shapes(width, blocks, hidden).items():
        is_zero = len(shape) == 1 or name in ("place", "last")
        values = np.zeros(shape) if is_zero else rng.normal(0, np.sqrt(2 / shape[0]), shape)
        weights[name] = values.astype(np.float32)
    return weights


def prepared(X: FloatArray, mean: FloatArray, scale: FloatArray) -> FloatArray:
    """Features (n, features) for the network: arsinh, which is a logarithm where they are large, centred and scaled; 0
    for what is missing."""
    values = (np.arcsinh(X) - mean) / scale
    return np.where(np.isfinite(values), values, np.float32(0))


def moments(X: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and scale (features,) of arsinh of features (n, features); a feature of layers has those of all layers
    together."""
    values = np.arcsinh(X)
    sums = np.array([np.sum(~np.isnan(values), axis=0), np.nansum(values, axis=0), np.nansum(values**2, axis=0)])
    of_layers = sums[:, TRACKS:].reshape(3, FEATURES, LAYERS).sum(axis=2)
    number, first, second = np.concatenate((sums[:, :TRACKS], np.repeat(of_layers, LAYERS, axis=1)), axis=1)
    mean = first / np.maximum(number, 1)
    scale = np.sqrt(np.maximum(second / np.maximum(number, 1) - mean**2, 1e-2))
    return mean.astype(np.float32), scale.astype(np.float32)


def logits(inputs: Any, weights: Weights) -> Any:
    """Six logits (n, 6) of prepared features (n, features)."""
    xp = inputs.__array_namespace__()
    track = inputs[:, :TRACKS]
    layers = xp.swapaxes(inputs[:, TRACKS:].reshape(-1, FEATURES, LAYERS), 1, 2)
    h = xp.maximum(layers @ weights["layer"] + (track @ weights["track"])[:, None, :] + weights["place"], 0)
    for i in range(sum(name.endswith("_bias") for name in weights) - 2):
        h = h + xp.maximum(neighbours(h, xp) @ weights[f"block_{i}"] + weights[f"block_{i}_bias"], 0)
    whole = xp.concatenate((h.reshape(len(h), -1), track), axis=1)
    hidden = xp.maximum(whole @ weights["hidden"] + weights["hidden_bias"], 0)
    return hidden @ weights["last"] + weights["last_bias"]


def neighbours(h: Any, xp: Any) -> Any:
    """Every layer with the one before and the one behind it (n, LAYERS, 3 width), zeros at the ends."""
    nothing = xp.zeros_like(h[:, :1])
    before, behind = xp.concatenate((nothing, h[:, :-1]), axis=1), xp.concatenate((h[:, 1:], nothing), axis=1)
    return xp.concatenate((before, h, behind), axis=2)
