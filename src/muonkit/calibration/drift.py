"""Does the scale stay the same from run to run?

The corrected pairs are counted in slices of runs of about equal numbers of pairs, in classes of cells of similar
resolution. In each class the fitted curves of all pairs together give the shape P(m), and three scores: of a common
shift of all masses, of a wider peak, and of more background. One Newton step from the common fit gives the shift of
every slice (Rao's score test); the other two are left free, so that a change of resolution or background is not taken
for one of the scale. Composition may change too: every class has the number of pairs that it has in the slice."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from scipy.stats import chi2 as chi2_distribution

from muonkit.calibration.derive import Derived
from muonkit.core.arrays import FloatArray, IntArray
from muonkit.data.dimuons import Dimuons

SLICES = 8
PAIRS = 2000  # read pairs of a slice, at least
SELECTED = 200  # of them, at least: the scale of fewer is not Gaussian
SPAN = 1_000_000  # of run numbers
CLASSES = 12
LEAST = 1e-3  # of the mean share of a mass bin: an empty bin does not know everything
SHIFT = 0  # the first of the three scores


@dataclass(frozen=True, slots=True)
class RunPairs:
    """Run numbers (k,), ascending, and the number of pairs (k,) that were read of each."""

    run: IntArray
    pairs: IntArray

    @classmethod
    def of(cls, table: Dimuons) -> Self:
        """Of the pairs of one piece; none if there are no run numbers."""
        if table.identity is None or not len(table):
            return cls.none()
        run = table.identity.run
        starts = np.concatenate([[0], np.flatnonzero(run[1:] != run[:-1]) + 1])
        return cls._summed(run[starts], np.diff(starts, append=len(run)))

    @classmethod
    def none(cls) -> Self:
        """Without runs."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64))

    @classmethod
    def _summed(cls, run: IntArray, pairs: IntArray) -> Self:
        if len(run) and int(run.max()) - int(run.min()) < SPAN:  # ten times faster than to sort
            summed = np.bincount(run - run.min(), pairs).astype(np.int64)
            found = np.flatnonzero(summed)
            return cls(found + run.min(), summed[found])
        found, place = np.unique(run, return_inverse=True)
        return cls(found, np.bincount(place, pairs, len(found)).astype(np.int64))

    def __add__(self, other: Self) -> Self:
        return self._summed(*(np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)))

    def between(self, first: int, last: int) -> int:
        """The number of pairs in the runs `first` to `last`."""
        return int(self.pairs[(self.run >= first) & (self.run <= last)].sum())


