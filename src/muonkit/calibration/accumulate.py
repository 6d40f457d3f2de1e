"""From pairs to sums: masses per cell, cell means, generator masses. The waist of the calibration: everything after
it works on these sums alone, and sums of chunks add up to the sum of the file.

Fine cells are those of `binning.Binning`. The pairs that leave a cell when log(pT+/pT-) is shifted measure
density and pT^2 at its walls, which the extraction needs to undo the pull of migration on the mass."""

from dataclasses import dataclass, field, fields, replace
from typing import Protocol, Self

import numpy as np

from muonkit.calibration.binning import Binning, Merging, scaled_pt_range
from muonkit.calibration.kernels import counting, sparse
from muonkit.core.arrays import AnyArray, BoolArray, FloatArray, IntArray, sums
from muonkit.core.errors import InputError
from muonkit.data.dimuons import Dimuons

SHIFT = 0.1  # and half of the cell at most: nearer walls are noisier, by 1/sqrt(shift)
NODE_SPACING = 1e-3  # in ln m_gen: ten times finer than the resolution; a node sits at the mean of its entries
MARGIN = 0.12  # in ln m: generator masses this far outside the window still feed it
MEANS = ("k_plus", "k_minus", "pt_plus", "pt_minus", "pt2_plus", "pt2_minus", "response_plus", "response_minus")
MOST_PAIRS = 10_000_000  # that are kept one by one: 0.56 GB, and up to four such samples are in memory at a time
NEGATIVE = 5  # in `pairs`: pairs with a weight below 0
NO_SLICES = counting.Slices(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 0, 0)), np.zeros(0))
AXES = ("eta_plus", "eta_minus", "log_pt_ratio", "cos_dphi", "abs_eta_of_leading")


class Corrector(Protocol):
    """Anything that corrects the momenta of a table of pairs."""

    def __call__(self, table: Dimuons) -> Dimuons: ...


@dataclass(frozen=True, slots=True)
class CountSettings:
    """What is counted: cells, mass window [GeV], number of mass bins, cuts on pT/m x pole [GeV]; whether the selected
    pairs are kept one by one."""

    binning: Binning
    window: tuple[float, float]
    mass_bins: int
    pole: float
    scaled_pt: tuple[float, float]
    keeps_pairs: bool = False

    @property
    def mass_edges(self) -> FloatArray:
        """Edges of the mass bins (mass_bins + 1,) [GeV]."""
        return np.linspace(*self.window, self.mass_bins + 1)


@dataclass(frozen=True, slots=True)
class KeptPairs:
    """Selected pairs, one by one, each column (n,): fine cell, mass [GeV], pT [GeV] and d ln m/d ln pT of both muons,
    weight. Without rows where pairs are not kept. Raises InputError if they are more than MOST_PAIRS."""

    cell: IntArray
    mass: FloatArray
    plus_pt: FloatArray
    minus_pt: FloatArray
    plus_response: FloatArray
    minus_response: FloatArray
    weight: FloatArray

    def __len__(self) -> int:
        return len(self.cell)

    def __post_init__(self) -> None:
        if len(self) > MOST_PAIRS:
            raise InputError(
                f'fit.method: "unbinned" keeps at most {MOST_PAIRS} selected pairs of data or of simulation in memory; '
                'use "cells", or fewer files'
            )

    def __add__(self, other: Self) -> Self:
        return type(self)(*(np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)))

    def __getitem__(self, rows: AnyArray) -> Self:
        return type(self)(*(getattr(self, f.name)[rows] for f in fields(self)))

    @classmethod
    def none(cls) -> Self:
        """No pairs."""
        return cls(np.zeros(0, dtype=np.int64), *np.zeros((6, 0)))

    @classmethod
    def of(cls, table: Dimuons, settings: CountSettings) -> Self:
        """The selected pairs of one chunk."""
        n = len(table)
        cell, columns = np.empty(n, dtype=np.int64), np.empty((n, 6))
        weight = np.ascontiguousarray(table.weight)
        found = counting.selected_pairs(muons(table), weight, grid(settings), cell, columns)
        return cls(cell[:found].copy(), *np.ascontiguousarray(columns[:found].T))

    def within(self, window: tuple[float, float]) -> Self:
        """The pairs in a mass window [GeV]."""
        return self[(self.mass >= window[0]) & (self.mass < window[1])]


@dataclass(frozen=True, slots=True)
class CellMasses:
    """Sums over pairs in the mass window. First axis: fine cells.

    masses (cells, mass bins); weight2 (cells,), sums of w^2; spread (mass bins,), the same per mass bin; means (cells,
    MEANS), sums of weight x value; leaving (cells, 3): density x (1, pT+^2, pT-^2) at the upper wall less that at the
    lower; angular (cells, 3): sums of 1, x, x^2 with x = ln of the mass change by the angles (simulation only);
    correlation (AXES, 5): sums of x, x^2, r, r^2, x r of each axis and the mass residual; pairs (6,): read, selected,
    outside the mass window, then outside the cuts, then outside the eta range; selected with a weight below 0; kept:
    the selected pairs, where they are kept."""

    masses: FloatArray
    weight2: FloatArray
    spread: FloatArray
    means: FloatArray
    leaving: FloatArray
    angular: FloatArray
    correlation: FloatArray
    pairs: FloatArray
    kept: KeptPairs = field(default_factory=KeptPairs.none)

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


