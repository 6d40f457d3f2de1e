"""JSON as MuonScaRe has it, with the numbers of a Rochester text file, so that both say the same of every muon."""

import json
import math
from pathlib import Path
from typing import Any

from tests.calibration import rochester_files as files

INPUTS = {"eta": "real", "phi": "real", "var": "string"}


def content(text: str, samples: tuple[str, ...] = ("data", "mc")) -> dict[str, Any]:
    """a = A and m = M of set 0, by bins of eta, then of phi, then the variation."""
    corrections = []
    for sample in samples:
        for name, v in (("a", 1), ("m", 0)):
            rows = [files.numbers(text, 0, 0, "C", int(sample == "data"), v, row) for row in range(len(files.ETA) - 1)]
            corrections.append(_correction(f"{name}_{sample}", [[1 - v + x / 100 for x in row] for row in rows]))
    return {"schema_version": 2, "corrections": corrections}


def _correction(name: str, rows: list[list[float]]) -> dict[str, Any]:
    phi = [2 * math.pi * i / files.PHI_BINS - math.pi for i in range(files.PHI_BINS + 1)]
    inner = [_binning("phi", phi, [_category({"nom": x, "stat": 1e-4}) for x in row]) for row in rows]
    inputs = [{"name": key, "type": kind} for key, kind in INPUTS.items()]
    output = {"name": "value", "type": "real"}
    return {"name": name, "version": 1, "inputs": inputs, "output": output, "data": _binning("eta", files.ETA, inner)}


def _binning(name: str, edges: Any, parts: list[Any]) -> dict[str, Any]:
    return {"nodetype": "binning", "input": name, "edges": list(edges), "content": parts, "flow": "error"}


def _category(values: dict[str, float]) -> dict[str, Any]:
    parts = [{"key": key, "value": value} for key, value in values.items()]
    return {"nodetype": "category", "input": "var", "content": parts}


def write(path: Path, text: str, samples: tuple[str, ...] = ("data", "mc")) -> Path:
    path.write_text(json.dumps(content(text, samples)))
    return path
