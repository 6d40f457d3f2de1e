"""How far corrections reach: the pT of the muons that they were made from, and the pT up to which the model is used.

The model (see `bias`) is made to be carried to other momenta: muons of the Z have ten times the pT of those of the
J/psi. It is of first order, so it ends where its terms are large:

    |e|/pT and |M| pT <= SCALE_LIMIT      for the nominal values and their errors: corrections from few muons have
                                          large errors, and reach less far
    c pT <= RESOLUTION_LIMIT              at 0.3 the sign of the charge is known to three standard deviations

Beyond, the formulas are evaluated at the pT where the model ends, so that they are continuous, and all variations keep
the size that they have there. The range of the muons that made the corrections is never held."""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Self

import numpy as np

from muonkit.calibration.accumulate import CountSettings, selected
from muonkit.calibration.bias import Bias
from muonkit.calibration.binning import find_bin
from muonkit.calibration.resolution import Resolution
from muonkit.core.arrays import FloatArray, IntArray
from muonkit.core.kinematics import MuonArrays, mass
from muonkit.data.dimuons import Dimuons

SCALE_LIMIT = 0.1  # second order, which the model neglects, is then below 1 %
RESOLUTION_LIMIT = 0.3
LOWEST = 0.3  # GeV; a slower muon loses more energy the slower it is, and e is no constant
HIGHEST = 1e4  # GeV
PT_NODES = np.geomspace(0.1, HIGHEST, 577)  # GeV, 2 % apart
TAIL = 0.01  # share of the muons of an eta bin that lies below, and above, the range of a sample; few fix nothing
CALIBRATED, EXTRAPOLATED, HELD, OUTSIDE = range(4)


@dataclass(frozen=True, slots=True)
class Reach:
    """Ranges of pT [GeV] per eta bin, each (bins, 2): of the muons that made the corrections; in which the model
    is used. The second holds the first."""

    sample: FloatArray
    model: FloatArray

    @classmethod
    def of_scale(cls, biases: Iterable[Bias], sample: FloatArray) -> Self:
        """Where the corrections of the scale, nominal and all variations, are small, at any phi."""
        e, M = (np.max(np.abs(values), axis=0) for values in zip(*((b.e, b.M) for b in biases), strict=True))
        e, M = (values.reshape(len(sample), -1).max(axis=1) for values in (e, M))  # of all phi
        return cls._within(e / SCALE_LIMIT, _quotient(SCALE_LIMIT, M), sample)

    @classmethod
    def of_resolution(cls, resolutions: Iterable[Resolution], sample: FloatArray) -> Self:
        """Where hit resolution is small, in data, with all variations, and in simulation."""
        c = np.max([np.abs(each.c) for each in resolutions], axis=0)
        return cls._within(np.zeros(len(c)), _quotient(RESOLUTION_LIMIT, c), sample)

    @classmethod
    def _within(cls, low: FloatArray, high: FloatArray, sample: FloatArray) -> Self:
        first = np.minimum(np.maximum(low, LOWEST), sample[:, 0])
        last = np.maximum(np.minimum(high, HIGHEST), sample[:, 1])
        return cls(sample, np.stack([first, last], axis=1))

    def within(self, other: Self) -> Self:
        """Where both models are used."""
        first, last = np.maximum(self.model[:, 0], other.model[:, 0]), np.minimum(self.model[:, 1], other.model[:, 1])
        return type(self)(self.sample, np.stack([first, last], axis=1))

    def held(self, pt: FloatArray, index: IntArray) -> FloatArray:
        """pT (n,) [GeV] at which the formulas are evaluated, for muons of pT (n,) in eta bins `index` (n,)."""
        return np.clip(pt, *self.model[index].T)


def _quotient(limit: float, values: FloatArray) -> FloatArray:
    return np.divide(limit, values, out=np.full(len(values), np.inf), where=values > 0)


def common_range(samples: Sequence[FloatArray]) -> FloatArray:
    """Smallest and largest pT (bins, 2) [GeV] of the muons of all samples, from those of each."""
    low, high = (np.array([each[:, side] for each in samples]) for side in (0, 1))
    return np.stack([low.min(axis=0), high.max(axis=0)], axis=1)


@dataclass(frozen=True, slots=True)
class ReachCounts:
    """Numbers of muons: in the range of pT and eta that made the corrections; where the model is extrapolated; where
    the corrections are held at the value that they have where the model ends; outside the eta range, not corrected."""

    calibrated: int = 0
    extrapolated: int = 0
    held: int = 0
    outside: int = 0

    @classmethod
    def of(cls, codes: IntArray) -> Self:
        """From the codes CALIBRATED ... OUTSIDE of muons (n,)."""
        return cls(*np.bincount(codes, minlength=len(fields(cls))).tolist())

    def __add__(self, other: Self) -> Self:
        return type(self)(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class PtCounts:
    """Number of muons (bins, len(PT_NODES) - 1) per eta bin and bin of pT; those beyond the nodes count in the
    outermost bins."""

    counts: IntArray

    @classmethod
    def of(cls, table: Dimuons, settings: CountSettings) -> Self:
        """Of pairs that were selected."""
        bins, nodes = len(settings.binning.muons.eta_edges) - 1, len(PT_NODES) - 1
        index = np.concatenate([_node(muon, settings.binning.muons.eta_edges) for muon in (table.plus, table.minus)])
        return cls(np.bincount(index, minlength=bins * nodes).reshape(bins, nodes))

    def __add__(self, other: Self) -> Self:
        return type(self)(self.counts + other.counts)

    @property
    def range(self) -> FloatArray:
        """Smallest and largest pT (bins, 2) [GeV] without tails of TAIL of the muons on either side."""
        share = np.cumsum(self.counts, axis=1) / np.maximum(self.counts.sum(axis=1, keepdims=True), 1)
        first, last = (np.argmax(mask, axis=1) for mask in (share > TAIL, share >= 1 - TAIL))
        return np.stack([PT_NODES[first], PT_NODES[last + 1]], axis=1)


def _node(muon: MuonArrays, eta_edges: FloatArray) -> IntArray:
    width = np.log(PT_NODES[1] / PT_NODES[0])
    node = np.clip(np.log(muon.pt / PT_NODES[0]) / width, 0, len(PT_NODES) - 2).astype(np.int64)
    return find_bin(muon.eta, eta_edges) * (len(PT_NODES) - 1) + node


def selected_pairs(table: Dimuons, settings: CountSettings) -> Dimuons:
    """The pairs in the mass window, within the cuts and in a cell."""
    masses = mass(table.plus, table.minus)
    chosen = (masses >= settings.window[0]) & (masses < settings.window[1]) & selected(table, masses, settings)
    kept = table[chosen]
    return kept[settings.binning.index(kept.plus, kept.minus) >= 0]
