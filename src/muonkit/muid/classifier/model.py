"""A trained classifier: plain arrays in one file, with its features by name, a schema and a checksum; no pickle, and
nothing of the library that trained it.

The mean of the logits of several networks that differ by their seeds, and a temperature and offsets that were found on
tracks that the training did not use, give the posterior of six species, among as many tracks of each."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from muonkit.core import limits
from muonkit.core.arrays import AnyArray, FloatArray
from muonkit.core.errors import InputError
from muonkit.core.files import atomic
from muonkit.muid.classifier.features import NAMES
from muonkit.muid.classifier.network import logits, prepared, shapes
from muonkit.muid.likelihood.hypotheses import HYPOTHESES

SCHEMA = "MuonClassifier/2"
AT_ONCE = 500  # tracks: what belongs to them stays in the cache
SHAPES = {"mean": (len(NAMES),), "scale": (len(NAMES),), "temperature": (), "offset": (len(HYPOTHESES),)}


@dataclass(frozen=True)
class Classifier:
    """arrays: mean and scale of the features, weights of the networks (first axis: networks), temperature and offset of
    the calibration; about: how it was trained, JSON-able."""

    arrays: dict[str, AnyArray]
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def members(self) -> list[dict[str, AnyArray]]:
        """The weights of each network."""
        weights = {name: values for name, values in self.arrays.items() if name not in SHAPES}
        return [{name: values[i] for name, values in weights.items()} for i in range(len(weights["last"]))]

    def score(self, X: FloatArray) -> FloatArray:
        """Logits (n, 6) of features (n, len(NAMES)), in the order of HYPOTHESES."""
        mean, scale, members = self.arrays["mean"], self.arrays["scale"], self.members
        out = np.empty((len(X), len(HYPOTHESES)))
        for start in range(0, len(X), AT_ONCE):
            rows = slice(start, start + AT_ONCE)
            inputs = prepared(X[rows].astype(np.float32), mean, scale)
            out[rows] = sum(logits(inputs, weights) for weights in members) / len(members)
        return out

    def log_posterior(self, X: FloatArray) -> FloatArray:
        """Logarithm of the calibrated probability (n, 6) of each species, among as many tracks of each."""
        from scipy.special import log_softmax

        return np.asarray(log_softmax(self.arrays["temperature"] * self.score(X) + self.arrays["offset"], axis=1))

    def probability(self, X: FloatArray) -> FloatArray:
        """The probabilities (n, 6)."""
        return np.exp(self.log_posterior(X))

    def checksum(self) -> str:
        """sha256 of all."""
        digest = hashlib.sha256(json.dumps(self.about, sort_keys=True).encode())
        for name in sorted(self.arrays):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(self.arrays[name]).tobytes())
        return digest.hexdigest()

    def save(self, path: Path) -> None:
        """Write a file, atomically; the same model gives the same bytes."""
        header = {"schema": SCHEMA, "about": self.about, "features": NAMES, "species": HYPOTHESES}
        text = json.dumps(header | {"checksum": self.checksum()}, sort_keys=True).encode()
        with atomic(path) as temporary, temporary.open("wb") as stream:
            arrays = {name: self.arrays[name] for name in sorted(self.arrays)}
            np.savez_compressed(stream, allow_pickle=False, header=np.frombuffer(text, dtype=np.uint8), **arrays)

    @classmethod
    def from_bytes(cls, content: bytes, name: str) -> Self:
        """Read a file's content. Raises InputError for what is damaged, foreign or of other features."""
        try:
            arrays = limits.load_npz(content, name)
            header = json.loads(bytes(arrays.pop("header")))
            schema, checksum = header["schema"], header["checksum"]
            known = [list(header.get(key, ())) for key in ("features", "species")]
            model = cls(arrays, header["about"])
        except Exception as error:
            raise InputError(f"{name}: is not a classifier, or is damaged. Copy or train it again.") from error
        if schema != SCHEMA or known != [list(NAMES), list(HYPOTHESES)]:
            raise InputError(f"{name}: is a classifier of another version ({schema}). Train it again.")
        if model.checksum() != checksum:
            raise InputError(f"{name}: its content does not have the checksum that it names. Copy or train it again.")
        if not fits(arrays):
            raise InputError(f"{name}: its arrays are not those of a network, or not finite. Copy or train it again.")
        return model

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file. Raises InputError, see `from_bytes`, or if it is not there."""
        if not path.is_file():
            raise InputError(
                f"{path}: there is no such classifier. Correct the path, or train it with `muonkit classifier train`."
            )
        return cls.from_bytes(path.read_bytes(), str(path))


def fits(arrays: dict[str, AnyArray]) -> bool:
    """Whether these are the arrays of a classifier: names, shapes, finite numbers."""
    layer, hidden = (arrays.get(name, np.zeros(())) for name in ("layer", "hidden"))
    if layer.ndim != 3 or hidden.ndim != 3:
        return False
    blocks = sum(name.startswith("block") for name in arrays) // 2
    expected = {name: (len(layer), *shape) for name, shape in shapes(layer.shape[2], blocks, hidden.shape[2]).items()}
    found = {name: values.shape for name, values in arrays.items()}
    return found == expected | SHAPES and all(
        values.dtype.kind == "f" and np.isfinite(values).all() for values in arrays.values()
    )
