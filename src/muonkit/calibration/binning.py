"""Cells in (eta+, eta-, log(pT+/pT-), cos dphi) and the selection in front of them.

All cuts but the mass window are on variables that a common dilation of both momenta leaves alone: a cut on, or a
binning in, reconstructed pT itself fakes a scale of 1e-4. Fine cells are merged where entries are few: first along
cos dphi, then along log(pT+/pT-), never across eta bins; what is still thin is dropped."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from muonkit.calibration.config import BinningChoice
from muonkit.core.arrays import AnyArray, FloatArray, IntArray
from muonkit.core.config import Edges
from muonkit.core.kinematics import MuonArrays, cos_dphi, log_pt_ratio

WIDE = 1e3  # stands for infinity: outermost edges in log ratio and cos dphi


def find_bin(values: FloatArray, edges: FloatArray) -> IntArray:
    """Bin (n,) of every value (n,), -1 outside [first, last); `edges`: (bins + 1,), rising."""
    index = np.searchsorted(edges, values, side="right") - 1
    return np.where((index >= 0) & (index < len(edges) - 1), index, -1)


@dataclass(frozen=True, slots=True)
class Binning:
    """Edges of the four axes of a cell, each (bins + 1,); `index` is row-major in (eta+, eta-, log ratio, cos dphi)."""

    eta_edges: FloatArray
    log_pt_ratio_edges: FloatArray
    cos_dphi_edges: FloatArray

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Number of bins of every axis."""
        eta = len(self.eta_edges) - 1
        return eta, eta, len(self.log_pt_ratio_edges) - 1, len(self.cos_dphi_edges) - 1

    @property
    def size(self) -> int:
        """Number of fine cells."""
        return int(np.prod(self.shape))

    def index(self, plus: MuonArrays, minus: MuonArrays) -> IntArray:
        """Cell of every pair, -1 outside; shape (n,)."""
        parts = (
            find_bin(plus.eta, self.eta_edges),
            find_bin(minus.eta, self.eta_edges),
            find_bin(log_pt_ratio(plus, minus), self.log_pt_ratio_edges),
            find_bin(cos_dphi(plus, minus), self.cos_dphi_edges),
        )
        inside = np.all([part >= 0 for part in parts], axis=0)
        flat = np.zeros(len(inside), dtype=np.int64)
        for part, size in zip(parts, self.shape, strict=True):
            flat = flat * size + part
        return np.where(inside, flat, -1)

    def eta_bins(self) -> tuple[IntArray, IntArray]:
        """Eta bin of (plus, minus) for every cell; shape (size,)."""
        plus, minus, _, _ = np.unravel_index(np.arange(self.size), self.shape)
        return plus.astype(np.int64), minus.astype(np.int64)

    @classmethod
    def from_choice(cls, choice: BinningChoice, plus: MuonArrays, minus: MuonArrays) -> Self:
        """Edges as configured; missing ones at quantiles of the given pairs (n,), symmetric in charge."""
        ratio, dphi = log_pt_ratio(plus, minus), cos_dphi(plus, minus)
        both = np.concatenate([ratio, -ratio])
        return cls(
            np.array(choice.eta_edges),
            _edges(choice.log_pt_ratio_edges, both, choice.log_pt_ratio_bins, WIDE),
            _edges(choice.cos_dphi_edges, dphi, choice.cos_dphi_bins, 1.01),
        )


def _edges(given: Edges | None, values: FloatArray, bins: int, end: float) -> FloatArray:
    if given is not None:
        return np.array(given)
    inner = np.quantile(values, np.arange(1, bins) / bins) if len(values) else np.arange(1, bins) / bins
    return np.concatenate([[-end], np.unique(inner), [end]])


def scaled_pt_range(
    plus: MuonArrays, minus: MuonArrays, mass: FloatArray, pole: float
) -> tuple[FloatArray, FloatArray]:
    """Smaller and larger pT/m x m_resonance (n,) [GeV] of every pair; `mass` (n,) and `pole` [GeV]."""
    factor = pole / mass
    return np.minimum(plus.pt, minus.pt) * factor, np.maximum(plus.pt, minus.pt) * factor


@dataclass(frozen=True, slots=True)
class Merging:
    """`group` (fine cells,): fitted cell of every fine cell, -1 if dropped; `count`: number of fitted cells."""

    group: IntArray
    count: int

    def sum(self, values: FloatArray) -> FloatArray:
        """Sums over the fine cells of each fitted cell; axis 0 goes from fine to fitted cells."""
        kept = self.group >= 0
        result = np.zeros((self.count, *values.shape[1:]))
        np.add.at(result, self.group[kept], values[kept])
        return result

    def spread(self, values: FloatArray) -> FloatArray:
        """The values of the fitted cells (count,) for their fine cells (fine cells,); 1 for those that are dropped."""
        return np.where(self.group >= 0, values[self.group], 1.0)

    def first(self) -> IntArray:
        """The first fine cell (count,) of every fitted cell."""
        result = np.zeros(self.count, dtype=np.int64)
        kept = np.flatnonzero(self.group >= 0)[::-1]
        result[self.group[kept]] = kept
        return result


def merge(entries: FloatArray, shape: tuple[int, int, int, int], minimum: float) -> Merging:
    """Join thin cells until each holds `minimum` entries; `entries` (fine cells,), `shape`: see `Binning`."""
    blocks = entries.reshape(shape[0] * shape[1], shape[2], shape[3])
    labels = np.full(blocks.shape, -1, dtype=np.int64)
    following = 0
    for block, label in zip(blocks, labels, strict=True):
        following = _merge_block(block, label, minimum, following)
    return Merging(labels.ravel(), following)


def _merge_block(block: FloatArray, label: AnyArray, minimum: float, following: int) -> int:
    """Label one (eta+, eta-) block in place: rows that can stand alone are cut along cos dphi, others joined."""
    for rows in runs(block.sum(axis=1), minimum):
        columns = runs(block[rows].sum(axis=0), minimum)
        for run in columns:
            label[rows, run] = following
            following += 1
    return following


def runs(entries: FloatArray, minimum: float) -> list[slice]:
    """Neighbours joined from the left until each run has `minimum`; a thin rest joins the last run. No run if all
    together have less."""
    starts, total = [0], 0.0
    for position, value in enumerate(entries):
        total += value
        if total >= minimum and position + 1 < len(entries):
            starts.append(position + 1)
            total = 0.0
    if total < minimum:
        starts.pop()
    return (
        [slice(start, stop) for start, stop in zip(starts, [*starts[1:], len(entries)], strict=True)] if starts else []
    )
