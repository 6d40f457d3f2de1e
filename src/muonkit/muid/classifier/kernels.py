"""Sums over the leaves of boosted trees."""

from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import AnyArray, FloatArray
from muonkit.core.compiled import compiled, inlined

LEAF = 0  # features of nodes below this: no feature
ROWS = 64  # that go down a tree together: their features fit into the cache of the processor, and so does the tree


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


@inlined
def below(features, trees, row, node):
    """The node that a row goes to from here; a leaf keeps it. Without branches: none of them could be foreseen."""
    value = features[row, max(trees.feature[node], LEAF)]
    goes_left = (value <= trees.threshold[node]) | (np.isnan(value) & trees.missing_left[node])
    there = trees.left[node] if goes_left else trees.right[node]
    return node if trees.feature[node] < LEAF else there


@inlined
def descend(features, trees, first, nodes):
    """All rows from `first` on, as many as there are nodes, one node further down; whether any has moved."""
    moved = False
    for i in range(len(nodes)):
        node = below(features, trees, first + i, nodes[i])
        moved |= node != nodes[i]
        nodes[i] = node
    return moved


@compiled
def sums(features: FloatArray, trees: Trees) -> FloatArray:
    """For every row of `features` (n, features) the sum of the values of the leaves that it falls into, one of each
    tree."""
    out = np.zeros(len(features))
    for first in range(0, len(features), ROWS):
        nodes = np.empty(min(ROWS, len(features) - first), np.int64)
        for root in trees.root:
            nodes[:] = root
            while descend(features, trees, first, nodes):
                pass
            for i in range(len(nodes)):
                out[first + i] += trees.value[nodes[i]]
    return out
