"""JSON as MuonScaRe has it, with the numbers of a Rochester text file, so that both say the same of every muon."""

import json
import math
from pathlib import Path
from typing import Any

from tests.calibration import rochester_files as files

INPUTS = {"eta": "real", "phi": "real", "var": "string"}
OF_LAYERS = {"abseta": "real", "nl": "real", "index": "int"}
PHI = [2 * math.pi * i / files.PHI_BINS - math.pi for i in range(files.PHI_BINS + 1)]
LAYERS = [files.LEAST - 0.5 + i for i in range(files.LAYERS + 1)]
EDGES = [-0.5, 0.5, 1.5, 2.5, 3.5]


def content(text: str, samples: tuple[str, ...] = ("data", "mc"), width: bool = True) -> dict[str, Any]:
    """a = A and m = M of set 0, by bins of eta, then of phi, then the variation."""
    corrections = []
    for sample in samples:
        for name, v in (("a", 1), ("m", 0)):
            rows = [files.numbers(text, 0, 0, "C", int(sample == "data"), v, row) for row in range(len(files.ETA) - 1)]
            cells = [[_category({"nom": 1 - v + x / 100, "stat": 1e-4}) for x in row] for row in rows]
            data = _binning("eta", files.ETA, [_binning("phi", PHI, row) for row in cells])
            corrections.append(_correction(f"{name}_{sample}", INPUTS, data))
    return {"schema_version": 2, "corrections": corrections + (_resolution(text) if width else [])}


def _resolution(text: str) -> list[dict[str, Any]]:
    """The width as a polynomial in pT in place of pT - 45 GeV."""
    k = [_category({"nom": x, "stat": 0.01}) for x in files.numbers(text, 0, 0, "F", 1)]
    polynomials, cores = [], []
    for row in range(len(files.ABS_ETA) - 1):
        a, b, c, *core = (
            [x / (100 if v == 2 else 1) for x in files.numbers(text, 0, 0, "R", v, row)] for v in range(6)
        )
        moved = [[x - 45 * y + 45**2 * z, y - 90 * z, z] for x, y, z in zip(a, b, c, strict=True)]
        polynomials.append(_binning("nl", LAYERS, [_binning("index", EDGES[:4], one) for one in moved]))
        cells = [[0.0, width, power, alpha] for width, alpha, power in zip(*core, strict=True)]
        cores.append(_binning("nl", LAYERS, [_binning("index", EDGES, one) for one in cells]))
    return [
        _correction("k_data", {"abseta": "real", "var": "string"}, _binning("abseta", files.ABS_ETA, k)),
        _correction("poly_params", OF_LAYERS, _binning("abseta", files.ABS_ETA, polynomials)),
        _correction("cb_params", OF_LAYERS, _binning("abseta", files.ABS_ETA, cores)),
    ]


def _correction(name: str, inputs: dict[str, str], data: dict[str, Any]) -> dict[str, Any]:
    output = {"name": "value", "type": "real"}
    described = [{"name": key, "type": kind} for key, kind in inputs.items()]
    return {"name": name, "version": 1, "inputs": described, "output": output, "data": data}


def _binning(name: str, edges: Any, parts: list[Any]) -> dict[str, Any]:
    return {"nodetype": "binning", "input": name, "edges": list(edges), "content": parts, "flow": "error"}


def _category(values: dict[str, float]) -> dict[str, Any]:
    parts = [{"key": key, "value": value} for key, value in values.items()]
    return {"nodetype": "category", "input": "var", "content": parts}


def write(path: Path, text: str, samples: tuple[str, ...] = ("data", "mc"), width: bool = True) -> Path:
    path.write_text(json.dumps(content(text, samples, width)))
    return path
