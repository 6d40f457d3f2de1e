"""What the data can and cannot tell: condition, correlations, weak directions."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from muonkit.calibration.accumulate import CellMasses, residual_correlations
from muonkit.calibration.cells import Cells
from muonkit.calibration.extract import Extraction
from muonkit.core.arrays import FloatArray

SHOWN = 6


@dataclass(frozen=True, slots=True)
class Correlation:
    """Two parameters by name, such as `A_0` and `e_0`, and their correlation."""

    first: str
    second: str
    value: float


@dataclass(frozen=True, slots=True)
class WeakDirection:
    """An eigenvector of the correlation matrix with a large eigenvalue: variance, and its largest parts by name."""

    variance: float
    parameters: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ScaleAtMeanCurvature:
    """A - e k0 and its error per eta bin (bins,) at k0 [1/GeV], the mean curvature of the muons of the bin."""

    k0: FloatArray
    value: FloatArray
    error: FloatArray


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """Condition number of the correlation matrix; largest correlations and weak directions, the first one strongest;
    parameters at a limit; A at the mean curvature, where A and e are least correlated; correlation of every binning
    variable with the mass residual, before and after the corrections."""

    condition_number: float
    largest_correlations: tuple[Correlation, ...]
    weak_directions: tuple[WeakDirection, ...]
    at_limit: tuple[str, ...]
    A_at_mean_k: ScaleAtMeanCurvature
    residual_correlations: Mapping[str, float]
    residual_correlations_corrected: Mapping[str, float]


def correlation(covariance: FloatArray) -> FloatArray:
    """Correlation matrix (n, n) of a covariance matrix; parameters at a limit, which have no covariance, have zeros."""
    errors = np.sqrt(np.diagonal(covariance))
    safe = np.where(errors > 0, errors, 1.0)
    return covariance / np.outer(safe, safe)


def diagnose(extraction: Extraction, cells: Cells, before: CellMasses, after: CellMasses) -> Diagnostics:
    """What is to be known of a fit to `cells`; `before`, `after`: the pairs before and after their correction."""
    matrix, names = correlation(extraction.covariance), extraction.layout.names
    free = np.flatnonzero(extraction.errors > 0)
    values, vectors = np.linalg.eigh(matrix[np.ix_(free, free)])
    free_names = [names[i] for i in free]
    return Diagnostics(
        condition_number=float(values[-1] / values[0]),
        largest_correlations=_largest(matrix, names),
        weak_directions=tuple(
            _direction(values[-i], vectors[:, -i], free_names) for i in (1, 2, 3) if i <= len(free_names)
        ),
        at_limit=tuple(str(name) for name in extraction.at_limit),
        A_at_mean_k=_at_mean_k(extraction, cells),
        residual_correlations=residual_correlations(before),
        residual_correlations_corrected=residual_correlations(after),
    )


def _largest(matrix: FloatArray, names: list[str]) -> tuple[Correlation, ...]:
    rows, columns = np.triu_indices(len(names), 1)
    order = np.argsort(-np.abs(matrix[rows, columns]))[:SHOWN]
    pairs = [(int(rows[i]), int(columns[i])) for i in order]
    return tuple(Correlation(names[i], names[j], float(matrix[i, j])) for i, j in pairs)


def _direction(eigenvalue: float, vector: FloatArray, names: list[str]) -> WeakDirection:
    order = np.argsort(-np.abs(vector))[:SHOWN]
    return WeakDirection(float(eigenvalue), {names[i]: float(vector[i]) for i in order})


def _at_mean_k(extraction: Extraction, cells: Cells) -> ScaleAtMeanCurvature:
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
    return ScaleAtMeanCurvature(k0, rows @ extraction.vector, error)
