"""Bins of muons, cells in (bin of mu+, bin of mu-, log(pT+/pT-), cos dphi), and the selection in front of them.

Parameters are by bins of muons: bins of eta, each with the same bins of phi. One bin of phi is none.

All cuts but the mass window are on variables that a common dilation of both momenta leaves alone: a cut on, or a
binning in, reconstructed pT itself fakes a scale of 1e-4. Fine cells are merged where entries are few: first along
cos dphi, then along log(pT+/pT-), never across bins of muons; what is still thin is dropped."""

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from muonkit.calibration.config import BinningChoice
from muonkit.core.arrays import AnyArray, FloatArray, IntArray
from muonkit.core.config import Edges
from muonkit.core.kinematics import MuonArrays, cos_dphi, log_pt_ratio

WIDE = 1e3  # stands for infinity: outermost edges in log ratio and cos dphi


def find_bin(values: FloatArray, edges: FloatArray) -> IntArray:
    """Bin (n,) of every value (n,), -1 outside [first, last); `edges`: (bins + 1,), rising."""
    index = np.searchsorted(edges, values, side="right") - 1
    return np.where((index >= 0) & (index < len(edges) - 1), index, -1)


def find_phi_bin(phi: FloatArray, edges: FloatArray) -> IntArray:
    """Bin (n,) of every angle (n,) [rad], whatever turn it is in; `edges`: (bins + 1,), rising over a full turn."""
    turned = phi - edges[0]
    turned = edges[0] + (turned - math.tau * np.floor(turned / math.tau))
    return np.clip(np.searchsorted(edges, turned, side="right") - 1, 0, len(edges) - 2)


