"""How many background tracks pass where a wanted share of the signal does, for scores of the same tracks."""

from typing import Any

import numpy as np

from muonkit.core.arrays import AnyArray, BoolArray, FloatArray

LEVELS = 0.16, 0.84


def cut_for(score: FloatArray, efficiency: float) -> float:
    """The cut that the share `efficiency` of the scores pass."""
    return float(np.quantile(score, 1 - efficiency, method="lower"))


def fake_rate(signal: FloatArray, background: FloatArray, efficiency: float) -> float:
    """Share of background scores at or above the cut of that efficiency; equal scores count in proportion, so that a
    score of few values is not favoured."""
    cut = cut_for(signal, efficiency)
    above, at = np.mean(signal > cut), np.mean(signal == cut)
    share = (efficiency - above) / at if at > 0 else 0.0
    return float(np.mean(background > cut) + share * np.mean(background == cut))


def compare(
    scores: dict[str, FloatArray], signal: BoolArray, efficiency: float, toys: int, seed: int
) -> dict[str, Any]:
    """Fake rate of every score with its interval (68 %, bootstrap of signal and background, so that the error of the
    cut is in it), and the ratio of all to the first, None where that is 0."""
    rng = np.random.default_rng(seed)
    names, s, b = list(scores), np.flatnonzero(signal), np.flatnonzero(~signal)
    if not (len(s) and len(b)):
        return {"signal": len(s), "background": len(b)}

    def rates(rows: AnyArray, others: AnyArray) -> list[float]:
        return [fake_rate(scores[name][rows], scores[name][others], efficiency) for name in names]

    found = np.array(rates(s, b))
    spread = np.array([rates(rng.choice(s, len(s)), rng.choice(b, len(b))) for _ in range(toys)])
    result: dict[str, Any] = {"signal": len(s), "background": len(b), "efficiency": efficiency}
    for i, name in enumerate(names):
        low, high = np.quantile(spread[:, i], LEVELS)
        result[name] = {"fake_rate": float(found[i]), "low": float(low), "high": float(high)}
        result[name] |= ratio_to_first(found[[i, 0]], spread[:, [i, 0]])
    return result


def ratio_to_first(found: FloatArray, spread: FloatArray) -> dict[str, float | None]:
    """Ratio of two rates (2,) and its interval from toys (m, 2); None where the second is 0."""
    ratios = spread[spread[:, 1] > 0]
    if found[1] == 0 or not len(ratios):
        return dict.fromkeys(("ratio", "ratio_low", "ratio_high"))
    low, high = np.quantile(ratios[:, 0] / ratios[:, 1], LEVELS)
    return {"ratio": float(found[0] / found[1]), "ratio_low": float(low), "ratio_high": float(high)}
