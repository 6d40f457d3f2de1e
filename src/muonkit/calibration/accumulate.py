"""From pairs to sums: masses per cell, cell means, generator masses. The waist of the calibration: everything after
it works on these sums alone, and sums of chunks add up to the sum of the file.

Fine cells are those of `binning.Binning`. The pairs that leave a cell when log(pT+/pT-) is shifted by +-SHIFT measure
the density at its walls, which the extraction needs to undo the pull of migration on the mass."""

from dataclasses import dataclass, fields, replace
from typing import Protocol, Self

import numpy as np

from muonkit.calibration.binning import Binning, Merging, scaled_pt_range
from muonkit.core.arrays import BoolArray, FloatArray, IntArray, sums
from muonkit.core.kinematics import cos_dphi, log_pt_ratio, mass, mass_response
from muonkit.data.dimuons import Dimuons

SHIFT = 0.03
NODE_SPACING = 1e-3  # in ln m_gen: ten times finer than the resolution; a node sits at the mean of its entries
MARGIN = 0.12  # in ln m: generator masses this far outside the window still feed it
MEANS = ("k_plus", "k_minus", "pt_plus", "pt_minus", "pt2_plus", "pt2_minus", "response_plus", "response_minus")
NEGATIVE = 5  # in `pairs`: pairs with a weight below 0
AXES = ("eta_plus", "eta_minus", "log_pt_ratio", "cos_dphi", "abs_eta_of_leading")


class Corrector(Protocol):
    """Anything that corrects the momenta of a table of pairs."""

    def __call__(self, table: Dimuons) -> Dimuons: ...


@dataclass(frozen=True, slots=True)
class CountSettings:
    """What is counted: cells, mass window [GeV], number of mass bins, cuts on pT/m x pole [GeV]."""

    binning: Binning
    window: tuple[float, float]
    mass_bins: int
    pole: float
    scaled_pt: tuple[float, float]

    @property
    def mass_edges(self) -> FloatArray:
        """Edges of the mass bins (mass_bins + 1,) [GeV]."""
        return np.linspace(*self.window, self.mass_bins + 1)


