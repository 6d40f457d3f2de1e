"""The payload KLMLikelihoodParameters: the tables of the likelihood, their sample sizes, where they come from.

In memory plain arrays; in a file one compressed archive of arrays (no pickle) with the version of the schema and a
sha256 of its content, both checked when it is read. Longitudinal tables of all classes stand one after the other:
entry i of class c is at first[c] + i."""

import hashlib
import io
import json
from dataclasses import dataclass, field, fields
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from scipy.special import expit

from muonkit.core import limits
from muonkit.core.arrays import AnyArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.core.files import atomic
from muonkit.muid.likelihood import spline
from muonkit.muid.likelihood.hypotheses import SIGNED
from muonkit.muid.likelihood.outcome import OUTCOMES, class_index, classes, number_of_entries

NAME, SCHEMA = "KLMLikelihoodParameters", "KLMLikelihoodParameters/1"
REGIONS, ORDERS = 3, 18  # D and k = ndof/2 = 1 to 18
HEADER = "header"
LONGITUDINAL = "longitudinal"
CONTEXTS = 4  # of a layer: signals in the two layers before, 2 s_(l-2) + s_(l-1)
PROBABILITIES = (LONGITUDINAL, "uncertainty", "behaviour")
CORRELATED = ("log_odds", "behaviour")
WITHOUT = (
    "has no tables of correlated layers, which likelihood.mode = 'improved' needs. Build a payload with `muonkit pdfs "
    "build`, or set likelihood.layers = 'independent'."
)
PRECISION, DOUBLE = "precision", "double"  # in the provenance: probabilities are not rounded to float32


@cache
def first_entries() -> IntArray:
    """Where the longitudinal table of each class starts (classes + 1,)."""
    lengths = [number_of_entries(*pair) for pair in classes()]
    first = np.concatenate(([0], np.cumsum(lengths)))
    first.flags.writeable = False
    return first


def shapes() -> dict[str, tuple[tuple[int, ...], type]]:
    """Shape and type of every array of the payload.

    Probabilities are counted, from at most some 10^6 tracks: the rounding of float32 is 3e-8, a thirtieth of the error
    where p is 1 - 10^-6, less elsewhere. Of the error itself three digits are enough."""
    entries = int(first_entries()[-1])
    transverse = (SIGNED, REGIONS, ORDERS)
    return {
        "longitudinal": ((SIGNED, entries), np.float32),
        "uncertainty": ((SIGNED, entries), np.float16),
        "crossed": ((SIGNED, entries), np.uint32),
        "tracks": ((SIGNED, len(classes())), np.uint32),
        "log_density": ((*transverse, spline.BINS), np.float64),
        "threshold": (transverse, np.float64),
        "scale_x": (transverse, np.float64),
        "scale_y": (transverse, np.float64),
        "entries": (transverse, np.uint32),
    }


def optional_shapes() -> dict[str, tuple[tuple[int, ...], type]]:
    """The same of the arrays that a payload may lack, as those of Belle II do. ln p/(1 - p) is rounded to 0.4 %."""
    entries, species = int(first_entries()[-1]), SIGNED // 2
    return {
        "log_odds": ((SIGNED, CONTEXTS, entries), np.float16),
        "behaviour": ((SIGNED, species), np.float64),
    }


