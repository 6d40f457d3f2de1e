"""Where a track ended: outcome and last layer, of which the likelihood has one table each.

b, e: last barrel and endcap layer that the track was extrapolated to, -1 for none; escaped: it crossed the plane of the
last instrumented layer. Outcomes (MuidElementNumbers of the Belle II software):

    0 not reached, 1 stopped in the barrel, 3 left it, 2 (5) stopped in the forward (backward) endcap, 4 (6) left it,
    7 + b (22 + b) stopped in the forward (backward) endcap after barrel layer b, 37 + b (52 + b) left it"""

from functools import cache

import numpy as np

from muonkit.core.arrays import BoolArray, IntArray
from muonkit.data.muid import BARREL_LAYERS, LAYERS

NOT_REACHED, STOP_BARREL, STOP_FORWARD, EXIT_BARREL, EXIT_FORWARD, STOP_BACKWARD, EXIT_BACKWARD = range(7)
OVERLAP_STOP_FORWARD, OVERLAP_STOP_BACKWARD, OVERLAP_EXIT_FORWARD, OVERLAP_EXIT_BACKWARD = 7, 22, 37, 52
OUTCOMES = 67
LAST_LAYERS = 16  # room for a last layer: 4 bits in an id
BOTH, BARREL_ONLY, ENDCAP_ONLY = range(3)  # regions D of the transverse PDF


def outcome(barrel: IntArray, endcap: IntArray, escaped: BoolArray, is_forward: BoolArray) -> IntArray:
    """Outcome (n,) of last layers b, e (n,), whether the tracks escaped, and whether they end forward."""
    only_barrel = np.where(escaped, EXIT_BARREL, STOP_BARREL)
    forward = np.where(escaped, EXIT_FORWARD, STOP_FORWARD)
    backward = np.where(escaped, EXIT_BACKWARD, STOP_BACKWARD)
    first = np.where(
        is_forward,
        np.where(escaped, OVERLAP_EXIT_FORWARD, OVERLAP_STOP_FORWARD),
        np.where(escaped, OVERLAP_EXIT_BACKWARD, OVERLAP_STOP_BACKWARD),
    )
    only_endcap = np.where(is_forward, forward, backward)
    reached = np.where(endcap < 0, only_barrel, np.where(barrel < 0, only_endcap, first + barrel))
    return np.where((barrel < 0) & (endcap < 0), NOT_REACHED, reached)


def last_layer(barrel: IntArray, endcap: IntArray) -> IntArray:
    """The last layer l (n,) that the longitudinal tables are about: the endcap's, else the barrel's."""
    return np.where(endcap >= 0, endcap, barrel)


def region(barrel: IntArray, endcap: IntArray) -> IntArray:
    """Region D (n,) of the transverse PDF: BARREL_ONLY, ENDCAP_ONLY or BOTH."""
    return np.where(endcap < 0, BARREL_ONLY, np.where(barrel < 0, ENDCAP_ONLY, BOTH))


def ext_layer(barrel: IntArray, endcap: IntArray) -> IntArray:
    """Number of the last extrapolated layer, b + e + 1."""
    return barrel + endcap + 1


def hit_layer(barrel_ext: IntArray, barrel_hit: IntArray, endcap_hit: IntArray) -> IntArray:
    """Number of the last layer with a hit; behind the barrel it counts from the barrel's last extrapolated layer."""
    return np.where(endcap_hit < 0, barrel_hit, barrel_ext + endcap_hit + 1)


def is_consistent(code: IntArray, barrel: IntArray, endcap: IntArray) -> BoolArray:
    """Whether outcomes (n,) and last layers b, e (n,) belong to one track: `outcome` gives no others."""
    behind = code >= OVERLAP_STOP_FORWARD
    only_barrel = (code == STOP_BARREL) | (code == EXIT_BARREL)
    wanted = np.where(behind, (code - OVERLAP_STOP_FORWARD) % BARREL_LAYERS, -1)
    return np.asarray(np.where(only_barrel, (barrel >= 0) & (endcap == -1), (barrel == wanted) & (endcap >= 0)))


def within(barrel: IntArray, endcap: IntArray) -> BoolArray:
    """Layers (n, LAYERS) up to the last."""
    layer = np.arange(LAYERS)
    in_barrel = layer < BARREL_LAYERS
    return np.where(in_barrel, layer <= barrel[:, None], layer - BARREL_LAYERS <= endcap[:, None])


def number_of_last_layers(code: int) -> int:
    """How many last layers, from 0, an outcome may have."""
    if code <= NOT_REACHED:
        return 0
    if code < OVERLAP_STOP_FORWARD:
        return {STOP_BARREL: 14, EXIT_BARREL: 15, STOP_FORWARD: 13, EXIT_FORWARD: 14, STOP_BACKWARD: 11}.get(code, 12)
    return (13, 11, 14, 12)[(code - OVERLAP_STOP_FORWARD) // BARREL_LAYERS]


def number_of_entries(code: int, last: int) -> int:
    """Length of a longitudinal table: barrel layers 0 to l, or all of them and endcap layers 0 to l."""
    return last + 1 if code in (STOP_BARREL, EXIT_BARREL) else BARREL_LAYERS + last + 1


@cache
def classes() -> tuple[tuple[int, int], ...]:
    """All 829 pairs (outcome, last layer), in this order."""
    return tuple((code, last) for code in range(OUTCOMES) for last in range(number_of_last_layers(code)))


@cache
def class_index() -> IntArray:
    """Position (OUTCOMES, LAST_LAYERS) in `classes()` of a pair; -1 for pairs that do not exist."""
    index = np.full((OUTCOMES, LAST_LAYERS), -1, dtype=np.int64)
    for position, pair in enumerate(classes()):
        index[pair] = position
    index.flags.writeable = False
    return index
