"""How many background tracks pass where a wanted share of the signal does, for scores of the same tracks."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from muonkit.core.arrays import AnyArray, BoolArray, FloatArray

LEVELS = 0.16, 0.84


@dataclass(frozen=True, slots=True)
class FakeRate:
    """The share of background tracks that pass, its interval (68 %), and its ratio to that of the first score; no ratio
    where that one is 0."""

    fake_rate: float
    low: float
    high: float
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Numbers of signal and background tracks, and the fake rate of every score at one efficiency of the signal; no
    scores without tracks of both."""

    signal: int
    background: int
    efficiency: float
    scores: dict[str, FakeRate]

    def to_json(self) -> dict[str, Any]:
        """Fake rates by score, beside the numbers."""
        numbers: dict[str, Any] = {"signal": self.signal, "background": self.background}
        if not self.scores:
            return numbers
        return numbers | {"efficiency": self.efficiency} | {name: asdict(one) for name, one in self.scores.items()}


def cut_for(score: FloatArray, efficiency: float) -> float:
    """The cut that the share `efficiency` of the scores (n,) pass."""
    return float(np.quantile(score, 1 - efficiency, method="lower"))


def fake_rate(signal: FloatArray, background: FloatArray, efficiency: float) -> float:
    """Share of background scores at or above the cut of that efficiency; equal scores count in proportion, so that a
    score of few values is not favoured."""
    cut = cut_for(signal, efficiency)
    above, at = np.mean(signal > cut), np.mean(signal == cut)
    share = (efficiency - above) / at if at > 0 else 0.0
    return float(np.mean(background > cut) + share * np.mean(background == cut))


def compare(scores: dict[str, FloatArray], signal: BoolArray, efficiency: float, toys: int, seed: int) -> Comparison:
    """Fake rates of scores (n,) of the same tracks; signal (n,): which are of it. Intervals by bootstrap of signal and
    background, so that the error of the cut is in them."""
    rng = np.random.default_rng(seed)
    names, s, b = list(scores), np.flatnonzero(signal), np.flatnonzero(~signal)
    if not (len(s) and len(b)):
        return Comparison(len(s), len(b), efficiency, {})

    def rates(rows: AnyArray, others: AnyArray) -> list[float]:
        return [fake_rate(scores[name][rows], scores[name][others], efficiency) for name in names]

    found = np.array(rates(s, b))
    spread = np.array([rates(rng.choice(s, len(s)), rng.choice(b, len(b))) for _ in range(toys)])
    by_score = {name: with_interval(found[[i, 0]], spread[:, [i, 0]]) for i, name in enumerate(names)}
    return Comparison(len(s), len(b), efficiency, by_score)


def with_interval(found: FloatArray, spread: FloatArray) -> FakeRate:
    """Of two rates (2,), the second that of the first score, and their toys (m, 2)."""
    low, high = (float(value) for value in np.quantile(spread[:, 0], LEVELS))
    toys = spread[spread[:, 1] > 0]
    if found[1] == 0 or not len(toys):
        return FakeRate(float(found[0]), low, high, None, None, None)
    ratios = (float(value) for value in np.quantile(toys[:, 0] / toys[:, 1], LEVELS))
    return FakeRate(float(found[0]), low, high, float(found[0] / found[1]), *ratios)