@dataclass(frozen=True, slots=True)
class MuonBins:
    """The bins of muons, in which the parameters are: bin = eta bin x bins of phi + phi bin. Edges (bins + 1,) rise;
    those of phi [rad] span a full turn. Raises ValueError for edges that are no edges."""

    eta_edges: FloatArray
    phi_edges: FloatArray = field(default_factory=lambda: np.array([-np.pi, np.pi]))

    def __post_init__(self) -> None:
        for name, edges in (("eta_edges", self.eta_edges), ("phi_edges", self.phi_edges)):
            if edges.ndim != 1 or len(edges) < 2 or not np.all(np.isfinite(edges)) or np.any(np.diff(edges) <= 0):
                raise ValueError(f"{name} are not edges of bins, which rise")

    @classmethod
    def of_edges(cls, eta_edges: ArrayLike, phi_edges: ArrayLike | None = None) -> Self:
        """One bin of phi if there are no `phi_edges`."""
        more = () if phi_edges is None else (np.array(phi_edges),)
        return cls(np.array(eta_edges), *more)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of bins of eta and of phi."""
        return len(self.eta_edges) - 1, len(self.phi_edges) - 1

    @property
    def count(self) -> int:
        """Number of bins."""
        return math.prod(self.shape)

    def require(self, **columns: FloatArray) -> None:
        """Raises ValueError if one of the columns, by name, does not have a value for every bin."""
        for name, values in columns.items():
            if values.shape != (self.count,):
                raise ValueError(f"{name} has no value for each of {self.number}")

    def of(self, eta: FloatArray, phi: FloatArray) -> IntArray:
        """Bin (n,) of every muon of eta and phi (n,), -1 outside the eta range."""
        row = find_bin(eta, self.eta_edges)
        return np.where(row >= 0, row * self.shape[1] + find_phi_bin(phi, self.phi_edges), -1)

    @property
    def axes(self) -> dict[str, FloatArray]:
        """Edges of eta, and of phi if it has more than one bin, by name."""
        return {"eta": self.eta_edges} | ({"phi": self.phi_edges} if self.shape[1] > 1 else {})

    @property
    def edges(self) -> dict[str, FloatArray]:
        """The same, by the names that they have in files: eta_edges, phi_edges."""
        return {f"{axis}_edges": edges for axis, edges in self.axes.items()}

    def along(self, index: IntArray) -> dict[str, IntArray]:
        """The bin (n,) on each of the `axes` of bins `index` (n,)."""
        return dict(zip(self.axes, divmod(index, self.shape[1]), strict=False))

    @property
    def labels(self) -> dict[str, list[str]]:
        """The interval of every bin (count,) on each of the `axes`."""
        of_axes = {axis: [f"[{a:g}, {b:g})" for a, b in pairwise(edges)] for axis, edges in self.axes.items()}
        return {axis: [of_axes[axis][i] for i in rows] for axis, rows in self.along(np.arange(self.count)).items()}

    @property
    def name(self) -> str:
        """What a bin is called."""
        return "bin of eta and phi" if "phi" in self.axes else "eta bin"

    @property
    def number(self) -> str:
        """How many bins there are, in words."""
        eta, phi = self.shape
        return f"{eta} x {phi} bins of eta and phi" if "phi" in self.axes else f"{eta} eta bins"

    @property
    def without_phi(self) -> Self:
        """The same bins of eta, with one bin of phi."""
        return type(self)(self.eta_edges)

    @property
    def centres(self) -> tuple[FloatArray, FloatArray]:
        """Eta and phi (count,) in the middle of every bin."""
        eta, phi = ((edges[1:] + edges[:-1]) / 2 for edges in (self.eta_edges, self.phi_edges))
        return np.repeat(eta, len(phi)), np.tile(phi, len(eta))

    @property
    def steps(self) -> FloatArray:
        """Edges (count + 1,) on the axis of eta of figures: the bins of phi stand side by side in their eta bin."""
        low, width = self.eta_edges[:-1, None], np.diff(self.eta_edges)[:, None]
        inner = low + width * np.arange(self.shape[1]) / self.shape[1]
        return np.append(inner, self.eta_edges[-1])

    def over_phi(self, values: FloatArray) -> FloatArray:
        """Means (eta bins,) over phi of the values (count,) of all bins."""
        width = np.diff(self.phi_edges)
        mean: FloatArray = (values.reshape(self.shape) * (width / width.sum())).sum(axis=1)
        return mean


@dataclass(frozen=True, slots=True)
class Binning:
    """Bins of muons, and edges of the other axes of a cell, each (bins + 1,); `index` is row-major in (bin of mu+, bin
    of mu-, log ratio, cos dphi)."""

    muons: MuonBins
    log_pt_ratio_edges: FloatArray
    cos_dphi_edges: FloatArray

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Number of bins of every axis."""
        muons = self.muons.count
        return muons, muons, len(self.log_pt_ratio_edges) - 1, len(self.cos_dphi_edges) - 1

    @property
    def size(self) -> int:
        """Number of fine cells."""
        return int(np.prod(self.shape))

    def index(self, plus: MuonArrays, minus: MuonArrays) -> IntArray:
        """Cell of every pair, -1 outside; shape (n,)."""
        parts = (
            self.muons.of(plus.eta, plus.phi),
            self.muons.of(minus.eta, minus.phi),
            find_bin(log_pt_ratio(plus, minus), self.log_pt_ratio_edges),
            find_bin(cos_dphi(plus, minus), self.cos_dphi_edges),
        )
        inside = np.all([part >= 0 for part in parts], axis=0)
        flat = np.zeros(len(inside), dtype=np.int64)
        for part, size in zip(parts, self.shape, strict=True):
            flat = flat * size + part
        return np.where(inside, flat, -1)

    def muon_bins(self) -> tuple[IntArray, IntArray]:
        """Bin of the muons (plus, minus) for every cell; shape (size,)."""
        plus, minus, _, _ = np.unravel_index(np.arange(self.size), self.shape)
        return plus.astype(np.int64), minus.astype(np.int64)

    @classmethod
    def from_choice(cls, choice: BinningChoice, plus: MuonArrays, minus: MuonArrays) -> Self:
        """Edges as configured; missing ones at quantiles of the given pairs (n,), symmetric in charge."""
        ratio, dphi = log_pt_ratio(plus, minus), cos_dphi(plus, minus)
        both = np.concatenate([ratio, -ratio])
        return cls(
            MuonBins.of_edges(choice.eta_edges, choice.phi_edges),
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
    """Label the block of one pair of muon bins in place: rows that can stand alone are cut along cos dphi."""
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