@dataclass(frozen=True, slots=True)
class CellMasses:
    """Sums over pairs in the mass window. First axis: fine cells.

    masses (cells, mass bins); weight2 (cells,), sums of w^2; spread (mass bins,), the same per mass bin; means (cells,
    MEANS), sums of weight x value; leaving (cells, 2); angular (cells, 3): sums of 1, x, x^2 with x = ln of the mass
    change by the angles (simulation only); correlation (AXES, 5): sums of x, x^2, r, r^2, x r of each axis and the mass
    residual; pairs (6,): read, selected, outside the mass window, then outside the cuts, then outside the eta range;
    selected with a weight below 0."""

    masses: FloatArray
    weight2: FloatArray
    spread: FloatArray
    means: FloatArray
    leaving: FloatArray
    angular: FloatArray
    correlation: FloatArray
    pairs: FloatArray

    def __add__(self, other: Self) -> Self:
        return type(self)(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def entries(self) -> FloatArray:
        """Sum of weights per fine cell (cells,)."""
        return self.masses.sum(axis=1)

    @property
    def signed(self) -> bool:
        """Whether there are weights below 0."""
        return bool(self.pairs[NEGATIVE] > 0)


@dataclass(frozen=True, slots=True)
class GenMasses:
    """Generator masses per fine cell, sparse: key = cell x nodes + node, ascending; sums of w, w^2, |w|, |w| m."""

    key: IntArray
    weight: FloatArray
    weight2: FloatArray
    size: FloatArray
    sized_mass: FloatArray
    nodes: int

    def __add__(self, other: Self) -> Self:
        key, inverse = np.unique(np.concatenate([self.key, other.key]), return_inverse=True)

        def total(mine: FloatArray, theirs: FloatArray) -> FloatArray:
            return sums(inverse, np.concatenate([mine, theirs]), len(key))

        return type(self)(
            key,
            total(self.weight, other.weight),
            total(self.weight2, other.weight2),
            total(self.size, other.size),
            total(self.sized_mass, other.sized_mass),
            self.nodes,
        )

    @property
    def signed(self) -> bool:
        """Whether there are weights below 0."""
        return bool(np.any(self.weight < self.size))

    def entries(self, cells: int) -> FloatArray:
        """Sum of weights per fine cell; shape (cells,)."""
        return sums(self.key // self.nodes, self.weight, cells)

    def at_one_mass(self, mass: float) -> Self:
        """The same entries, all at one mass [GeV]: a template without radiation and width."""
        return replace(self, sized_mass=self.size * mass)


def narrowed(
    wide: CellMasses, settings: CountSettings, bins: int, merging: Merging
) -> tuple[CellMasses, CountSettings]:
    """The same sums in a mass window that is narrower by `bins` bins on either side; means stay those of the window.

    With weights below 0 the share of a fine cell may be anything; that of its fitted cell, by `merging`, takes its
    place."""
    edges, kept = settings.mass_edges, slice(bins, settings.mass_bins - bins)
    window = (float(edges[bins]), float(edges[-1 - bins]))
    masses = wide.masses[:, kept]
    share = _share(masses.sum(axis=1), wide.entries)
    if wide.signed:
        share = merging.spread(_share(*map(merging.sum, (masses.sum(axis=1), wide.entries))))
    means, leaving, angular = (values * share[:, None] for values in (wide.means, wide.leaving, wide.angular))
    narrow = replace(
        wide,
        masses=masses,
        weight2=wide.weight2 * share,
        spread=wide.spread[kept],
        means=means,
        leaving=leaving,
        angular=angular,
    )
    return narrow, replace(settings, window=window, mass_bins=settings.mass_bins - 2 * bins)


def _share(part: FloatArray, whole: FloatArray) -> FloatArray:
    return np.divide(part, whole, out=np.ones_like(whole), where=whole > 0)


def selected(table: Dimuons, masses: FloatArray, settings: CountSettings) -> BoolArray:
    """Which pairs (n,) pass the dilation-invariant cuts; `masses` (n,): reconstructed masses [GeV]."""
    low, high = scaled_pt_range(table.plus, table.minus, masses, settings.pole)
    return (low > settings.scaled_pt[0]) & (high < settings.scaled_pt[1])


def accumulate(table: Dimuons, settings: CountSettings) -> CellMasses:
    """Sums over the pairs of one chunk that pass the cuts and lie in the mass window and in a cell."""
    masses = mass(table.plus, table.minus)
    window = (masses >= settings.window[0]) & (masses < settings.window[1])
    passed = selected(table, masses, settings)
    chosen = window & passed
    kept, kept_masses = table[chosen], masses[chosen]
    cell = settings.binning.index(kept.plus, kept.minus)
    outside = [(~window).sum(), (window & ~passed).sum(), (cell < 0).sum()]
    kept, kept_masses, cell = kept[cell >= 0], kept_masses[cell >= 0], cell[cell >= 0]
    size, position = settings.binning.size, _mass_bin(kept_masses, settings)
    return CellMasses(
        sums(cell * settings.mass_bins + position, kept.weight, size * settings.mass_bins).reshape(size, -1),
        sums(cell, kept.weight**2, size),
        sums(position, kept.weight**2, settings.mass_bins),
        _sums(cell, kept.weight, _mean_columns(kept), size),
        np.stack([_leaving(kept, kept_masses, cell, settings, sign * SHIFT) for sign in (1, -1)], axis=1),
        _sums(cell, kept.weight, _angular_columns(kept), size),
        _correlation_sums(kept, kept_masses / settings.pole - 1),
        np.array([len(table), len(kept), *outside, (kept.weight < 0).sum()], dtype=float),
    )


def accumulate_generator(table: Dimuons, settings: CountSettings) -> GenMasses:
    """Generator masses of the pairs of one chunk whose reconstructed muons fall in a cell, at any reconstructed mass.

    Raises ValueError if the chunk has no generator muons."""
    if table.gen_plus is None or table.gen_minus is None:
        raise ValueError("a template needs generator muons")
    start = np.log(settings.window[0]) - MARGIN
    nodes = int(np.ceil((np.log(settings.window[1]) + MARGIN - start) / NODE_SPACING))
    true_mass = mass(table.gen_plus, table.gen_minus)
    node = np.floor((np.log(true_mass) - start) / NODE_SPACING).astype(np.int64)
    cell = settings.binning.index(table.plus, table.minus)
    chosen = (cell >= 0) & (node >= 0) & (node < nodes)
    chosen &= selected(table, mass(table.plus, table.minus), settings)
    key, inverse = np.unique(cell[chosen] * nodes + node[chosen], return_inverse=True)
    weight, true_mass = table.weight[chosen], true_mass[chosen]
    size = np.abs(weight)
    columns = [sums(inverse, values, len(key)) for values in (weight, weight**2, size, size * true_mass)]
    return GenMasses(key, columns[0], columns[1], columns[2], columns[3], nodes)


def _mass_bin(masses: FloatArray, settings: CountSettings) -> IntArray:
    low, high = settings.window
    position = ((masses - low) / (high - low) * settings.mass_bins).astype(np.int64)
    return np.minimum(position, settings.mass_bins - 1)


def _sums(cell: IntArray, weight: FloatArray, columns: list[FloatArray], size: int) -> FloatArray:
    return np.stack([sums(cell, weight * column, size) for column in columns], axis=1)


def _mean_columns(table: Dimuons) -> list[FloatArray]:
    plus, minus = table.plus.pt, table.minus.pt
    return [1 / plus, 1 / minus, plus, minus, plus**2, minus**2, *mass_response(table.plus, table.minus)]


def _angular_columns(table: Dimuons) -> list[FloatArray]:
    one = np.ones(len(table))
    if table.gen_plus is None or table.gen_minus is None:
        return [0 * one, 0 * one, 0 * one]
    measured = mass(table.plus._replace(pt=table.gen_plus.pt), table.minus._replace(pt=table.gen_minus.pt))
    change = np.log(measured / mass(table.gen_plus, table.gen_minus))
    return [one, change, change**2]


def _leaving(table: Dimuons, masses: FloatArray, cell: IntArray, settings: CountSettings, shift: float) -> FloatArray:
    """Entries of each cell that leave it, or the selection, when log(pT+/pT-) grows by `shift` at fixed pT+ pT-.

    Only those that leave are counted: what would come in from outside the selection may not be in the file."""
    plus = table.plus._replace(pt=table.plus.pt * np.exp(shift / 2))
    minus = table.minus._replace(pt=table.minus.pt * np.exp(-shift / 2))
    moved = replace(table, plus=plus, minus=minus)
    gone = (settings.binning.index(plus, minus) != cell) | ~selected(moved, masses, settings)
    return sums(cell[gone], table.weight[gone], settings.binning.size)


def _correlation_sums(table: Dimuons, residual: FloatArray) -> FloatArray:
    leading = np.where(table.plus.pt > table.minus.pt, table.plus.eta, table.minus.eta)
    axes = (
        table.plus.eta,
        table.minus.eta,
        log_pt_ratio(table.plus, table.minus),
        cos_dphi(table.plus, table.minus),
        np.abs(leading),
    )
    return np.array([[x.sum(), (x**2).sum(), residual.sum(), (residual**2).sum(), (x * residual).sum()] for x in axes])


def residual_correlations(masses: CellMasses) -> dict[str, float]:
    """Correlation coefficient of every binning variable, and of |eta| of the leading muon, with the mass residual."""
    n = max(masses.pairs[1], 1.0)
    result = {}
    for name, (x, xx, r, rr, xr) in zip(AXES, masses.correlation / n, strict=True):
        spread = (xx - x * x) * (rr - r * r)
        result[name] = float((xr - x * r) / np.sqrt(spread)) if spread > 0 else 0.0
    return result
