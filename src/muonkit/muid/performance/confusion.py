"""Confusion matrix of six species: true species against the most probable one."""

import numpy as np

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.muid.likelihood.hypotheses import HYPOTHESES
from muonkit.muid.performance.fine import count
from muonkit.muid.performance.labelled import LabelledTracks

COLUMNS = (*HYPOTHESES, "none")


def confusion(tracks: LabelledTracks) -> IntArray:
    """Numbers of tracks (6, 7): rows true, columns with the largest p_*, at last those without probabilities."""
    without = np.isnan(tracks.probability).any(axis=1)
    best = np.argmax(np.nan_to_num(tracks.probability), axis=1)
    return count((len(HYPOTHESES), len(COLUMNS)), tracks.species, np.where(without, len(HYPOTHESES), best))


def shares(matrix: IntArray) -> FloatArray:
    """Rows that sum to 1; NaN for a species without tracks."""
    total = matrix.sum(axis=1, keepdims=True)
    return np.where(total > 0, matrix / np.maximum(total, 1), np.nan)
