"""ROC curves from fine histograms: muon efficiency against fake rate for every cut on a score.

The area under the curve (AUC) is the probability that a muon has the larger score, equal ones counting half; its error
is that of DeLong, DeLong and Clarke-Pearson (Biometrics 44, 837, 1988), which needs no model of the scores:

    var = var(V10)/n_mu + var(V01)/n_pi,  V10 = P(pion < this muon),  V01 = P(muon > this pion)

A working point is the fake rate at a wanted efficiency. Its variance has the pions' binomial part and, for the cut is
set by the muons, half the change of the fake rate while the efficiency goes through -+ its own binomial error. The
interval is Clopper-Pearson with as many effective tracks as have this variance, so that it holds for no fakes too."""

from dataclasses import dataclass

import numpy as np

from muonkit.core.arrays import FloatArray, IntArray
from muonkit.muid.performance.fine import Fine, above
from muonkit.muid.performance.rates import rate

GRID = np.concatenate((np.linspace(0, 0.5, 26)[:-1], np.linspace(0.5, 1, 101)))  # efficiencies of a drawn curve


@dataclass(frozen=True, slots=True)
class RocCurve:
    """Falling with the cut, from 1 to 0: efficiency, fake (k,); numbers of tracks behind them."""

    efficiency: FloatArray
    fake: FloatArray
    signal: int
    background: int

    def at(self, efficiency: FloatArray | float) -> FloatArray:
        """Fake rate at an efficiency, linear between cuts."""
        return np.asarray(np.interp(efficiency, self.efficiency[::-1], self.fake[::-1]))


@dataclass(frozen=True, slots=True)
class WorkingPoint:
    """Fake rate [low, high] at an efficiency, and the cut; reached: some cut has it (tracks without score fail all)."""

    efficiency: float
    fake: float
    low: float
    high: float
    cut: float
    reached: bool


def curve(signal: IntArray, background: IntArray) -> RocCurve:
    """The ROC curve of two fine histograms (CELLS,)."""
    ends = [np.concatenate(([1.0], above(counts), [0.0])) for counts in (signal, background)]
    return RocCurve(ends[0], ends[1], int(signal.sum()), int(background.sum()))


def auc(signal: IntArray, background: IntArray) -> tuple[float, float]:
    """AUC and its error, the variance of DeLong; NaN without tracks."""
    if signal.sum() == 0 or background.sum() == 0:
        return float("nan"), float("nan")
    below = (np.cumsum(background) - background / 2) / background.sum()
    over = 1 - (np.cumsum(signal) - signal / 2) / signal.sum()
    value = np.average(below, weights=signal)
    variance = _variance(below, signal) + _variance(over, background)
    return float(value), float(np.sqrt(variance))


def _variance(values: FloatArray, counts: IntArray) -> float:
    """Of the mean of values that stand `counts` times."""
    n, mean = counts.sum(), np.average(values, weights=counts)
    return float(np.sum(counts * (values - mean) ** 2) / max(n - 1, 1) / n)


def working_point(signal: IntArray, background: IntArray, efficiency: float, fine: Fine) -> WorkingPoint:
    """The fake rate at an efficiency; NaN without tracks."""
    found = curve(signal, background)
    if found.signal == 0 or found.background == 0:
        nothing = float("nan")
        return WorkingPoint(efficiency, nothing, nothing, nothing, nothing, reached=False)
    fake, low, high = fakes_at(found, efficiency)
    steps = above(signal)
    cut = float(np.interp(-efficiency, -steps, fine.edges))
    return WorkingPoint(efficiency, fake, low, high, cut, bool(steps[0] >= efficiency))


def fakes_at(found: RocCurve, efficiency: float) -> tuple[float, float, float]:
    """Fake rate at an efficiency, and the ends of its interval (68 %)."""
    fake = float(found.at(efficiency))
    interval = rate(*_effective(found, efficiency, fake))
    return fake, float(interval.low), float(interval.high)


def _effective(found: RocCurve, efficiency: float, fake: float) -> tuple[FloatArray, FloatArray]:
    """Numbers of fakes and of tracks whose binomial variance is that of the fake rate, cut included."""
    sigma = np.sqrt(efficiency * (1 - efficiency) / found.signal)
    of_cut = (found.at(min(efficiency + sigma, 1.0)) - found.at(max(efficiency - sigma, 0.0))) / 2
    binomial = fake * (1 - fake) / found.background
    share = binomial / (binomial + of_cut**2) if binomial > 0 else 1.0
    tracks = found.background * share
    return np.asarray(fake * tracks), np.asarray(tracks)
