"""Training, with scikit-learn (extra `classifier`), and the export to plain arrays."""

from importlib.util import find_spec
from typing import Any

import numpy as np

from muonkit.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.muid.classifier.config import Training
from muonkit.muid.classifier.model import Classifier, prepared

PARTS = 10  # events are dealt out by a hash of their number
TRAINED, CALIBRATED = 6, 8  # parts below: training; below: calibration; the rest is unseen
MIX = np.uint64(0x9E3779B97F4A7C15)
POINTS = 200  # of the calibration curve, at most


def part_of(event: IntArray) -> IntArray:
    """Part 0 to PARTS - 1 (n,) that an event belongs to, whatever the sample."""
    with np.errstate(over="ignore"):
        mixed = (event.astype(np.uint64) + np.uint64(1)) * MIX
    return ((mixed >> np.uint64(40)) % np.uint64(PARTS)).astype(np.int64)


def unseen(event: IntArray) -> BoolArray:
    """Whether an event (n,) belongs to no training and no calibration."""
    return np.asarray(part_of(event) >= CALIBRATED)


def train(X: FloatArray, signal: BoolArray, event: IntArray, training: Training, about: dict[str, Any]) -> Classifier:
    """The classifier of features (n, ...) and whether they are of signal (n,); both classes weigh the same.

    Raises InputError without scikit-learn, or without tracks of both classes in both parts."""
    if find_spec("sklearn") is None:
        raise InputError("training needs scikit-learn: pip install 'muonkit[classifier]'")
    part = part_of(event)
    used, held = part < TRAINED, (part >= TRAINED) & (part < CALIBRATED)
    for rows, what in ((used, "training"), (held, "calibration")):
        if not (signal[rows].any() and (~signal[rows]).any()):
            raise InputError(f"input.samples: leave no signal or no background for the {what}; simulate more")
    unknown = np.isnan(X[used]).all(axis=0).sum()
    if unknown:
        raise InputError(f"input.samples: {unknown} features have no value for any track; simulate more")
    fit = boosted if training.model == "trees" else neural
    raw = Classifier(training.model, fit(X[used], signal[used], balance(signal[used]), training))
    curve = calibration(raw.score(X[held]), signal[held], balance(signal[held]))
    return Classifier(training.model, raw.arrays | curve, about)


def balance(signal: BoolArray) -> FloatArray:
    """Weights (n,) of mean 1 that make both classes equal."""
    share = signal.mean()
    return np.where(signal, 0.5 / share, 0.5 / (1 - share))


def boosted(X: FloatArray, signal: BoolArray, weight: FloatArray, training: Training) -> dict[str, AnyArray]:
    """Boosted trees, as arrays."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    forest = HistGradientBoostingClassifier(
        max_iter=training.trees, max_leaf_nodes=training.leaves, learning_rate=training.learning_rate,
        early_stopping=False, l2_regularization=1.0, min_samples_leaf=min(50, len(X) // 20 + 1),
        random_state=training.seed,
    )  # fmt: skip
    forest.fit(X, signal, sample_weight=weight)
    nodes = [predictor[0].nodes for predictor in forest._predictors]  # no other way to the trees
    return exported(nodes, float(forest._baseline_prediction.ravel()[0]))


def exported(nodes: list[AnyArray], base: float) -> dict[str, AnyArray]:
    """Nodes of all trees one after the other."""
    root = np.concatenate(([0], np.cumsum([len(tree) for tree in nodes])[:-1])).astype(np.int32)
    whole, first = np.concatenate(nodes), np.repeat(root, [len(tree) for tree in nodes])
    is_leaf = whole["is_leaf"].astype(bool)
    return {
        "base": np.array(base),
        "root": root,
        "feature": np.where(is_leaf, -1, whole["feature_idx"]).astype(np.int16),
        "threshold": whole["num_threshold"].astype(np.float64),
        "left": (whole["left"] + first).astype(np.int32),
        "right": (whole["right"] + first).astype(np.int32),
        "missing_left": whole["missing_go_to_left"].astype(np.bool_),
        "value": whole["value"].astype(np.float64),
    }


def neural(X: FloatArray, signal: BoolArray, weight: FloatArray, training: Training) -> dict[str, AnyArray]:
    """A network with rectifiers, as arrays; classes are made equal by leaving tracks out."""
    from sklearn.neural_network import MLPClassifier

    rng = np.random.default_rng(training.seed)
    kept = rng.random(len(X)) < weight / weight.max()
    X, signal = X[kept].astype(np.float64), signal[kept]
    filled = np.where(np.isnan(X), -1.0, X)
    mean, scale = filled.mean(axis=0), np.maximum(filled.std(axis=0), 1e-3)
    net = MLPClassifier(
        hidden_layer_sizes=training.hidden, max_iter=training.epochs, batch_size=min(512, len(X)),
        random_state=training.seed, tol=0.0, n_iter_no_change=training.epochs,
    )  # fmt: skip
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that it stops after the epochs that it was given
        net.fit(prepared(X, mean, scale), signal)
    layers = {f"weights_{i}": w.astype(np.float32) for i, w in enumerate(net.coefs_)}
    layers |= {f"biases_{i}": b.astype(np.float32) for i, b in enumerate(net.intercepts_)}
    return layers | {"mean": mean, "scale": scale}


def calibration(score: FloatArray, signal: BoolArray, weight: FloatArray) -> dict[str, AnyArray]:
    """The rising curve from score to the share of signal, by isotonic regression of quantiles."""
    from scipy.optimize import isotonic_regression

    order = np.argsort(score, kind="stable")
    groups = np.array_split(order, min(POINTS, max(len(order) // 50, 2)))
    x = np.array([np.mean(score[group]) for group in groups])
    total = np.array([weight[group].sum() for group in groups])
    share = np.array([(weight * signal)[group].sum() for group in groups]) / total
    y = isotonic_regression(share, weights=total).x
    x, places = np.unique(x, return_index=True)
    return {"curve_x": x, "curve_y": np.clip(y[places], 1e-5, 1 - 1e-5)}
