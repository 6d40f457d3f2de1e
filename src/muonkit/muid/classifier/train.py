"""Training, with JAX and Optax (extra `classifier`), and the calibration."""

from importlib.util import find_spec
from typing import Any

import numpy as np

from muonkit.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.muid.classifier.config import Training
from muonkit.muid.classifier.features import TRACK_NAMES
from muonkit.muid.classifier.model import Classifier
from muonkit.muid.classifier.network import drawn, logits, moments, prepared
from muonkit.muid.likelihood.hypotheses import HYPOTHESES

PARTS = 10  # events are dealt out by a hash of their number
TRAINED, CALIBRATED = 8, 9  # parts below: training; below: calibration; the rest is unseen
MIX = np.uint64(0x9E3779B97F4A7C15)
WARM_UP = 0.15  # share of the steps in which the learning rate rises
WEIGHT_DECAY = 1e-3
LIBRARIES = "jax", "optax"


def part_of(event: IntArray) -> IntArray:
    """Part 0 to PARTS - 1 (n,) that an event belongs to, whatever the sample."""
    with np.errstate(over="ignore"):
        mixed = (event.astype(np.uint64) + np.uint64(1)) * MIX
    return ((mixed >> np.uint64(40)) % np.uint64(PARTS)).astype(np.int64)


def unseen(event: IntArray) -> BoolArray:
    """Whether an event (n,) belongs to no training and no calibration."""
    return np.asarray(part_of(event) >= CALIBRATED)


def train(X: FloatArray, species: IntArray, event: IntArray, training: Training, about: dict[str, Any]) -> Classifier:
    """The classifier of features (n, ...) and species (n,), places in HYPOTHESES.

    Raises InputError without JAX or Optax, or without tracks of every species in both parts."""
    if not all(map(find_spec, LIBRARIES)):
        raise InputError("training needs JAX and Optax: pip install 'muonkit[classifier]'")
    part = part_of(event)
    used, held = part < TRAINED, (part >= TRAINED) & (part < CALIBRATED)
    for rows, what in ((used, "training"), (held, "calibration")):
        missing = [name for i, name in enumerate(HYPOTHESES) if not np.any(species[rows] == i)]
        if missing:
            raise InputError(f"input.samples: leave no {', '.join(missing)} for the {what}; simulate more")
    X = without_halves(X, part_of(event + 1) % 2 == 0)
    mean, scale = moments(X[used])
    inputs, labels = prepared(X[used], mean, scale).astype(np.float16), species[used].astype(np.int32)
    members = [fitted(inputs, labels, training, training.seed + i) for i in range(training.members)]
    arrays = {name: np.stack([member[name] for member in members]) for name in members[0]}
    arrays |= {"mean": mean, "scale": scale}
    plain = {"temperature": np.array(1.0), "offset": np.zeros(len(HYPOTHESES))}
    scores = Classifier(arrays | plain).score(X[held])
    return Classifier(arrays | calibration(scores, species[held]), about)


def without_halves(X: FloatArray, rows: BoolArray) -> FloatArray:
    """The features, as if the halves of the tracks in `rows` (n,) had not been compared: one classifier serves both."""
    X = X.copy()
    first = TRACK_NAMES.index("has_halves")
    X[rows, first : first + 3] = 0, np.nan, np.nan
    return X


def fitted(inputs: AnyArray, labels: AnyArray, training: Training, seed: int) -> dict[str, AnyArray]:
    """The weights of one network: AdamW with one cycle of the learning rate, mean cross entropy of batches."""
    import jax
    import optax

    rng = np.random.default_rng(seed)
    weights: Any = drawn(rng, training.width, training.blocks, training.hidden)
    size = min(training.batch, len(inputs))
    batches = len(inputs) // size
    rate = optax.cosine_onecycle_schedule(training.epochs * batches, training.learning_rate, WARM_UP)
    optimiser = optax.adamw(rate, weight_decay=WEIGHT_DECAY)

    def loss(weights: Any, x: Any, y: Any) -> Any:
        return optax.softmax_cross_entropy_with_integer_labels(logits(x.astype(np.float32), weights), y).mean()

    def step(weights: Any, state: Any, x: Any, y: Any) -> Any:
        change, state = optimiser.update(jax.grad(loss)(weights, x, y), state, weights)
        return optax.apply_updates(weights, change), state

    compiled: Any = jax.jit(step)
    state = optimiser.init(weights)
    for _ in range(training.epochs):
        order = rng.permutation(len(inputs))[: batches * size].reshape(batches, size)
        for rows in order:
            weights, state = compiled(weights, state, inputs[rows], labels[rows])
    return {name: np.asarray(values) for name, values in weights.items()}


def calibration(score: FloatArray, species: IntArray) -> dict[str, AnyArray]:
    """The temperature and the offsets (6,) with which logits (n, 6) are most likely posteriors, for as many tracks of
    each species: Guo et al., arXiv:1706.04599."""
    from scipy.optimize import minimize
    from scipy.special import log_softmax, softmax

    weight = 1 / np.bincount(species, minlength=len(HYPOTHESES))[species] / len(HYPOTHESES)
    truth = np.eye(len(HYPOTHESES))[species]

    def cost(x: FloatArray) -> tuple[float, FloatArray]:
        z = x[0] * score + x[1:]
        off = weight[:, None] * (softmax(z, axis=1) - truth)
        value = -np.sum(weight * log_softmax(z, axis=1)[np.arange(len(z)), species])
        return float(value), np.concatenate(([np.sum(off * score)], off.sum(axis=0)))

    found = minimize(cost, np.concatenate(([1.0], np.zeros(len(HYPOTHESES)))), jac=True, method="BFGS").x
    return {"temperature": np.array(found[0]), "offset": found[1:] - found[1:].mean()}