def merged(
    mine: IntArray, theirs: IntArray, my_columns: tuple[FloatArray, ...], their_columns: tuple[FloatArray, ...]
) -> tuple[IntArray, list[FloatArray]]:
    """The union (k,) of two ascending lists of keys, and the sums (k,) of every column."""
    my_place, their_place = np.empty(len(mine), dtype=np.int64), np.empty(len(theirs), dtype=np.int64)
    key = sparse.merged(mine, theirs, my_place, their_place)
    columns = [np.zeros(len(key)) for _ in my_columns]
    for column, first, second in zip(columns, my_columns, their_columns, strict=True):
        column[my_place] = first
        column[their_place] += second
    return key, columns


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
        key, columns = merged(self.key, other.key, self._columns, other._columns)
        return type(self)(key, columns[0], columns[1], columns[2], columns[3], self.nodes)

    @property
    def _columns(self) -> tuple[FloatArray, ...]:
        return self.weight, self.weight2, self.size, self.sized_mass

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

    def scaled(self, factor: float) -> Self:
        """The same entries at masses that are larger by `factor`."""
        return replace(self, sized_mass=self.sized_mass * factor)


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
        kept=wide.kept.within(window),
    )
    return narrow, replace(settings, window=window, mass_bins=settings.mass_bins - 2 * bins)


def _share(part: FloatArray, whole: FloatArray) -> FloatArray:
    return np.divide(part, whole, out=np.ones_like(whole), where=whole > 0)


def selected(table: Dimuons, masses: FloatArray, settings: CountSettings) -> BoolArray:
    """Which pairs (n,) pass the dilation-invariant cuts; `masses` (n,): reconstructed masses [GeV]."""
    low, high = scaled_pt_range(table.plus, table.minus, masses, settings.pole)
    return (low > settings.scaled_pt[0]) & (high < settings.scaled_pt[1])


def accumulate(table: Dimuons, settings: CountSettings, slices: counting.Slices | None = None) -> CellMasses:
    """Sums over the pairs of one chunk that pass the cuts and lie in the mass window and in a cell; `slices`, where
    given, are filled with them too."""
    size, bins = settings.binning.size, settings.mass_bins
    spectra = (np.zeros((size, bins)), np.zeros(size), np.zeros(bins))
    of_cells = (np.zeros((size, len(MEANS))), np.zeros((size, 3)), np.zeros((size, 3)))
    kept = KeptPairs.of(table, settings) if settings.keeps_pairs else KeptPairs.none()
    result = CellMasses(*spectra, *of_cells, np.zeros((len(AXES), 5)), np.zeros(NEGATIVE + 1), kept)
    filled = counting.Sums(*(getattr(result, name) for name in counting.Sums._fields))
    weight, slices = np.ascontiguousarray(table.weight), slices or NO_SLICES
    counting.tally(muons(table), generated_muons(table), weight, grid(settings), filled, slices)
    return result


def accumulate_generator(table: Dimuons, settings: CountSettings) -> GenMasses:
    """Generator masses of the pairs of one chunk whose reconstructed muons fall in a cell, at any reconstructed mass.

    Raises ValueError if the chunk has no generator muons."""
    if table.gen_plus is None or table.gen_minus is None:
        raise ValueError("a template needs generator muons")
    start = np.log(settings.window[0]) - MARGIN
    nodes = int(np.ceil((np.log(settings.window[1]) + MARGIN - start) / NODE_SPACING))
    n = len(table)
    cell, node, columns = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64), np.empty((n, 4))
    found = counting.generator_nodes(
        muons(table),
        generated_muons(table),
        np.ascontiguousarray(table.weight),
        grid(settings),
        counting.NodeGrid(float(start), NODE_SPACING, nodes),
        cell,
        node,
        columns,
    )
    key, summed = sparse.gathered(cell[:found], node[:found], columns[:found], settings.binning.size, nodes)
    weight, weight2, size, sized_mass = np.ascontiguousarray(summed.T)
    return GenMasses(key, weight, weight2, size, sized_mass, nodes)


def grid(settings: CountSettings) -> counting.Grid:
    """The settings as kernels see them."""
    cells, scaled_pt = settings.binning, (float(settings.scaled_pt[0]), float(settings.scaled_pt[1]))
    window = (float(settings.window[0]), float(settings.window[1]))
    edges = (cells.muons.eta_edges, cells.muons.phi_edges, cells.log_pt_ratio_edges, cells.cos_dphi_edges)
    shift = np.minimum(SHIFT, np.diff(cells.log_pt_ratio_edges) / 2)
    return counting.Grid(*edges, window, settings.mass_bins, settings.pole, scaled_pt, shift, np.exp(shift / 4))


def muons(table: Dimuons) -> counting.Muons:
    """The reconstructed muons as kernels see them."""
    return counting.Muons(*map(np.ascontiguousarray, (*table.plus, *table.minus)))


def pair_masses(table: Dimuons) -> FloatArray:
    """Reconstructed mass (n,) [GeV] of every pair."""
    result = np.empty(len(table))
    counting.pair_masses(muons(table), result)
    return result


def generated_muons(table: Dimuons) -> counting.Muons:
    """The generated muons as kernels see them, if there are any."""
    if table.gen_plus is None or table.gen_minus is None:
        return counting.Muons(*[np.zeros(0)] * 6)
    return counting.Muons(*map(np.ascontiguousarray, (*table.gen_plus, *table.gen_minus)))


def residual_correlations(masses: CellMasses) -> dict[str, float]:
    """Correlation coefficient of every binning variable, and of |eta| of the leading muon, with the mass residual."""
    n = max(masses.pairs[1], 1.0)
    result = {}
    for name, (x, xx, r, rr, xr) in zip(AXES, masses.correlation / n, strict=True):
        spread = (xx - x * x) * (rr - r * r)
        result[name] = float((xr - x * r) / np.sqrt(spread)) if spread > 0 else 0.0
    return result
