"""Sums over pairs in NumPy: what the compiled loops of `calibration/kernels/counting.py` mean."""

from dataclasses import replace

import numpy as np

from muonkit.calibration.accumulate import (
    MARGIN,
    NODE_SPACING,
    SHIFT,
    CellMasses,
    CountSettings,
    GenMasses,
    selected,
)
from muonkit.calibration.binning import find_bin, scaled_pt_range
from muonkit.calibration.response import BINS, END, PT_BINS, PT_EDGES, SAFE, STEP, Responses
from muonkit.core.arrays import BoolArray, FloatArray, IntArray, sums
from muonkit.core.kinematics import cos_dphi, log_pt_ratio, mass, mass_response
from muonkit.data.dimuons import Dimuons


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
        _leaving(kept, kept_masses, cell, settings),
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


def _leaving(table: Dimuons, masses: FloatArray, cell: IntArray, settings: CountSettings) -> FloatArray:
    """Sums of 1, pT+^2, pT-^2 (cells, 3) over pairs that leave a cell, or the selection, upwards, less those downwards;
    extrapolated to the density at the wall from what leaves by half of the shift and by all of it.

    Only those that leave are counted: what would come in from outside the selection may not be in the file."""
    shift = np.minimum(SHIFT, np.diff(settings.binning.log_pt_ratio_edges) / 2)
    shift = shift[np.unravel_index(cell, settings.binning.shape)[2]]
    gone = [_gone(table, masses, cell, settings, share * shift).astype(float) for share in (0.5, 1, -0.5, -1)]
    net = table.weight / shift * (4 * (gone[0] - gone[2]) - (gone[1] - gone[3]))
    columns = [np.ones(len(table)), table.plus.pt**2, table.minus.pt**2]
    return _sums(cell, net, columns, settings.binning.size)


def _gone(table: Dimuons, masses: FloatArray, cell: IntArray, settings: CountSettings, shift: FloatArray) -> BoolArray:
    """Which pairs (n,) leave their cell, or the selection, when log(pT+/pT-) grows by `shift` (n,) at fixed pT+ pT-."""
    plus = table.plus._replace(pt=table.plus.pt * np.exp(shift / 2))
    minus = table.minus._replace(pt=table.minus.pt * np.exp(-shift / 2))
    moved = replace(table, plus=plus, minus=minus)
    return (settings.binning.index(plus, minus) != cell) | ~selected(moved, masses, settings)


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


def accumulate_responses(table: Dimuons, settings: CountSettings) -> Responses:
    """Responses of the muons of one chunk. Raises ValueError if it has no generator muons."""
    if table.gen_plus is None or table.gen_minus is None:
        raise ValueError("responses need generator muons")
    low, high = scaled_pt_range(table.gen_plus, table.gen_minus, mass(table.gen_plus, table.gen_minus), settings.pole)
    safe = (low > SAFE * settings.scaled_pt[0]) & (high < settings.scaled_pt[1] / SAFE)
    edges = settings.binning.muons.eta_edges
    rows = (len(edges) - 1) * PT_BINS
    key, weight, sums_of_rows = [], [], []
    for reco, gen in ((table.plus, table.gen_plus), (table.minus, table.gen_minus)):
        eta, pt = find_bin(reco.eta, edges), find_bin(gen.pt, PT_EDGES)
        x = np.floor((gen.pt / reco.pt - 1 + END) / STEP).astype(np.int64)
        chosen = safe & (eta >= 0) & (pt >= 0) & (x >= 0) & (x < BINS)
        row = (eta * PT_BINS + pt)[chosen]
        key.append(row * BINS + x[chosen])
        w = table.weight[chosen]
        weight.append(w)
        columns = (w, w**2, w * gen.pt[chosen] ** 2)
        sums_of_rows.append(np.stack([sums(row, column, rows) for column in columns], axis=1))
    unique, inverse = np.unique(np.concatenate(key), return_inverse=True)
    return Responses(unique, sums(inverse, np.concatenate(weight), len(unique)), sums_of_rows[0] + sums_of_rows[1])
