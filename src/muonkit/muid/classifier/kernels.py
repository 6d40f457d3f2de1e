"""Sums over the leaves of boosted trees."""

from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import AnyArray, FloatArray
from muonkit.core.compiled import compiled

LEAF = 0  # features of nodes below this: no feature


class Trees(NamedTuple):
    """root (trees,): first nodes; of every node: feature, below LEAF for a leaf; threshold: at most this goes left;
    nodes to the left and to the right; whether a missing feature goes left; value of a leaf."""

    root: AnyArray
    feature: AnyArray
    threshold: FloatArray
    left: AnyArray
    right: AnyArray
    missing_left: AnyArray
    value: FloatArray


@compiled
def sums(features: FloatArray, trees: Trees) -> FloatArray:
    """For every row of `features` (n, features) the sum of the values of the leaves that it falls into, one of each
    tree."""
    out = np.zeros(len(features))
    for row in range(len(features)):
        for root in trees.root:
            node = root
            while trees.feature[node] >= LEAF:
                value = features[row, trees.feature[node]]
                goes_left = trees.missing_left[node] if np.isnan(value) else value <= trees.threshold[node]
                node = trees.left[node] if goes_left else trees.right[node]
            out[row] += trees.value[node]
    return out
