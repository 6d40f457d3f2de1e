"""The nodes of an axis of a map as files have them: rounded to the digits that were printed.

0, 3.333, 6.667, 10 are even steps of 10/3. The unit of the last digit is that of the shortest text of each number, for
a fixed number of decimals and for a fixed number of digits, whichever is wider; single precision counts as rounding,
too. A node may be off by half a unit and 20 % of a step, or by one unit and a half and 5 % of a step. The first and the
last node stay as they are if they can; else a straight line is fitted. What is not rounded stays as it is."""

from decimal import Decimal
from typing import NamedTuple

import numpy as np

from muonkit.core.arrays import FloatArray, IntArray

EVEN = 1e-6  # of a step: as even as numbers in double precision are
UNITS, SHARE = 1.501, 0.05
HALF, COARSE = 0.501, 0.2
SAME = 1e-4  # of the largest step: the same node, printed in two ways
SINGLE = 2.0**-22  # two units of the last bit of single precision


class Merged(NamedTuple):
    """Nodes (n,) of an axis, and for every row (rows,) the number of its node."""

    nodes: FloatArray
    number: IntArray


def merged(column: FloatArray) -> Merged:
    """The different values of a column (rows,), rising. Values that differ by less than a ten thousandth of the largest
    step are one node."""
    values, index = np.unique(column, return_inverse=True)
    steps = np.diff(values)
    group = np.concatenate([[0], np.cumsum(steps > SAME * steps.max(initial=0.0))]).astype(np.int64)
    first = np.concatenate([[0], np.flatnonzero(np.diff(group)) + 1]).astype(np.int64)
    return Merged(values[first], group[index.ravel()])


def evened(nodes: FloatArray, name: str) -> FloatArray:
    """The nodes (n,) of an axis in even steps from the first to the last, if they are that up to the rounding of text.
    Raises ValueError, with the place, if they are not finite, do not rise or are not even."""
    if not np.all(np.isfinite(nodes)):
        raise ValueError(f"the nodes of {name} are not finite")
    if len(nodes) < 3:
        return nodes
    even = np.linspace(nodes[0], nodes[-1], len(nodes))
    step = even[1] - even[0]
    if step > 0 and np.max(np.abs(np.diff(nodes) - step)) <= EVEN * step:
        return nodes
    if np.any(np.diff(nodes) <= 0):
        k = int(np.argmax(np.diff(nodes) <= 0))
        raise ValueError(f"the nodes of {name} do not rise: {nodes[k]:g} is followed by {nodes[k + 1]:g}")
    unit = last_digit(nodes)
    allowed = np.maximum(np.minimum(UNITS * unit, SHARE * step), np.minimum(HALF * unit, COARSE * step))
    for line in (even, fitted(nodes)):
        if np.all(np.abs(nodes - line) <= allowed):
            return line
    raise ValueError(f"the nodes of {name} are not evenly spaced: {_place(nodes)}; give it on an even grid")


def fitted(nodes: FloatArray) -> FloatArray:
    """The nodes (n,) of an even axis by least squares; it begins at 0 if `nodes` do."""
    number = np.arange(len(nodes), dtype=np.float64)
    if nodes[0] == 0:
        return number * (number @ nodes) / (number @ number)
    step = (number - number.mean()) @ nodes / np.sum((number - number.mean()) ** 2)
    line: FloatArray = nodes.mean() + (number - number.mean()) * step
    return line


def _place(nodes: FloatArray) -> str:
    """Where the steps of nodes (n,) change most."""
    steps = np.diff(nodes)
    k = int(np.argmax(np.abs(np.diff(steps)))) if len(steps) > 1 else 0
    return ", ".join(f"{node:g}" for node in nodes[k : k + 3]) + f" (nodes {k + 1} to {k + 3})"


def last_digit(nodes: FloatArray) -> FloatArray:
    """The unit (n,) of the last digit in which each of the nodes (n,) was rounded."""
    numbers = [Decimal(f"{node:.12g}").normalize().as_tuple() for node in nodes.tolist()]
    exponents = np.array([int(number.exponent) for number in numbers])
    digits = max(len(number.digits) for number in numbers)
    size = np.abs(nodes)
    leading = np.floor(np.log10(np.where(size > 0, size, 1.0)))
    significant = np.where(size > 0, 10.0 ** (leading - digits + 1), 0.0)
    fixed = 10.0 ** float(exponents.min())
    return np.maximum(np.maximum(significant, fixed), SINGLE * size)
