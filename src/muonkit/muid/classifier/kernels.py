"""Sums over the leaves of boosted trees."""

import numpy as np

from muonkit.core.arrays import AnyArray, FloatArray
from muonkit.core.compiled import compiled


@compiled
def sums(
    X: FloatArray, root: AnyArray, feature: AnyArray, threshold: FloatArray, left: AnyArray, right: AnyArray,
    missing_left: AnyArray, value: FloatArray,
) -> FloatArray:  # fmt: skip
    """For every row of X (n, features) the sum of the values of the leaves that it falls into, one of each tree.

    root (trees,): first nodes; a node goes to left where the feature is at most the threshold; feature -1: a leaf."""
    out = np.zeros(len(X))
    for i in range(len(X)):
        for t in range(root.size):
            node = root[t]
            while feature[node] >= 0:
                x = X[i, feature[node]]
                goes_left = missing_left[node] if np.isnan(x) else x <= threshold[node]
                node = left[node] if goes_left else right[node]
            out[i] += value[node]
    return out
