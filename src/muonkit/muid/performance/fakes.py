"""Fake rates at given efficiencies of muons, of any score of any range: nothing is binned.

The histogram of a score is exact, with a cell for each of its values, so that ROC curve, area and errors are those of
`roc`. Cell 0 holds the tracks without a score (-inf), which fail every cut."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from muonkit.core.arrays import BoolArray, FloatArray, IntArray
from muonkit.muid.likelihood.hypotheses import HYPOTHESES
from muonkit.muid.performance.fine import above
from muonkit.muid.performance.roc import auc, curve, fakes_at
from muonkit.muid.performance.score import NO_SCORE

SIGNAL = "mu"
BACKGROUNDS = tuple(name for name in HYPOTHESES if name != SIGNAL)
Scores = Mapping[str, FloatArray]  # by background: the score (n,) that tells muons from it
Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Fakes:
    """Share of a background that passes the cut of an efficiency, its interval (68 %); reached: some cut has that
    efficiency."""

    efficiency: float
    fake_rate: float
    low: float
    high: float
    reached: bool


@dataclass(frozen=True, slots=True)
class AgainstSpecies:
    """Numbers of muons and of tracks of one background, area under the curve with its error, fake rates; nothing but
    the numbers without tracks of both."""

    muons: int
    tracks: int
    auc: float | None = None
    auc_error: float | None = None
    fakes: tuple[Fakes, ...] = ()


@dataclass(frozen=True, slots=True)
class InRange:
    """Of tracks with true momenta p [GeV], by background."""

    p: Range
    species: dict[str, AgainstSpecies]


def fakes_in_ranges(
    scores: Scores, species: IntArray, p: FloatArray, ranges: Sequence[Range], efficiencies: Sequence[float]
) -> tuple[InRange, ...]:
    """Compare scores of tracks of species (n,), places in HYPOTHESES, and true momentum p (n,) [GeV] in ranges of p."""
    return tuple(_in_range(scores, species, (p >= low) & (p < high), (low, high), efficiencies) for low, high in ranges)


def ranges_of(p: Range, edges: Sequence[float]) -> tuple[Range, ...]:
    """The whole range, then its bins."""
    return (p, *pairwise(edges))


def _in_range(scores: Scores, species: IntArray, rows: BoolArray, p: Range, efficiencies: Sequence[float]) -> InRange:
    muons = rows & (species == HYPOTHESES.index(SIGNAL))
    found = {}
    for name in BACKGROUNDS:
        others = rows & (species == HYPOTHESES.index(name))
        found[name] = against(scores[name][muons], scores[name][others], efficiencies)
    return InRange(p, found)


def against(signal: FloatArray, background: FloatArray, efficiencies: Sequence[float]) -> AgainstSpecies:
    """Scores of muons (n,) and of one background (m,), -inf without a score."""
    numbers = len(signal), len(background)
    if not all(numbers):
        return AgainstSpecies(*numbers)
    of_signal, of_background = histograms(signal, background)
    found, most = curve(of_signal, of_background), float(above(of_signal)[0])
    fakes = tuple(Fakes(wanted, *fakes_at(found, wanted), reached=most >= wanted) for wanted in efficiencies)
    return AgainstSpecies(*numbers, *auc(of_signal, of_background), fakes)


def histograms(signal: FloatArray, background: FloatArray) -> tuple[IntArray, IntArray]:
    """Entries at every value of either; the first cell is NO_SCORE and the last is infinity, also if they are empty."""
    values, cell = np.unique(np.concatenate(([NO_SCORE, np.inf], signal, background)), return_inverse=True)
    cell = cell.reshape(-1)[2:]
    parts = cell[: len(signal)], cell[len(signal) :]
    of_signal, of_background = (np.bincount(part, minlength=len(values)) for part in parts)
    return of_signal, of_background
