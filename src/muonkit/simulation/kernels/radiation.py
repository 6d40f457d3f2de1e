"""What a muon radiates in matter: photons, e+e- pairs, and what it breaks of nuclei. Energies GeV, lengths cm.

Losses of more than the share SOFTEST of the energy are sampled one by one, the hardest first: their number above v in a
slab is Poisson's, and v is the quantile of that number. Softer ones are their mean. `simulation.radiation` makes the
tables. The direction stays: the angles are of the order of mass/E. Nothing is radiated below LOWEST."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from muonkit.core.compiled import inlined, leaf
from muonkit.simulation.kernels import philox

LOWEST, HIGHEST, ROWS = 1.0, 1e5, 21  # energies of the tables, evenly in the logarithm; the last row stands for above
SOFTEST = 1e-4  # v; all that is softer takes less than 2 % of the loss
RAREST, COLUMNS = 1e-8, 161  # quantiles of the tables, evenly in the logarithm from 1 on
ROW = math.log(HIGHEST / LOWEST) / (ROWS - 1)
COLUMN = -math.log(RAREST) / (COLUMNS - 1)


class Radiators(NamedTuple):
    """Of every material: soft (n, ROWS), mean loss by soft ones [GeV/cm]; rate (n, ROWS), of hard ones [1/cm];
    share (n, ROWS, COLUMNS), ln v above which the quantile of them lies. n = 0: nothing is radiated."""

    soft: npt.NDArray[np.float64]
    rate: npt.NDArray[np.float64]
    share: npt.NDArray[np.float64]


class Place(NamedTuple):
    """Between two rows of the tables of a material: the lower one, and how far above it."""

    material: int
    row: int
    above: float


@inlined
def between(table, place):
    """The value of a table (n, ROWS)."""
    values = table[place.material]
    return values[place.row] + place.above * (values[place.row + 1] - values[place.row])


@inlined
def hardness(share, place, quantile):
    """v above which this part of the hard losses lies."""
    column = min(-math.log(quantile) / COLUMN, COLUMNS - 1.0)
    left = min(int(column), COLUMNS - 2)
    right = column - left
    low, high = share[place.material, place.row], share[place.material, place.row + 1]
    lower, upper = low[left] + right * (low[left + 1] - low[left]), high[left] + right * (high[left + 1] - high[left])
    return math.exp(lower + place.above * (upper - lower))


@leaf
def radiated(R, slab, E, dice):
    """The energy [GeV] that a muon of energy E loses by radiation in a slab."""
    up = math.log(E / LOWEST) / ROW
    if up < 0:
        return 0.0
    row = min(int(up), ROWS - 2)
    place = Place(slab.material, row, min(up - row, 1.0))
    loss, expected = slab.length * between(R.soft, place), slab.length * between(R.rate, place)
    count = philox.exponential(dice)
    while count < expected:
        loss += E * hardness(R.share, place, count / expected)
        count += philox.exponential(dice)
    return loss


@leaf
def radiating(R, slab, p, mass, dice):
    """Momentum behind a slab that is p without radiation; 0 if nothing is left."""
    if R.rate.shape[0] == 0 or p == 0 or slab.material == 0:
        return p
    E = math.sqrt(p * p + mass * mass)
    left = E - radiated(R, slab, E, dice)
    return math.sqrt(left * left - mass * mass) if mass < left else 0.0
