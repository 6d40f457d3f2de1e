"""What the data can and cannot tell: condition, correlations, weak directions."""

from typing import Any

import numpy as np

from muonkit.calibration.cells import Cells
from muonkit.calibration.extract import Extraction
from muonkit.core.arrays import FloatArray

SHOWN = 6


def correlation(extraction: Extraction) -> FloatArray:
    """Correlation matrix; parameters at a limit have zeros."""
    errors = extraction.errors
    safe = np.where(errors > 0, errors, 1.0)
    return extraction.covariance / np.outer(safe, safe)


def diagnose(extraction: Extraction, cells: Cells) -> dict[str, Any]:
    """Condition number of the correlation matrix, largest correlations, weak directions, parameters at a limit, and A
    at the mean curvature, where A and e are least correlated."""
    matrix, names = correlation(extraction), extraction.layout.names
    free = np.flatnonzero(extraction.errors > 0)
    values, vectors = np.linalg.eigh(matrix[np.ix_(free, free)])
    return {
        "condition_number": float(values[-1] / values[0]),
        "largest_correlations": _largest(matrix, names),
        "weak_directions": [
            _direction(values[-i], vectors[:, -i], [names[j] for j in free]) for i in (1, 2, 3) if i <= len(free)
        ],
        "at_limit": list(extraction.at_limit),
        "A_at_mean_k": _at_mean_k(extraction, cells),
    }


def _largest(matrix: FloatArray, names: list[str]) -> list[dict[str, Any]]:
    rows, columns = np.triu_indices(len(names), 1)
    order = np.argsort(-np.abs(matrix[rows, columns]))[:SHOWN]
    return [
        {"first": names[rows[i]], "second": names[columns[i]], "value": float(matrix[rows[i], columns[i]])}
        for i in order
    ]


def _direction(eigenvalue: float, vector: FloatArray, names: list[str]) -> dict[str, Any]:
    order = np.argsort(-np.abs(vector))[:SHOWN]
    return {"variance": float(eigenvalue), "parameters": {names[i]: float(vector[i]) for i in order}}


def _at_mean_k(extraction: Extraction, cells: Cells) -> dict[str, list[float]]:
    """A - e k0 per eta bin and its error at k0 = mean curvature of the bin's muons."""
    layout = extraction.layout
    weight = np.bincount(cells.eta_plus, cells.entries, layout.bins) + np.bincount(
        cells.eta_minus, cells.entries, layout.bins
    )
    k0 = np.bincount(cells.eta_plus, cells.entries * cells.k_plus, layout.bins)
    k0 = (k0 + np.bincount(cells.eta_minus, cells.entries * cells.k_minus, layout.bins)) / np.maximum(weight, 1)
    rows = np.zeros((layout.bins, len(layout.names)))
    rows[np.arange(layout.bins), layout.fitted.index("A") * layout.bins + np.arange(layout.bins)] = 1
    if "e" in layout.fitted:
        rows[np.arange(layout.bins), layout.fitted.index("e") * layout.bins + np.arange(layout.bins)] = -k0
    error = np.sqrt(np.einsum("ij,jk,ik->i", rows, extraction.covariance, rows))
    return {"k0": k0.tolist(), "value": (rows @ extraction.vector).tolist(), "error": error.tolist()}
