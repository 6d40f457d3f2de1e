"""A trained classifier: plain arrays in one file, with its features by name, a schema and a checksum; no pickle, and
nothing of the library that trained it.

Trees or a network give a score; what share of the tracks with this score are signal, among as many signal as background
tracks: that says a monotonic curve, which was found on tracks that the training did not use."""

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
from muonkit.muid.classifier.kernels import Trees, sums

SCHEMA = "MuonClassifier/1"
TREES = Trees._fields
CURVE = ("curve_x", "curve_y")


@dataclass(frozen=True)
class Classifier:
    """kind: trees or network; arrays: TREES and base, or mean, scale and weights_i, biases_i; and CURVE, the
    calibration; about: how it was trained, JSON-able."""

    kind: str
    arrays: dict[str, AnyArray]
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def species(self) -> tuple[str, str]:
        """Signal and background of the training."""
        training = self.about.get("training", {})
        return training.get("signal", "mu"), training.get("background", "pi")

    def score(self, X: FloatArray) -> FloatArray:
        """Log odds (n,) of features (n, len(NAMES))."""
        X = np.ascontiguousarray(X, dtype=np.float64)
        if self.kind == "trees":
            return self.arrays["base"] + sums(X, Trees(*(self.arrays[name] for name in TREES)))
        return network(X, self.arrays)

    def probability(self, X: FloatArray) -> FloatArray:
        """Calibrated probability (n,) of signal, among as many signal as background tracks."""
        return np.interp(self.score(X), self.arrays["curve_x"], self.arrays["curve_y"])

    def checksum(self) -> str:
        """sha256 of all."""
        digest = hashlib.sha256(json.dumps([self.kind, self.about], sort_keys=True).encode())
        for name in sorted(self.arrays):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(self.arrays[name]).tobytes())
        return digest.hexdigest()

    def save(self, path: Path) -> None:
        """Write a file, atomically; the same model gives the same bytes."""
        header = {"schema": SCHEMA, "kind": self.kind, "about": self.about, "features": NAMES}
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
            model = cls(header["kind"], arrays, header["about"])
        except Exception as error:
            raise InputError(f"{name}: is not a classifier, or is damaged. Copy or train it again.") from error
        if schema != SCHEMA or tuple(header["features"]) != NAMES:
            raise InputError(f"{name}: is a classifier of another version ({schema}). Train it again.")
        if model.checksum() != checksum:
            raise InputError(f"{name}: its content does not have the checksum that it names. Copy or train it again.")
        return model

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file. Raises InputError, see `from_bytes`, or if it is not there."""
        if not path.is_file():
            raise InputError(
                f"{path}: there is no such classifier. Correct the path, or train it with `muonkit classifier train`."
            )
        return cls.from_bytes(path.read_bytes(), str(path))


def prepared(X: FloatArray, mean: FloatArray, scale: FloatArray) -> FloatArray:
    """Features for a network: what is missing is -1, then centred and scaled."""
    return np.asarray((np.where(np.isnan(X), -1.0, X) - mean) / scale)


def network(X: FloatArray, arrays: dict[str, AnyArray]) -> FloatArray:
    """Log odds (n,): layers with rectifiers, the last one linear."""
    values, last = prepared(X, arrays["mean"], arrays["scale"]), sum(name.startswith("weights") for name in arrays) - 1
    for i in range(last + 1):
        values = values @ arrays[f"weights_{i}"] + arrays[f"biases_{i}"]
        if i < last:
            values = np.maximum(values, 0)
    return np.asarray(values[:, 0])
