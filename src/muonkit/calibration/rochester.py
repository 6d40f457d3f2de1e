"""Rochester corrections, evaluated: the reference for the file that `rochester_file` writes.

    scale    k = 1 / (M + q A pT)                            in bins of eta and phi (EPJC 72 (2012) 2194)
    spread   k / (1 + (x - 1) r) * x,  x = pT_gen / (k pT)   r: width of data over width of simulation; generator pT
    smear    k / (1 + sigma(k pT) sqrt(k_data^2 - k_sim^2) z)   without it: z from a Crystal Ball with two equal tails

The widths are those of bins of |eta| and of tracker layers. Muons beyond the edges belong to the outermost bins. No
`smear` where data is not wider, where the sum below the line would be 0 or less, and in bins without a shape."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from scipy.special import erf, ndtr, ndtri

from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.core.errors import InputError
from muonkit.data.rochester import DATA, SIMULATION, Rochester, RochesterResolution

PI = 3.14159  # of the edges of the bins in phi, as in the code of the collaboration
PIVOT = 45.0  # GeV, where the polynomial of the width begins
SETS = ("Stat", "Zpt", "Ewk", "deltaM", "Ewk2")  # after the default, in the files of the collaboration
Q_MIN, Q_MAX = 1e-300, 1 - 1e-16


class Muons(NamedTuple):
    """eta, phi, pT [GeV] and charge of muons, each (n,)."""

    eta: FloatArray
    phi: FloatArray
    pt: FloatArray
    charge: IntArray


class Shape(NamedTuple):
    """Constants of a Crystal Ball with two equal tails, one entry per bin. tail: probability below -alpha width;
    density: probability between, over that of a normal number; reach, shift [width]: of the power laws."""

    width: FloatArray
    alpha: FloatArray
    tail: FloatArray
    density: FloatArray
    reach: FloatArray
    shift: FloatArray
    power: FloatArray


def phi_edges(bins: int) -> FloatArray:
    """Edges (bins + 1,) of equal bins in phi."""
    return np.asarray(-PI + 2 * PI / bins * np.arange(bins + 1))


def variations(table: Rochester, names: tuple[str, ...] = ()) -> dict[str, int]:
    """Index in the axis of members by name: nominal, and the sets after the default, by `names` or by those that the
    collaboration gives them. A set of several members has `Stat_0`, `Stat_1`, ...

    Raises InputError if there are more or fewer names than sets after the default, or if two members get one name."""
    sets = len(table.members) - 1
    if names and len(names) != sets:
        raise InputError(f"--sets: {len(names)} names for {sets} sets after the default; give one for each")
    known = [*SETS[:sets], *(f"set{number}" for number in range(len(SETS) + 1, sets + 1))]
    named = zip(("default", *(names or known)), table.members, strict=True)
    labels = [f"{name}_{n}" if members > 1 else name for name, members in named for n in range(members)]
    found = {name: index for index, name in enumerate(["nominal", *labels[1:]])}
    if len(found) < len(labels):
        raise InputError("--sets: two members would have the same name; give every set a name of its own")
    return found


def scale(table: Rochester, sample: int, muons: Muons, member: int = 0) -> FloatArray:
    """Corrected pT / pT (n,) in `sample`, DATA or SIMULATION."""
    cell = _bins(table.eta_edges, muons.eta), _bins(phi_edges(table.M.shape[-1]), muons.phi)
    M, A = table.M[member, sample][cell], table.A[member, sample][cell]
    return np.asarray(1 / (M + muons.charge * A * muons.pt))


def spread(table: Rochester, muons: Muons, gen_pt: FloatArray, member: int = 0) -> FloatArray:
    """Corrected pT / pT (n,) in simulation for muons whose generator pT (n,) [GeV] is known."""
    resolution, k = _resolution(table), scale(table, SIMULATION, muons, member)
    bins = _bins(resolution.eta_edges, np.abs(muons.eta))
    ratio = resolution.k[member, DATA] / resolution.k[member, SIMULATION]
    x = gen_pt / (k * muons.pt)
    return np.asarray(k * x / (1 + (x - 1) * ratio[bins]))


def smear(table: Rochester, muons: Muons, layers: IntArray, u: FloatArray, member: int = 0) -> FloatArray:
    """Corrected pT / pT (n,) in simulation for muons with so many tracker layers (n,) and a random number u (n,)
    between 0 and 1."""
    resolution, k = _resolution(table), scale(table, SIMULATION, muons, member)
    cell = _cell(resolution, muons, layers)
    extra = extra_width(resolution, member)[cell[0]] * usable(resolution, member)[cell]
    z = quantile(u, Shape(*(part[cell] for part in shapes(resolution, member))))
    shift = np.where(extra > 0, extra * _relative(resolution, member, cell, k * muons.pt) * z, 0)
    return np.asarray(k * np.where(shift > -1, 1 / np.maximum(1 + shift, 1e-12), 1))


def width(table: Rochester, muons: Muons, layers: IntArray, member: int = 0) -> FloatArray:
    """sigma_k/k (n,) of data: the width of the core, for muons with so many tracker layers (n,); NaN in bins without
    a shape."""
    resolution = _resolution(table)
    cell = _cell(resolution, muons, layers)
    sigma = resolution.k[member, DATA][cell[0]] * _relative(resolution, member, cell, muons.pt)
    return np.where(usable(resolution, member)[cell], sigma * resolution.width[member][cell], np.nan)


def _cell(resolution: RochesterResolution, muons: Muons, layers: IntArray) -> tuple[IntArray, IntArray]:
    row = _bins(resolution.eta_edges, np.abs(muons.eta))
    return row, np.clip(layers - resolution.least_layers, 0, resolution.width.shape[-1] - 1)


def _relative(
    resolution: RochesterResolution, member: int, cell: tuple[IntArray, IntArray], pt: FloatArray
) -> FloatArray:
    polynomial, d = resolution.polynomial[member][:, *cell], pt - PIVOT
    return np.asarray(polynomial[0] + polynomial[1] * d + polynomial[2] * d**2)


def error(table: Rochester, function: Callable[[int], FloatArray]) -> FloatArray:
    """Error (n,) of what `function` of a member gives: the quadratic sum over the sets of the mean squared shift."""
    nominal, first, total = function(0), 0, np.zeros(1)
    for members in table.members:
        shifts = [(function(member) - nominal) ** 2 for member in range(first, first + members)]
        total, first = total + np.mean(shifts, axis=0), first + members
    return np.sqrt(total)


def extra_width(resolution: RochesterResolution, member: int) -> FloatArray:
    """sqrt(k_data^2 - k_sim^2) per bin of |eta|; 0 where data is not wider."""
    k = resolution.k[member]
    return np.asarray(np.sqrt(np.maximum(k[DATA] ** 2 - k[SIMULATION] ** 2, 0)))


def usable(resolution: RochesterResolution, member: int) -> BoolArray:
    """Which bins (|eta|, layers) have a shape."""
    width, alpha, power = (part[member] for part in (resolution.width, resolution.alpha, resolution.power))
    return np.asarray((width > 0) & (alpha > 0) & (power > 1))


def shapes(resolution: RochesterResolution, member: int) -> Shape:
    """The shapes of all bins (|eta|, layers); those without one have any."""
    good = usable(resolution, member)
    raw = (resolution.width, resolution.alpha, resolution.power)
    width, alpha, power = (np.where(good, part[member], default) for part, default in zip(raw, (1, 1, 2), strict=True))
    reach = power / alpha
    wing = reach / (power - 1) * np.exp(-(alpha**2) / 2)  # integral of a tail, where exp(-d^2/2) has its peak
    total = np.sqrt(2 * np.pi) * erf(alpha / np.sqrt(2)) + 2 * wing
    return Shape(width, alpha, wing / total, total / np.sqrt(2 * np.pi), reach, reach - alpha, power)


def quantile(u: FloatArray, shape: Shape) -> FloatArray:
    """The value (n,) that a number with this shape stays below with probability u (n,)."""
    outer = np.clip(np.where(u < 0.5, u, 1 - u), Q_MIN, Q_MAX)
    inner = ndtr(-shape.alpha) + np.maximum(outer - shape.tail, 0) * shape.density
    with np.errstate(over="ignore"):
        wing = shape.reach * (outer / shape.tail) ** (-1 / (shape.power - 1)) - shape.shift
    distance = np.where(outer < shape.tail, wing, -ndtri(inner))
    return np.asarray(np.where(u < 0.5, -1, 1) * shape.width * distance)


def _resolution(table: Rochester) -> RochesterResolution:
    if table.resolution is None:
        raise InputError("the corrections have no resolution: there are no lines R, T, F")
    return table.resolution


def _bins(edges: FloatArray, values: FloatArray) -> IntArray:
    """Bin (n,) of each value; the outermost beyond the edges."""
    return np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2).astype(np.int64)


def counts(table: Rochester, names: Mapping[str, int]) -> tuple[int, int]:
    """Over the variations: bins (|eta|, layers) without a shape, and bins of |eta| where data is not wider."""
    if table.resolution is None:
        return 0, 0
    members = list(names.values())
    shapeless = sum(int(np.sum(~usable(table.resolution, member))) for member in members)
    return shapeless, sum(int(np.sum(extra_width(table.resolution, member) == 0)) for member in members)
