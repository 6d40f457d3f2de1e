"""What the data can and cannot tell: condition, correlations, weak directions."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from muonkit.calibration.cells import Cells
from muonkit.calibration.extract import Extraction
from muonkit.core.arrays import FloatArray, IntArray

SHOWN = 6
TOGETHER = 0.95  # correlation beyond which two parameters of a bin are known only together
TINY = 1e-300


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
    """A - e k0 and its error per bin of muons (bins,) at k0 [1/GeV], the mean curvature of the muons of the bin."""

    k0: FloatArray
    value: FloatArray
    error: FloatArray


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """Condition number of the correlation matrix, and that with A - e k0 in place of A; largest correlations and weak
    directions, the first one strongest; parameters at a limit; A at the mean curvature k0, where A and e are least
    correlated; correlation of every binning variable with the mass residual, before and after the corrections; what the
    cells do not tell, in sentences."""

    condition_number: float
    condition_number_at_mean_k: float
    largest_correlations: tuple[Correlation, ...]
    weak_directions: tuple[WeakDirection, ...]
    at_limit: tuple[str, ...]
    A_at_mean_k: ScaleAtMeanCurvature
    residual_correlations: Mapping[str, float]
    residual_correlations_corrected: Mapping[str, float]
    unknown: tuple[str, ...]


def correlation(covariance: FloatArray) -> FloatArray:
    """Correlation matrix (n, n) of a covariance matrix; parameters at a limit, which have no covariance, have zeros."""
    errors = np.sqrt(np.diagonal(covariance))
    safe = np.where(errors > 0, errors, 1.0)
    return covariance / np.outer(safe, safe)


def diagnose(
    extraction: Extraction, cells: Cells, before: Mapping[str, float], after: Mapping[str, float]
) -> Diagnostics:
    """What is to be known of a fit to `cells`; `before`, `after`: correlations of the binning variables with the mass
    residual before and after the correction of the pairs."""
    matrix, names = correlation(extraction.covariance), extraction.layout.names
    free = np.flatnonzero(extraction.errors > 0)
    values, vectors = np.linalg.eigh(matrix[np.ix_(free, free)])
    inner = np.linalg.eigvalsh(correlation(_at_k0(extraction, cells))[np.ix_(free, free)])
    free_names = [names[i] for i in free]
    return Diagnostics(
        condition_number=float(values[-1] / values[0]),
        condition_number_at_mean_k=float(inner[-1] / inner[0]),
        largest_correlations=_largest(matrix, names),
        weak_directions=tuple(
            _direction(values[-i], vectors[:, -i], free_names) for i in (1, 2, 3) if i <= len(free_names)
        ),
        at_limit=tuple(str(name) for name in extraction.at_limit),
        A_at_mean_k=_at_mean_k(extraction, cells),
        residual_correlations=before,
        residual_correlations_corrected=after,
        unknown=tuple(unknown(extraction)),
    )


def _at_k0(extraction: Extraction, cells: Cells) -> FloatArray:
    """The covariance with A - e k0 in place of A."""
    layout, covariance = extraction.layout, extraction.covariance
    k0 = cells.mean_curvature(layout.bins)
    for _ in range(2):  # T C T^T: columns, then rows
        covariance = np.array([layout.outward(row, -k0) for row in covariance.T])
    return covariance


def unknown(extraction: Extraction) -> list[str]:
    """Sentences: which parameters of a bin are known only together, and which are not known at all."""
    layout, name, sentences = extraction.layout, extraction.bins.name, []
    matrix, errors = correlation(extraction.covariance), extraction.errors
    for first, second in combinations(range(len(layout.fitted)), 2):
        i, j = (position * layout.bins + np.arange(layout.bins) for position in (first, second))
        strong = np.flatnonzero(np.abs(matrix[i, j]) > TOGETHER)
        if len(strong):
            slope = (matrix[i, j] * errors[i] / np.maximum(errors[j], TINY))[strong]
            sentences.append(
                _together(layout.fitted[first], layout.fitted[second], _bins(strong, name), slope, matrix[i, j][strong])
            )
    for term in layout.resolution_terms:
        value, error = layout.of(extraction.vector, term), layout.of(errors, term)
        if len(open_bins := np.flatnonzero(error > value)):
            sentences.append(f"{term} of {_bins(open_bins, name)} is not known: its error is larger than its value.")
    return sentences


def _together(first: str, second: str, bins: str, slope: FloatArray, matrix: FloatArray) -> str:
    low, high = f"{np.abs(slope).min():.2g}", f"{np.abs(slope).max():.2g}"
    sign = "-" if slope[0] > 0 else "+"
    factor = low if low == high else "x"
    between = "" if low == high else f", x from {low} to {high}"
    return (
        f"{first} and {second} of {bins} are known only in the combination {first} {sign} {factor} {second}"
        f"{between} (correlation {matrix[np.argmax(np.abs(matrix))]:+.3f})."
    )


def _bins(bins: IntArray, name: str) -> str:
    """`eta bins 0-3, 7`; `name`: that of one bin."""
    runs = np.split(bins, np.flatnonzero(np.diff(bins) > 1) + 1)
    text = ", ".join(f"{run[0]}" if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
    return f"{name.replace('bin', 'bins') if len(bins) > 1 else name} {text}"


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
    k0 = cells.mean_curvature(layout.bins)
    rows = np.zeros((layout.bins, len(layout.names)))
    rows[np.arange(layout.bins), layout.fitted.index("A") * layout.bins + np.arange(layout.bins)] = 1
    if "e" in layout.fitted:
        rows[np.arange(layout.bins), layout.fitted.index("e") * layout.bins + np.arange(layout.bins)] = -k0
    error = np.sqrt(np.einsum("ij,jk,ik->i", rows, extraction.covariance, rows))
    return ScaleAtMeanCurvature(k0, rows @ extraction.vector, error)