@dataclass(frozen=True, slots=True)
class Slicing:
    """First and last run of every slice (slices,); class of every fine cell (fine cells,), -1 if it is not used."""

    first: IntArray
    last: IntArray
    classes: IntArray

    @classmethod
    def of(cls, runs: RunPairs, derived: Derived) -> Self:
        """At most SLICES slices with about the same number of pairs; the cells with good fits, by their sigma."""
        total = int(runs.pairs.sum())
        count = max(1, min(SLICES, total // PAIRS))
        middle = np.cumsum(runs.pairs) - runs.pairs / 2
        number = np.minimum((middle * count / max(total, 1)).astype(np.int64), count - 1)
        starts = np.flatnonzero(np.diff(number, prepend=-1))
        good, sigma = derived.fits.good, derived.fits.theta[:, 1]
        edges = np.quantile(sigma[good], np.arange(1, CLASSES) / CLASSES)
        of_fitted = np.where(good, np.searchsorted(edges, sigma), -1)
        group = derived.merging.group
        last = np.append(starts[1:], len(runs.run)) - 1
        return cls(runs.run[starts], runs.run[last], np.where(group >= 0, of_fitted[group], -1))

    def __len__(self) -> int:
        return len(self.first)

    def rows(self, run: IntArray) -> IntArray:
        """The slice (n,) of every pair."""
        found: IntArray = np.searchsorted(self.first, run, side="right") - 1
        return found


@dataclass(frozen=True, slots=True)
class SliceMasses:
    """Masses (slices, CLASSES, mass bins) of the selected pairs in used cells, and their sums of w^2 (slices,)."""

    masses: FloatArray
    weight2: FloatArray

    @classmethod
    def empty(cls, slices: int, bins: int) -> Self:
        """Without pairs."""
        return cls(np.zeros((slices, CLASSES, bins)), np.zeros(slices))

    def __add__(self, other: Self) -> Self:
        return type(self)(self.masses + other.masses, self.weight2 + other.weight2)


@dataclass(frozen=True, slots=True)
class RunSlice:
    """Runs `first` to `last`, their selected pairs, and by how much their scale differs from that of all; its error."""

    first: int
    last: int
    pairs: float
    scale: float
    error: float


@dataclass(frozen=True, slots=True)
class Drift:
    """The scale of one sample over runs: its slices, chi2 against a constant; without slices, why it is not checked."""

    sample: str
    slices: tuple[RunSlice, ...]
    chi2: float
    ndf: int
    p_value: float
    not_checked: str = ""

    @classmethod
    def unknown(cls, sample: str, reason: str) -> Self:
        """A sample that cannot be checked."""
        return cls(sample, (), 0.0, 0, 1.0, reason)

    @property
    def farthest(self) -> RunSlice:
        """The slice that is the most standard deviations off. Raises ValueError without slices."""
        return max(self.slices, key=lambda each: abs(each.scale) / each.error)


def drift(sample: str, slicing: Slicing, counted: SliceMasses, corrected: Derived) -> Drift:
    """The scale of every slice; `corrected`: the fit to all corrected pairs."""
    shape = _shapes(slicing, corrected)
    scores = _scores(shape, corrected.data.edges)
    entries = np.maximum(counted.masses.sum(axis=2), 0)  # weights may be below 0
    used = np.flatnonzero(entries.sum(axis=1) ** 2 > SELECTED * counted.weight2)
    if len(used) < 2:
        return Drift.unknown(sample, f"fewer than two slices of runs have {SELECTED} selected pairs")
    scores -= (scores * shape[:, None, :]).sum(axis=2, keepdims=True)
    fisher_of_class = np.einsum("kib,kjb,kb->kij", scores, scores, shape)
    fisher = np.einsum("sk,kij->sij", entries, fisher_of_class)[used]
    score = np.einsum("skb,kib->si", counted.masses, scores)[used]
    inverse = np.linalg.pinv(fisher, hermitian=True)
    scale = np.einsum("sj,sj->s", inverse[:, SHIFT], score)
    variance = inverse[:, SHIFT, SHIFT] * counted.weight2[used] / entries[used].sum(axis=1)
    return _against_constant(sample, slicing, used, entries.sum(axis=1), scale, variance)


def _shapes(slicing: Slicing, corrected: Derived) -> FloatArray:
    """Share of every mass bin (CLASSES, bins) in the fitted curves of every class; flat in a class without cells."""
    bins = corrected.data.counts.shape[1]
    of_fitted = slicing.classes[corrected.merging.first()]
    good = corrected.fits.good & (of_fitted >= 0)
    shape = np.full((CLASSES, bins), LEAST / bins)
    entries = np.maximum(corrected.cells.entries, 0)
    np.add.at(shape, of_fitted[good], entries[good, None] * corrected.fits.shares[good])
    shape /= shape.sum(axis=1, keepdims=True)
    shape = np.maximum(shape, LEAST / bins)
    normalised: FloatArray = shape / shape.sum(axis=1, keepdims=True)
    return normalised


def _scores(shape: FloatArray, edges: FloatArray) -> FloatArray:
    """d ln P (CLASSES, 3, bins) by a shift of ln m, by the square of the width, and by the share of a flat background.

    dP = -d(m p)/dm between the edges of a bin, with the density p at edges to fourth order in the bin width."""
    density = np.pad(shape / np.diff(edges), ((0, 0), (2, 2)), mode="edge")
    inner, outer = density[:, 1:-2] + density[:, 2:-1], density[:, :-3] + density[:, 3:]
    flow = edges * (7 * inner - outer) / 12
    wider = np.diff(np.pad(shape, ((0, 0), (1, 1)), mode="edge"), n=2, axis=1)
    flat = 1 / shape.shape[1] - shape
    changes = np.stack([-np.diff(flow, axis=1), wider, flat], axis=1)
    scores: FloatArray = changes / shape[:, None, :]
    return scores


def _against_constant(
    sample: str, slicing: Slicing, used: IntArray, pairs: FloatArray, scale: FloatArray, variance: FloatArray
) -> Drift:
    weight = 1 / variance
    away = scale - (weight @ scale) / weight.sum()
    chi2, ndf = float(weight @ away**2), len(used) - 1
    # the mean is made of the slices
    errors = np.sqrt(np.maximum(variance - 1 / weight.sum(), 1e-9 * variance))
    slices = tuple(
        RunSlice(int(slicing.first[i]), int(slicing.last[i]), float(pairs[i]), float(value), float(error))
        for i, value, error in zip(used, away, errors, strict=True)
    )
    return Drift(sample, slices, chi2, ndf, float(chi2_distribution.sf(chi2, ndf)))