@dataclass(frozen=True)
class LikelihoodParameters:
    """longitudinal (12, entries): probability of a hit in a layer that was crossed, by signed hypothesis; uncertainty:
    its standard deviation; crossed: tracks behind each entry; tracks (12, 829): tracks in each class; log_density (12,
    3, 18, 100): of reduced chi2 at bin centres, by hypothesis, region D, k; threshold, scale_x, scale_y (12, 3, 18):
    of the tail; entries (12, 3, 18): tracks behind each; provenance: whatever describes the making, JSON-able.

    log_odds (12, 4, entries), ln p/(1 - p) of a signal given the two layers before, and behaviour (12, 6), shares of a
    hypothesis that behave as each of HYPOTHESES: both or None, see `chain`."""

    longitudinal: AnyArray
    uncertainty: AnyArray
    crossed: AnyArray
    tracks: AnyArray
    log_density: FloatArray
    threshold: FloatArray
    scale_x: FloatArray
    scale_y: FloatArray
    entries: AnyArray
    provenance: dict[str, Any] = field(default_factory=dict)
    log_odds: AnyArray | None = None
    behaviour: AnyArray | None = None

    def __post_init__(self) -> None:
        faults = []
        for name, (shape, kind) in self._present().items():
            values: AnyArray = np.asarray(getattr(self, name))
            fault = _fault(name, values, shape, kind)
            if fault:
                faults.append(f"{name}: {fault}")
                continue
            values = values.astype(np.float64 if name == LONGITUDINAL and self._is_double else kind)
            values.flags.writeable = False  # what is prepared from them is kept
            object.__setattr__(self, name, values)
        faults = faults or self._faults()
        if faults:
            raise InputError([f"{NAME}: {fault}" for fault in faults])

    @property
    def _is_double(self) -> bool:
        """Whether the probabilities keep all digits, as the program had them that they come from."""
        return self.provenance.get(PRECISION) == DOUBLE

    @property
    def is_correlated(self) -> bool:
        """Whether it has the tables of correlated layers."""
        return self.log_odds is not None and self.behaviour is not None

    def _present(self) -> dict[str, tuple[tuple[int, ...], type]]:
        """Shapes and types of the arrays that it has."""
        optional = {name: what for name, what in optional_shapes().items() if getattr(self, name) is not None}
        return shapes() | optional

    def _faults(self) -> list[str]:
        scales = (name for name in ("scale_x", "scale_y") if not np.all(getattr(self, name) > 0))
        faults = [f"{name}: must be above 0" for name in scales]
        lacking = [name for name in CORRELATED if getattr(self, name) is None]
        if len(lacking) == 1:
            faults.append(f"{lacking[0]}: is missing; {' and '.join(CORRELATED)} belong together")
        if self.behaviour is not None and np.any(np.abs(np.sum(self.behaviour, axis=1) - 1) > 1e-6):
            faults.append("behaviour: its rows must have the sum 1")
        return faults

    @cached_property
    def signal(self) -> FloatArray:
        """Probability (12, 4, entries) of a signal given the two layers before. Raises InputError without tables."""
        if self.log_odds is None:
            raise InputError(f"{NAME}: {WITHOUT}")
        values: FloatArray = expit(self.log_odds.astype(np.float64))
        return values

    @cached_property
    def splines(self) -> FloatArray:
        """Coefficients (12, 3, 18, 100, 4) of the transverse densities."""
        return spline.coefficients(self.log_density)

    def longitudinal_by_id(self, code: int) -> FloatArray:
        """Table with an id of `longitudinal_id`. Raises InputError if there is none."""
        last, outcome, hypothesis = code & 15, (code >> 4) & 127, code >> 11
        possible = outcome < OUTCOMES and 0 <= hypothesis < SIGNED
        position = int(class_index()[outcome, last]) if possible else -1
        if position < 0:
            raise InputError(f"{NAME}: no longitudinal table has the id {code}")
        first = first_entries()
        return self.longitudinal[hypothesis, first[position] : first[position + 1]].astype(np.float64)

    def transverse_by_id(self, code: int) -> FloatArray:
        """Log densities (100,) with an id of `transverse_id`. Raises InputError if there is none."""
        ndof, D, hypothesis = code & 63, (code >> 6) & 3, code >> 8
        if not (2 <= ndof <= 2 * ORDERS and ndof % 2 == 0 and D < REGIONS and 0 <= hypothesis < SIGNED):
            raise InputError(f"{NAME}: no transverse table has the id {code}")
        values: FloatArray = self.log_density[hypothesis, D, ndof // 2 - 1]
        return values

    def to_bytes(self) -> bytes:
        """The payload as the content of a file; the same payload gives the same bytes."""
        header = {"schema": SCHEMA, "provenance": self.provenance, "checksum": self.checksum()}
        stream = io.BytesIO()
        arrays = {name: getattr(self, name) for name in self._present()}
        text = np.frombuffer(json.dumps(header, sort_keys=True).encode(), dtype=np.uint8)
        np.savez_compressed(stream, allow_pickle=False, **{HEADER: text}, **arrays)
        return stream.getvalue()

    def checksum(self) -> str:
        """sha256 of arrays and provenance."""
        digest = hashlib.sha256(json.dumps(self.provenance, sort_keys=True).encode())
        for name in self._present():
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(getattr(self, name)).tobytes())
        return digest.hexdigest()

    @classmethod
    def from_bytes(cls, content: bytes, name: str = NAME) -> Self:
        """The payload in a file's content; `name` is what messages call it. Raises InputError for a foreign schema, a
        wrong checksum, and arrays that are missing or make no sense."""
        arrays, header = _unpacked(content, name)
        if header.get("schema") != SCHEMA:
            raise InputError(f"{name}: has schema {header.get('schema')}, this version reads {SCHEMA}; build it again")
        missing = [wanted for wanted in shapes() if wanted not in arrays]
        missing += [wanted for wanted in ("provenance", "checksum") if wanted not in header]
        if missing:
            raise InputError(f"{name}: lacks {', '.join(missing)}. Copy or build it again.")
        try:
            known = [wanted for wanted in (*shapes(), *optional_shapes()) if wanted in arrays]
            payload = cls(**{wanted: arrays[wanted] for wanted in known}, provenance=header["provenance"])
        except InputError as error:
            raise InputError([f"{name}: {fault}" for fault in error.faults]) from None
        if payload.checksum() != header["checksum"]:
            raise InputError(f"{name}: its content does not have the checksum that it names. Copy or build it again.")
        return payload

    def save(self, path: Path) -> None:
        """Write a file, atomically."""
        with atomic(path) as temporary:
            temporary.write_bytes(self.to_bytes())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file. Raises InputError if it is not there or not whole."""
        if not path.is_file():
            raise InputError(
                f"{path}: there is no such payload. Correct the path, or build it with `muonkit pdfs build`."
            )
        return cls.from_bytes(path.read_bytes(), str(path))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LikelihoodParameters):
            return NotImplemented
        return all(np.array_equal(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))

    __hash__ = object.__hash__


def _fault(name: str, values: AnyArray, shape: tuple[int, ...], kind: type) -> str:
    if values.dtype.kind not in "biuf":
        return f"holds {values.dtype}, not numbers"
    if values.shape != shape:
        return f"has shape {values.shape}, not {shape}"
    if not np.isfinite(values).all():
        return "holds values that are not finite"
    if name in PROBABILITIES and not np.all((values >= 0) & (values <= 1)):
        return "holds values that are not between 0 and 1"
    number = values.astype(np.float64)  # half floats know no 4e9
    if kind is np.uint32 and not np.all((number >= 0) & (number <= np.iinfo(kind).max)):
        return "holds numbers of tracks below 0 or above 4 10^9"
    return ""


def _unpacked(content: bytes, name: str) -> tuple[dict[str, AnyArray], dict[str, Any]]:
    try:
        arrays = limits.load_npz(content, name)
        header = json.loads(bytes(arrays.pop(HEADER)))
    except Exception as error:  # damaged files raised nine kinds, of zip, zlib, NumPy, tokenize and JSON
        raise InputError(f"{name}: is not a payload, or is damaged. Copy or build it again.") from error
    if not isinstance(header, dict):
        raise InputError(f"{name}: is not a payload, its header is no table. Copy or build it again.")
    return arrays, header
