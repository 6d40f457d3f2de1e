"""Cuts as correctionlib JSON (schema 2): what analysts load, in Python or C++, without this package.

`cut`             efficiency (text, as in the configuration), p [GeV], theta [deg] -> Delta must be above it
`cut_error`       the same -> its statistical error
`cut_efficiency`  the same -> the share of muons that pass it
`cut_status`      the same -> 0 measured in this bin, 1 taken from all theta at this p, 2 from all tracks, 3 not
                  reachable, 4 many muons have one value of Delta: the nearest efficiency
Outside of the edges evaluation is an error: nothing is clamped silently."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from muonkit.core.arrays import AnyArray, FloatArray
from muonkit.core.files import atomic
from muonkit.io.corrections import read_payload
from muonkit.muid.performance.cuts import STATUS, CutTable

TOLERANCE = 1e-12  # correctionlib reads decimals to the last bit but one
INPUTS = [
    {"name": "efficiency", "type": "string", "description": "wanted share of muons that pass"},
    {"name": "p", "type": "real", "description": "momentum where the track begins [GeV]"},
    {"name": "theta", "type": "real", "description": "polar angle where the track begins [deg]"},
]
MEANING = {
    "cut": ("least ln L difference", "a track is identified if Delta > cut"),
    "cut_error": ("statistical error", "of the cut"),
    "cut_efficiency": ("efficiency of the cut", "share of the muons that pass it"),
    "cut_status": ("origin of the cut", "; ".join(f"{i} {word}" for i, word in enumerate(STATUS))),
}


def key(efficiency: float) -> str:
    """How an efficiency is written."""
    return f"{efficiency:g}"


def content(tables: Sequence[CutTable], signal: str, background: str) -> dict[str, Any]:
    """The correction set."""
    columns = {"cut": "cut", "cut_error": "error", "cut_efficiency": "reached", "cut_status": "status"}
    return {
        "schema_version": 2,
        "description": f"cuts on Delta = ln L({signal}) - ln L({background}) of muon identification",
        "corrections": [
            _correction(name, {key(t.efficiency): _binned(t, getattr(t, column)) for t in tables})
            for name, column in columns.items()
        ],
    }


def _correction(name: str, by_efficiency: dict[str, Any]) -> dict[str, Any]:
    description, output = MEANING[name]
    entries = [{"key": word, "value": node} for word, node in by_efficiency.items()]
    return {
        "name": name,
        "description": description,
        "version": 1,
        "inputs": INPUTS,
        "output": {"name": name, "type": "real", "description": output},
        "data": {"nodetype": "category", "input": "efficiency", "content": entries},
    }


def _binned(table: CutTable, values: AnyArray) -> dict[str, Any]:
    return {
        "nodetype": "multibinning",
        "inputs": ["p", "theta"],
        "edges": [table.p_edges.tolist(), table.theta_edges.tolist()],
        "content": [float(value) for value in values.ravel()],
        "flow": "error",
    }


def write(path: Path, tables: Sequence[CutTable], signal: str, background: str) -> None:
    """Write the cuts, read them back and compare every bin."""
    text = json.dumps(content(tables, signal, background), allow_nan=False)
    with atomic(path) as temporary:
        with temporary.open("wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as stream:
            stream.write(text.encode())
        for table in tables:
            _compare(temporary, table)


def read_cuts(content: bytes, name: str) -> dict[str, Any]:
    """The content of a file of cuts called `name`. Raises InputError if it is not one of muonkit."""
    return read_payload(content, name, MEANING)


def _compare(path: Path, table: CutTable) -> None:
    p, theta = np.meshgrid(*((e[1:] + e[:-1]) / 2 for e in (table.p_edges, table.theta_edges)), indexing="ij")
    found = evaluate(path, "cut", table.efficiency, p.ravel(), theta.ravel()).reshape(table.cut.shape)
    if not np.allclose(found, table.cut, rtol=TOLERANCE, atol=TOLERANCE):
        raise AssertionError(f"cuts for efficiency {key(table.efficiency)}: the file differs from what was computed")


def evaluate(path: Path, name: str, efficiency: float, p: FloatArray, theta: FloatArray) -> FloatArray:
    """Values (n,) of a correction, see above, from a file."""
    import correctionlib

    loaded = correctionlib.CorrectionSet.from_string(gzip.decompress(path.read_bytes()).decode())
    values: FloatArray = loaded[name].evaluate(key(efficiency), p, theta)
    return values
