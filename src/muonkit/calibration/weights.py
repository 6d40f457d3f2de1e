"""Weights below 0, as of sPlot and of generators at next-to-leading order: what their sums are worth in a likelihood.

A sum W_i of weights in mass bin i has mean N p_i and variance V_i, which is estimated by the sum of w^2. A Poisson
number of entries with such mean and variance is scaled and shifted (after Bohm and Zech, NIM A 748 (2014) 1):

    W_i = v (n_i - k_i),   n_i ~ Poisson(N p_i/v + k_i),   k_i = (V_i - v W_i)/v^2

So n_i = W_i/v + k_i are fitted like counts; k_i are counts whose expectation is known, as of a background that was
subtracted. Where no weight is below 0, v = sum w^2/sum w and k_i = 0: counts are scaled, nothing is added.

k_i must not follow the fluctuations of W_i, and no bin may be without variance, or a sum below 0 in it would be worth
infinitely much. So v is at most half of what would leave no known counts in some bin of all cells together, and the k_i
of a cell have the shape of these and the size of the cell's own sum of w^2."""

import numpy as np

from muonkit.calibration.accumulate import NEGATIVE, CellMasses
from muonkit.core.arrays import BoolArray, FloatArray, IntArray

FOLLOWING = 0.5  # most of the variance of a bin that follows the fit
TINY = 1e-300
THIN = 0.1  # of the mean variance of a bin: thinner bins do not decide


def shared_variance(masses: CellMasses) -> tuple[float, FloatArray]:
    """From all cells: v x sum w/sum w^2, and the known counts of every mass bin (bins,), which add up to 1."""
    content, variance = masses.masses.sum(axis=0), masses.spread
    scaled = content * variance.sum() / content.sum()
    full = variance > THIN * variance.mean()
    following = FOLLOWING / max(float((scaled[full] / variance[full]).max()), 1.0)
    known = np.maximum(variance - following * scaled, (1 - FOLLOWING) * variance)
    return following, known / known.sum()


def counts(content: FloatArray, weight2: FloatArray, masses: CellMasses) -> tuple[FloatArray, FloatArray]:
    """Counts of every cell and their known part, both (cells, bins).

    content (cells, bins) and weight2 (cells,): sums of w and w^2 of the fitted cells; `masses`: of the sample. A cell
    whose weights do not add up to more than 0 has no counts, if there are weights below 0."""
    total = content.sum(axis=1)
    if not masses.signed:
        scale = np.divide(total, weight2, out=np.ones_like(weight2), where=weight2 > 0)
        return content * scale[:, None], np.zeros_like(content)
    following, shape = shared_variance(masses)
    positive = (total > 0) & (weight2 > 0)
    scale = np.divide(total, following * weight2, out=np.zeros_like(total), where=positive)
    known = ((1 - following) / following * scale * total)[:, None] * shape
    return content * scale[:, None] + known, known


def node_groups(cell: IntArray, weight: FloatArray) -> tuple[IntArray, BoolArray]:
    """Groups of neighbours in a cell that weigh more than 0 each: the group of every node (nodes,), and which nodes are
    the last of theirs.

    `cell` (nodes,), ascending, and `weight` (nodes,). A group ends where the sum from the first node on is above 0 and
    below all later ones. Nodes of a cell that does not weigh more than 0 have the group -1."""
    last, kept = weight > 0, np.ones(len(weight), dtype=np.bool_)
    for one in np.unique(cell[~last]):
        rows = slice(*np.searchsorted(cell, [one, one + 1]))
        running = np.cumsum(weight[rows])
        later = np.append(np.minimum.accumulate(running[::-1])[::-1][1:], np.inf)
        last[rows] = (running > 0) & (running < later)
        kept[rows] = running[-1] > 0
    return np.where(kept, np.cumsum(last) - last, -1), last


def effective_entries(weight: FloatArray, weight2: FloatArray) -> FloatArray:
    """Entries (n,) that sums of w and of w^2 (n,) are worth: (sum w)^2/sum w^2."""
    return np.divide(weight**2, weight2, out=np.zeros_like(weight), where=weight2 > 0)


def additive_entries(weight: FloatArray, weight2: FloatArray, signed: bool) -> FloatArray:
    """Entries (n,) that fine cells are worth, which add up when cells are merged.

    With weights below 0, fine cells are mostly fluctuation, and a square would count it as entries: then those of the
    sample are shared by the sums of w, and may be below 0."""
    if signed:
        return weight * max(float(weight.sum()), 0.0) / max(float(weight2.sum()), TINY)
    return effective_entries(weight, weight2)


def notes(what: str, masses: CellMasses) -> list[str]:
    """One line if some pairs of the sample, called `what`, have weights below 0."""
    if not masses.signed:
        return []
    selected, negative = masses.pairs[1], masses.pairs[NEGATIVE]
    worth = masses.entries.sum() ** 2 / masses.weight2.sum()
    return [
        f"{negative:.0f} of {selected:.0f} selected pairs of the {what} ({negative / selected:.1%}) have weights "
        f"below 0; together the pairs are worth {worth:.0f} entries"
    ]
